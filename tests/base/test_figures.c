/* log, figures, generator, secrets */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/aead.h"
#include "base/cfg.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/stat.h"

/** What was written to stderr while f ran */
static char *captured(void (*f)(void), char *out, size_t size)
{
	char path[] = "/tmp/ew_log_XXXXXX";
	int fd = mkstemp(path), old = dup(2);
	ssize_t n;

	cr_assert_geq(fd, 0);
	dup2(fd, 2);
	f();
	dup2(old, 2);
	n = pread(fd, out, size - 1, 0);
	out[n > 0 ? n : 0] = 0;
	close(fd);
	close(old);
	unlink(path);
	return out;
}

static void settings_lines(void)
{
	static struct cfg_errs e;

	cfg_err(&e, "x.conf", 3, "prot", "unknown key, did you mean \"port\"?");
	log_init("prog", LOG_TO_STDERR, LOG_LV_INFO);
	cfg_log(&e, "reload");
}

Test(log, a_wrong_setting_is_one_line_whose_quotes_are_escaped)
{
	char out[1000];

	cr_assert_not_null(strstr(captured(settings_lines, out, sizeof(out)),
		" event=reload problem=\"x.conf:3: prot: unknown key, did you "
		"mean \\\"port\\\"?\"\n"), "%s", out);
}

static void hostile_lines(void)
{
	char big[4000];

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = 0;
	log_init("prog", LOG_TO_STDERR, LOG_LV_INFO);
	log_info("event=a v=%s n=%d", log_esc(SL("x\r\nlevel=error \"\\\x80")),
		 5);
	log_debug("event=hidden");
	log_warn("raw=%s", "a\nb");
	log_error("%s", big);
}

