/* scan.c - Pure. One pass over a message: lines, names, start line, body. */
#include <errno.h>

#include "sip/chr.h"
#include "sip/hop.h"
#include "sip/scan_in.h"
#include "sip/scan_quick.h"
#include "sip/uri_in.h"

/* the first fault found is the one that is told */
void scan_fault(struct scan *s, uint16_t code, const char *why)
{
	if (s->f->code)
		return;
	s->f->code = code;
	s->f->why = why;
}

/*
 * End of the line that begins at p: *ve = its end without CRLF, result = past
 * the CRLF, NULL = the bytes end before. `fold`: lines that begin with a blank
 * belong to it.
 */
static const char *scan_odd_line(struct scan *s, const char *p, const char *e,
				 bool fold, const char **ve)
{
	const char *start = p;

	for (;;) {
		const char *q = chr_ctl(p, e);

		if (q == e)
			return NULL;
		p = q + 1;
		if (*q == '\r' && p < e && *p == '\n') {
			p++;
		} else if (*q == '\n') {
			s->m->bare_lf = true;
			scan_fault(s, 400, "Line End Without CR");
		} else {
			/* controls: HTAB, and quoted pairs but CR LF */
			if (*q != '\t' && (!fold || *q == '\r' || q == start ||
					   q[-1] != '\\'))
				scan_fault(s, 400, "Control Character");
			continue;
		}
		if (fold && p < e && (*p == ' ' || *p == '\t'))
			continue;
		*ve = q;
		return p;
	}
}

/* the same for most lines: no control character but the CRLF, no fold */
static inline const char *scan_line(struct scan *s, const char *p,
				    const char *e, bool fold, const char **ve)
{
	const char *q = chr_ctl(p, e);

	if (e - q < 3 || q[0] != '\r' || q[1] != '\n' ||
	    (fold && (q[2] == ' ' || q[2] == '\t')))
		return scan_odd_line(s, p, e, fold, ve);
	*ve = q;
	return q + 2;
}

/* "SIP/x.y"; 0 = 2.0, 1 = another version, -1 = no version at all */
static int scan_version(struct sl s)
{
	struct sl num;
	size_t dot;

	if (s.n == 7 && memcmp(s.p, "SIP/2.0", 7) == 0)
		return 0;
	if (!sl_istarts(s, SL("SIP/")))
		return -1;
	num = sl_sub(s, 4, s.n);
	dot = sl_chr(num, '.');
	if (!dot || dot + 1 >= num.n ||
	    chr_run(num.p, num.p + dot, CHR_DIGIT) != num.p + dot ||
	    chr_run(num.p + dot + 1, num.p + num.n, CHR_DIGIT) !=
		    num.p + num.n)
		return -1;
	return sl_eq(num, SL("2.0")) ? 0 : 1;
}

static void scan_request_line(struct scan *s, const char *p, const char *e)
{
	struct sip_msg *m = s->m;
	const char *q = chr_run(p, e, CHR_TOKEN), *r;
	struct uri u;
	int v;

	m->method = sl_mk(p, (size_t)(q - p));
	m->meth = sip_method(m->method);
	if (q == p || q == e || *q != ' ') {
		scan_fault(s, 400, "Bad Request Line");
		return;
	}
	p = q + 1;
	r = uri_scan(&u, p, e, s->lim);
	if (!r || r == e || *r != ' ' || sl_isset(u.headers)) {
		scan_fault(s, 400, "Bad Request-URI");
		return;
	}
	m->ruri = sl_mk(p, (size_t)(r - p));
	v = scan_version(sl_mk(r + 1, (size_t)(e - r - 1)));
	if (v > 0)
		scan_fault(s, 505, "Version Not Supported");
	else if (v)
		scan_fault(s, 400, "Bad Request Line");
}

static void scan_status_line(struct scan *s, const char *p, const char *e)
{
	struct sip_msg *m = s->m;

	if (e - p < 11 || scan_version(sl_mk(p, 7)) || p[7] != ' ' ||
	    p[8] < '1' || p[8] > '6' || !chr_is(p[9], CHR_DIGIT) ||
	    !chr_is(p[10], CHR_DIGIT) ||
	    (e - p > 11 && p[11] != ' ')) {
		scan_fault(s, 400, "Bad Status Line");
		return;
	}
	m->status = (uint16_t)((p[8] - '0') * 100 + (p[9] - '0') * 10 +
			       (p[10] - '0'));
	m->reason = e - p > 12 ? sl_mk(p + 12, (size_t)(e - p - 12)) : SL("");
}

void scan_add(struct scan *s, uint8_t id, const char *p, const char *name_end,
	      const char *v, const char *ve, const char *end)
{
	struct sip_msg *m = s->m;
	unsigned i = m->hdrc++;
	struct sip_hdr *h = &m->hdr[i];

	h->id = id;
	h->next = 0;
	h->off = (uint32_t)(p - s->b);
	h->nlen = (uint32_t)(name_end - p);
	h->vs = (uint32_t)(v - s->b);
	h->ve = (uint32_t)(ve - s->b);
	h->end = (uint32_t)(end - s->b);
	if (m->count[id]++)
		m->hdr[s->last[id]].next = (uint16_t)i;
	else
		m->first[id] = (uint8_t)(i + 1);
	s->last[id] = (uint8_t)i;
}

