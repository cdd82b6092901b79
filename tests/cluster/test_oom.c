/* test_oom.c - memory runs out: nothing is lost, nothing is half done. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "base/rng.h"
#include "cluster/mesh.h"
#include "mem.h"

#define T0 1700000000000ull

static int make(struct store **sp)
{
	struct store_conf cf = { .node = 1, .max_records = 100000,
		.max_per_aor = 64, .max_expires = 3600, .guard = 10000 };

	return store_alloc(sp, &cf, T0);
}

static int put(struct store *s, int i, uint32_t cseq, const char *v)
{
	char key[32];

	return store_put(s, SL("sip:a@x"), sl_mk(key, (size_t)sprintf(key,
			 "k%d", i)), 0x100, cseq, T0 + 60000, sl_cstr(v), T0);
}

Test(oom, a_store_is_made_whole_or_not_at_all)
{
	struct store *s = NULL;
	int err = ENOMEM, n;

	for (n = 0; err == ENOMEM; n++) {
		mem_left = n;
		err = make(&s);
		mem_left = -1;
	}
	cr_assert_eq(err, 0);
	cr_assert_eq(n, 5);
	store_free(s);
}

Test(oom, after_a_reserve_changes_cannot_fail)
{
	static char big[4001];
	struct store *s = NULL;
	struct rng r;

	rng_seed(&r, 5);          /* what cannot be squeezed */
	for (int i = 0; i < 4000; i++)
		big[i] = (char)(1 + rng_below(&r, 255));
	cr_assert_eq(make(&s), 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(put(s, i, 1, "old"), 0);
	cr_assert_eq(put(s, 20, 1, "old"), 0);      /* stays where it is */
	cr_assert_eq(store_reserve(s, SL("sip:a@x"), 6, 10, 4000), 0);
	mem_left = 0;
	for (int i = 0; i < 10; i++)
		cr_assert_eq(put(s, i, 2, big), 0, "change %d", i);
	cr_assert_eq(put(s, 10, 1, big), ENOMEM);
	mem_left = -1;
	cr_assert_eq(store_count(s, SL("sip:a@x"), T0), 11);
	cr_assert_eq(store_stats(s)->oom, 1);
	store_free(s);
}

Test(oom, a_change_that_fails_changes_nothing)
{
	struct store *s = NULL;
	struct store_contact c;
	uint64_t seq;

	cr_assert_eq(make(&s), 0);
	cr_assert_eq(put(s, 1, 1, "short"), 0);
	seq = store_seq(s);
	mem_left = 0;
	cr_assert_eq(put(s, 1, 2, "a value that needs another block, for it "
			 "is so much longer"), ENOMEM);
	mem_left = -1;
	cr_assert_eq(store_seq(s), seq);
	cr_assert_eq(store_find(s, SL("sip:a@x"), SL("k1"), T0, &c), 0);
	cr_assert(sl_eq(c.value, SL("short")));
	cr_assert_eq(c.cseq, 1);
	cr_assert_eq(put(s, 1, 2, "now it fits"), 0);
	store_free(s);
}

Test(oom, the_index_goes_on_without_growing)
{
	struct store *s = NULL;
	int got = 0;
	char aor[32];

	cr_assert_eq(make(&s), 0);
	/* memory for records, none for the index */
	mem_zeroed_fail = true;
	for (int i = 0; i < 40000; i++)
		got += store_put(s, sl_mk(aor, (size_t)sprintf(aor, "u%d", i)),
				 SL("k"), 0x100, 1, T0 + 9000, SL("v"),
				 T0) == 0;
	mem_zeroed_fail = false;
	cr_assert_eq(got, 40000);
	for (int i = 0; i < 40000; i++)
		cr_assert_eq(store_count(s, sl_mk(aor, (size_t)sprintf(aor,
					 "u%d", i)), T0), 1);
	/* and catches up when there is memory again */
	for (int i = 40000; i < 80000; i++)
		cr_assert_eq(store_put(s, sl_mk(aor, (size_t)sprintf(aor,
				       "u%d", i)), SL("k"), 0x100, 1,
				       T0 + 9000, SL("v"), T0), 0);
	for (int i = 0; i < 80000; i++)
		cr_assert_eq(store_count(s, sl_mk(aor, (size_t)sprintf(aor,
					 "u%d", i)), T0), 1);
	store_free(s);
}

/* A peer's record that finds no memory closes the link: it comes again */
Test(oom, a_record_without_memory_is_not_acknowledged)
{
	struct store *s = NULL, *t = NULL;
	struct mesh_conf mc = { .node = 1, .incarnation = 5, .heartbeat = 500,
				.dead = 3000, .max_expires = 3600 };
	struct wire_hello h = { .min = 1, .max = 1, .node = 2,
		.incarnation = 9, .max_expires = 3600, .canon = WIRE_CANON };
	struct wire_hello_ack a = { .version = 1, .incarnation = 5 };
	struct wire_head head = { .version = 1 };
	struct store_cursor cur = { 0 };
	struct store_change ch;
	struct mesh *m = NULL;
	struct mesh_out o;
	struct buf b;
	size_t at;
	uint8_t l;

	cr_assert_eq(make(&s), 0);
	cr_assert_eq(make(&t), 0);
	cr_assert_eq(put(t, 1, 1, "v"), 0);
	cr_assert_eq(mesh_alloc(&m, &mc, s, 1, 1000, T0), 0);
	l = mesh_up(m, MESH_NONE, 1000);
	buf_init(&b, 65536);
	wire_hello_encode(&b, &h);
	head.type = WIRE_HELLO;
	mesh_recv(m, l, &head, sl_sub(buf_as_sl(&b), WIRE_HEAD, b.n), 1000,
		  T0);
	buf_reset(&b);
	wire_hello_ack_encode(&b, &a);
	head.type = WIRE_HELLO_ACK;
	mesh_recv(m, l, &head, sl_sub(buf_as_sl(&b), WIRE_HEAD, b.n), 1000,
		  T0);
	buf_reset(&b);
	store_cursor_add(t, &cur, 0);
	cr_assert(store_cursor_peek(t, &cur, &ch));
	at = wire_push_begin(&b, 0);
	wire_push_add(&b, ch.packed);
	wire_push_end(&b, at, 1, 1);
	head.type = WIRE_PUSH;
	cr_assert_eq(mesh_alive(m), 1);
	mem_left = 0;
	mesh_recv(m, l, &head, sl_sub(buf_as_sl(&b), WIRE_HEAD, b.n), 1000,
		  T0);
	mem_left = -1;
	cr_assert(mesh_poll(m, &o));
	cr_assert_eq(o.kind, MESH_CLOSE);
	cr_assert_str_eq(o.why, "no_memory");
	cr_assert_eq(store_stats(s)->records, 0);
	store_cursor_del(t, &cur);
	buf_free(&b);
	mesh_free(m);
	store_free(s);
	store_free(t);
}
