#include <criterion/criterion.h>
#include <errno.h>
#include "base/secret.h"
#include "sbc/hook.h"

static struct hook h;
static const struct event *v[HOOK_BATCH];

static void setup(void)
{
	struct hook_conf cf = { .gap = 1000, .max_age = 60000 };
	struct sl bad;

	cr_assert_eq(secret_init(), 0);
	cr_assert_eq(hook_want(&cf.want, SL("node, lost"), &bad), 0);
	cr_assert_eq(hook_init(&h, &cf, 1), 0);
}

static void teardown(void)
{
	hook_free(&h);
}

TestSuite(hook, .init = setup, .fini = teardown);

static void add(enum event_kind k, uint64_t id, uint64_t now)
{
	struct event e = { .id = id, .kind = k };

	hook_event(&h, &e, now);
}

/** One delivery begins; @return its events */
static uint32_t begin(uint64_t now)
{
	uint32_t n = hook_take(&h, v, now);

	if (n)
		hook_body(&h, SL("body"), now);
	return n;
}

Test(hook, only_what_is_wanted_waits)
{
	add(EVENT_NODE, 1, 0);
	add(EVENT_SAVED, 2, 0);
	add(EVENT_LOST, 3, 0);
	cr_expect_eq(h.waiting, 2);
}

Test(hook, words_choose_kinds_and_severities)
{
	const struct event saved = { .kind = EVENT_SAVED },
	      moved = { .kind = EVENT_MOVED, .severity = EVENT_WARNING },
	      lost = { .kind = EVENT_LOST, .severity = EVENT_ERROR };
	struct hook_want w;
	struct sl bad;

	cr_assert_eq(hook_want(&w, SL("error,saved"), &bad), 0);
	cr_expect(hook_wants(&w, &saved) && !hook_wants(&w, &moved) &&
		  hook_wants(&w, &lost));
	cr_assert_eq(hook_want(&w, SL("warning"), &bad), 0);
	cr_expect(!hook_wants(&w, &saved) && hook_wants(&w, &moved));
	cr_assert_eq(hook_want(&w, SL("all"), &bad), 0);
	cr_expect(hook_wants(&w, &saved));
	cr_expect_eq(hook_want(&w, SL("node, nodes"), &bad), EINVAL);
	cr_expect(sl_eq(bad, SL("nodes")));
	cr_expect_eq(hook_want(&w, SL("node,,lost"), &bad), EINVAL);
	cr_expect_eq(hook_want(&w, SL(""), &bad), EINVAL);
}

