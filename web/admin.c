/* admin.c - Shell. Health, readiness, metrics, status. */
#include "web/admin.h"
#include "web/jsn.h"

#define METRICS_MAX (16u << 20)    /**< longest /metrics text [bytes] */

static void healthz(struct http_call *c, void *arg)
{
	http_srv_reply(c, 200, "text/plain", SL("ok\n"));
}

static void readyz(struct http_call *c, void *arg)
{
	const struct admin *a = arg;
	char mem[256];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem) - 1);
	if (!a->ready || a->ready(&b, a->arg)) {
		http_srv_reply(c, 200, "text/plain", SL("ready\n"));
		return;
	}
	mem[b.n++] = '\n';
	http_srv_reply(c, 503, "text/plain", sl_mk(mem, b.n));
}

static void metrics(struct http_call *c, void *arg)
{
	const struct admin *a = arg;
	struct buf b;

	buf_init(&b, METRICS_MAX);
	stats_prometheus(a->st, &b);
	if (b.err)
		http_srv_reply(c, 500, "text/plain", SL("too long\n"));
	else
		http_srv_reply(c, 200, "text/plain; version=0.0.4",
			       buf_as_sl(&b));
	buf_free(&b);
}

static void status(struct http_call *c, void *arg)
{
	const struct admin *a = arg;

	jsn_reply(c, 200, a->status(a->arg));
}

int admin_routes(struct http_srv *s, const struct admin *a)
{
	void *arg = (void *)(uintptr_t)a;
	int err = http_srv_route(s, "GET", "/healthz", healthz, arg);

	if (!err)
		err = http_srv_route(s, "GET", "/readyz", readyz, arg);
	if (!err && a->st)
		err = http_srv_route(s, "GET", "/metrics", metrics, arg);
	if (!err && a->status)
		err = http_srv_route(s, "GET", "/api/v1/status", status, arg);
	return err;
}
