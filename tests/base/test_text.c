/* slices, addresses, binary cursor */
#include <criterion/criterion.h>
#include <errno.h>
#include "base/addr.h"
#include "base/cur.h"

Test(sl, numbers_are_digits_only_and_bounded)
{
	uint64_t v = 7;
	uint32_t u;

	cr_assert_eq(sl_u64(SL("0"), 9, &v), 0);
	cr_assert_eq(v, 0);
	cr_assert_eq(sl_u64(SL("18446744073709551615"), UINT64_MAX, &v), 0);
	cr_assert_eq(v, UINT64_MAX);
	v = 7;
	cr_assert_eq(sl_u64(SL("18446744073709551616"), UINT64_MAX, &v),
		     ERANGE);
	cr_assert_eq(sl_u64(SL("99999999999999999999999"), UINT64_MAX, &v),
		     ERANGE);
	cr_assert_eq(sl_u64(SL("10"), 9, &v), ERANGE);
	cr_assert_eq(sl_u64(SL(""), 9, &v), EBADMSG);
	cr_assert_eq(sl_u64(SL("-1"), 9, &v), EBADMSG);
	cr_assert_eq(sl_u64(SL("+1"), 9, &v), EBADMSG);
	cr_assert_eq(sl_u64(SL(" 1"), 9, &v), EBADMSG);
	cr_assert_eq(sl_u64(SL("1a"), 9, &v), EBADMSG);
	cr_assert_eq(sl_u64(SL("99999999999999999999999x"), 9, &v), EBADMSG);
	cr_assert_eq(v, 7, "result touched on error");
	cr_assert_eq(sl_u32(SL("4294967295"), UINT32_MAX, &u), 0);
	cr_assert_eq(sl_u32(SL("4294967296"), UINT32_MAX, &u), ERANGE);
}

Test(sl, compares_without_case_of_letters_only)
{
	cr_assert(sl_ieq(SL("aZ@["), SL("Az@[")));
	cr_assert_not(sl_ieq(SL("@"), SL("`")));
	cr_assert_not(sl_ieq(SL("["), SL("{")));
	cr_assert_not(sl_ieq(SL("\xc4"), SL("\xe4")));
	cr_assert(sl_istarts(SL("SIP:x"), SL("sip:")));
	cr_assert_not(sl_starts(SL("SIP:x"), SL("sip:")));
	cr_assert_not(sl_starts(SL("si"), SL("sip:")));
	cr_assert(sl_starts(SL_NONE, SL_NONE));
}

Test(sl, trims_searches_and_orders)
{
	char m[8];

	cr_assert(sl_eq(sl_trim(SL(" \t\r\n a b \r\n")), SL("a b")));
	cr_assert_eq(sl_trim(SL(" \t")).n, 0);
	cr_assert_eq(sl_chr(SL("abc"), 'c'), 2);
	cr_assert_eq(sl_chr(SL("abc"), 'x'), 3);
	cr_assert_eq(sl_chr(SL_NONE, 'x'), 0);
	cr_assert_eq(sl_find(SL("abcabd"), SL("abd")), 3);
	cr_assert_eq(sl_find(SL("abcabd"), SL("abcabd")), 0);
	cr_assert_eq(sl_find(SL("aaab"), SL("aab")), 1);
	cr_assert_eq(sl_find(SL("abcab"), SL("abd")), 5);
	cr_assert_eq(sl_find(SL("ab"), SL("abc")), 2);
	cr_assert_eq(sl_find(SL("ab"), SL("")), 0);
	cr_assert_eq(sl_find(SL_NONE, SL("a")), 0);
	cr_assert(sl_eq(sl_lower(m, SL("AbZ@")), SL("abz@")));
	cr_assert_lt(sl_cmp(SL("a"), SL("ab")), 0);
	cr_assert_gt(sl_cmp(SL("b"), SL("ab")), 0);
	cr_assert_eq(sl_cmp(SL_NONE, SL("")), 0);
	cr_assert(sl_eq(sl_sub(SL("abc"), 1, 9), SL("bc")));
	cr_assert_eq(sl_sub(SL("abc"), 2, 1).n, 0);
}

struct row { const char *txt; int af; uint16_t port; };

