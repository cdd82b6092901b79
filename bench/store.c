/* store.c - cost of the location store: bytes per contact, time of a refresh and
 * of a look-up. Instructions: valgrind --tool=callgrind
 * --toggle-collect=bench_puts (or bench_gets, bench_merges) bench/store 20000 */
#include <stdio.h>
#include <stdlib.h>
#include <malloc.h>
#include "base/clk.h"
#include "base/rng.h"
#include "cluster/store.h"

#define T0 1700000000000ull

void bench_puts(struct store *s, uint32_t n, uint32_t cseq, struct sl value);
uint64_t bench_gets(struct store *s, uint32_t n, uint32_t times);
void bench_merges(struct store *from, struct store *to);

static struct sl aor_of(uint32_t i, char *txt)
{
	return sl_mk(txt, (size_t)sprintf(txt, "sip:user%07u@example.com",
					  i));
}

static struct sl key_of(uint32_t i, char *txt)
{
	return sl_mk(txt, (size_t)sprintf(txt, "sip:user%07u@10.%u.%u.%u:5060",
					  i, i >> 16 & 255, i >> 8 & 255,
					  i & 255));
}

__attribute__((noinline))
void bench_puts(struct store *s, uint32_t n, uint32_t cseq, struct sl value)
{
	char a[64], k[64];

	for (uint32_t i = 0; i < n; i++)
		if (store_put(s, aor_of(i, a), key_of(i, k),
			      (uint64_t)i << 8, cseq, T0 + 3000000, value, T0))
			abort();
}

__attribute__((noinline))
uint64_t bench_gets(struct store *s, uint32_t n, uint32_t times)
{
	struct store_contact c;
	struct store_iter it;
	struct rng r;
	uint64_t got = 0;
	char a[64];

	rng_seed(&r, 1);
	for (uint32_t i = 0; i < times; i++) {
		store_get(s, aor_of(rng_below(&r, n), a), T0, &it);
		while (store_next(&it, &c))
			got += c.value.n > 0;
	}
	return got;
}

__attribute__((noinline))
void bench_merges(struct store *from, struct store *to)
{
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct record rec;
	bool changed;

	store_cursor_add(from, &c, 0);
	while (store_cursor_peek(from, &c, &ch)) {
		if (record_decode(&rec, ch.packed) ||
		    store_merge(to, &rec, 1, T0, &changed))
			abort();
		store_cursor_step(from, &c);
	}
	store_cursor_del(from, &c);
}

static uint64_t rss(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * 4096ull;
}

static struct store *mk(uint64_t node)
{
	struct store_conf cf = { .node = node, .max_records = 20000000,
		.max_per_aor = 20, .max_expires = 3600, .guard = 10000 };
	struct store *s = NULL;

	memset(cf.key, 3, sizeof(cf.key));
	if (store_alloc(&s, &cf, T0))
		abort();
	return s;
}

static void say(const char *what, uint64_t from, uint64_t n)
{
	printf("%-28s %8.0f ns each\n", what,
	       (double)(clk_now_us() - from) * 1000 / (double)n);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
	size_t vn = argc > 2 ? (size_t)atoi(argv[2]) : 120;
	char *v = calloc(1, vn + 1);
	struct store *s = mk(1), *t;
	uint64_t before = rss(), from = clk_now_us();
	const struct store_stats *st = store_stats(s);

	if (!v)
		return 1;
	memset(v, 'v', vn);
	bench_puts(s, n, 1, sl_mk(v, vn));
	say("first put", from, n);
	printf("contacts %llu, AoR 24 + key ~31 + value %zu bytes\n",
	       (unsigned long long)st->contacts, vn);
	printf("resident %.1f bytes per contact, records %.1f\n",
	       (double)(rss() - before) / n, (double)st->bytes / n);
	from = clk_now_us();
	bench_puts(s, n, 2, sl_mk(v, vn));
	say("refresh", from, n);
	from = clk_now_us();
	if (bench_gets(s, n, n) != n)
		return 1;
	say("look-up (random)", from, n);
	t = mk(2);
	from = clk_now_us();
	bench_merges(s, t);
	say("merge into an empty store", from, n);
	store_free(t);
	store_free(s);
	free(v);
	return 0;
}
