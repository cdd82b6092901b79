/* curlm.c - Shell. libcurl's multi interface on the event loop. */
#include "web/curlm.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/net.h"

struct curlm_req {
	struct curlm_req *next;
	struct curlm *m;
	CURL *easy;
	struct buf body;
	struct curl_slist *head;     /* of a POST                           */
	size_t left;                 /* of its answer, may still come       */
	curlm_h *h;
	void *arg;
};

/** A socket of libcurl's */
struct sock {
	struct sock *next;
	struct curlm *m;
	curl_socket_t fd;
	struct nfd *nfd;
	bool gone;               /* libcurl is done with it: freed by sweep() */
};

struct curlm {
	CURLM *multi;
	struct ntimer *timer;
	struct curlm_req *reqs;
	struct sock *socks;
};

static void req_free(struct curlm_req *r)
{
	struct curlm_req **pp = &r->m->reqs;

	while (*pp && *pp != r)
		pp = &(*pp)->next;
	if (*pp)
		*pp = r->next;
	if (r->easy) {
		(void)curl_multi_remove_handle(r->m->multi, r->easy);
		curl_easy_cleanup(r->easy);
	}
	curl_slist_free_all(r->head);
	buf_free(&r->body);
	free(r);
}

static int errno_of(CURLcode c)
{
	switch (c) {
	case CURLE_OK:                  return 0;
	case CURLE_OPERATION_TIMEDOUT:  return ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:     return ECONNREFUSED;
	case CURLE_WRITE_ERROR:         return EMSGSIZE;
	case CURLE_FILESIZE_EXCEEDED:   return EMSGSIZE;
	case CURLE_COULDNT_RESOLVE_HOST: return EHOSTUNREACH;
	case CURLE_PEER_FAILED_VERIFICATION: return EACCES;
	case CURLE_OUT_OF_MEMORY:       return ENOMEM;
	case CURLE_GOT_NOTHING:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_PARTIAL_FILE:        return EPROTO;
	default:                        return EIO;
	}
}

/** Sockets are freed when libcurl is not on the stack */
static void sweep(struct curlm *m)
{
	struct sock **pp = &m->socks;

	while (*pp) {
		struct sock *s = *pp;

		if (!s->gone) {
			pp = &s->next;
			continue;
		}
		*pp = s->next;
		nfd_free(s->nfd);
		free(s);
	}
}

static void finish(struct curlm *m)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(m->multi, &left))) {
		struct curlm_req *r = NULL;
		char *priv = NULL;
		long status = 0;
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
					&priv);
		(void)curl_easy_getinfo(msg->easy_handle,
					CURLINFO_RESPONSE_CODE, &status);
		r = (struct curlm_req *)(void *)priv;
		r->h(errno_of(code), (unsigned)status, buf_as_sl(&r->body),
		     r->arg);
		req_free(r);
	}
	sweep(m);
}

static void sock_event(int flags, void *arg)
{
	struct sock *s = arg;
	struct curlm *m = s->m;
	int what = 0, running;

	if (flags & NET_READ)
		what |= CURL_CSELECT_IN;
	if (flags & NET_WRITE)
		what |= CURL_CSELECT_OUT;
	if (flags & NET_ERROR)
		what |= CURL_CSELECT_ERR;
	(void)curl_multi_socket_action(m->multi, s->fd, what, &running);
	finish(m);
}

static void timer_event(void *arg)
{
	struct curlm *m = arg;
	int running;

	(void)curl_multi_socket_action(m->multi, CURL_SOCKET_TIMEOUT, 0,
				       &running);
	finish(m);
}

/** libcurl wants to be called after so many ms, -1 = not */
static int want_timer(CURLM *multi, long ms, void *arg)
{
	struct curlm *m = arg;

	ntimer_at(m->timer, ms < 0 ? UINT64_MAX : clk_now() + (uint64_t)ms);
	return 0;
}

/** libcurl wants to know when a socket can be read or written */
static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
		       void *sockp)
{
	struct curlm *m = arg;
	struct sock *s = sockp;
	int flags = (what & CURL_POLL_IN ? NET_READ : 0) |
		(what & CURL_POLL_OUT ? NET_WRITE : 0);

	if (what == CURL_POLL_REMOVE) {
		if (s) {
			(void)nfd_set(s->nfd, 0);
			s->gone = true;
		}
		return 0;
	}
	if (s)
		return nfd_set(s->nfd, flags) ? -1 : 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -1;
	s->m = m;
	s->fd = fd;
	if (nfd_alloc(&s->nfd, fd, flags, sock_event, s)) {
		free(s);
		return -1;
	}
	s->next = m->socks;
	m->socks = s;
	return curl_multi_assign(m->multi, fd, s) ? -1 : 0;
}

static size_t got(char *p, size_t size, size_t n, void *arg)
{
	struct curlm_req *r = arg;

	buf_put(&r->body, p, size * n);
	return r->body.err ? 0 : size * n;
}

