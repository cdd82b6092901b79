/* STUN Binding on a SIP port. */
#include <criterion/criterion.h>
#include <errno.h>

#include "sip/stun.h"

static const uint8_t id[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

static struct addr at(const char *txt)
{
	struct addr a = { 0 };

	cr_assert_eq(addr_parse(&a, sl_cstr(txt), 0), 0);
	return a;
}

/** A request with these attributes */
static struct sl request(uint8_t mem[256], const void *attr, size_t n)
{
	struct buf b;

	buf_fixed(&b, mem, 256);
	stun_request(&b, id);
	buf_put(&b, attr, n);
	mem[3] = (uint8_t)n;
	return buf_as_sl(&b);
}

Test(stun, answer_names_the_source)
{
	/* RFC 5769 2.2: 192.0.2.1 port 32853 */
	static const uint8_t xor4[] = { 0x00, 0x20, 0x00, 0x08, 0x00, 0x01,
		0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43 };
	struct addr a = at("192.0.2.1:32853");
	uint8_t mem[256], out[256];
	struct sl q = request(mem, "", 0);
	struct buf b;

	cr_assert(stun_is(q));
	cr_expect_not(stun_is_answer(q));
	buf_fixed(&b, out, sizeof(out));
	cr_assert_eq(stun_answer(&b, q, &a), 0);
	cr_expect_eq(b.n, 32);
	cr_expect(stun_is_answer(buf_as_sl(&b)));
	cr_expect_arr_eq(out + 8, id, 12);
	cr_expect_arr_eq(out + 20, xor4, 12);
}

Test(stun, answer_names_an_ipv6_source)
{
	/* RFC 5769 2.3: [2001:db8:1234:5678:11:2233:4455:6677]:32853 */
	static const uint8_t want[] = { 0x00, 0x20, 0x00, 0x14, 0x00, 0x02,
		0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79,
		0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9 };
	static const uint8_t id6[12] = { 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
		0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae };
	struct addr a = at("[2001:db8:1234:5678:11:2233:4455:6677]:32853");
	uint8_t mem[64], out[256];
	struct buf q, b;

	buf_fixed(&q, mem, sizeof(mem));
	stun_request(&q, id6);
	buf_fixed(&b, out, sizeof(out));
	cr_assert_eq(stun_answer(&b, buf_as_sl(&q), &a), 0);
	cr_expect_eq(b.n, 44);
	cr_expect_arr_eq(out + 20, want, sizeof(want));
}

Test(stun, attributes_that_may_be_ignored_are)
{
	static const uint8_t software[] = { 0x80, 0x22, 0, 3, 'a', 'b', 'c',
					    0 };
	struct addr a = at("192.0.2.1:5060");
	uint8_t mem[256], out[256];
	struct buf b;

	buf_fixed(&b, out, sizeof(out));
	cr_assert_eq(stun_answer(&b, request(mem, software, 8), &a), 0);
	cr_expect_eq(b.n, 32);
}

Test(stun, others_are_refused_by_name)
{
	static const uint8_t username[] = { 0, 6, 0, 1, 'a', 0, 0, 0 };
	static const uint8_t want[] = { 0, 9, 0, 4, 0, 0, 4, 20, 0, 10, 0, 2,
					0, 6, 0, 0 };
	struct addr a = at("192.0.2.1:5060");
	uint8_t mem[256], out[256];
	struct buf b;

	buf_fixed(&b, out, sizeof(out));
	cr_assert_eq(stun_answer(&b, request(mem, username, 8), &a), 0);
	cr_expect_eq(b.n, 36);
	cr_expect_eq(out[0] << 8 | out[1], 0x0111);
	cr_expect_eq(out[3], 16);
	cr_expect_arr_eq(out + 20, want, sizeof(want));
	cr_expect(stun_is_answer(buf_as_sl(&b)));
}

Test(stun, what_is_no_request_gets_no_answer)
{
	struct addr a = at("192.0.2.1:5060");
	uint8_t mem[256], out[256];
	struct sl q;
	struct buf b;

	buf_fixed(&b, out, sizeof(out));
	q = request(mem, "", 0);
	mem[1] = 0x11;                       /* indication */
	cr_expect_eq(stun_answer(&b, q, &a), ENOENT);
	q = request(mem, "", 0);
	mem[0] = 1;                          /* an answer: no loops */
	cr_expect_eq(stun_answer(&b, q, &a), ENOENT);
	q = request(mem, "\x80\x22\x00\x09zzzz", 8);   /* past the end */
	cr_expect_eq(stun_answer(&b, q, &a), ENOENT);
	cr_expect_eq(b.n, 0);
}

Test(stun, told_from_sip_and_from_noise)
{
	uint8_t mem[256];
	struct sl q = request(mem, "", 0);

	for (size_t n = 0; n < 20; n++)
		cr_expect_not(stun_is(sl_sub(q, 0, n)));
	mem[3] = 4;
	cr_expect_not(stun_is(q));
	mem[3] = 1;
	cr_expect_not(stun_is(sl_mk(mem, 21)));
	mem[3] = 0;
	mem[4] ^= 1;
	cr_expect_not(stun_is(q));
	mem[4] ^= 1;
	mem[0] = 'I';
	cr_expect_not(stun_is(q));
	cr_expect_not(stun_is(SL("OPTIONS sip:x SIP/2.0\r\n\r\n")));
}
