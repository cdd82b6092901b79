/* net.c - Shell. Descriptors, timers and signals on libre's loop. */
#include "base/net.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/re.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* libre 3.6 put a handle into fd_listen(); configure asks which one it is */
struct nfd {
	int fd;
	int flags;
	nfd_h *h;
	void *arg;
#ifdef HAVE_FD_LISTEN_FHS
	struct re_fhs *fhs;
#endif
};

struct ntimer {
	struct nfd *nfd;
	int fd;
	uint64_t want;      /**< when to call h [ms], UINT64_MAX = not     */
	uint64_t armed;     /**< when the kernel wakes us [ms]             */
	bool *freed;        /**< while h runs: set when it frees us        */
	ntimer_h *h;
	void *arg;
};

struct sigs {
	int fd;
	void (*h)(int sig, void *arg);
	void *arg;
};

/** libre's own complaints go into our log, not raw to stderr */
static void re_said(int level, const char *p, size_t len, void *arg)
{
	if (level <= DBG_WARNING)
		log_debug("event=libre text=%s",
			  log_esc(sl_trim(sl_mk(p, len))));
}

int net_init(uint32_t maxfds)
{
	int err;

	dbg_init(DBG_EMERG, DBG_NONE);
	dbg_handler_set(re_said, NULL);

	/* a peer that closes is an error of write(), not our end */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return errno;
	err = libre_init();
	if (err)
		return err;
	err = fd_setsize((int)maxfds);
	if (err)
		libre_close();
	return err;
}

void net_close(void)
{
	(void)fd_setsize(0);    /* frees the table; fails when there is none */
	libre_close();
}

void net_stop(void)
{
	re_cancel();
}

static void sig_read(int flags, void *arg)
{
	const struct sigs *s = arg;
	struct signalfd_siginfo si;

	while (read(s->fd, &si, sizeof(si)) == sizeof(si))
		s->h((int)si.ssi_signo, s->arg);
}

int net_run(void (*sigh)(int sig, void *arg), void *arg)
{
	struct sigs s = { -1, sigh, arg };
	struct nfd *n = NULL;
	sigset_t set, old;
	int err;

	if (!sigh)
		return re_main(NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	err = pthread_sigmask(SIG_BLOCK, &set, &old);
	if (err)
		return err;
	s.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s.fd < 0) {
		err = errno;
		goto out;
	}
	err = nfd_alloc(&n, s.fd, NET_READ, sig_read, &s);
	if (!err)
		err = re_main(NULL);
out:
	nfd_free(n);
	if (s.fd >= 0)
		close(s.fd);
	/* cannot fail: the set comes from the call above */
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

/** Nothing touches n after h: h may free it */
static void ready(int flags, void *arg)
{
	struct nfd *n = arg;
	int f = 0;

	if (flags & FD_READ)
		f |= NET_READ;
	if (flags & FD_WRITE)
		f |= NET_WRITE;
	if (flags & FD_EXCEPT)
		f |= NET_ERROR;
	n->h(f, n->arg);
}

static void unwatch(struct nfd *n)
{
#ifdef HAVE_FD_LISTEN_FHS
	n->fhs = fd_close(n->fhs);
#else
	fd_close(n->fd);
#endif
}

int nfd_set(struct nfd *n, int flags)
{
	int f = 0, err;

	if (flags == n->flags)
		return 0;
	if (!flags) {
		unwatch(n);
		n->flags = 0;
		return 0;
	}
	if (flags & NET_READ)
		f |= FD_READ;
	if (flags & NET_WRITE)
		f |= FD_WRITE;
	f |= FD_EXCEPT;
#ifdef HAVE_FD_LISTEN_FHS
	err = fd_listen(&n->fhs, n->fd, f, ready, n);
#else
	err = fd_listen(n->fd, f, ready, n);
#endif
	if (!err)
		n->flags = flags;
	return err;
}

int nfd_alloc(struct nfd **np, int fd, int flags, nfd_h *h, void *arg)
{
	struct nfd *n;
	int err;

	if (fd < 0 || !h)
		return EINVAL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return ENOMEM;
	n->fd = fd;
	n->h = h;
	n->arg = arg;
	err = nfd_set(n, flags);
	if (err) {
		free(n);
		return err;
	}
	*np = n;
	return 0;
}

void nfd_free(struct nfd *n)
{
	if (!n)
		return;
	if (n->flags)
		unwatch(n);
	free(n);
}

static void arm(struct ntimer *t, uint64_t at)
{
	struct itimerspec its = { .it_value = {
		.tv_sec = (time_t)(at / 1000),
		.tv_nsec = (long)(at % 1000) * 1000000,
	} };

	if (!at)
		its.it_value.tv_nsec = 1;       /* 0 would disarm */
	/* fails only on a bad descriptor or time, which are ours */
	(void)timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &its, NULL);
	t->armed = at;
}

