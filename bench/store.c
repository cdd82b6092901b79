/* store.c - cost of the location store alone: bytes per contact, time of every
 * operation, what comes back.
 *
 *   bench/store [contacts [makes [cpu]]]
 *
 * Contacts look as edgewise-node stores them: AoR, key by URI, a value of
 * tagged fields with a random flow token. makes: of phones, 0 = one. `cpu`
 * counts CPU time instead of time: what others on the machine do does not
 * show in it, but each reading costs some 500 ns. Instructions: valgrind --tool=callgrind
 * --toggle-collect=store_put (or store_next, store_merge, ...)
 * bench/store 20000. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <malloc.h>
#include "base/rng.h"
#include "cluster/store.h"

#define T0 1700000000000ull
#define LIFE 3600000ull

static uint32_t makes;
static clockid_t clock_used = CLOCK_MONOTONIC;

static uint64_t ns(void)
{
	struct timespec t;

	clock_gettime(clock_used, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* --- contacts ---------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 27) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 31;
}

static struct sl aor_of(uint32_t i, char *txt)
{
	return sl_mk(txt, (size_t)sprintf(txt, "user%07u@example.com", i));
}

static struct sl key_of(uint32_t i, char *txt)
{
	return sl_mk(txt, (size_t)sprintf(txt, "u:sip:user%07u@10.%u.%u.%u:"
					  "5060", i, i >> 16 & 255,
					  i >> 8 & 255, i & 255));
}

static void field(struct buf *b, uint8_t tag, const char *txt)
{
	put_u8(b, tag);
	put_sl16(b, sl_cstr(txt));
}

static void number(struct buf *b, uint8_t tag, uint64_t v)
{
	put_u8(b, tag);
	put_u16(b, 8);
	put_u64(b, v);
}

/* As binding_encode() of node/binding.c */
static struct sl value_of(uint32_t i, uint32_t cseq, uint8_t *mem)
{
	static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
				  "nopqrstuvwxyz0123456789-_";
	char txt[128], tok[55];
	struct buf b;

	for (int k = 0; k < 54; k++)
		tok[k] = b64[mix((uint64_t)i * 64 + (uint64_t)k) & 63];
	tok[54] = 0;
	buf_fixed(&b, mem, 512);
	put_u8(&b, 1);
	put_u32(&b, 0);
	(void)key_of(i, txt);
	field(&b, 1, txt + 2);
	(void)sprintf(txt, "<sip:%s@127.0.0.1:5070;transport=tcp;lr;ob>",
		      tok);
	field(&b, 2, txt);
	(void)sprintf(txt, "%016llx@10.%u.%u.%u",
		      (unsigned long long)mix(i), i >> 16 & 255, i >> 8 & 255,
		      i & 255);
	field(&b, 3, txt);
	(void)sprintf(txt, "Yealink SIP-T%uS 66.86.0.15",
		      46 + (makes ? i % makes : 0));
	field(&b, 4, txt);
	(void)sprintf(txt, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255,
		      i & 255);
	field(&b, 7, txt);
	number(&b, 9, cseq);
	number(&b, 10, 1000);
	number(&b, 11, T0 + LIFE);
	mem[4] = (uint8_t)(b.n - 5);
	return buf_as_sl(&b);
}

/* --- figures ------------------------------------------------------------------ */

/* Durations: exact up to 1 us, then in steps of 1/16 */
struct hist {
	uint64_t n, sum, max;
	uint64_t slow;           /* above 1 ms                              */
	uint32_t h[2048];
};

static uint32_t slot_of(uint64_t v)
{
	int e = 63 - __builtin_clzll(v | 1024);

	return v < 1024 ? (uint32_t)v :
	       (uint32_t)(1024 + (e - 10) * 16 + (int)(v >> (e - 4) & 15));
}

static void hist_add(struct hist *h, uint64_t v)
{
	h->n++;
	h->sum += v;
	h->h[slot_of(v)]++;
	h->slow += v > 1000000;
	if (v > h->max)
		h->max = v;
}

static uint64_t hist_at(const struct hist *h, double q)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < 2048; i++) {
		n += h->h[i];
		if ((double)n >= q * (double)h->n)
			return i < 1024 ? i :
			       (uint64_t)(16 + (i - 1024) % 16) <<
			       ((i - 1024) / 16 + 6);
	}
	return h->max;
}

static void hist_say(struct hist *h, const char *what)
{
	printf("%-22s mean %6.0f  p50 %6llu  p99 %6llu  p99.99 %7llu  "
	       "max %8llu ns  above 1 ms %llu\n", what, (double)h->sum / (double)h->n,
	       (unsigned long long)hist_at(h, 0.5),
	       (unsigned long long)hist_at(h, 0.99),
	       (unsigned long long)hist_at(h, 0.9999),
	       (unsigned long long)h->max, (unsigned long long)h->slow);
	memset(h, 0, sizeof(*h));
}

