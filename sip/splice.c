/* splice.c - Pure. A message changed by cuts on its original bytes. */
#include <errno.h>

#include "sip/splice.h"

void splice_init(struct splice *s, const struct sip_msg *m)
{
	s->m = m;
	s->n = 0;
	s->err = 0;
}

void splice_cut(struct splice *s, uint32_t from, uint32_t to, struct sl ins)
{
	struct splice_cut *c;

	if (from > to || to > s->m->raw.n) {
		s->err = EINVAL;
		return;
	}
	if (s->n) {
		/* headers deleted one after the other are one cut */
		c = &s->cut[s->n - 1];
		if (!ins.n && !c->ins.n && c->to == from && c->from < c->to &&
		    from < to) {
			c->to = to;
			return;
		}
	}
	if (s->n >= SPLICE_MAX) {
		s->err = ENOSPC;
		return;
	}
	c = &s->cut[s->n];
	c->from = from;
	c->to = to;
	c->ins = ins;
	c->seq = s->n++;
}

void splice_del(struct splice *s, const struct sip_hdr *h)
{
	splice_cut(s, h->off, h->end, SL_NONE);
}

void splice_del_all(struct splice *s, enum sip_hid id)
{
	const struct sip_hdr *h;

	for (h = sip_hdr(s->m, id); h; h = sip_hdr_next(s->m, h))
		splice_del(s, h);
}

void splice_top(struct splice *s, struct sl lines)
{
	splice_cut(s, s->m->hdrs_off, s->m->hdrs_off, lines);
}

void splice_before(struct splice *s, const struct sip_hdr *h, struct sl lines)
{
	splice_cut(s, h->off, h->off, lines);
}

void splice_end(struct splice *s, struct sl lines)
{
	splice_cut(s, s->m->body_off - 2, s->m->body_off - 2, lines);
}

void splice_val(struct splice *s, const struct sip_hdr *h, struct sl val)
{
	splice_cut(s, h->vs, h->ve, val);
}

void splice_ruri(struct splice *s, struct sl uri)
{
	uint32_t from = (uint32_t)(s->m->ruri.p - s->m->raw.p);

	splice_cut(s, from, from + (uint32_t)s->m->ruri.n, uri);
}

/* by position, then order of calls; nearly sorted already */
static void splice_sort(struct splice *s)
{
	for (unsigned i = 1; i < s->n; i++) {
		struct splice_cut c = s->cut[i];
		unsigned k = i;

		for (; k && (s->cut[k - 1].from > c.from ||
			     (s->cut[k - 1].from == c.from &&
			      s->cut[k - 1].seq > c.seq));
		     k--)
			s->cut[k] = s->cut[k - 1];
		if (k < i)
			s->cut[k] = c;
	}
}

/* Cuts in order and without overlap from now on. @return bytes of the result */
static size_t splice_order(struct splice *s)
{
	size_t n = s->m->raw.n;
	uint32_t pos = 0;

	if (s->err)
		return 0;
	splice_sort(s);
	for (unsigned i = 0; i < s->n; i++) {
		struct splice_cut *c = &s->cut[i];

		if (c->from >= pos) {
			pos = c->to;
		} else if (c->from < c->to && (c->ins.n || c->to > pos)) {
			s->err = EINVAL;
			return 0;
		} else {
			/* an insertion at or inside what is left out, or the
			 * same thing deleted again: both mean one thing */
			c->from = c->to = pos;
		}
		c->seq = (uint16_t)i;
		n += c->ins.n;
		n -= c->to - c->from;
	}
	return n;
}

static uint8_t *splice_put(uint8_t *o, const void *p, size_t n)
{
	if (n)
		memcpy(o, p, n);
	return o + n;
}

static void splice_copy(const struct splice *s, uint8_t *o)
{
	struct sl raw = s->m->raw;
	uint32_t pos = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct splice_cut *c = &s->cut[i];

		o = splice_put(o, raw.p + pos, c->from - pos);
		o = splice_put(o, c->ins.p, c->ins.n);
		pos = c->to;
	}
	(void)splice_put(o, raw.p + pos, raw.n - pos);
}

int splice_write(struct splice *s, struct buf *out)
{
	size_t n = splice_order(s);
	uint8_t *o = s->err ? NULL : buf_room(out, n);

	if (s->err)
		return s->err;
	if (o) {
		splice_copy(s, o);
		out->n += n;
	}
	return out->err;
}

struct blob *splice_blob(struct splice *s, struct blobs *bs, size_t max)
{
	size_t n = splice_order(s);
	struct blob *b = s->err || n > max ? NULL : blobs_room(bs, n);

	if (b)
		splice_copy(s, b->p);
	return b;
}
