/* http.c - Shell. The management HTTP server on libre's. */
#include "web/http.h"
#include "base/log.h"
#include "base/net.h"
#include "base/re.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct route {
	const char *method, *path;
	http_route_h *h;
	void *arg;
};

struct http_srv {
	struct http_sock *sock;
	const char *name;
	struct route route[HTTP_ROUTES];
	size_t routes;
	char *host[HTTP_HOSTS];
	size_t hosts;
	struct stats *st;
	struct log_limit limit;
	/* figures */
	uint64_t requests;
	uint64_t refused;       /**< 4xx and 5xx of this file */
};

static const char *reason(unsigned status)
{
	switch (status) {
	case 200: return "OK";
	case 202: return "Accepted";
	case 204: return "No Content";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 409: return "Conflict";
	case 411: return "Length Required";
	case 413: return "Content Too Large";
	case 500: return "Internal Server Error";
	case 503: return "Service Unavailable";
	default:  return status < 400 ? "OK" : "Error";
	}
}

static struct sl from_pl(const struct pl *pl)
{
	return sl_mk(pl->p, pl->p ? pl->l : 0);
}

void http_srv_reply(struct http_call *c, unsigned status, const char *type,
		    struct sl body)
{
	bool head = sl_eq(c->method, SL("HEAD"));
	int err;

	if (c->answered)
		return;
	c->answered = true;
	err = http_reply(c->conn, (uint16_t)status, reason(status),
			 "Content-Type: %s\r\n"
			 "Content-Length: %zu\r\n"
			 "Cache-Control: no-store\r\n"
			 "X-Content-Type-Options: nosniff\r\n"
			 "\r\n"
			 "%b", type, body.n, body.p ? body.p : "",
			 head ? (size_t)0 : body.n);
	if (err)
		log_debug("event=http-reply error=%s",
			  log_esc(sl_cstr(strerror(err))));
}

static void refuse(struct http_srv *s, struct http_call *c, unsigned status,
		   const char *text)
{
	s->refused++;
	http_srv_reply(c, status, "text/plain", sl_cstr(text));
}

/** Host without its port */
static struct sl bare_host(struct sl h)
{
	size_t end = h.n && h.p[0] == '[' ? sl_chr(h, ']') + 1 :
		sl_chr(h, ':');

	return sl_sub(h, 0, end);
}

/**
 * A page of somebody else may let its own name resolve to our address and so
 * read from here; then Host holds that name.
 */
static bool host_allowed(const struct http_srv *s, struct sl host)
{
	struct sl h = bare_host(host);
	struct addr a;

	if (addr_parse_ip(&a, h) == 0 || sl_ieq(h, SL("localhost")))
		return true;
	for (size_t i = 0; i < s->hosts; i++) {
		if (sl_ieq(h, sl_cstr(s->host[i])))
			return true;
	}
	return false;
}

/** "http://host:port" of the page that asks, against where it asks */
static bool same_origin(const struct http_call *c)
{
	struct sl o = c->origin;
	size_t i;

	if (!o.n)
		return true;
	for (i = 0; i + 3 <= o.n; i++) {
		if (!memcmp(o.p + i, "://", 3))
			return sl_ieq(sl_sub(o, i + 3, o.n), c->host);
	}
	return false;
}

static bool matches(const struct route *r, const struct http_call *c)
{
	struct sl p = sl_cstr(r->path);

	if (p.n && p.p[p.n - 1] == '/')
		return sl_starts(c->path, p);
	return sl_eq(c->path, p);
}

static bool is_read(const struct http_call *c)
{
	return sl_eq(c->method, SL("GET")) || sl_eq(c->method, SL("HEAD"));
}

static void dispatch(struct http_srv *s, struct http_call *c)
{
	struct sl method = is_read(c) ? SL("GET") : c->method;
	bool known = false;

	for (size_t i = 0; i < s->routes; i++) {
		const struct route *r = &s->route[i];

		if (!matches(r, c))
			continue;
		known = true;
		if (!sl_eq(method, sl_cstr(r->method)))
			continue;
		r->h(c, r->arg);
		if (!c->answered)
			refuse(s, c, 500, "no answer\n");
		return;
	}
	refuse(s, c, known ? 405 : 404,
	       known ? "method not allowed\n" : "not found\n");
}

/** What is wrong with a request whatever its path; 0 = nothing */
static unsigned check(const struct http_srv *s, const struct http_call *c,
		      const struct http_msg *m, const char **text)
{
	*text = "one Host header is needed\n";
	if (http_msg_hdr_count(m, HTTP_HDR_HOST) != 1)
		return 400;
	*text = "this host name is not served here\n";
	if (!host_allowed(s, c->host))
		return 403;
	*text = "a length is needed, not chunks\n";
	if (http_msg_hdr(m, HTTP_HDR_TRANSFER_ENCODING))
		return 411;
	*text = "body too long\n";
	if (c->body.n > HTTP_BODY_MAX)
		return 413;
	*text = "request of another site\n";
	if (!is_read(c) && !same_origin(c))
		return 403;
	return 0;
}

