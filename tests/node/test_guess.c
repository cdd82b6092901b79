/* Passwords guessed: who has to wait, how long, and who never has to. */
#include "node/guess.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define MAX 64000
#define HOUR 3600000

static const uint8_t key[32] = "test";

static struct guess *make(void)
{
	struct guess *g = NULL;

	cr_assert(guess_alloc(&g, key) == 0);
	return g;
}

static struct guess_who who(const char *aor, const char *source)
{
	return (struct guess_who){ sl_cstr(aor), sl_cstr(source) };
}

/* One try. @return it was looked at (and wrong) */
static bool try(struct guess *g, const char *aor, const char *source,
		uint64_t now)
{
	const struct guess_who w = who(aor, source);

	if (guess_closed(g, &w, now))
		return false;
	(void)guess_wrong(g, &w, MAX, now);
	return true;
}

static bool closed(struct guess *g, const char *aor, const char *source,
		   uint64_t now)
{
	const struct guess_who w = who(aor, source);

	return guess_closed(g, &w, now);
}

Test(guess, three_are_free_then_each_doubles_the_wait)
{
	static const uint64_t want[] = { 0, 0, 0, 1000, 2000, 4000, 8000,
					 16000, 32000, MAX, MAX };
	const struct guess_who w = who("a", "1");
	struct guess *g = make();

	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		cr_expect(guess_wrong(g, &w, MAX, 1000) == want[i], "%u", i);
	cr_expect(closed(g, "a", "1", 1000 + MAX - 1));
	cr_expect(!closed(g, "a", "1", 1000 + MAX));
	cr_expect(!closed(g, "b", "1", 1000), "another address");
	cr_expect(!closed(g, "a", "2", 1000), "from another place");
	guess_free(g);
}

Test(guess, no_wait_when_it_is_switched_off)
{
	const struct guess_who w = who("a", "1");
	struct guess *g = make();

	for (unsigned i = 0; i < 100; i++)
		cr_expect(guess_wrong(g, &w, 0, 1000) == 0);
	cr_expect(!closed(g, "a", "1", 1000));
	guess_free(g);
}

Test(guess, a_hundred_thousand_tries_are_few_that_count)
{
	struct guess *g = make();
	unsigned looked_at = 0;

	for (unsigned i = 0; i < 100000; i++)
		looked_at += try(g, "a", "1", 1000 + i * 36ull);
	cr_expect(looked_at < 80, "%u in an hour", looked_at);
	cr_expect(looked_at > 50, "%u: it goes on", looked_at);
	cr_expect(!closed(g, "a", "2", 1000 + HOUR),
		  "one source closes nothing for others");
	guess_free(g);
}

Test(guess, who_was_right_from_there_never_waits)
{
	const struct guess_who w = who("a", "home");
	struct guess *g = make();
	char src[16];

	guess_right(g, &w, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(src, sizeof(src), "s%u", i);
		(void)try(g, "a", src, 2000 + i);
		(void)try(g, "a", "home", 2000 + i);
	}
	cr_expect(closed(g, "a", "elsewhere", 3000), "many guess at once");
	cr_expect(!closed(g, "a", "home", 3000));
	cr_expect(!closed(g, "b", "home", 3000), "nor do his neighbours");
	cr_expect(closed(g, "a", "home", 1000ull + GUESS_KNOWN_MS) == false,
		  "all is forgotten by then");
	cr_expect(!guess_known(g, &w, 1000ull + GUESS_KNOWN_MS));
	guess_free(g);
}

Test(guess, one_password_for_many_addresses_is_guessing_too)
{
	struct guess *g = make();
	unsigned looked_at = 0;
	char aor[16];

	for (unsigned i = 0; i < 10000; i++) {
		(void)snprintf(aor, sizeof(aor), "a%u", i);
		looked_at += try(g, aor, "1", 1000 + i * 10ull);
	}
	cr_expect(looked_at < 60, "%u in 100 s", looked_at);
	guess_free(g);
}

Test(guess, a_dozen_phones_with_a_wrong_password_close_no_office_for_long)
{
	struct guess *g = make();
	char aor[16];

	for (uint64_t t = 0; t < HOUR; t += 30000) {
		for (unsigned i = 0; i < 12; i++) {
			(void)snprintf(aor, sizeof(aor), "a%u", i);
			(void)try(g, aor, "office", 1000 + t);
		}
		if (t > 300000)
			cr_assert(!closed(g, "new", "office", 1000 + t),
				  "after %u s", (unsigned)(t / 1000));
	}
	guess_free(g);
}

Test(guess, wrong_ones_are_forgotten)
{
	struct guess *g = make();

	for (unsigned i = 0; i < 4; i++)
		cr_expect(try(g, "a", "1", 1000));
	cr_expect(closed(g, "a", "1", 1999));
	/* four minutes later all four are */
	for (unsigned i = 0; i < 3; i++)
		cr_expect(try(g, "a", "1", 241000));
	cr_expect(!closed(g, "a", "1", 241000));
	guess_free(g);
}

Test(guess, being_right_opens_ones_own_pair_alone)
{
	const struct guess_who own = who("mallory", "1");
	struct guess *g = make();
	unsigned looked_at = 0;
	char aor[16];

	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(aor, sizeof(aor), "a%u", i);
		looked_at += try(g, aor, "1", 1000);
		guess_right(g, &own, 1000);
	}
	cr_expect(looked_at == 31, "%u", looked_at);
	guess_free(g);
}

Test(guess, a_flood_of_names_does_not_wash_out_the_worst)
{
	struct guess *g = make();
	char name[16];

	for (unsigned i = 0; i < 20; i++) {
		const struct guess_who w = who("a", "1");

		(void)guess_wrong(g, &w, MAX, 1000);
	}
	for (unsigned i = 0; i < 500000; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		(void)try(g, name, name, 1001);
	}
	cr_expect(guess_stats(g)->evicted > 100000);
	cr_expect(closed(g, "a", "1", 1002));
	guess_free(g);
}