Test(hook, urls_that_cannot_be_posted_to_are_refused)
{
	static const char *const good[] = {
		"https://h", "http://127.0.0.1:8/x?a=b", "https://[::1]:1/",
	}, *const bad[] = {
		"", "h", "ftp://h/", "file:///etc/passwd", "https://",
		"http:///x", "http://u:p@h/", "http://h/a b", "http://h/\n",
		"http://:80/", "http://h/#x", "gopher://h", "http://h/\xc3",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		cr_expect_null(hook_url(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_not_null(hook_url(bad[i]), "%s", bad[i]);
}

Test(hook, events_of_a_burst_go_in_one_delivery)
{
	for (uint64_t i = 1; i <= 3; i++)
		add(EVENT_NODE, i, i);
	cr_expect_eq(begin(10), 0);
	cr_expect_eq(hook_next(&h), 251);
	cr_assert_eq(begin(251), 3);
	cr_expect_eq(v[0]->id, 1);
	cr_expect_eq(v[2]->id, 3);
	cr_expect(hook_poll(&h, 251));
	cr_expect(!hook_poll(&h, 251), "twice at once");
	cr_expect_eq(hook_next(&h), UINT64_MAX);
	hook_done(&h, true, 0, 300);
	cr_expect_eq(h.delivered, 3);
	cr_expect_eq(h.waiting, 0);
}

Test(hook, deliveries_keep_their_distance)
{
	add(EVENT_NODE, 1, 0);
	begin(250);
	hook_poll(&h, 250);
	add(EVENT_NODE, 2, 260);
	cr_expect_eq(begin(270), 0, "while one flies");
	hook_done(&h, true, 0, 300);
	cr_expect_eq(hook_next(&h), 1300);
	cr_expect_eq(begin(1299), 0);
	cr_expect_eq(begin(1300), 1);
}

Test(hook, a_delivery_is_tried_again_with_its_id_and_bytes)
{
	uint64_t now = 250, gap, most = 1000;
	char id[HOOK_ID];

	add(EVENT_NODE, 1, 0);
	begin(now);
	memcpy(id, h.id, sizeof(id));
	for (int i = 0; i < 5; i++, most *= 2) {
		cr_assert(hook_poll(&h, now));
		add(EVENT_NODE, 2, now);
		hook_done(&h, false, 0, now);
		gap = hook_next(&h) - now;
		cr_expect(gap >= most / 2 && gap <= most, "try %d: %llu", i,
			  (unsigned long long)gap);
		cr_expect_eq(begin(now + gap), 0, "a second delivery");
		cr_expect(!hook_poll(&h, now + gap - 1), "early");
		cr_expect_str_eq(h.id, id);
		cr_expect(sl_eq(buf_as_sl(&h.body), SL("body")));
		now += gap;
	}
	cr_expect_eq(h.failed, 5);
	hook_poll(&h, now);
	hook_done(&h, true, 0, now);
	cr_assert_gt(begin(now + 1000), 0);
	cr_expect_str_neq(h.id, id);
}

Test(hook, what_is_too_old_is_given_up_and_told_with_the_next)
{
	uint64_t now = 250;

	add(EVENT_NODE, 1, 0);
	begin(now);
	while (h.waiting && now < 1000000) {
		cr_assert(hook_poll(&h, now));
		hook_done(&h, false, 0, now);
		now = hook_next(&h) == UINT64_MAX ? now : hook_next(&h);
	}
	cr_expect_eq(h.old, 1);
	cr_expect(now <= 61000, "given up at %llu", (unsigned long long)now);
	cr_expect_eq(hook_missed(&h), 1);
	add(EVENT_NODE, 2, now);
	cr_assert_eq(hook_take(&h, v, hook_next(&h)), 1);
	cr_expect_eq(hook_missed(&h), 1);
	hook_body(&h, SL("x"), now);
	cr_expect_eq(hook_missed(&h), 0);
}

Test(hook, when_too_many_wait_the_oldest_go)
{
	for (uint64_t i = 1; i <= HOOK_WAIT + 10; i++)
		add(EVENT_NODE, i, 0);
	cr_expect_eq(h.full, 10);
	cr_expect_eq(h.waiting, HOOK_WAIT);
	cr_assert_eq(hook_take(&h, v, 1000), HOOK_BATCH);
	cr_expect_eq(v[0]->id, 11);
	cr_expect_eq(hook_missed(&h), 10);
}

Test(hook, a_body_without_memory_is_counted_as_dropped)
{
	add(EVENT_NODE, 1, 0);
	cr_assert_eq(hook_take(&h, v, 250), 1);
	hook_body(&h, SL_NONE, 250);
	cr_expect_eq(h.full, 1);
	cr_expect_eq(h.waiting, 0);
	cr_expect_eq(hook_next(&h), UINT64_MAX);
}

Test(hook, no_wait_is_longer_than_the_longest)
{
	h.cf.max_age = UINT32_MAX;
	add(EVENT_NODE, 1, 0);
	begin(250);
	h.tries = 1000000;
	hook_poll(&h, 250);
	hook_done(&h, false, 0, 250);
	cr_expect_leq(hook_next(&h) - 250, HOOK_RETRY_MAX);
	cr_expect_geq(hook_next(&h) - 250, HOOK_RETRY_MAX / 2);
}

/* RFC 9110 10.2.3 */
Test(hook, a_receiver_that_asks_to_wait_is_left_alone_so_long)
{
	add(EVENT_NODE, 1, 0);
	begin(250);
	cr_assert(hook_poll(&h, 250));
	hook_done(&h, false, 20000, 250);
	cr_expect_eq(hook_next(&h), 20250);
	cr_assert(hook_poll(&h, 20250));
	hook_done(&h, false, 1, 20250);
	cr_expect_geq(hook_next(&h), 20250 + HOOK_RETRY, "less than our own");
}

Test(hook, what_is_asked_is_bounded_and_a_delivery_is_tried_at_its_end)
{
	add(EVENT_NODE, 1, 0);
	begin(250);
	cr_assert(hook_poll(&h, 250));
	hook_done(&h, false, UINT64_MAX / 2, 250);
	cr_expect_eq(hook_next(&h), 250 + 60000, "max_age");
	cr_expect_eq(h.old, 0);
	h.cf.max_age = UINT32_MAX;
	cr_assert(hook_poll(&h, 60250));
	hook_done(&h, false, UINT64_MAX / 2, 60250);
	cr_expect_eq(hook_next(&h), 60250 + HOOK_RETRY_MAX);
}

Test(hook, at_the_end_all_that_waits_goes_without_a_gap)
{
	for (uint64_t i = 1; i <= HOOK_BATCH + 1; i++)
		add(EVENT_NODE, i, 0);
	cr_expect(!hook_busy(&h), "nobody asked");
	hook_hurry(&h, 10);
	cr_expect_eq(hook_next(&h), 10);
	cr_assert_eq(begin(10), HOOK_BATCH);
	cr_assert(hook_poll(&h, 10));
	cr_expect(hook_busy(&h));
	hook_done(&h, true, 0, 20);
	cr_expect(hook_busy(&h), "one is left");
	cr_assert_eq(begin(20), 1);
	cr_assert(hook_poll(&h, 20));
	hook_done(&h, true, 0, 30);
	cr_expect(!hook_busy(&h));
	add(EVENT_NODE, 99, 40);
	cr_expect(hook_busy(&h));
	cr_assert_eq(begin(40), 1);
}

Test(hook, at_the_end_one_that_fails_is_not_waited_for)
{
	add(EVENT_NODE, 1, 0);
	begin(250);
	cr_assert(hook_poll(&h, 250));
	hook_done(&h, false, 300000, 250);
	hook_hurry(&h, 300);
	cr_assert(hook_poll(&h, 300), "tried once more");
	cr_expect(hook_busy(&h));
	hook_done(&h, false, 0, 400);
	cr_expect(!hook_busy(&h));
	cr_expect(!hook_poll(&h, 100000));
	cr_expect_eq(hook_next(&h), UINT64_MAX);
	cr_expect_eq(h.waiting, 1);
}

/* the example of the Standard Webhooks' own libraries */
Test(hook, signed_as_standard_webhooks_say)
{
	uint8_t key[HOOK_SECRET];
	char sig[HOOK_SIG];
	size_t n;

	cr_assert_eq(hook_key(key, &n, SL("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL"
					  "aSw\n")), 0);
	hook_sign(sig, key, n, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
		  SL("{\"test\": 2432232314}"));
	cr_expect_str_eq(sig, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE"
			 "=");
}

Test(hook, a_key_is_base64_or_bytes)
{
	uint8_t key[HOOK_SECRET];
	char big[HOOK_SECRET + 1];
	size_t n;

	cr_assert_eq(hook_key(key, &n, SL(" plain text \n")), 0);
	cr_expect(n == 10 && !memcmp(key, "plain text", n));
	cr_expect_eq(hook_key(key, &n, SL("whsec_***")), EBADMSG);
	cr_expect_eq(hook_key(key, &n, SL(" \n")), EBADMSG);
	memset(big, 'x', sizeof(big));
	cr_expect_eq(hook_key(key, &n, sl_mk(big, sizeof(big))), ENOSPC);
}
