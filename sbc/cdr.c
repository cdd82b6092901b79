/* cdr.c - Pure. Call records as lines of JSON. */
#include "sbc/cdr.h"

#include "sbc/ledger.h"
#include "sip/uri.h"

/** Most bytes taken over of one text */
enum { TEXT_MAX = 256 };

/* --- the trail --- */

void cdr_sent(struct cdr_trail *t, uint16_t node, uint64_t ms)
{
	if (t->n < CDR_TRIES)
		t->v[t->n] = (struct cdr_try){ .node = node,
					       .sent = (uint32_t)ms };
	if (t->n < UINT8_MAX)
		t->n++;
}

/** The latest attempt at a node */
static struct cdr_try *find(struct cdr_trail *t, uint16_t node)
{
	for (unsigned i = t->n < CDR_TRIES ? t->n : CDR_TRIES; i--;)
		if (t->v[i].node == node)
			return &t->v[i];
	return NULL;
}

void cdr_first(struct cdr_trail *t, uint16_t node, uint64_t ms)
{
	struct cdr_try *y = find(t, node);

	if (!y || y->heard)
		return;
	y->heard = true;
	y->first = (uint32_t)ms;
}

void cdr_end(struct cdr_trail *t, uint16_t node, uint8_t result)
{
	struct cdr_try *y = find(t, node);

	if (y && y->result == CDR_OPEN)
		y->result = result;
}

/* --- the line --- */

/** Length of the UTF-8 character at p, 0 = it is none (RFC 3629) */
static size_t utf8(const uint8_t *p, size_t n)
{
	size_t len = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 :
		     (*p & 0xf0) == 0xe0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;

	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] >= 0xa0) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] >= 0x90))
		return 0;
	return len;
}

/** A JSON string, cut to size; what is no UTF-8 becomes U+FFFD */
static void put_str(struct buf *b, struct sl s)
{
	const uint8_t *p = (const uint8_t *)s.p;
	size_t n = s.n < TEXT_MAX ? s.n : TEXT_MAX, len;

	buf_chr(b, '"');
	for (size_t i = 0; i < n; i += len ? len : 1) {
		len = utf8(p + i, n - i);
		if (!len) {
			buf_lit(b, "\\ufffd");
		}
		else if (p[i] < 0x20 || p[i] == 0x7f) {
			buf_lit(b, "\\u00");
			buf_hex(b, p + i, 1);
		}
		else {
			if (p[i] == '"' || p[i] == '\\')
				buf_chr(b, '\\');
			buf_put(b, p + i, len);
		}
	}
	buf_chr(b, '"');
}

/** Without what may hold a secret: password, headers, parameters */
static void put_uri(struct buf *b, struct sl txt)
{
	char room[TEXT_MAX];
	struct uri u;
	struct buf t;

	if (uri_parse(&u, txt) || u.scheme == URI_OTHER) {
		buf_lit(b, "\"\"");
		return;
	}
	buf_fixed(&t, room, sizeof(room));
	buf_sl(&t, u.scheme_txt);
	buf_chr(&t, ':');
	if (sl_isset(u.user)) {
		buf_sl(&t, u.user);
		if (u.scheme != URI_TEL)
			buf_chr(&t, '@');
	}
	buf_sl(&t, u.host);
	if (u.port) {
		buf_chr(&t, ':');
		buf_u64(&t, u.port);
	}
	put_str(b, buf_as_sl(&t));
}

static void put_name_addr(struct buf *b, struct sl val)
{
	struct name_addr na;

	put_uri(b, name_addr_parse(&na, val) ? SL_NONE : na.uri);
}

static const char *result_name(uint8_t result)
{
	return result == CDR_OPEN ? "open" :
	       result == CDR_ANSWERED ? "answered" :
	       fail_why_name((enum fail_why)(result - CDR_LOST));
}

static void put_tries(struct buf *b, const struct cdr *c)
{
	unsigned n = c->trail->n < CDR_TRIES ? c->trail->n : CDR_TRIES;

	buf_lit(b, ",\"attempts\":[");
	for (unsigned i = 0; i < n; i++) {
		const struct cdr_try *y = &c->trail->v[i];

		buf_str(b, i ? ",{\"node\":" : "{\"node\":");
		put_str(b, sl_cstr(c->node[i]));
		buf_lit(b, ",\"sent_ms\":");
		buf_u64(b, y->sent);
		buf_lit(b, ",\"first_ms\":");
		if (y->heard)
			buf_u64(b, y->first);
		else
			buf_lit(b, "null");
		buf_lit(b, ",\"result\":\"");
		buf_str(b, result_name(y->result));
		buf_lit(b, "\"}");
	}
	buf_chr(b, ']');
}

static const char *released_by(const struct cdr *c)
{
	if (c->code / 100 == 2)
		return "null";
	if (c->cancelled && c->code == 487)
		return "\"caller\"";
	switch (c->trail->by) {
	case CDR_BY_NOBODY: break;
	case CDR_BY_EDGE:   return "\"edge\"";
	case CDR_BY_NODE:   return "\"node\"";
	case CDR_BY_CALLEE: return "\"callee\"";
	}
	return "null";
}

static void put_times(struct buf *b, const struct cdr *c)
{
	buf_lit(b, "{\"start\":");
	buf_u64(b, c->start);
	buf_lit(b, ",\"answered\":");
	if (c->code / 100 == 2)
		buf_u64(b, c->end);
	else
		buf_lit(b, "null");
	buf_lit(b, ",\"ended\":");
	buf_u64(b, c->end);
	buf_lit(b, ",\"setup_ms\":");
	buf_u64(b, c->end - c->start);
}

void cdr_line(struct buf *b, const struct cdr *c)
{
	put_times(b, c);
	buf_lit(b, ",\"call_id\":");
	put_str(b, c->callid);
	buf_lit(b, ",\"from\":");
	put_name_addr(b, c->from);
	buf_lit(b, ",\"to\":");
	put_name_addr(b, c->to);
	buf_lit(b, ",\"ruri\":");
	put_uri(b, c->ruri);
	buf_lit(b, ",\"source\":\"");
	addr_put(b, &c->source);
	buf_lit(b, "\",\"transport\":\"");
	buf_str(b, c->transport);
	buf_lit(b, "\",\"code\":");
	buf_u64(b, c->code);
	put_tries(b, c);
	buf_str(b, c->trail->n > 1 ? ",\"failed_over\":true" :
				     ",\"failed_over\":false");
	buf_str(b, c->trail->adopted ? ",\"adopted\":true" :
				       ",\"adopted\":false");
	buf_lit(b, ",\"released_by\":");
	buf_str(b, released_by(c));
	buf_lit(b, "}\n");
}

/* --- on its way --- */

void cdrq_put(struct cdrq *q, struct blob *b)
{
	if (!b || q->n == CDRQ_MAX) {
		q->dropped++;
		blob_unref(b);
		return;
	}
	q->v[(q->head + q->n++) % CDRQ_MAX] = b;
}

struct blob *cdrq_poll(struct cdrq *q)
{
	struct blob *b;

	if (!q->n)
		return NULL;
	b = q->v[q->head];
	q->head = (q->head + 1) % CDRQ_MAX;
	q->n--;
	return b;
}