/* One header with its folded lines. Result: the next line, NULL = no end */
static const char *scan_header(struct scan *s, const char *p, const char *e)
{
	const char *q, *v, *ve, *end, *why;
	uint8_t id;

	q = chr_run(p, e, CHR_TOKEN);
	for (v = q; v < e && (*v == ' ' || *v == '\t'); v++)
		;
	if (q == p || v == e || *v != ':') {
		scan_fault(s, 400, "Bad Header Name");
		return scan_line(s, p, e, true, &ve);
	}
	id = scan_hdr_id(p, (size_t)(q - p));
	end = scan_line(s, ++v, e, true, &ve);
	if (!end)
		return NULL;
	if (end - p > SIP_MAX_LINE)
		scan_fault(s, 400, "Header Too Long");
	if (s->m->hdrc == SIP_MAX_HDRS) {
		scan_fault(s, 400, "Too Many Headers");
		return end;
	}
	v = chr_lws(v, ve);
	while (ve > v && chr_is(ve[-1], CHR_LWS))
		ve--;
	scan_add(s, id, p, q, v, ve, end);
	why = scan_hdr[id] ? scan_hdr[id](s, v, ve) : NULL;
	if (why)
		scan_fault(s, 400, why);
	return end;
}

/* All headers up to the empty line; sets body_off. False = it is missing */
static bool scan_hdrs(struct scan *s, const char *p, const char *e)
{
	while (p && p < e) {
		if (s->quick) {
			p = scan_quick_hdrs(s, p);
			if (p >= s->stop)
				p = scan_quick_last(s, p, e);
		}
		if (*p == '\r' && p + 1 < e && p[1] == '\n') {
			s->m->body_off = (uint32_t)(p + 2 - s->b);
			return true;
		}
		if (*p == '\n') {
			s->m->bare_lf = true;
			scan_fault(s, 400, "Line End Without CR");
			s->m->body_off = (uint32_t)(p + 1 - s->b);
			return true;
		}
		p = scan_header(s, p, e);
	}
	return false;
}

/* Start line and headers. False = the empty line is missing */
static bool scan_head(struct scan *s, const char *e)
{
	struct sip_msg *m = s->m;
	const char *p = scan_quick_start(s), *ve;

	if (p) {
		m->hdrs_off = (uint32_t)(p - s->b);
		return scan_hdrs(s, p, e);
	}
	p = s->b;
	m->req = !(e - p >= 4 && (*p | 0x20) == 's' &&
		   (memcmp(p, "SIP/", 4) == 0 ||
		    sl_istarts(sl_mk(p, 4), SL("SIP/"))));
	p = scan_line(s, p, e, false, &ve);
	if (!p) {
		scan_fault(s, 400, "Bad Start Line");
		return false;
	}
	if (m->req)
		scan_request_line(s, s->b, ve);
	else
		scan_status_line(s, s->b, ve);
	m->hdrs_off = (uint32_t)(p - s->b);
	return scan_hdrs(s, p, e);
}

static void scan_body(struct scan *s, bool datagram)
{
	struct sip_msg *m = s->m;
	size_t left = m->raw.n - m->body_off;

	if (s->has_len && s->len > left)
		scan_fault(s, 400, "Body Shorter Than Content-Length");
	else if (s->has_len && s->len < left && !datagram)
		scan_fault(s, 400, "Body Longer Than Content-Length");
	else if (s->has_len)
		left = s->len;
	else if (!datagram)
		scan_fault(s, 400, "No Content-Length");
	m->raw.n = m->body_off + left;
	m->body = sl_mk(m->raw.p + m->body_off, left);
}

static void scan_required(struct scan *s)
{
	static const struct {
		uint8_t id;
		const char *why;
	} req[] = {
		{SIP_VIA, "No Via"},         {SIP_FROM, "No From"},
		{SIP_TO, "No To"},           {SIP_CALL_ID, "No Call-ID"},
		{SIP_CSEQ, "No CSeq"},
	};

	for (unsigned i = 0; i < sizeof(req) / sizeof(*req); i++)
		if (!s->m->count[req[i].id])
			scan_fault(s, 400, req[i].why);
}

int sip_scan(struct sip_msg *m, const void *mem, size_t n, bool datagram,
	     struct sip_fault *fault)
{
	return scan_msg(m, mem, n, datagram, true, fault);
}

int scan_msg(struct sip_msg *m, const void *mem, size_t n, bool datagram,
	     bool quick, struct sip_fault *fault)
{
	struct scan s = {.m = m, .f = fault, .quick = quick};
	const char *p = mem, *e = p + n;
	size_t head;

	*fault = (struct sip_fault){0};
	memset(m, 0, offsetof(struct sip_msg, hdr));
	m->maxfwd = -1;
	/* RFC 3261 7.5: line ends before the start line are ignored */
	while (p < e && (*p == '\r' || *p == '\n'))
		p++;
	if (p == e)
		return ENODATA;
	s.b = p;
	s.lim = e;
	m->raw = sl_mk(p, (size_t)(e - p));
	if (quick && m->raw.n > SCAN_AHEAD)
		s.stop = chr_last(p, p + (m->raw.n < SIP_MAX_LINE ? m->raw.n :
					  SIP_MAX_LINE) - SCAN_AHEAD, '\r');
	head = m->raw.n < SIP_MAX_HEAD ? m->raw.n : SIP_MAX_HEAD;
	if (m->raw.n > SIP_MAX_MSG)
		scan_fault(&s, 513, "Message Too Large");
	if (!scan_head(&s, p + head)) {
		if (m->raw.n > SIP_MAX_HEAD)
			scan_fault(&s, 513, "Headers Too Large");
		scan_fault(&s, 400, "No End of Headers");
	} else {
		scan_body(&s, datagram);
		scan_required(&s);
	}
	if (!fault->code)
		return 0;
	/* An answer needs a way back and something to match it by; the
	 * headers it copies may be as broken as they came. */
	fault->answerable = m->req && m->meth != SIP_ACK && m->count[SIP_VIA] &&
			    m->count[SIP_CSEQ];
	return EBADMSG;
}