static void expired(int flags, void *arg)
{
	struct ntimer *t = arg;
	bool freed = false;
	uint64_t n;

	/* arming takes the expiry away as well: no need to read it */
	if (t->want != UINT64_MAX && t->want > clk_now()) {
		arm(t, t->want);
		return;
	}
	t->armed = UINT64_MAX;
	if (t->want != UINT64_MAX) {
		t->want = UINT64_MAX;
		t->freed = &freed;
		t->h(t->arg);           /* most set it anew */
		if (freed)
			return;
		t->freed = NULL;
	}
	/* it would be announced for ever; EAGAIN tells nothing new */
	if (t->armed == UINT64_MAX && read(t->fd, &n, sizeof(n)) < 0)
		return;
}

int ntimer_alloc(struct ntimer **tp, ntimer_h *h, void *arg)
{
	struct ntimer *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return ENOMEM;
	t->want = t->armed = UINT64_MAX;
	t->h = h;
	t->arg = arg;
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (t->fd < 0) {
		err = errno;
		free(t);
		return err;
	}
	err = nfd_alloc(&t->nfd, t->fd, NET_READ, expired, t);
	if (err) {
		ntimer_free(t);
		return err;
	}
	*tp = t;
	return 0;
}

/* A later time leaves the kernel alone: restarting costs no system call, and
 * the early wake-up rearms */
void ntimer_at(struct ntimer *t, uint64_t at)
{
	t->want = at;
	if (at < t->armed)
		arm(t, at);
}

void ntimer_free(struct ntimer *t)
{
	if (!t)
		return;
	if (t->freed)
		*t->freed = true;
	nfd_free(t->nfd);
	close(t->fd);
	free(t);
}

socklen_t net_to_sockaddr(struct sockaddr_storage *ss, const struct addr *a)
{
	/* zeroed as far as it is used: this is done for every datagram */
	if (a->af == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		*in = (struct sockaddr_in){ 0 };
		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	if (a->af == 6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

		*in6 = (struct sockaddr_in6){ 0 };
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->ip, 16);
		return sizeof(*in6);
	}
	return 0;
}

int net_from_sockaddr(struct addr *a, const struct sockaddr *sa)
{
	struct addr t = { 0 };

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		t.af = 4;
		t.port = ntohs(in->sin_port);
		memcpy(t.ip, &in->sin_addr, 4);
	}
	else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		t.af = 6;
		t.port = ntohs(in6->sin6_port);
		memcpy(t.ip, &in6->sin6_addr, 16);
	}
	else {
		return EAFNOSUPPORT;
	}
	*a = t;
	return 0;
}

static const char *listen_hint(int err)
{
	switch (err) {
	case EADDRINUSE:
		return "another program has this port, or this one runs "
		       "already: ss -lntup shows who; end it, or set another "
		       "port";
	case EADDRNOTAVAIL:
		return "this machine has no such address: ip addr shows those "
		       "it has; set another address";
	case EACCES:
		return "a port below 1024 needs CAP_NET_BIND_SERVICE: set "
		       "another port";
	default:
		return "see the settings";
	}
}

int net_listen_failed(const char *setting, const char *tp,
		      const struct addr *a, int err)
{
	char txt[ADDR_TXT];

	log_error("event=listen-failed setting=%s transport=%s address=%s "
		  "error=%s hint=\"%s\"", setting, tp, addr_txt(a, txt),
		  log_esc(sl_cstr(strerror(err))), listen_hint(err));
	return err;
}