static uint64_t pss(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	unsigned long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pss: %lu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024ull;
}

static struct hist hist;

static void puts_all(struct store *s, uint32_t n, uint32_t cseq, uint64_t wall)
{
	char a[64], k[64];
	uint8_t v[512];

	for (uint32_t i = 0; i < n; i++) {
		struct sl aor = aor_of(i, a), key = key_of(i, k);
		struct sl value = value_of(i, cseq, v);
		uint64_t from = ns();

		if (store_put(s, aor, key, (uint64_t)i << 8, cseq,
			      wall + LIFE, value, wall))
			abort();
		hist_add(&hist, ns() - from);
	}
}

static void gets_some(struct store *s, uint32_t n, uint32_t times)
{
	struct store_contact c;
	struct store_iter it;
	struct rng r;
	char a[64];

	rng_seed(&r, 1);
	for (uint32_t i = 0; i < times; i++) {
		struct sl aor = aor_of(rng_below(&r, n), a);
		uint64_t from = ns();
		uint32_t got = 0;

		store_get(s, aor, T0, &it);
		while (store_next(&it, &c))
			got += c.value.n > 0;
		hist_add(&hist, ns() - from);
		if (got != 1)
			abort();
	}
}

static void merges(struct store *from, struct store *to)
{
	static struct hist peek;
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct record rec;
	bool changed;
	uint64_t t0 = ns(), t1;

	store_cursor_add(from, &c, 0);
	while (store_cursor_peek(from, &c, &ch)) {
		t1 = ns();
		hist_add(&peek, t1 - t0);
		if (record_decode(&rec, ch.packed) ||
		    store_merge(to, &rec, 1, T0, &changed) || !changed)
			abort();
		hist_add(&hist, ns() - t1);
		t0 = ns();
		store_cursor_step(from, &c);
	}
	store_cursor_del(from, &c);
	hist_say(&peek, "next change (cursor)");
	hist_say(&hist, "merge of a peer's");
}

static void expire(struct store *s)
{
	uint64_t wall = T0, from;

	while (store_stats(s)->records) {
		bool more;

		wall += 1000;
		do {
			from = ns();
			more = store_tick(s, wall, STORE_TURN);
			hist_add(&hist, ns() - from);
		} while (more);
	}
	hist_say(&hist, "tick of 200 records");
}

static struct store *mk(uint64_t node)
{
	struct store_conf cf = { .node = node, .max_records = 100000000,
		.max_per_aor = 20, .max_expires = 3600, .guard = 10000 };
	struct store *s = NULL;

	memset(cf.key, 3, sizeof(cf.key));
	if (store_alloc(&s, &cf, T0))
		abort();
	return s;
}

static void bytes(const char *what, uint64_t before, uint32_t n)
{
	uint64_t now = pss();

	printf("%-22s %.1f bytes per contact\n", what,
	       now > before ? (double)(now - before) / n : 0.0);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
	struct store *s = mk(1), *t;
	uint64_t before, from;
	uint8_t v[512];

	/* as edgewise-node does: large pieces go back at once */
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	makes = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	if (argc > 3)
		clock_used = CLOCK_THREAD_CPUTIME_ID;
	memset(&hist, 0, sizeof(hist));
	before = pss();
	puts_all(s, n, 1, T0);
	printf("%u contacts, AoR 23, key ~32, value %zu bytes\n", n,
	       value_of(0, 1, v).n);
	bytes("filled (Pss)", before, n);
	printf("%-22s %.1f bytes per contact\n", "its own count",
	       (double)store_stats(s)->bytes / n);
	hist_say(&hist, "first put");
	puts_all(s, n, 2, T0);
	hist_say(&hist, "refresh");
	bytes("after refreshes (Pss)", before, n);
	gets_some(s, n, n < 2000000 ? n : 2000000);
	hist_say(&hist, "look-up, random");
	gets_some(s, n < 1000 ? n : 1000, 1000000 < n ? 1000000 : n);
	hist_say(&hist, "look-up, 1000 AoRs");
	t = mk(2);
	merges(s, t);
	from = ns();
	store_free(t);
	printf("%-22s %.0f ns per contact\n", "store_free()",
	       (double)(ns() - from) / n);
	expire(s);
	bytes("all expired (Pss)", before, n);
	store_free(s);
	bytes("store_free() (Pss)", before, n);
	return 0;
}
