#include <criterion/criterion.h>
#include "sbc/told.h"

static json_t *json(const char *s)
{
	json_error_t e;
	json_t *o = json_loads(s, JSON_DECODE_ANY, &e);

	cr_assert_not_null(o, "%s at %d", e.text, e.position);
	return o;
}

#define NODE "{\"name\":\"n1\",\"state\":\"UP\",\"admin\":\"ready\"," \
	"\"weight\":100}"

static struct verdict_node judge(const char *node, const char *status)
{
	static json_t *n;
	json_t *s = status ? json(status) : NULL;
	struct verdict_node v;

	json_decref(n);
	n = json(node);
	told_judge(&v, n, s);
	json_decref(s);
	return v;
}

Test(told, a_node_that_says_nothing_is_judged_by_the_edge_alone)
{
	struct verdict_node v = judge(NODE, NULL);

	cr_expect_str_eq(v.name, "n1");
	cr_expect(v.up && v.takes && v.wanted && !v.doubted && !v.known);
	v = judge("{\"name\":\"n1\",\"state\":\"SUSPECT\",\"admin\":\"drain\","
		  "\"weight\":100}", NULL);
	cr_expect(!v.up && v.doubted && !v.takes && !v.wanted);
	v = judge("{\"name\":\"n1\",\"state\":\"UP\",\"admin\":\"ready\","
		  "\"weight\":0}", NULL);
	cr_expect(v.up && v.wanted && !v.takes);
	v = judge("{\"name\":\"n1\",\"state\":\"UP\",\"admin\":\"ready\","
		  "\"weight\":100,\"leaving\":true}", NULL);
	cr_expect(!v.wanted && !v.takes);
}

Test(told, members_are_counted_as_the_node_sees_them)
{
	struct verdict_node v = judge(NODE, "{\"ready\":true,\"cluster\":{"
		"\"synced\":true,\"certificate\":{\"days_left\":-4},"
		"\"members\":[{\"self\":true,\"health\":\"alive\","
		"\"users_differ\":true},{\"health\":\"alive\"},"
		"{\"health\":\"alive\",\"settings_differ\":true},"
		"{\"health\":\"dead\",\"users_differ\":true},"
		"{\"health\":\"suspect\"},{\"health\":\"left\"},"
		"{\"health\":\"dead\",\"removed\":true}]}}");

	cr_expect(v.known && v.ready && v.synced && v.has_cert);
	cr_expect_eq(v.cert_days, -4);
	cr_expect_eq(v.members, 5);
	cr_expect_eq(v.alive, 3);
	cr_expect_eq(v.differ, 1);
}

Test(told, nonsense_is_taken_for_nothing)
{
	static const char *const v[] = {
		"7", "[]", "null", "\"x\"", "{\"cluster\":[]}",
		"{\"cluster\":{\"members\":{\"a\":1}}}",
		("{\"ready\":\"true\",\"cluster\":{\"synced\":1,"
		 "\"certificate\":[1],\"members\":[3,null,\"x\",[]]}}"),
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		struct verdict_node n = judge(NODE, v[i]);
		json_t *s = json(v[i]), *t = told_json(s);

		cr_expect(!n.ready && !n.synced && !n.has_cert && !n.differ,
			  "%s", v[i]);
		cr_expect_eq(n.members + n.alive, 0, "%s", v[i]);
		cr_expect(json_is_object(t));
		json_decref(t);
		json_decref(s);
	}
}

Test(told, only_known_names_and_plain_values_are_taken)
{
	json_t *s = json("{\"version\":\"1\",\"contacts\":{\"x\":1},"
			 "\"secret\":\"y\",\"cluster\":{\"digest\":\"ab\","
			 "\"key\":\"z\",\"members\":[{\"name\":\"n2\","
			 "\"health\":\"alive\",\"address\":\"10.0.0.1\"}]}}");
	json_t *t = told_json(s), *c = json_object_get(t, "cluster");

	cr_expect_str_eq(json_string_value(json_object_get(t, "version")),
			 "1");
	cr_expect_null(json_object_get(t, "contacts"));
	cr_expect_null(json_object_get(t, "secret"));
	cr_expect_null(json_object_get(c, "key"));
	cr_expect_eq(json_array_size(json_object_get(c, "peers")), 1);
	cr_expect_eq(json_object_size(json_array_get(
			     json_object_get(c, "peers"), 0)), 2);
	json_decref(t);
	json_decref(s);
}

Test(told, a_database_is_told_and_judged)
{
	json_t *s = json("{\"sql\":{\"state\":\"down\",\"why\":\"full\","
			 "\"dirty\":7,\"url\":\"x\",\"text\":\"y\"}}");
	json_t *n = json("{\"name\":\"n1\"}");
	json_t *t = told_json(s), *sql = json_object_get(t, "sql");
	struct verdict_node v;

	cr_expect_str_eq(json_string_value(json_object_get(sql, "why")),
			 "full");
	cr_expect_eq(json_integer_value(json_object_get(sql, "dirty")), 7);
	cr_expect_null(json_object_get(sql, "url"));
	cr_expect_null(json_object_get(sql, "text"));
	told_judge(&v, n, s);
	cr_expect(v.sql_down && !v.sql_behind);
	json_decref(t);
	json_decref(s);
	s = json("{\"sql\":[\"down\"]}");
	t = told_json(s);
	cr_expect_null(json_object_get(t, "sql"));
	told_judge(&v, n, s);
	cr_expect(!v.sql_down);
	json_decref(t);
	json_decref(s);
	json_decref(n);
}

Test(told, peers_are_capped)
{
	json_t *m = json_array(), *s, *t;

	for (int i = 0; i < 1000; i++)
		json_array_append_new(m, json("{\"name\":\"x\"}"));
	s = json_pack("{s:{s:o}}", "cluster", "members", m);
	t = told_json(s);
	cr_expect_eq(json_array_size(json_object_get(
			     json_object_get(t, "cluster"), "peers")),
		     TOLD_PEERS);
	json_decref(t);
	json_decref(s);
}

static bool equal(json_t *pool, size_t i)
{
	return json_is_true(json_object_get(json_object_get(json_object_get(
		json_array_get(pool, i), "said"), "cluster"), "equal"));
}

#define D(d) "{\"said\":{\"cluster\":{\"digest\":\"" d "\"}}}"

Test(told, the_digest_of_most_is_the_right_one)
{
	json_t *p = json("[" D("a") "," D("b") "," D("b") ",{},{\"said\":{}}]");

	told_mark(p);
	cr_expect(!equal(p, 0));
	cr_expect(equal(p, 1));
	cr_expect(equal(p, 2));
	cr_expect_null(json_object_get(json_array_get(p, 3), "said"));
	json_decref(p);
}

Test(told, pings_are_figures_alone)
{
	json_t *s = json("{\"ping\":{\"contacts\":9,\"p50_us\":500,\"x\":1,"
			 "\"lost\":{\"a\":1}}}");
	json_t *o = told_json(s), *p = json_object_get(o, "ping");

	cr_expect_eq(json_integer_value(json_object_get(p, "contacts")), 9);
	cr_expect_eq(json_object_size(p), 2);
	json_decref(o);
	json_decref(s);
	s = json("{\"ping\":[1]}");
	o = told_json(s);
	cr_expect_null(json_object_get(o, "ping"));
	json_decref(o);
	json_decref(s);
}
