/* http.c - Shell. The management HTTP server: routes and what is refused. */
#include "web/http.h"
#include "base/log.h"
#include "base/net.h"
#include "web/http_conn.h"
#include <errno.h>
#include <stdlib.h>

struct route {
	const char *method, *path;
	http_route_h *h;
	void *arg;
};

struct http_srv {
	struct http_pool *pool;
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
	case 415: return "Unsupported Media Type";
	case 429: return "Too Many Requests";
	case 500: return "Internal Server Error";
	case 503: return "Service Unavailable";
	default:  return status < 400 ? "OK" : "Error";
	}
}

void http_srv_reply(struct http_call *c, unsigned status, const char *type,
		    struct sl body)
{
	if (c->answered)
		return;
	c->answered = true;
	http_conn_reply(c->conn, status, reason(status), type, body,
			sl_eq(c->method, SL("HEAD")));
}

void http_srv_attach(struct http_call *c, const char *type, struct sl name,
		     struct sl body)
{
	if (c->answered)
		return;
	c->answered = true;
	http_conn_attach(c->conn, type, name, body,
			 sl_eq(c->method, SL("HEAD")));
}

void http_srv_stream(struct http_call *c, const char *type, unsigned channel,
		     struct sl first)
{
	if (c->answered)
		return;
	if (sl_eq(c->method, SL("HEAD"))) {
		http_srv_reply(c, 200, type, SL(""));
		return;
	}
	if (http_conn_stream(c->conn, type, channel, first)) {
		http_srv_reply(c, 503, "text/plain",
			       SL("too many listen already\n"));
		return;
	}
	c->answered = true;
}

void http_srv_send(struct http_srv *s, unsigned channel, struct blob *b)
{
	http_pool_send(s->pool, channel, b);
}

unsigned http_srv_listeners(const struct http_srv *s, unsigned channel)
{
	return http_pool_listeners(s->pool, channel);
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

	/* "/" alone is a page, not a prefix of everything */
	if (p.n > 1 && p.p[p.n - 1] == '/')
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
		      const struct http_req *r, const char **text)
{
	*text = "one Host header is needed\n";
	if (r->hosts != 1)
		return 400;
	*text = "this host name is not served here\n";
	if (!host_allowed(s, c->host))
		return 403;
	*text = "a length is needed, not chunks\n";
	if (r->coded)
		return 411;
	*text = "body too long\n";
	if (r->length > HTTP_BODY_MAX)
		return 413;
	*text = "request of another site\n";
	if (!is_read(c) && !same_origin(c))
		return 403;
	return 0;
}

static void requested(struct http_conn *conn, const struct http_req *r,
		      struct sl body, const struct addr *peer, void *arg)
{
	struct http_srv *s = arg;
	struct http_call c = {
		.method = r->method, .path = r->path, .query = r->query,
		.host = r->host, .origin = r->origin, .auth = r->auth,
		.type = r->type, .who = r->who, .body = body,
		.peer = *peer, .conn = conn,
	};
	const char *text;
	unsigned status;

	s->requests++;
	status = check(s, &c, r, &text);
	if (status)
		refuse(s, &c, status, text);
	else
		dispatch(s, &c);
}

static int figures(struct http_srv *s)
{
	const struct http_pool_stats *p = http_pool_stats(s->pool);
	const struct stat_row v[] = {
		{ STAT_COUNTER, "http_requests_total",
		  "Requests to the management address.", &s->requests },
		{ STAT_COUNTER, "http_refused_total",
		  "Of these, refused before any handler (host, origin, "
		  "length, path).", &s->refused },
		{ STAT_COUNTER, "http_bad_total", "What came to the "
		  "management address and was no HTTP request.", &p->bad },
		{ STAT_GAUGE, "http_streams",
		  "Clients that follow a stream now.", &p->streams },
		{ STAT_COUNTER, "http_slow_total",
		  "Such clients closed because they read too slowly.",
		  &p->slow },
		{ STAT_COUNTER, "http_evicted_total",
		  "Idle connections closed to make room for new ones.",
		  &p->evicted },
	};
	return stat_rows(s->st, v, NULL, s);
}

int http_srv_alloc(struct http_srv **sp, const char *name,
		   const struct addr *addr, struct stats *st)
{
	struct http_srv *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return ENOMEM;
	s->name = name;
	s->st = st;
	err = http_pool_alloc(&s->pool, addr, HTTP_BODY_MAX, requested, s);
	if (err) {
		free(s);
		return net_listen_failed(name, "TCP", addr, err);
	}
	if (st)
		err = figures(s);
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
	http_pool_free(s->pool);
	for (size_t i = 0; i < s->hosts; i++)
		free(s->host[i]);
	free(s);
}

int http_srv_addr(const struct http_srv *s, struct addr *a)
{
	return http_pool_addr(s->pool, a);
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
	return sl_param(c->query, name);
}