Test(addr, parses_ip_and_port)
{
	static const struct row rows[] = {
		{ "192.0.2.1", 4, 99 }, { "192.0.2.1:5060", 4, 5060 },
		{ "0.0.0.0:0", 4, 0 }, { "255.255.255.255:65535", 4, 65535 },
		{ "::", 6, 99 }, { "2001:db8::1", 6, 99 },
		{ "[2001:db8::1]", 6, 99 }, { "[::1]:1", 6, 1 },
		{ "::ffff:192.0.2.1", 6, 99 },
		{ "", 0, 0 }, { ":", 0, 0 }, { "1.2.3", 0, 0 },
		{ "1.2.3.4.5", 0, 0 }, { "1.2.3.256", 0, 0 },
		{ "1.2.3.04", 0, 0 }, { "1.2.3.4:", 0, 0 },
		{ "1.2.3.4:65536", 0, 0 }, { "1.2.3.4:+1", 0, 0 },
		{ "1.2.3.4 ", 0, 0 }, { "[1.2.3.4]", 0, 0 },
		{ "[::1", 0, 0 }, { "[::1]x", 0, 0 }, { "[::1]:", 0, 0 },
		{ "::1]", 0, 0 }, { "[]", 0, 0 }, { "[", 0, 0 },
		{ "fe80::1%eth0", 0, 0 }, { "host", 0, 0 },
		{ "1.2.3.1000", 0, 0 }, { "1..2.3", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a = { 0 };
		int err = addr_parse(&a, sl_cstr(rows[i].txt), 99);

		cr_expect_eq(err, rows[i].af ? 0 : EBADMSG, "%s", rows[i].txt);
		cr_expect_eq(a.af, rows[i].af, "%s", rows[i].txt);
		cr_expect_eq(a.port, rows[i].port, "%s", rows[i].txt);
	}
}

Test(addr, text_round_trip)
{
	static const char *const txt[] = {
		"192.0.2.1:5060", "[2001:db8::1]:5061", "[::]:0",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	};
	struct addr a, unset = { 0 };
	char t[ADDR_TXT];

	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(addr_parse(&a, sl_cstr(txt[i]), 1), 0);
		cr_assert_str_eq(addr_txt(&a, t), txt[i]);
	}
	cr_assert_str_eq(addr_txt(&unset, t), "-:0");
}

Test(addr, ip_parse_leaves_the_port_alone)
{
	struct addr a = { .port = 5 };

	cr_assert_eq(addr_parse_ip(&a, SL("10.0.0.1")), 0);
	cr_assert_eq(a.port, 5);
	cr_assert_neq(addr_parse_ip(&a, SL("10.0.0.1:7")), 0);
}

static bool in(const char *ip, const char *net)
{
	struct addr_net n;
	struct addr a = { 0 };

	cr_assert_eq(addr_net_parse(&n, sl_cstr(net)), 0, "%s", net);
	cr_assert_eq(addr_parse_ip(&a, sl_cstr(ip)), 0, "%s", ip);
	return addr_in_net(&a, &n);
}

Test(addr, networks_match_their_bits)
{
	struct addr_net n;

	cr_assert(in("10.255.0.1", "10.0.0.0/8"));
	cr_assert_not(in("11.0.0.1", "10.0.0.0/8"));
	cr_assert(in("10.0.0.129", "10.0.0.200/25"));
	cr_assert_not(in("10.0.0.127", "10.0.0.200/25"));
	cr_assert(in("10.0.0.1", "10.0.0.1"));
	cr_assert_not(in("10.0.0.2", "10.0.0.1"));
	cr_assert(in("1.2.3.4", "0.0.0.0/0"));
	cr_assert_not(in("::1", "0.0.0.0/0"));
	cr_assert(in("2001:db8:7fff::1", "2001:db8::/33"));
	cr_assert_not(in("2001:db8:8000::1", "2001:db8::/33"));
	cr_assert_eq(addr_net_parse(&n, SL("10.0.0.0/33")), EBADMSG);
	cr_assert_eq(addr_net_parse(&n, SL("10.0.0.0/")), EBADMSG);
	cr_assert_eq(addr_net_parse(&n, SL("/8")), EBADMSG);
}

