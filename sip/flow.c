/* flow.c - Pure. Flows by value, and the queue of effects. */
#include <errno.h>
#include <stdlib.h>

#include "sip/flow.h"

static const struct {
	const char *name, *param;
} tps[TP_N] = {
	[TP_NONE] = {"NONE", "none"}, [TP_UDP] = {"UDP", "udp"},
	[TP_TCP] = {"TCP", "tcp"},    [TP_TLS] = {"TLS", "tls"},
	[TP_WS] = {"WS", "ws"},       [TP_WSS] = {"WSS", "wss"},
};

const char *tp_name(uint8_t tp)
{
	return tps[tp < TP_N ? tp : TP_NONE].name;
}

const char *tp_param(uint8_t tp)
{
	return tps[tp < TP_N ? tp : TP_NONE].param;
}

int tp_by_name(struct sl s)
{
	for (int tp = TP_UDP; tp < TP_N; tp++)
		if (sl_ieq(s, sl_cstr(tps[tp].name)))
			return tp;
	return -1;
}

bool flow_eq(const struct flow *a, const struct flow *b)
{
	return a->tp == b->tp && a->lst == b->lst && a->conn == b->conn &&
	       addr_eq(&a->peer, &b->peer);
}

int outq_init(struct outq *q, uint32_t max)
{
	*q = (struct outq){.max = max};
	return max ? 0 : EINVAL;
}

void outq_free(struct outq *q)
{
	struct sip_out out;

	while (outq_poll(q, &out))
		blob_unref(out.blob);
	free(q->v);
	*q = (struct outq){0};
}

/* twice the room, the ring unrolled to start at 0 */
static bool outq_grow(struct outq *q)
{
	uint32_t cap = q->cap ? q->cap * 2 : 16, right;
	struct sip_out *v;

	if (cap > q->max)
		cap = q->max;
	if (cap <= q->n)
		return false;
	v = malloc(cap * sizeof(*v));
	if (!v)
		return false;
	right = q->cap - q->head;
	if (right > q->n)
		right = q->n;
	if (q->n) {
		memcpy(v, q->v + q->head, right * sizeof(*v));
		memcpy(v + right, q->v, (q->n - right) * sizeof(*v));
	}
	free(q->v);
	q->v = v;
	q->cap = cap;
	q->head = 0;
	return true;
}

static struct sip_out *outq_add(struct outq *q)
{
	struct sip_out *o;
	uint32_t i;

	if (q->n == q->cap && !outq_grow(q)) {
		q->dropped++;
		return NULL;
	}
	i = q->head + q->n++;
	o = q->v + (i < q->cap ? i : i - q->cap);
	/* who reads an effect looks at both, whatever its kind */
	o->blob = NULL;
	o->quiet = false;
	return o;
}

static void outq_put(struct outq *q, const struct flow *f, struct blob *blob,
		     bool quiet)
{
	struct sip_out *o = blob ? outq_add(q) : NULL;

	if (!o) {
		blob_unref(blob);
		return;
	}
	o->kind = SIP_OUT_SEND;
	o->flow = *f;
	o->blob = blob;
	o->quiet = quiet;
}

void outq_send(struct outq *q, const struct flow *f, struct blob *blob)
{
	outq_put(q, f, blob, false);
}

void outq_send_quiet(struct outq *q, const struct flow *f, struct blob *blob)
{
	outq_put(q, f, blob, true);
}

void outq_close(struct outq *q, const struct flow *f)
{
	struct sip_out *o = outq_add(q);

	if (!o)
		return;
	o->kind = SIP_OUT_CLOSE;
	o->flow = *f;
}

void outq_keep(struct outq *q, const struct flow *f)
{
	struct sip_out *o = outq_add(q);

	if (!o)
		return;
	o->kind = SIP_OUT_KEEP;
	o->flow = *f;
}

void outq_alias(struct outq *q, const struct flow *f, const struct addr *a)
{
	struct sip_out *o = outq_add(q);

	if (!o)
		return;
	o->kind = SIP_OUT_ALIAS;
	o->flow = *f;
	o->alias = *a;
}

bool outq_poll(struct outq *q, struct sip_out *out)
{
	if (!q->n)
		return false;
	*out = q->v[q->head];
	q->head = q->head + 1 < q->cap ? q->head + 1 : 0;
	q->n--;
	return true;
}