static CURLcode set_up(struct curlm_req *r, const char *url, uint32_t patience)
{
	CURL *e = r->easy;
	CURLcode c = curl_easy_setopt(e, CURLOPT_URL, url);

#define SET(opt, v) do { if (!c) c = curl_easy_setopt(e, opt, v); } while (0)
	SET(CURLOPT_PRIVATE, r);
	SET(CURLOPT_WRITEFUNCTION, got);
	SET(CURLOPT_WRITEDATA, r);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_TIMEOUT_MS, (long)patience);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)patience);
	SET(CURLOPT_USERAGENT, "edgewise");
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	/* else it waits for its thread that asks for a name, for seconds */
	SET(CURLOPT_QUICK_EXIT, 1L);
#undef SET
	return c;
}

static struct curlm_req *req_new(struct curlm *m, curlm_h *h, void *arg)
{
	struct curlm_req *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->m = m;
	r->h = h;
	r->arg = arg;
	r->easy = curl_easy_init();
	if (!r->easy) {
		free(r);
		return NULL;
	}
	return r;
}

/** Let it go, if it could be `set`; else it is freed */
static int begin(struct curlm_req **rp, struct curlm_req *r, CURLcode set)
{
	if (set || curl_multi_add_handle(r->m->multi, r->easy)) {
		curl_easy_cleanup(r->easy);
		r->easy = NULL;
		req_free(r);
		return ENOMEM;
	}
	r->next = r->m->reqs;
	r->m->reqs = r;
	*rp = r;
	return 0;
}

int curlm_get(struct curlm_req **rp, struct curlm *m, const struct addr *a,
	      const char *path, uint32_t patience, size_t max, curlm_h *h,
	      void *arg)
{
	struct curlm_req *r = req_new(m, h, arg);
	char url[256], txt[ADDR_TXT];

	if (!r)
		return ENOMEM;
	buf_init(&r->body, max);
	(void)snprintf(url, sizeof(url), "http://%s%s", addr_txt(a, txt), path);
	return begin(rp, r, set_up(r, url, patience));
}

static size_t thrown(char *p, size_t size, size_t n, void *arg)
{
	struct curlm_req *r = arg;

	if (size * n > r->left)
		return 0;
	r->left -= size * n;
	return size * n;
}

static CURLcode set_up_post(struct curlm_req *r, const struct curlm_post *p)
{
	CURL *e = r->easy;
	CURLcode c = set_up(r, p->url, p->patience);

	for (size_t i = 0; p->header[i]; i++) {
		struct curl_slist *l = curl_slist_append(r->head,
							 p->header[i]);

		if (!l)
			return CURLE_OUT_OF_MEMORY;
		r->head = l;
	}
#define SET(opt, v) do { if (!c) c = curl_easy_setopt(e, opt, v); } while (0)
	SET(CURLOPT_WRITEFUNCTION, thrown);
	SET(CURLOPT_HTTPHEADER, r->head);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.n);
	SET(CURLOPT_COPYPOSTFIELDS, p->body.p);
	if (p->ca_file && *p->ca_file)
		SET(CURLOPT_CAINFO, p->ca_file);
#undef SET
	return c;
}

int curlm_post(struct curlm_req **rp, struct curlm *m,
	       const struct curlm_post *p, curlm_h *h, void *arg)
{
	struct curlm_req *r = req_new(m, h, arg);

	if (!r)
		return ENOMEM;
	r->left = p->max;
	return begin(rp, r, set_up_post(r, p));
}

uint64_t curlm_retry_after(const struct curlm_req *r)
{
	curl_off_t s = 0;

	if (curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &s) || s < 0)
		return 0;
	return (uint64_t)s;
}

void curlm_cancel(struct curlm_req *r)
{
	struct curlm *m;

	if (!r)
		return;
	m = r->m;
	req_free(r);
	sweep(m);
}

int curlm_alloc(struct curlm **mp)
{
	struct curlm *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return ENOMEM;
	/* its count of users makes a second call cheap */
	if (curl_global_init(CURL_GLOBAL_NOTHING)) {
		free(m);
		return ENOMEM;
	}
	m->multi = curl_multi_init();
	err = m->multi ? ntimer_alloc(&m->timer, timer_event, m) : ENOMEM;
	if (!err && (curl_multi_setopt(m->multi, CURLMOPT_SOCKETFUNCTION,
				       want_socket) ||
		     curl_multi_setopt(m->multi, CURLMOPT_SOCKETDATA, m) ||
		     curl_multi_setopt(m->multi, CURLMOPT_TIMERFUNCTION,
				       want_timer) ||
		     curl_multi_setopt(m->multi, CURLMOPT_TIMERDATA, m)))
		err = ENOMEM;
	if (err) {
		curlm_free(m);
		return err;
	}
	*mp = m;
	return 0;
}

void curlm_free(struct curlm *m)
{
	if (!m)
		return;
	while (m->reqs)
		req_free(m->reqs);
	if (m->multi)
		(void)curl_multi_cleanup(m->multi);
	for (struct sock *s = m->socks; s; s = s->next)
		s->gone = true;
	sweep(m);
	ntimer_free(m->timer);
	curl_global_cleanup();
	free(m);
}