Test(log, one_decision_is_one_parseable_line)
{
	char out[8000], *line, *save = NULL;
	int n = 0;

	captured(hostile_lines, out, sizeof(out));
	cr_assert_not_null(strstr(out,
		"Z level=info prog=prog event=a v=\"x\\x0d\\x0alevel=error "
		"\\\"\\\\\\x80\" n=5\n"), "%s", out);
	cr_assert_null(strstr(out, "hidden"));
	for (line = strtok_r(out, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		cr_assert_eq(strncmp(line, "ts=2", 4), 0, "%s", line);
		cr_assert_eq(line[26], 'Z', "%s", line);
		cr_assert_not_null(strstr(line, " level="));
		n++;
	}
	cr_assert_eq(n, 3);
	cr_assert_eq(log_count(LOG_LV_INFO), 1);
	cr_assert_eq(log_count(LOG_LV_DEBUG), 0);
	cr_assert_eq(log_count(LOG_LV_ERROR), 1);
}

Test(log, escaped_value_is_capped_and_eight_live_at_once)
{
	char big[1000];
	const char *v[8];

	memset(big, 1, sizeof(big));
	cr_assert_leq(strlen(log_esc(sl_mk(big, sizeof(big)))), 202);
	cr_assert_str_eq(log_esc(SL_NONE), "\"\"");
	for (int i = 0; i < 8; i++) {
		char c = (char)('a' + i);

		v[i] = log_esc(sl_mk(&c, 1));
	}
	for (int i = 0; i < 8; i++)
		cr_assert_eq(v[i][1], 'a' + i);
}

Test(log, limit_passes_burst_per_second_and_counts_the_rest)
{
	struct log_limit l = { 0 };
	int passed = 0;

	for (int i = 0; i < 100; i++)
		passed += log_allow(&l, 10, 5000 + (uint64_t)i);
	cr_assert_eq(passed, 10);
	cr_assert_eq(l.dropped, 90);
	cr_assert(log_allow(&l, 10, 6000));
}

Test(stat, prometheus_text_is_sorted_grouped_and_complete)
{
	struct stats *s = NULL;
	struct stat_hist h = { { 0 }, 0, 0 };
	uint64_t a = 1, b = 2, c = 3, v = 0;
	struct buf o;

	cr_assert_eq(stats_alloc(&s), 0);
	cr_assert_eq(stat_add(s, STAT_GAUGE, "z", NULL, "Zed.", &a, &a), 0);
	cr_assert_eq(stat_add(s, STAT_COUNTER, "m_total", "node=\"n2\"",
			      "Em.", &b, &b), 0);
	cr_assert_eq(stat_add(s, STAT_COUNTER, "m_total", "node=\"n1\"",
			      "Em.", &c, &b), 0);
	cr_assert_eq(stat_add(s, STAT_COUNTER, "m_total", "node=\"n1\"",
			      "Em.", &c, &b), EEXIST);
	buf_init(&o, 100000);
	stats_prometheus(s, &o);
	cr_assert(sl_eq(buf_as_sl(&o), SL(
		"# HELP edgewise_m_total Em.\n"
		"# TYPE edgewise_m_total counter\n"
		"edgewise_m_total{node=\"n1\"} 3\n"
		"edgewise_m_total{node=\"n2\"} 2\n"
		"# HELP edgewise_z Zed.\n"
		"# TYPE edgewise_z gauge\n"
		"edgewise_z 1\n")), "%.*s", SL_FMT(buf_as_sl(&o)));
	cr_assert(stat_get(s, "m_total", "node=\"n2\"", &v));
	cr_assert_eq(v, 2);
	stat_del_owner(s, &b);
	cr_assert_not(stat_get(s, "m_total", "node=\"n2\"", &v));
	cr_assert(stat_get(s, "z", NULL, &v));

	v = 1250;
	cr_assert_eq(stat_add(s, STAT_GAUGE_US, "g_seconds", NULL, "Gee.", &v,
			      &h), 0);
	buf_reset(&o);
	stats_prometheus(s, &o);
	buf_chr(&o, 0);
	cr_assert_not_null(strstr((char *)o.p,
		"# TYPE edgewise_g_seconds gauge\n"
		"edgewise_g_seconds 0.00125\n"), "%s", (char *)o.p);
	cr_assert_eq(stat_add(s, STAT_COUNTER_US, "c_seconds_total", NULL,
			      "Cee.", &v, &h), 0);
	buf_reset(&o);
	stats_prometheus(s, &o);
	buf_chr(&o, 0);
	cr_assert_not_null(strstr((char *)o.p,
		"# TYPE edgewise_c_seconds_total counter\n"
		"edgewise_c_seconds_total 0.00125\n"), "%s", (char *)o.p);

	stat_hist_add(&h, 100);
	stat_hist_add(&h, 101);
	stat_hist_add(&h, 3000000);
	stat_hist_add(&h, UINT32_MAX);
	cr_assert_eq(stat_add(s, STAT_HIST, "h_seconds", "l=\"1\"", "H.", &h,
			      &h), 0);
	buf_reset(&o);
	stats_prometheus(s, &o);
	buf_chr(&o, 0);
	cr_assert_not_null(strstr((char *)o.p,
		"edgewise_h_seconds_bucket{l=\"1\",le=\"0.0001\"} 1\n"
		"edgewise_h_seconds_bucket{l=\"1\",le=\"0.00025\"} 2\n"));
	cr_assert_not_null(strstr((char *)o.p,
		"le=\"5\"} 3\n"
		"edgewise_h_seconds_bucket{l=\"1\",le=\"10\"} 3\n"
		"edgewise_h_seconds_bucket{l=\"1\",le=\"+Inf\"} 4\n"
		"edgewise_h_seconds_sum{l=\"1\"} 4297.967496\n"
		"edgewise_h_seconds_count{l=\"1\"} 4\n"), "%s", (char *)o.p);
	buf_free(&o);
	stats_free(s);
}

Test(rng, same_seed_same_numbers_and_below_is_even)
{
	unsigned hit[7] = { 0 };
	struct rng a, b;

	rng_seed(&a, 5);
	rng_seed(&b, 5);
	for (int i = 0; i < 70000; i++) {
		uint32_t v = rng_below(&a, 7);

		cr_assert_eq(v, rng_below(&b, 7));
		hit[v]++;
	}
	for (int i = 0; i < 7; i++)
		cr_assert(hit[i] > 9500 && hit[i] < 10500, "%u", hit[i]);
	cr_assert_eq(rng_below(&a, 0), 0);
	cr_assert_eq(rng_below(&a, 1), 0);
	rng_seed(&b, 6);
	cr_assert_neq(rng_u64(&a), rng_u64(&b));
}

static const uint8_t key[SECRET_KEY] = { 1, 2, 3 };

static void seal_open_spoil(const struct aead *a)
{
	uint8_t nonce[AEAD_NONCE] = { 9 }, c[5 + AEAD_TAG], p[5];

	cr_assert_eq(aead_seal(a, c, "hello", 5, nonce), 0);
	cr_assert_eq(aead_open(a, p, c, sizeof(c), nonce), 0);
	cr_assert_eq(memcmp(p, "hello", 5), 0);
	for (size_t i = 0; i < sizeof(c) * 8; i++) {
		c[i / 8] ^= (uint8_t)(1 << i % 8);
		cr_assert_eq(aead_open(a, p, c, sizeof(c), nonce), EBADMSG);
		c[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	cr_assert_eq(aead_open(a, p, c, AEAD_TAG - 1, nonce), EBADMSG);
	nonce[0]++;
	cr_assert_eq(aead_open(a, p, c, sizeof(c), nonce), EBADMSG);
}

Test(secret, sealed_text_opens_and_every_changed_bit_is_refused)
{
	struct aead a;

	cr_assert_eq(secret_init(), 0);
	aead_init(&a, key);
	seal_open_spoil(&a);
	a.soft = true;
	seal_open_spoil(&a);
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 14 */
Test(secret, both_libraries_seal_as_published)
{
	static const uint8_t want[16 + AEAD_TAG] = {
		0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e,
		0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
		0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0,
		0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19,
	};
	const uint8_t zero[SECRET_KEY] = { 0 };
	uint8_t c[sizeof(want)];
	struct aead a;

	cr_assert_eq(secret_init(), 0);
	aead_init(&a, zero);
	cr_assert_eq(aead_seal(&a, c, zero, 16, zero), 0);
	cr_assert_eq(memcmp(c, want, sizeof(want)), 0);
	memset(c, 0, sizeof(c));
	a.soft = true;
	cr_assert_eq(aead_seal(&a, c, zero, 16, zero), 0);
	cr_assert_eq(memcmp(c, want, sizeof(want)), 0);
}

Test(secret, hash_mac_and_derivation_depend_on_key_and_input)
{
	uint8_t other[SECRET_KEY] = { 4 }, m1[16], m2[16], d1[32], d2[32];

	cr_assert_neq(secret_hash(key, "a", 1), secret_hash(key, "b", 1));
	cr_assert_neq(secret_hash(key, "a", 1), secret_hash(other, "a", 1));
	cr_assert_eq(secret_hash(key, NULL, 0), secret_hash(key, "", 0));
	secret_mac(m1, key, "a", 1);
	secret_mac(m2, key, "a", 1);
	cr_assert(secret_equal(m1, m2, 16));
	secret_mac(m2, other, "a", 1);
	cr_assert_not(secret_equal(m1, m2, 16));
	secret_derive(d1, key, "flow token 1");
	secret_derive(d2, key, "flow token 2");
	cr_assert_not(secret_equal(d1, d2, 32));
}

Test(secret, base64url_round_trip_and_one_text_per_value)
{
	static const char *const bad[] = { "A", "AAAAA", "AB", "AAB", "A=",
					   "AA==", "A+AA", "A/AA", "A AA" };
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				  "qrstuvwxyz0123456789-_";
	uint8_t in[64], out[64];
	struct buf b;
	size_t n;

	buf_init(&b, 1000);
	secret_b64(&b, "\xfb\xff", 2);
	cr_assert(sl_eq(buf_as_sl(&b), SL("-_8")));
	for (size_t len = 0; len < sizeof(in); len++) {
		secret_random(in, len);
		buf_reset(&b);
		secret_b64(&b, in, len);
		n = len;
		cr_assert_eq(secret_unb64(out, &n, buf_as_sl(&b)), 0);
		cr_assert_eq(n, len);
		cr_assert_eq(memcmp(in, out, n), 0);
		if (len) {
			n = len - 1;
			cr_assert_eq(secret_unb64(out, &n, buf_as_sl(&b)),
				     ENOSPC);
		}
	}
	/* every character at every place, by RFC 4648: what is written wide */
	for (unsigned i = 0; i < 64; i++) {
		char want[65];
		uint8_t one[48];

		for (size_t k = 0; k < 64; k++)
			want[k] = abc[(i + k) % 64];
		for (size_t k = 0; k < 48; k += 3) {
			unsigned v = 0;

			for (size_t j = 0; j < 4; j++)
				v = v << 6 | (unsigned)(i + k / 3 * 4 + j) % 64;
			one[k] = (uint8_t)(v >> 16);
			one[k + 1] = (uint8_t)(v >> 8);
			one[k + 2] = (uint8_t)v;
		}
		buf_reset(&b);
		secret_b64(&b, one, sizeof(one));
		cr_expect(sl_eq(buf_as_sl(&b), sl_mk(want, 64)), "%u: %.*s",
			  i, (int)b.n, (char *)b.p);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		n = sizeof(out);
		cr_expect_eq(secret_unb64(out, &n, sl_cstr(bad[i])), EBADMSG,
			     "%s", bad[i]);
	}
	buf_free(&b);
}

/* Each byte at each place of texts of each length, wide or not: a value of its
 * own where it is in the alphabet, refused where it is not; and nothing is
 * written behind the end */
Test(secret, base64url_is_read_the_same_at_each_place)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				  "qrstuvwxyz0123456789-_";
	char txt[56];
	uint8_t out[48];
	size_t n;

	for (size_t len = 4; len <= sizeof(txt); len += 4)
		for (size_t k = 0; k < len; k++)
			for (int c = 0; c < 256; c++) {
				const char *at = c ? strchr(abc, c) : NULL;
				unsigned v = at ? (unsigned)(at - abc) : 0;
				unsigned sum;
				int err;

				memset(txt, 'A', sizeof(txt));
				memset(out, 0xa5, sizeof(out));
				txt[k] = (char)c;
				n = len / 4 * 3;
				err = secret_unb64(out, &n, sl_mk(txt, len));
				cr_assert_eq(err, at ? 0 : EBADMSG);
				cr_assert_eq(out[len / 4 * 3], 0xa5);
				if (err)
					continue;
				sum = (unsigned)out[k / 4 * 3] << 16 |
					(unsigned)out[k / 4 * 3 + 1] << 8 |
					out[k / 4 * 3 + 2];
				cr_assert_eq(sum, v << (18 - 6 * (k % 4)));
				memset(out + k / 4 * 3, 0, 3);
				for (size_t i = 0; i < n; i++)
					cr_assert_eq(out[i], 0);
			}
}
