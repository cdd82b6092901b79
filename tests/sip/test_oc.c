/* test_oc.c - What a server says of its overload: RFC 7339 4 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "sip/oc.h"
#include "sip/hop.h"

Test(oc, what_is_understood)
{
	static const struct {
		const char *s;
		uint32_t loss, validity;
		uint64_t seq;
	} v[] = {
		{ "branch=z9hG4bKa;oc=20;oc-algo=\"loss\";oc-validity=1000;"
		  "oc-seq=1282321615.782", 20, 1000, 128232161578200ull },
		{ "oc=0", 0, OC_VALIDITY, 0 },
		{ "oc=100 ; OC-ALGO = \"LOSS\"", 100, OC_VALIDITY, 0 },
		{ "oc=7;oc-validity=0;oc-seq=1.00001", 7, 0, 100001 },
		{ "oc=7;oc-seq=1.1", 7, OC_VALIDITY, 110000 },
		{ "oc=7;oc-validity=4294967295", 7, OC_VALIDITY_MAX, 0 },
		{ "oc=7;oc-seq=999999999999.99999", 7, OC_VALIDITY,
		  99999999999999999ull },
		{ "x=\";oc=9;\\\";oc=8\";oc=7", 7, OC_VALIDITY, 0 },
	};
	struct oc o;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		cr_expect_eq(oc_parse(&o, sl_cstr(v[i].s)), 0, "%s", v[i].s);
		cr_expect(o.loss == v[i].loss && o.validity == v[i].validity &&
			  o.seq == v[i].seq, "%s: %u %u %llu", v[i].s, o.loss,
			  o.validity, (unsigned long long)o.seq);
	}
}

Test(oc, what_is_not)
{
	static const struct {
		const char *s;
		int err;
	} v[] = {
		{ "", ENOENT },
		{ "branch=z9hG4bKa;rport", ENOENT },
		{ "branch=z9hG4bKa;rport;oc;oc-algo=\"loss\"", ENOENT },
		{ "oc-validity=100;oc-seq=1.1", ENOENT },
		{ "x=\";oc=9\"", ENOENT },
		{ "oc=20;oc-algo=\"rate\"", ENOTSUP },
		{ "oc=20;oc-algo=loss", ENOTSUP },
		{ "oc=101", EBADMSG },
		{ "oc=-1", EBADMSG },
		{ "oc=99999999999999999999", EBADMSG },
		{ "oc=1;oc=2", EBADMSG },
		{ "oc;oc=2", EBADMSG },
		{ "oc=\"1\"", EBADMSG },
		{ "oc=1;oc-validity=x", EBADMSG },
		{ "oc=1;oc-validity", EBADMSG },
		{ "oc=1;oc-validity=4294967296", EBADMSG },
		{ "oc=1;oc-seq=1", EBADMSG },
		{ "oc=1;oc-seq=.1", EBADMSG },
		{ "oc=1;oc-seq=1.", EBADMSG },
		{ "oc=1;oc-seq=1.123456", EBADMSG },
		{ "oc=1;oc-seq=1000000000000.1", EBADMSG },
		{ "oc=1;oc-seq", EBADMSG },
	};
	struct oc o;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		cr_expect_eq(oc_parse(&o, sl_cstr(v[i].s)), v[i].err, "%s",
			     v[i].s);
}

/* The parameters as the scanner leaves them, and what is offered */
Test(oc, in_a_via)
{
	struct via v;
	struct oc o;

	cr_assert_eq(via_parse(&v, SL("SIP/2.0/UDP a.example:5070;"
				      "branch=z9hG4bK1;rport" OC_OFFER)), 0);
	cr_expect_eq(oc_parse(&o, v.params), ENOENT);
	cr_expect_eq(v.branch.n, 8);
	cr_assert_eq(via_parse(&v, SL("SIP/2.0/UDP a.example;branch=z9hG4bK1;"
				      "oc=33;oc-algo=\"loss\"")), 0);
	cr_expect_eq(oc_parse(&o, v.params), 0);
	cr_expect_eq(o.loss, 33);
}
