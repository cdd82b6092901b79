/* trace.c - Pure. The last messages, in fixed memory. */
#define _GNU_SOURCE        /* memmem */
#include "sip/trace.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sip/uri.h"

enum {
	/* A search looks at so much in one go: about a millisecond [bytes] */
	PIECE = 512 << 10,
	ENTRY = 512,             /* what a message costs beside its bytes    */
	TELL = 128 << 10,        /* bytes of texts found, then it is enough  */
};

int trace_init(struct trace *t, uint32_t messages, uint32_t bytes)
{
	memset(t, 0, sizeof(*t));
	if (!messages)
		return 0;
	if (bytes < TRACE_BYTES_MIN)
		return EINVAL;
	t->v = calloc(messages, sizeof(*t->v));
	t->mem = malloc(bytes);
	if (!t->v || !t->mem) {
		trace_free(t);
		return ENOMEM;
	}
	mem_have(t->v, messages * sizeof(*t->v));
	mem_have(t->mem, bytes);
	t->cap = messages;
	t->bytes = bytes;
	t->longest = TRACE_TEXT;
	t->next = t->oldest = 1 % messages;
	return 0;
}

void trace_free(struct trace *t)
{
	free(t->v);
	free(t->mem);
	memset(t, 0, sizeof(*t));
}

static struct trace_msg *slot(const struct trace *t, uint64_t id)
{
	return &t->v[id % t->cap];
}

static inline void next(const struct trace *t, uint32_t *i)
{
	*i = *i + 1 < t->cap ? *i + 1 : 0;
}

/** n bytes in one piece behind the newest; the oldest in the way go. Positions
 *  are carried along: divisions would cost more than the rest */
static inline void room(struct trace *t, uint32_t n)
{
	uint64_t first;

	if (n > t->bytes - t->pos) {
		t->head += t->bytes - t->pos;
		t->pos = 0;
	}
	/* texts from there on stay */
	first = t->head + n > t->bytes ? t->head + n - t->bytes : 0;
	if (t->kept == t->cap) {
		t->kept--;
		next(t, &t->oldest);
	}
	while (t->kept && t->v[t->oldest].at < first) {
		t->kept--;
		next(t, &t->oldest);
	}
}

void trace_add(struct trace *t, const struct flow *f, bool out, struct sl msg,
	       uint64_t mark, uint64_t wall)
{
	/* a bound the compiler knew would make it copy by 8 bytes a step */
	uint32_t n = msg.n > t->longest ? t->longest : (uint32_t)msg.n;
	struct trace_msg *m;
	uint8_t *p;

	if (!t->cap || !n)
		return;
	room(t, n);
	m = &t->v[t->next];
	m->at = t->head;
	m->n = (uint16_t)n;
	m->id = ++t->last;
	m->wall = wall;
	m->mark = mark;
	m->flow = *f;
	m->length = (uint32_t)msg.n;
	m->out = out;
	m->cut = n < msg.n;
	p = t->mem + t->pos;
	t->head += n;
	t->pos += n;
	t->kept++;
	next(t, &t->next);
	/* last: nothing need be kept over the call */
	memcpy(p, msg.p, n);
}

/* --- reading --- */

const struct trace_msg *trace_after(const struct trace *t, uint64_t since)
{
	uint64_t first = t->last - t->kept + 1;

	if (since >= t->last)
		return NULL;
	return slot(t, since + 1 > first ? since + 1 : first);
}

struct sl trace_text(const struct trace *t, const struct trace_msg *m)
{
	return sl_mk(t->mem + m->at % t->bytes, m->n);
}

/** The colon behind name at the begin of a line; NULL = another header */
static const char *named(struct sl line, struct sl name)
{
	size_t i = name.n;

	if (!sl_istarts(line, name))
		return NULL;
	while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	return i < line.n && line.p[i] == ':' ? line.p + i : NULL;
}

static void take(struct sl v[TRACE_FIELDS], struct sl line)
{
	static const struct {
		enum trace_field f;
		struct sl name;
	} names[] = {
		{ TRACE_CALLID, { "Call-ID", 7 } }, { TRACE_CALLID, { "i", 1 } },
		{ TRACE_FROM, { "From", 4 } }, { TRACE_FROM, { "f", 1 } },
		{ TRACE_TO, { "To", 2 } }, { TRACE_TO, { "t", 1 } },
		{ TRACE_CSEQ, { "CSeq", 4 } },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *colon = named(line, names[i].name);

		if (!colon || sl_isset(v[names[i].f]))
			continue;
		v[names[i].f] = sl_trim(sl_sub(line, (size_t)(colon - line.p) +
					       1, line.n));
		return;
	}
}

void trace_fields(struct sl text, struct sl v[TRACE_FIELDS])
{
	struct sl line;
	size_t n;

	memset(v, 0, TRACE_FIELDS * sizeof(*v));
	while (text.n) {
		n = trace_cut_line(text, &line);
		text = sl_sub(text, n, text.n);
		if (!line.n)
			return;
		take(v, line);
	}
}

struct sl trace_line(struct sl text)
{
	struct sl line;

	(void)trace_cut_line(text, &line);
	return sl_trim(line);
}

static bool is_aor(struct sl value, struct sl aor)
{
	char mem[SIP_AOR_MAX];
	struct name_addr na;
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	return !name_addr_parse(&na, value) && !aor_canon(&b, na.uri) &&
		sl_eq(buf_as_sl(&b), aor);
}

bool trace_is_of(const struct sl v[TRACE_FIELDS], struct sl aor)
{
	return is_aor(v[TRACE_FROM], aor) || is_aor(v[TRACE_TO], aor);
}

/* --- looking for some --- */

static bool matches(const struct trace_query *q, struct sl text)
{
	struct sl v[TRACE_FIELDS];

	if (q->callid.n && !memmem(text.p, text.n, q->callid.p, q->callid.n))
		return false;
	trace_fields(text, v);
	return q->callid.n ? sl_eq(v[TRACE_CALLID], q->callid) :
		trace_is_of(v, q->aor);
}

void trace_find(const struct trace *t, const struct trace_query *q,
		struct trace_found *f)
{
	uint64_t first = t->last - t->kept + 1, id = t->last;
	size_t looked = 0, told = 0;

	f->n = 0;
	f->next = f->from = 0;
	f->to = UINT64_MAX;
	if (q->before && q->before <= t->last) {
		if (q->before <= first)
			return;
		id = q->before - 1;
		f->to = slot(t, q->before)->mark;
	}
	for (; t->kept && id >= first; id--) {
		const struct trace_msg *m = slot(t, id);

		looked += m->n + ENTRY;
		if (matches(q, trace_text(t, m))) {
			f->v[f->n++] = m;
			told += m->n;
		}
		if (id > first && (looked >= PIECE || told >= TELL ||
				   f->n == q->limit)) {
			f->next = id;
			f->from = m->mark;
			return;
		}
	}
}