static void requested(struct http_conn *conn, const struct http_msg *m,
		      void *arg)
{
	struct http_srv *s = arg;
	struct http_call c = { .conn = conn };
	const struct http_hdr *h;
	const char *text;
	unsigned status;

	s->requests++;
	c.method = from_pl(&m->met);
	c.path = from_pl(&m->path);
	c.query = from_pl(&m->prm);
	if (c.query.n && c.query.p[0] == '?')
		c.query = sl_sub(c.query, 1, c.query.n);
	h = http_msg_hdr(m, HTTP_HDR_HOST);
	if (h)
		c.host = from_pl(&h->val);
	h = http_msg_xhdr(m, "Origin");
	if (h)
		c.origin = from_pl(&h->val);
	if (m->mb)
		c.body = sl_mk(mbuf_buf(m->mb), mbuf_get_left(m->mb));
	/* every connection has a peer of a family we know */
	(void)net_from_sockaddr(&c.peer, &http_conn_peer(conn)->u.sa);
	status = check(s, &c, m, &text);
	if (status)
		refuse(s, &c, status, text);
	else
		dispatch(s, &c);
}

static int listen_err(const char *name, const struct addr *addr, int err)
{
	char t[ADDR_TXT];

	log_error("event=listen-failed service=%s address=%s error=%s "
		  "hint=\"%s\"", name, addr_txt(addr, t),
		  log_esc(sl_cstr(strerror(err))),
		  err == EADDRINUSE ? "another program uses this port" :
		  err == EADDRNOTAVAIL ? "this host has no such address" :
		  err == EACCES ? "ports below 1024 need a right" : "");
	return err;
}

/**
 * Is the port free? libre 2 binds with SO_REUSEPORT: two servers would share
 * a port and each get some of the requests. This bind has no such option.
 */
static int port_free(const struct sockaddr_storage *ss, socklen_t len)
{
	int on = 1, err = 0, fd = socket(ss->ss_family, SOCK_STREAM, 0);

	if (fd < 0)
		return errno;
	/* connections of an earlier run in TIME_WAIT are no obstacle */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)ss, len) < 0)
		err = errno;
	(void)close(fd);
	return err;
}

int http_srv_alloc(struct http_srv **sp, const char *name,
		   const struct addr *addr, struct stats *st)
{
	struct sockaddr_storage ss;
	struct http_srv *s;
	struct sa sa;
	socklen_t len = net_to_sockaddr(&ss, addr);
	int err;

	if (!len)
		return EINVAL;
	err = port_free(&ss, len);
	if (err)
		return listen_err(name, addr, err);
	s = calloc(1, sizeof(*s));
	if (!s)
		return ENOMEM;
	s->name = name;
	s->st = st;
	err = sa_set_sa(&sa, (const struct sockaddr *)&ss);
	if (!err)
		err = http_listen(&s->sock, &sa, requested, s);
	if (err) {
		free(s);
		return listen_err(name, addr, err);
	}
	if (st) {
		err = stat_add(st, STAT_COUNTER, "http_requests_total", NULL,
			       "Requests to the management address.",
			       &s->requests, s);
		if (!err)
			err = stat_add(st, STAT_COUNTER, "http_refused_total",
				       NULL, "Of these, refused before any "
				       "handler (host, origin, length, path).",
				       &s->refused, s);
	}
	if (err) {
		http_srv_free(s);
		return err;
	}
	*sp = s;
	return 0;
}

void http_srv_free(struct http_srv *s)
{
	if (!s)
		return;
	if (s->st)
		stat_del_owner(s->st, s);
	mem_deref(s->sock);
	for (size_t i = 0; i < s->hosts; i++)
		free(s->host[i]);
	free(s);
}

int http_srv_addr(const struct http_srv *s, struct addr *a)
{
	struct sa sa;
	int err = tcp_sock_local_get(http_sock_tcp(s->sock), &sa);

	return err ? err : net_from_sockaddr(a, &sa.u.sa);
}

int http_srv_host(struct http_srv *s, const char *host)
{
	if (s->hosts >= HTTP_HOSTS)
		return ENOSPC;
	s->host[s->hosts] = strdup(host);
	if (!s->host[s->hosts])
		return ENOMEM;
	s->hosts++;
	return 0;
}

int http_srv_route(struct http_srv *s, const char *method, const char *path,
		   http_route_h *h, void *arg)
{
	if (s->routes >= HTTP_ROUTES)
		return ENOSPC;
	s->route[s->routes++] = (struct route){ method, path, h, arg };
	return 0;
}

struct sl http_srv_param(const struct http_call *c, struct sl name)
{
	struct sl q = c->query;

	while (q.n) {
		size_t end = sl_chr(q, '&'), eq;
		struct sl one = sl_sub(q, 0, end);

		eq = sl_chr(one, '=');
		if (sl_eq(sl_sub(one, 0, eq), name))
			return eq < one.n ? sl_sub(one, eq + 1, one.n) :
				SL("");
		q = sl_sub(q, end + 1, q.n);
	}
	return SL_NONE;
}
