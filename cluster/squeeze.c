/* squeeze.c - Pure. Values made short: new bytes and places to copy from,
 *
 *     token: new bytes (high four bits), length of the copy - 6 (low four);
 *         15 = 15 and the number that follows
 *     [number] new bytes | place: number | [number]
 *
 * Numbers have seven bits a byte, low ones first. A place is in the key (odd:
 * offset * 2 + 1) or in the dictionary (even: distance from the end of the copy
 * before, both directions, * 4). The last token has no copy. */
#include <endian.h>
#include <string.h>
#include "cluster/squeeze.h"

#define MATCH 6                  /* shortest copy [bytes]              */
#define GRAM 4                   /* looked for by [bytes]               */
#define TEACH 6                  /* shortest piece to learn [bytes]     */
#define KEY_AT 8192              /* places from here on are in the key  */
#define AT_KEY (SQUEEZE_DICT + 1)       /* of hint[]: a copy of the key came last */
#define AT_START 0
#define EVERY_MAX 1024           /* calls for one that learns           */
#define IDLE_MAX 8               /* samples until that grows            */
#define MISSED_MAX 64            /* pieces not learned: next dictionary */
#define RUNS 32

struct run { size_t at, n; };

/* One value on its way */
struct work {
	struct squeeze_dict *d;
	struct sl in, key;
	uint8_t *out, *end;      /* NULL: nothing is written            */
	size_t last;             /* end of the copy before, in d        */
	uint8_t kgram[256];      /* place + 1 in the key                */
	bool keyed;              /* kgram is filled                     */
	struct run *run;         /* NULL, or where new bytes are noted  */
	uint32_t runs;
};

