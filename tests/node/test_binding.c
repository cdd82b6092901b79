/* A contact as it is read, named, stored and listed. */
#include "node/binding.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int parse(struct binding *b, const char *contact)
{
	const char *why;

	return binding_parse(b, sl_cstr(contact), &why);
}

#define is(sl_, lit) sl_eq(sl_, SL(lit))

Test(binding, reads_all_that_a_contact_says)
{
	struct binding b;

	cr_assert(parse(&b, "\"A\" <sip:a@10.0.0.7:5062;transport=tcp>;q=0.7;"
			"expires=120;+sip.instance=\"<urn:uuid:X>\";reg-id=2;"
			"methods=\"INVITE,BYE\"") == 0);
	cr_expect(is(b.uri, "sip:a@10.0.0.7:5062;transport=tcp"));
	cr_expect(b.q == 700);
	cr_expect(b.has_expires && b.wish == 120);
	cr_expect(is(b.instance, "<urn:uuid:X>"));
	cr_expect(b.reg_id == 2);
	cr_expect(is(b.methods, "\"INVITE,BYE\""));
}

Test(binding, without_brackets_parameters_are_the_headers)
{
	struct binding b;

	cr_assert(parse(&b, "sip:a@h;unknownparam;q=0.3") == 0);
	cr_expect(is(b.uri, "sip:a@h"));
	cr_expect(b.q == 300);
	cr_assert(parse(&b, "<sip:a@h;unknownparam>;q=0.3") == 0);
	cr_expect(is(b.uri, "sip:a@h;unknownparam"));
}

Test(binding, q_is_what_the_grammar_allows)
{
	static const struct { const char *txt; int q; } row[] = {
		{ "0", 0 }, { "1", 1000 }, { "0.", 0 }, { "1.", 1000 },
		{ "0.5", 500 }, { "0.05", 50 }, { "0.005", 5 },
		{ "0.999", 999 }, { "1.0", 1000 }, { "1.000", 1000 },
		{ "1.001", -1 }, { "2", -1 }, { "0.5555", -1 }, { ".5", -1 },
		{ "-1", -1 }, { "0,5", -1 }, { "0.a", -1 }, { "1.1", -1 },
		{ "", -1 }, { "00", -1 },
	};
	struct binding b;
	char txt[64];

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		(void)snprintf(txt, sizeof(txt), "<sip:a@h>;q=%s", row[i].txt);
		if (row[i].q < 0) {
			cr_expect(parse(&b, txt) == EBADMSG, "%s", txt);
			continue;
		}
		cr_expect(parse(&b, txt) == 0, "%s", txt);
		cr_expect(b.q == row[i].q, "%s gives %u", txt, b.q);
	}
}

Test(binding, refuses_what_cannot_be_called)
{
	static const char *const bad[] = {
		"<tel:+4930123>", "<http://example.com/>", "<mailto:a@b>",
		"<sip:a@h?Route=%3Csip:x%3E>", "<>", "", "*x",
		"<sip:a@h>;reg-id=0;+sip.instance=\"<x>\"",
		"<sip:a@h>;reg-id=99999999999;+sip.instance=\"<x>\"",
		"<sip:a@h>;+sip.instance=\"\"", "<sip:a@h",
	};
	struct binding b;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(parse(&b, bad[i]) == EBADMSG, "%s", bad[i]);
}

Test(binding, malformed_expires_counts_as_absent)
{
	struct binding b;

	cr_assert(parse(&b, "<sip:a@h>;expires=soon") == 0);
	cr_expect(!b.has_expires);
	cr_assert(parse(&b, "<sip:a@h>;expires=-5") == 0);
	cr_expect(!b.has_expires);
	cr_assert(parse(&b, "<sip:a@h>;expires=4294967295") == 0);
	cr_expect(b.has_expires && b.wish == UINT32_MAX);
}

Test(binding, reg_id_without_instance_means_nothing)
{
	struct binding b;

	cr_assert(parse(&b, "<sip:a@h>;reg-id=3") == 0);
	cr_expect(b.reg_id == 0);
}

