/* frame.c - Pure. Cuts a byte stream into SIP messages. */
#include <errno.h>

#include "sip/chr.h"
#include "sip/frame.h"
#include "sip/scan.h"

void frame_init(struct frame *f, uint32_t max)
{
	memset(f, 0, sizeof(*f));
	f->max = max;
	f->first_at = UINT64_MAX;
	/* one message, and what comes in the same segment behind it */
	buf_init(&f->in, (size_t)max * 2 + 65536);
}

void frame_free(struct frame *f)
{
	buf_free(&f->in);
}

int frame_push(struct frame *f, const void *p, size_t n, uint64_t now)
{
	struct buf *b = &f->in;

	/* move what is left to the front, when that is cheap: the bytes moved
	 * are fewer than those consumed since the last move */
	if (f->start && f->start >= b->n - f->start) {
		b->n -= f->start;
		memmove(b->p, b->p + f->start, b->n);
		f->scan -= f->start;
		f->head_end -= f->head_end ? f->start : 0;
		f->start = 0;
	}
	f->last_at = now;
	if (n && f->first_at == UINT64_MAX)
		f->first_at = now;
	buf_put(b, p, n);
	return b->err;
}

static enum frame_verdict frame_bad(struct frame *f, enum frame_verdict v,
				    struct sl *msg, const char *txt,
				    const char **why)
{
	size_t end = f->head_end ? f->head_end : f->in.n;

	*msg = sl_mk(f->in.p + f->start, end - f->start);
	*why = f->why = txt;
	f->bad = v;
	return v;
}

/* Line ends before a message. True = two of them together: a ping */
static bool frame_blank(struct frame *f)
{
	while (f->start < f->in.n) {
		uint8_t c = f->in.p[f->start];

		if (c != '\r' && c != '\n')
			break;
		f->start++;
		/* odd: a CR was seen, its LF is due */
		if (c == (f->crlf % 2 ? '\n' : '\r'))
			f->crlf++;
		else
			f->crlf = c == '\r';
		if (f->crlf == 4) {
			f->crlf = 0;
			return true;
		}
	}
	return false;
}

/* Is the line at p, its end in [p, e), a Content-Length? The name must be what
 * the scanner takes for one, or the two would cut in different places.
 * @return past the ':', NULL = another line */
static const char *frame_len_name(const char *p, const char *e)
{
	const char *q;

	if (e - p > 15 && memcmp(p, "Content-Length:", 15) == 0)
		return p + 15;
	q = chr_run(p, e, CHR_TOKEN);
	if ((q - p != 1 || (*p | 0x20) != 'l') && q - p != 14)
		return NULL;
	if (!sl_ieq(sl_mk(p, (size_t)(q - p)), SL("Content-Length")) &&
	    !sl_ieq(sl_mk(p, (size_t)(q - p)), SL("l")))
		return NULL;
	while (q < e && (*q == ' ' || *q == '\t'))
		q++;
	return q < e && *q == ':' ? q + 1 : NULL;
}

/* The line [l, p] may be a Content-Length, when it is not the start line */
static void frame_name(struct frame *f, const char *b, const char *l,
		       const char *p)
{
	const char *v;

	if (((*l | 0x20) == 'c' && (p - l <= 14 || (l[8] | 0x20) != 'l')) ||
	    l == b)
		return;
	v = frame_len_name(l, p);
	if (!v)
		return;
	f->len_at = (uint32_t)(l - b);
	f->len_val = (uint32_t)(v - b);
	f->lens++;
}

/* The line [l, p], p its LF. @return 0 = the empty one, EAGAIN, EBADMSG */
static inline int frame_line(struct frame *f, const char *b, const char *l,
			     const char *p)
{
	if (p[-1] != '\r')
		return EBADMSG;
	if (l == p - 1)
		return 0;
	/* the low bits of C, c, L and l, and few others */
	if (1u << (*l & 31) & (1u << ('c' & 31) | 1u << ('l' & 31)))
		frame_name(f, b, l, p);
	return EAGAIN;
}

/* Find the empty line; looks at each byte once. @return 0, EAGAIN, EBADMSG */
static int frame_head(struct frame *f)
{
	const char *b = (const char *)f->in.p + f->start;
	const char *e = (const char *)f->in.p + f->in.n;
	const char *p = (const char *)f->in.p + f->scan, *l = b + f->line;
	size_t n = 64;
	int err = EAGAIN;

	/* the first byte is no line end: frame_blank() */
	for (; p < e && err == EAGAIN; p += n) {
		uint64_t m;

		if (e - p >= 64) {
			m = chr_mask64(p, 64, '\n');
		} else {
			n = (size_t)(e - p);
			/* the rest at once: with bytes that were looked at */
			m = f->in.n >= 64 ?
				chr_mask64(e - 64, 64, '\n') >> (64 - n) :
				chr_mask64(p, n, '\n');
		}
		for (; m; m &= m - 1) {
			const char *lf = p + __builtin_ctzll(m);

			err = frame_line(f, b, l, lf);
			l = lf + 1;
			if (err != EAGAIN)
				break;
		}
	}
	if (!err) {
		f->head_end = (size_t)(l - (const char *)f->in.p);
		p = l;
	}
	f->line = (uint32_t)(l - b);
	f->scan = (size_t)(p - (const char *)f->in.p);
	return err;
}

