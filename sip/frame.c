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

/* Find the empty line; looks at each byte once. @return 0, EAGAIN, EBADMSG */
static int frame_head(struct frame *f)
{
	const uint8_t *b = f->in.p;

	while (f->scan < f->in.n) {
		const char *e = (const char *)b + f->in.n;
		size_t i = f->in.n - (size_t)(e - chr_find(
			(const char *)b + f->scan, e, '\n'));

		if (i == f->in.n) {
			f->scan = i;
			return EAGAIN;
		}
		f->scan = i + 1;
		if (i == f->start || b[i - 1] != '\r')
			return EBADMSG;
		if (i >= f->start + 3 && b[i - 2] == '\n') {
			f->head_end = i + 1;
			return 0;
		}
	}
	return EAGAIN;
}

/* Value of a Content-Length line, or not set. The name must be what the
 * scanner takes for one, or the two would cut in different places. */
static struct sl frame_len_line(const char *p, const char *e)
{
	const char *q = chr_run(p, e, CHR_TOKEN);
	struct sl name = sl_mk(p, (size_t)(q - p));

	if (name.n != 14 && name.n != 1)
		return SL_NONE;
	while (q < e && (*q == ' ' || *q == '\t'))
		q++;
	if (q == e || *q != ':' || (!sl_ieq(name, SL("Content-Length")) &&
				    !sl_ieq(name, SL("l"))))
		return SL_NONE;
	return sl_trim(sl_mk(q + 1, (size_t)(e - q - 1)));
}

/* Content-Length out of the header section; a folded one is read too.
 * @return 0, or EBADMSG with *why */
static int frame_len(struct sl head, uint32_t *lenp, const char **why)
{
	const char *p = head.p, *e = p + head.n;
	bool have = false;

	while (p < e) {
		const char *q = chr_find(p, e, '\n'), *l = p;
		struct sl val;
		uint32_t len;

		while (q + 1 < e && (q[1] == ' ' || q[1] == '\t'))
			q = chr_find(q + 1, e, '\n');
		p = q < e ? q + 1 : e;
		if ((*l | 0x20) != 'c' && (*l | 0x20) != 'l')
			continue;
		val = frame_len_line(l, p);
		if (!sl_isset(val))
			continue;
		if (sl_u32(val, UINT32_MAX, &len)) {
			*why = "Bad Content-Length";
			return EBADMSG;
		}
		if (have && len != *lenp) {
			*why = "Several Content-Length";
			return EBADMSG;
		}
		have = true;
		*lenp = len;
	}
	if (!have)
		*why = "No Content-Length";
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
	if (frame_len(sl_mk(f->in.p + f->start, head), &len, why))
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
	f->first_at = f->start < f->in.n ? f->last_at : UINT64_MAX;
	return FRAME_MSG;
}