static void key(char *txt, size_t size, const char *contact, const char *path)
{
	struct binding b;
	struct buf k;

	cr_assert(parse(&b, contact) == 0);
	b.path = sl_cstr(path);
	buf_init(&k, BINDING_KEY_MAX);
	cr_assert(binding_key(&k, &b) == 0);
	(void)snprintf(txt, size, "%.*s", (int)k.n, (char *)k.p);
	buf_free(&k);
}

#define INST ";+sip.instance=\"<urn:uuid:AB>\";reg-id=1"

Test(binding, key_is_the_instance_only_behind_an_outbound_edge)
{
	char a[256], b[256];

	key(a, sizeof(a), "<sip:a@1.2.3.4>" INST, "<sip:t@e;lr;ob>");
	key(b, sizeof(b), "<sip:a@5.6.7.8>" INST, "<sip:u@e;lr;ob>");
	cr_expect_str_eq(a, b);
	key(a, sizeof(a), "<sip:a@1.2.3.4>" INST, "<sip:t@e;lr>");
	key(b, sizeof(b), "<sip:a@5.6.7.8>" INST, "<sip:t@e;lr>");
	cr_expect_str_neq(a, b);
	/* the first hop is the last Path element */
	key(a, sizeof(a), "<sip:a@1.2.3.4>" INST, "<sip:x@p;lr;ob>, <sip:t@e;lr>");
	cr_expect(a[0] == 'u');
	key(a, sizeof(a), "<sip:a@1.2.3.4>" INST, "<sip:x@p;lr>, <sip:t@e;lr;ob>");
	cr_expect(a[0] == 'i');
}

Test(binding, key_ignores_how_a_uri_is_written)
{
	char a[256], b[256];

	key(a, sizeof(a), "<sip:al%69ce@EXAMPLE.com;transport=TCP;lr>", "");
	key(b, sizeof(b), "<sip:alice@example.com;lr;transport=tcp>", "");
	cr_expect_str_eq(a, b);
	key(b, sizeof(b), "<sip:Alice@example.com;lr;transport=tcp>", "");
	cr_expect_str_neq(a, b, "the user part has case");
}

static const struct binding full = {
	.uri = { "sip:a@10.0.0.7", 14 }, .path = { "<sip:t@e;lr;ob>", 15 },
	.callid = { "cid", 3 }, .agent = { "phone/1", 7 },
	.instance = { "<urn:x>", 7 }, .methods = { "\"BYE\"", 5 },
	.received = { "192.0.2.7", 9 }, .reg_id = 4, .cseq = 77, .q = 250,
	.nat = true, .expires = 1700000000123ull,
};

Test(binding, decodes_what_it_encodes)
{
	struct binding b;
	struct buf v;

	buf_init(&v, BINDING_VALUE_MAX);
	cr_assert(binding_encode(&v, &full) == 0);
	cr_assert(binding_decode(&b, buf_as_sl(&v)) == 0);
	cr_expect(sl_eq(b.uri, full.uri) && sl_eq(b.path, full.path));
	cr_expect(sl_eq(b.callid, full.callid) && sl_eq(b.agent, full.agent));
	cr_expect(sl_eq(b.instance, full.instance));
	cr_expect(sl_eq(b.methods, full.methods));
	cr_expect(sl_eq(b.received, full.received));
	cr_expect(b.reg_id == 4 && b.cseq == 77 && b.q == 250);
	cr_expect(b.expires == full.expires && b.nat);
	buf_free(&v);
}

Test(binding, golden_bytes)
{
	static const uint8_t want[] = {
		1, 0, 0, 0, 9 + 11, 1, 0, 6, 's', 'i', 'p', ':', 'a', '@',
		10, 0, 8, 0, 0, 0, 0, 0, 0, 3, 232,
	};
	const struct binding b = { .uri = { "sip:a@", 6 }, .q = 1000 };
	struct buf v;

	buf_init(&v, 256);
	cr_assert(binding_encode(&v, &b) == 0);
	cr_expect(v.n == sizeof(want));
	cr_expect(memcmp(v.p, want, sizeof(want)) == 0);
	buf_free(&v);
}

