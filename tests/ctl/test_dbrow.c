#include "ctl/dbrow.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

static const struct dbrow_conf conf = { .now = 1000000 };

static struct dbrow good(void)
{
	return (struct dbrow){
		.username = SL("bob"), .domain = SL("example.com"),
		.contact = SL("sip:bob@192.0.2.1:5062"), .expires = SL("1000600"),
		.callid = SL("c1"), .cseq = SL("7"), .q = SL("0.5"),
		.socket = SL("udp:192.0.2.9:5060"),
	};
}

static const char *read_it(const struct dbrow *r, const struct dbrow_conf *cf,
			   char *to, json_t **o)
{
	*o = NULL;
	return dbrow_read(r, cf, o, to, 64);
}

Test(dbrow, times_as_both_products_write_them)
{
	setenv("TZ", "Etc/GMT-2", 1);
	tzset();
	cr_assert_eq(dbrow_time(SL("2026-11-26 14:38:59")), 1795696739);
	cr_assert_eq(dbrow_time(SL("2026-11-26 14:38:59.25")), 1795696739);
	cr_assert_eq(dbrow_time(SL("1795696739")), 1795696739);
	/* 12:38:59 UTC as Kamailio has it in SQLite, to the second or so */
	cr_assert(llabs((long long)dbrow_time(SL("2461371.02707176")) -
			1795696739) <= 1);
	cr_assert_eq(dbrow_time(SL("")), 0);
	cr_assert_eq(dbrow_time(SL("0")), 0);
	cr_assert_eq(dbrow_time(SL("tomorrow")), 0);
	cr_assert_eq(dbrow_time(SL("2026-11-26 14:38:59x")), 0);
	cr_assert_eq(dbrow_time(SL("nan")), 0);
	cr_assert_eq(dbrow_time(SL("1e300")), 0);
}

Test(dbrow, the_address_seen_counts_more_than_the_contact)
{
	struct dbrow r = good();
	json_t *o;
	char to[64];

	cr_assert(!read_it(&r, &conf, to, &o));
	cr_assert_str_eq(to, "192.0.2.1:5062");
	cr_assert_eq(json_integer_value(json_object_get(o, "expires")), 600);
	cr_assert_eq(json_integer_value(json_object_get(o, "q")), 500);
	cr_assert_eq(json_integer_value(json_object_get(o, "cseq")), 7);
	json_decref(o);
	r.received = SL("sip:198.51.100.1:40000");
	cr_assert(!read_it(&r, &conf, to, &o));
	cr_assert_str_eq(to, "198.51.100.1:40000");
	json_decref(o);
	r.received = SL("sip:[2001:db8::1]:40000");
	cr_assert(!read_it(&r, &conf, to, &o));
	cr_assert_str_eq(to, "[2001:db8::1]:40000");
	json_decref(o);
}

Test(dbrow, connections_are_gone_however_they_are_told)
{
	struct dbrow r[4] = { good(), good(), good(), good() };
	json_t *o;
	char to[64];

	r[0].contact = SL("sip:bob@192.0.2.1;transport=tcp");
	r[1].received = SL("sip:198.51.100.1:40000;transport=tls");
	r[2].socket = SL("tcp:192.0.2.9:5060");
	r[3].contact = SL("sips:bob@192.0.2.1");
	for (int i = 0; i < 4; i++) {
		const char *why = read_it(&r[i], &conf, to, &o);

		cr_assert(why && strstr(why, "connection"), "%d", i);
		cr_assert(!o);
	}
}

Test(dbrow, a_path_is_refused_unless_it_is_to_stay)
{
	struct dbrow_conf keep = { .now = 1000000, .keep_path = true };
	struct dbrow r = good();
	json_t *o;
	char to[64];

	r.path = SL("<sip:abc@192.0.2.3;lr>");
	cr_assert(strstr(read_it(&r, &conf, to, &o), "Path"));
	r.socket = SL("tcp:192.0.2.9:5060");
	cr_assert(!read_it(&r, &keep, to, &o));
	cr_assert_str_eq(to, "");
	cr_assert_str_eq(json_string_value(json_object_get(o, "path")),
			 "<sip:abc@192.0.2.3;lr>");
	json_decref(o);
}

Test(dbrow, rows_that_lack_something)
{
	struct dbrow_conf dom = { .now = 1000000, .domain = SL("d.example") };
	struct dbrow r = good();
	json_t *o;
	char to[64];

	r.domain = SL_NONE;
	cr_assert(strstr(read_it(&r, &conf, to, &o), "--domain"));
	cr_assert(!read_it(&r, &dom, to, &o));
	cr_assert_str_eq(json_string_value(json_object_get(o, "aor")),
			 "sip:bob@d.example");
	json_decref(o);
	r = good();
	r.username = SL("");
	cr_assert(read_it(&r, &conf, to, &o));
	r = good();
	r.expires = SL("1000000");
	cr_assert_str_eq(read_it(&r, &conf, to, &o), "expired");
	r = good();
	r.instance = SL("\"<urn:uuid:1>\"");
	cr_assert(!read_it(&r, &conf, to, &o));
	cr_assert_str_eq(json_string_value(json_object_get(o, "instance")),
			 "<urn:uuid:1>");
	json_decref(o);
}