static uint32_t load4(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t load8(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Both sides have SQUEEZE_SLACK bytes more */
static inline void copy_fast(uint8_t *to, const uint8_t *from, size_t n)
{
	const uint8_t *end = from + n;

	do {
		memcpy(to, from, SQUEEZE_SLACK);
		to += SQUEEZE_SLACK;
		from += SQUEEZE_SLACK;
	} while (from < end);
}

static uint32_t hash4(uint32_t v, uint32_t bits)
{
	return v * 2654435761u >> (32 - bits);
}

/* Equal bytes at a and b, at most max */
static inline size_t common(const uint8_t *a, const uint8_t *b, size_t max)
{
	size_t n = 0;
	uint64_t x;

	for (; n + 8 <= max; n += 8) {
		x = load8(a + n) ^ load8(b + n);
		if (x)
			return n + (size_t)__builtin_ctzll(le64toh(x)) / 8;
	}
	while (n < max && a[n] == b[n])
		n++;
	return n;
}

/* Length of the copy from place `from` that gives in[i..], 0 = none */
static inline size_t match(const struct work *w, size_t i, size_t from)
{
	const uint8_t *in = (const uint8_t *)w->in.p + i, *src = w->d->b;
	size_t max = w->in.n - i, have = w->d->n, n;

	if (from >= KEY_AT) {
		from -= KEY_AT;
		src = (const uint8_t *)w->key.p;
		have = w->key.n;
	}
	if (from + MATCH > have || max < MATCH ||
	    load4(src + from) != load4(in))
		return 0;
	have -= from;
	n = common(in, src + from, have < max ? have : max);
	return n < MATCH ? 0 : n;
}

static void key_grams(struct work *w)
{
	size_t n = w->key.n;

	memset(w->kgram, 0, sizeof(w->kgram));
	w->keyed = true;
	for (size_t i = 0; i + GRAM <= n && i < 255; i++)
		w->kgram[hash4(load4(w->key.p + i), 8)] = (uint8_t)(i + 1);
}

/* First copy at or behind in[*ip]. @return its length, 0 = there is none */
static size_t search(struct work *w, size_t *ip, size_t *from)
{
	if (!w->keyed)
		key_grams(w);
	for (size_t i = *ip; i + MATCH <= w->in.n; i++) {
		uint32_t v = load4(w->in.p + i);
		size_t d = w->d->gram[hash4(v, 11)], k = w->kgram[hash4(v, 8)];
		size_t nd = d ? match(w, i, d - 1) : 0;
		size_t nk = k ? match(w, i, KEY_AT + k - 1) : 0;

		if (!nd && !nk)
			continue;
		*ip = i;
		*from = nd > nk ? d - 1 : KEY_AT + k - 1;
		return nd > nk ? nd : nk;
	}
	return 0;
}

/* --- the written form ------------------------------------------------------------ */

static inline uint8_t *put_num(uint8_t *p, size_t v)
{
	for (; v > 127; v >>= 7)
		*p++ = (uint8_t)(v | 128);
	*p++ = (uint8_t)v;
	return p;
}

static inline size_t get_num(const uint8_t **pp)
{
	size_t v = *(*pp)++;
	unsigned int at = 7;
	uint8_t c;

	if (v < 128)
		return v;
	v &= 127;
	do {
		c = *(*pp)++;
		v |= (size_t)(c & 127) << at;
		at += 7;
	} while (c & 128);
	return v;
}

static inline size_t place_of(const struct work *w, size_t from)
{
	if (from >= KEY_AT)
		return (from - KEY_AT) * 2 + 1;
	return from >= w->last ? (from - w->last) * 4 :
				 (w->last - from) * 4 - 2;
}

/* New bytes in[i..j), then a copy (n = 0: none). @return false: too long */
static inline bool put_op(struct work *w, size_t i, size_t j, size_t from,
			  size_t n)
{
	const uint8_t *new = (const uint8_t *)w->in.p + i;
	size_t lits = j - i, c = n ? n - MATCH : 0;
	uint8_t *p = w->out;

	if (w->run && lits >= TEACH && w->runs < RUNS)
		w->run[w->runs++] = (struct run){ i, lits };
	if (!p)
		return true;
	/* a token and three numbers below 2^14 */
	if ((size_t)(w->end - p) < lits + 1 + 3 * 2)
		return false;
	*p++ = (uint8_t)((lits < 15 ? lits : 15) << 4 | (c < 15 ? c : 15));
	if (lits >= 15)
		p = put_num(p, lits - 15);
	if (lits && w->in.n - j >= SQUEEZE_SLACK &&
	    (size_t)(w->end - p) >= lits + SQUEEZE_SLACK)
		copy_fast(p, new, lits);
	else if (lits)
		memcpy(p, new, lits);
	p += lits;
	if (n) {
		p = put_num(p, place_of(w, from));
		if (c >= 15)
			p = put_num(p, c - 15);
	}
	w->out = p;
	return true;
}

/* @return false: it does not become shorter */
static bool squeeze(struct work *w)
{
	size_t i = 0, at = AT_START, n = w->in.n;

	while (i + MATCH <= n) {
		struct squeeze_hint *h = &w->d->hint[at];
		size_t j = i + h->lits, from = h->from, len = 0;

		if (j < n)
			len = match(w, j, from);
		if (!len) {
			j = i;
			len = search(w, &j, &from);
			if (!len)
				break;
			h->lits = (uint16_t)(j - i);
			h->from = (uint16_t)from;
		}
		if (!put_op(w, i, j, from, len))
			return false;
		i = j + len;
		if (from < KEY_AT)
			at = w->last = from + len;
		else
			at = AT_KEY + w->last;
	}
	return i == n || put_op(w, i, n, 0, 0);
}

size_t squeeze_put(struct squeeze *q, uint8_t *out, struct sl in,
		   struct sl key)
{
	struct work w;

	w.d = &q->dict[q->cur];
	w.in = in;
	w.key = key;
	w.out = out;
	w.end = out + in.n;
	w.last = 0;
	w.keyed = false;
	w.run = NULL;
	w.runs = 0;
	if (in.n > 8192 - MATCH || key.n > SQUEEZE_KEY || !squeeze(&w))
		return 0;
	return (size_t)(w.out - out);
}

/* `left` bytes can be read, of which n are wanted; more can be written */
static inline void copy(uint8_t *to, const uint8_t *from, size_t n,
			size_t left)
{
	if (left >= n + SQUEEZE_SLACK)
		copy_fast(to, from, n);
	else
		memcpy(to, from, n);
}

void squeeze_get(const struct squeeze *q, uint8_t dict, uint8_t *out,
		 size_t n, struct sl in, struct sl key)
{
	const uint8_t *p = (const uint8_t *)in.p, *pend = p + in.n;
	const uint8_t *last = q->dict[dict].b;
	uint8_t *end = out + n;
	size_t lits, len, v;

	while (out < end) {
		lits = *p >> 4;
		len = (*p++ & 15) + MATCH;
		if (lits) {
			if (lits == 15)
				lits += get_num(&p);
			copy(out, p, lits, (size_t)(pend - p));
			out += lits;
			p += lits;
			if (out >= end)
				break;
		}
		v = get_num(&p);
		if (len == 15 + MATCH)
			len += get_num(&p);
		if (v & 1) {
			copy(out, (const uint8_t *)key.p + v / 2, len,
			     key.n - v / 2);
		} else {
			last = v & 2 ? last - (v + 2) / 4 : last + v / 4;
			copy_fast(out, last, len);
			last += len;
		}
		out += len;
	}
}

/* --- learning ---------------------------------------------------------------------- */

void squeeze_init(struct squeeze *q)
{
	q->cur = 0;
	q->every = 1;
}

static void next_dict(struct squeeze *q)
{
	for (uint8_t i = 0; i < SQUEEZE_DICTS; i++) {
		if (i == q->cur || q->dict[i].refs)
			continue;
		memset(&q->dict[i], 0, sizeof(q->dict[i]));
		q->cur = i;
		q->every = 1;
		q->missed = 0;
		return;
	}
}

static bool add(struct squeeze *q, const uint8_t *p, size_t n)
{
	struct squeeze_dict *d = &q->dict[q->cur];
	size_t i = d->n > 3 ? d->n - 3u : 0;

	if (d->n + n > SQUEEZE_DICT) {
		q->missed++;
		return false;
	}
	memcpy(d->b + d->n, p, n);
	d->n += (uint16_t)n;
	for (; i + GRAM <= d->n; i++)
		d->gram[hash4(load4(d->b + i), 11)] = (uint16_t)(i + 1);
	return true;
}

/* Pieces of in[r] that the sample has, too */
static bool teach(struct squeeze *q, struct sl in, struct run r,
		  const uint16_t *gram)
{
	const uint8_t *p = (const uint8_t *)in.p + r.at, *end = p + r.n;
	bool learned = false;

	while (end - p >= TEACH) {
		size_t k = gram[hash4(load4(p), 9)], max = (size_t)(end - p);
		size_t n = 0;

		if (k) {
			k--;
			if (max > q->sample_n - k)
				max = q->sample_n - k;
			n = common(p, q->sample + k, max);
		}
		if (n < TEACH) {
			p++;
			continue;
		}
		learned |= add(q, p, n);
		p += n;
	}
	return learned;
}

static void pace(struct squeeze *q, bool learned)
{
	if (learned) {
		q->idle = 0;
		q->every = q->every > 4 ? q->every / 4 : 1;
	} else if (++q->idle >= IDLE_MAX) {
		q->idle = 0;
		q->every = q->every < EVERY_MAX ? 2 * q->every : EVERY_MAX;
	}
	if (q->missed >= MISSED_MAX)
		next_dict(q);
}

void squeeze_learn(struct squeeze *q, struct sl in, struct sl key)
{
	struct squeeze_dict *d = &q->dict[q->cur];
	struct run run[RUNS];
	struct work w;
	uint16_t gram[512];
	bool learned = false;

	if (in.n < TEACH || key.n > SQUEEZE_KEY || ++q->calls < q->every)
		return;
	q->calls = 0;
	if (in.n > SQUEEZE_SAMPLE)
		in.n = SQUEEZE_SAMPLE;
	memset(d->hint, 0, sizeof(d->hint));       /* may be better now */
	memset(gram, 0, sizeof(gram));
	for (size_t i = 0; i + GRAM <= q->sample_n; i++)
		gram[hash4(load4(q->sample + i), 9)] = (uint16_t)(i + 1);
	w.d = d;
	w.in = in;
	w.key = key;
	w.out = w.end = NULL;
	w.last = 0;
	w.keyed = false;
	w.run = run;
	w.runs = 0;
	(void)squeeze(&w);
	for (uint32_t i = 0; i < w.runs; i++)
		learned |= teach(q, in, run[i], gram);
	memcpy(q->sample, in.p, in.n);
	q->sample_n = (uint16_t)in.n;
	pace(q, learned);
}