/* Digits after one blank at most, in a line that is not folded, its CRLF before
 * the empty line. False = look closer */
static bool frame_plain(const char *p, uint32_t *vp)
{
	const char *q = p + (*p == ' ');
	uint32_t n = 0;

	if ((uint8_t)(*q - '0') > 9)
		return false;
	for (p = q; (uint8_t)(*q - '0') <= 9; q++)
		n = n * 10 + (uint32_t)(*q - '0');
	if (q - p > 9 || q[0] != '\r' || q[1] != '\n' || q[2] == ' ' ||
	    q[2] == '\t')
		return false;
	*vp = n;
	return true;
}

/* a number with blanks around it */
static bool frame_num(const char *p, const char *e, uint32_t *vp)
{
	const char *q = p + (*p == ' ');
	uint32_t n = 0;

	while (q < e && (uint8_t)(*q - '0') <= 9 && n < 100000000)
		n = n * 10 + (uint32_t)(*q++ - '0');
	if (q + 1 == e && *q == '\r' && (uint8_t)(q[-1] - '0') <= 9) {
		*vp = n;
		return true;
	}
	return !sl_u32(sl_trim(sl_mk(p, (size_t)(e - p))), UINT32_MAX, vp);
}

/* Content-Length out of the header section; a folded one is read too.
 * @return 0, or EBADMSG with *why */
static int frame_len(const struct frame *f, uint32_t *lenp, const char **why)
{
	const char *b = (const char *)f->in.p, *e = b + f->head_end;
	const char *p = b + f->start + f->len_at, *q;
	bool have = false;
	uint32_t len;

	*why = "No Content-Length";
	if (!f->lens)
		return EBADMSG;
	if (f->lens == 1 && frame_plain(b + f->start + f->len_val, lenp))
		return 0;
	if (f->lens > 1)   /* they must say the same: read all lines */
		p = chr_find(b + f->start, e, '\n') + 1;
	for (; p < e; p = q + 1) {
		const char *v = frame_len_name(p, e);

		q = chr_find(p, e, '\n');
		while (q + 1 < e && (q[1] == ' ' || q[1] == '\t'))
			q = chr_find(q + 1, e, '\n');
		if (!v || v > q)
			continue;
		*why = "Bad Content-Length";
		if (!frame_num(v, q, &len))
			return EBADMSG;
		*why = "Several Content-Length";
		if (have && len != *lenp)
			return EBADMSG;
		have = true;
		*lenp = len;
		if (f->lens == 1)
			break;
	}
	return have ? 0 : EBADMSG;
}

/* the head is whole: how long is the message? */
static enum frame_verdict frame_total(struct frame *f, const char **why)
{
	size_t head = f->head_end - f->start;
	uint32_t len = 0;

	if (head > SIP_MAX_HEAD) {
		*why = "Headers Too Large";
		return FRAME_BIG;
	}
	if (frame_len(f, &len, why))
		return FRAME_BAD;
	if (len > f->max || head + len > f->max) {
		*why = "Message Too Large";
		return FRAME_BIG;
	}
	f->total = head + len;
	return FRAME_MSG;
}

enum frame_verdict frame_next(struct frame *f, struct sl *msg,
			      const char **why)
{
	enum frame_verdict v;
	const char *txt = NULL;
	int err;

	if (f->bad)
		return frame_bad(f, f->bad, msg, f->why, why);
	if (!f->head_end && f->scan <= f->start) {
		if (frame_blank(f))
			return FRAME_PING;
		f->scan = f->start;
		if (f->start == f->in.n) {
			/* between messages; a lone CR is no message begun */
			f->first_at = UINT64_MAX;
			return FRAME_MORE;
		}
		f->crlf = 0;
	}
	if (!f->head_end) {
		err = frame_head(f);
		if (err == EBADMSG)
			return frame_bad(f, FRAME_BAD, msg,
					 "Line End Without CR", why);
		if (err && f->in.n - f->start > SIP_MAX_HEAD)
			return frame_bad(f, FRAME_BIG, msg,
					 "Headers Too Large", why);
		if (err)
			return FRAME_MORE;
	}
	if (!f->total) {
		v = frame_total(f, &txt);
		if (v != FRAME_MSG)
			return frame_bad(f, v, msg, txt, why);
	}
	if (f->in.n - f->start < f->total)
		return FRAME_MORE;
	*msg = sl_mk(f->in.p + f->start, f->total);
	f->start += f->total;
	f->scan = f->start;
	f->head_end = f->total = 0;
	f->line = f->lens = 0;
	f->first_at = f->start < f->in.n ? f->last_at : UINT64_MAX;
	return FRAME_MSG;
}