Test(binding, every_truncation_is_refused)
{
	struct binding b;
	struct buf v;
	uint8_t *cut;

	buf_init(&v, BINDING_VALUE_MAX);
	cr_assert(binding_encode(&v, &full) == 0);
	for (size_t n = 0; n < v.n; n++) {
		cut = malloc(n ? n : 1);      /* of its own size, for ASan */
		cr_assert(cut);
		memcpy(cut, v.p, n);
		cr_expect(binding_decode(&b, sl_mk(cut, n)) == EBADMSG,
			  "%zu of %zu bytes", n, v.n);
		free(cut);
	}
	buf_chr(&v, 'x');
	cr_expect(binding_decode(&b, buf_as_sl(&v)) == EBADMSG, "one more");
	buf_free(&v);
}

Test(binding, fields_of_a_later_version_are_skipped)
{
	struct binding b;
	struct buf v;

	buf_init(&v, 256);
	put_u8(&v, 1);
	put_u32(&v, 9 + 5);
	put_u8(&v, 200);
	put_sl16(&v, SL("zz"));
	put_u8(&v, 1);
	put_sl16(&v, SL("sip:a@"));
	cr_expect(binding_decode(&b, buf_as_sl(&v)) == 0);
	cr_expect(is(b.uri, "sip:a@"));
	buf_free(&v);
}

Test(binding, values_nobody_may_store_are_refused)
{
	static const struct { const char *what; uint8_t tag; const char *v;
		size_t n; } row[] = {
		{ "q above one", 10, "\0\0\0\0\0\0\x03\xe9", 8 },
		{ "q of 4 bytes", 10, "\0\0\0\1", 4 },
		{ "reg-id above 2^31-1", 8, "\0\0\0\0\x80\0\0\0", 8 },
		{ "cseq above 32 bits", 9, "\0\0\0\1\0\0\0\0", 8 },
		{ "second uri", 1, "sip:b@", 6 },
		{ "empty text", 2, "", 0 },
	};
	struct binding b;
	struct buf v;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		buf_init(&v, 256);
		put_u8(&v, 1);
		put_u32(&v, (uint32_t)(9 + 3 + row[i].n));
		put_u8(&v, 1);
		put_sl16(&v, SL("sip:a@"));
		put_u8(&v, row[i].tag);
		put_sl16(&v, sl_mk(row[i].v, row[i].n));
		cr_expect(binding_decode(&b, buf_as_sl(&v)) == EBADMSG, "%s",
			  row[i].what);
		buf_free(&v);
	}
}

Test(binding, a_value_without_a_uri_is_refused)
{
	static const uint8_t q[] = {
		1, 0, 0, 0, 11, 10, 0, 8, 0, 0, 0, 0, 0, 0, 3, 232,
	};
	struct binding b;

	cr_expect(binding_decode(&b, sl_mk(q, sizeof(q))) == EBADMSG);
}

Test(binding, too_long_a_value_is_an_error_not_a_cut)
{
	static char path[BINDING_VALUE_MAX];
	struct binding b = full;
	struct buf v;

	memset(path, 'p', sizeof(path));
	b.path = sl_mk(path, sizeof(path));
	buf_init(&v, 2 * BINDING_VALUE_MAX);
	cr_expect(binding_encode(&v, &b) == ENOSPC);
	cr_expect(v.n == 0);
	buf_free(&v);
}

Test(binding, listed_as_it_can_be_read_back)
{
	struct binding b;
	struct buf v;
	char txt[512];

	buf_init(&v, 512);
	binding_put(&v, &full, 99);
	(void)snprintf(txt, sizeof(txt), "%.*s", (int)v.n, (char *)v.p);
	buf_free(&v);
	cr_assert(parse(&b, txt) == 0, "%s", txt);
	cr_expect(sl_eq(b.uri, full.uri) && b.q == 250 && b.wish == 99);
	cr_expect(sl_eq(b.instance, full.instance) && b.reg_id == 4);
}