Test(addr, kinds)
{
	static const char *const priv[] = {
		"10.1.1.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.1.1", "100.64.0.1", "127.0.0.2", "::1", "fd00::1",
		"fe80::1", "0.0.0.0", "::", "::ffff:10.0.0.1",
	};
	static const char *const pub[] = {
		"8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1",
		"::ffff:8.8.8.8",
	};
	struct addr a = { 0 };

	for (size_t i = 0; i < sizeof(priv) / sizeof(priv[0]); i++) {
		cr_assert_eq(addr_parse_ip(&a, sl_cstr(priv[i])), 0);
		cr_expect(addr_is_private(&a), "%s", priv[i]);
	}
	for (size_t i = 0; i < sizeof(pub) / sizeof(pub[0]); i++) {
		cr_assert_eq(addr_parse_ip(&a, sl_cstr(pub[i])), 0);
		cr_expect_not(addr_is_private(&a), "%s", pub[i]);
	}
}

Test(addr, hash_spreads_neighbours)
{
	unsigned used[64] = { 0 };
	struct addr a = { 0 };

	cr_assert_eq(addr_parse_ip(&a, SL("10.0.0.0")), 0);
	for (unsigned i = 0; i < 6400; i++) {
		a.ip[3] = (uint8_t)i;
		a.port = (uint16_t)(1024 + i / 256);
		used[addr_hash(&a) % 64]++;
	}
	for (int i = 0; i < 64; i++)
		cr_expect(used[i] > 50 && used[i] < 150, "%u", used[i]);
}

Test(cur, round_trip_and_every_truncation)
{
	struct buf b;
	struct cur c;

	buf_init(&b, 1000);
	put_u8(&b, 0x12);
	put_u16(&b, 0x3456);
	put_u32(&b, 0x789abcde);
	put_u64(&b, 0x0123456789abcdefull);
	put_sl16(&b, SL("text"));
	cr_assert_eq(b.n, 1 + 2 + 4 + 8 + 6);
	cr_assert_eq(memcmp(b.p, "\x12\x34\x56\x78\x9a", 5), 0);
	for (size_t n = 0; n <= b.n; n++) {
		struct sl s;

		cur_init(&c, b.p, n);
		cr_assert_eq(cur_u8(&c), n >= 1 ? 0x12 : 0);
		cr_assert_eq(cur_u16(&c), n >= 3 ? 0x3456 : 0);
		cr_assert_eq(cur_u32(&c), n >= 7 ? 0x789abcde : 0);
		cr_assert_eq(cur_u64(&c), n >= 15 ? 0x0123456789abcdefull : 0);
		s = cur_sl16(&c, 4);
		cr_assert_eq(s.n, n >= 21 ? 4 : 0);
		cr_assert_eq(c.err, n >= 21 ? 0 : EBADMSG);
		cr_assert_eq(cur_left(&c), 0);
	}
	cur_init(&c, b.p + 15, 6);
	cr_assert_eq(cur_sl16(&c, 3).n, 0);
	cr_assert_eq(c.err, EBADMSG, "longer than max accepted");
	buf_free(&b);
}

Test(cur, nothing_is_read_after_an_error)
{
	struct cur c;

	cur_init(&c, "abcd", 4);
	cr_assert_eq(cur_u64(&c), 0);
	cr_assert_eq(cur_u8(&c), 0);
	cr_assert_eq(cur_left(&c), 0);
	cr_assert_eq(cur_bytes(&c, SIZE_MAX).n, 0);
}

Test(sl, hex_takes_digits_of_both_cases_and_nothing_else)
{
	static const char *const bad[] = { "", "g", "0x1", " 1", "1 ", "-1",
					   "/", ":", "@", "`", "G",
					   "11112222333344445" };
	uint8_t b[2] = { 0 };
	uint64_t v = 7;

	cr_expect_eq(sl_hex_u64(SL("0aF9"), &v), 0);
	cr_expect_eq(v, 0x0af9);
	cr_expect_eq(sl_hex_u64(SL("ffffffffffffffff"), &v), 0);
	cr_expect_eq(v, UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(sl_hex_u64(sl_cstr(bad[i]), &v), EBADMSG, "%s",
			     bad[i]);
	cr_expect_eq(v, UINT64_MAX, "untouched on error");
	cr_expect_eq(sl_unhex(b, 2, SL("00Fe")), 0);
	cr_expect_eq(b[1], 0xfe);
	cr_expect_eq(sl_unhex(b, 2, SL("00f")), EBADMSG);
	cr_expect_eq(sl_unhex(b, 2, SL("00fe0")), EBADMSG);
	cr_expect_eq(sl_unhex(b, 2, SL("00fz")), EBADMSG);
}
