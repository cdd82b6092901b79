#include <criterion/criterion.h>
#include "ctl/evline.h"

static const char *line(const char *text)
{
	static char t[1024];
	json_t *o = json_loads(text, 0, NULL);
	struct buf b;

	cr_assert_not_null(o, "%s", text);
	buf_init(&b, sizeof(t));
	evline(&b, o);
	buf_chr(&b, 0);
	cr_assert_eq(b.err, 0);
	memcpy(t, b.p, b.n);
	buf_free(&b);
	json_decref(o);
	return t;
}

Test(evline, a_moved_call_tells_from_where_to_where_and_why)
{
	cr_assert_str_eq(line("{\"id\":1,\"wall_ms\":1700000012345,"
		"\"kind\":\"moved\",\"severity\":\"warning\","
		"\"call_id\":\"a84b\",\"from\":\"alice@example.com\","
		"\"to\":\"bob@example.com\",\"method\":\"INVITE\","
		"\"node\":\"n1\",\"to_node\":\"n2\",\"reason\":\"silent\","
		"\"attempts\":2,\"age_ms\":252}"),
		"2023-11-14T22:13:32.345Z      1  warning   moved      "
		"n1 > n2       silent INVITE from alice@example.com to "
		"bob@example.com attempts 2 after 252 ms call a84b\n");
}

Test(evline, an_action_tells_who_and_why)
{
	cr_assert_str_eq(line("{\"id\":12345,\"wall_ms\":0,\"kind\":\"admin\","
		"\"severity\":\"info\",\"node\":\"n1\",\"action\":\"drain\","
		"\"who\":\"al\",\"reason\":\"kernel\"}"),
		"1970-01-01T00:00:00.000Z  12345  info      admin      "
		"n1            drain by al kernel\n");
}

Test(evline, titles_stand_above_their_columns)
{
	const char *l = line("{\"id\":7,\"wall_ms\":0,\"kind\":\"KK\","
		"\"severity\":\"SS\",\"node\":\"NN\",\"reason\":\"WW\"}");
	static const char *const at[][2] = {
		{ "SEVERITY", "SS" }, { "KIND", "KK" }, { "NODE", "NN" },
		{ "WHAT", "WW" } };
	struct buf b;

	buf_init(&b, 1000);
	evline_head(&b);
	buf_chr(&b, 0);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(strstr((char *)b.p, at[i][0]) - (char *)b.p,
			     strstr(l, at[i][1]) - l, "%s", at[i][0]);
	buf_free(&b);
}

Test(evline, texts_of_others_cannot_move_the_cursor)
{
	const char *l = line("{\"id\":1,\"wall_ms\":0,\"kind\":\"lost\","
		"\"from\":\"\\u001b[2Jx\\n\\u009b1my\\u007f\",\"to\":\"\\u00e9\"}");

	cr_assert_not_null(strstr(l, " from ?[2Jx??1my? to \xc3\xa9\n"), "%s",
			   l);
}

Test(evline, what_is_missing_or_of_another_kind_is_left_out)
{
	cr_expect_str_eq(line("{}"), "1970-01-01T00:00:00.000Z      0  -"
			 "         -          -            \n");
	cr_expect_str_eq(line("{\"id\":-4,\"wall_ms\":9223372036854775807,"
			 "\"kind\":7,\"node\":[],\"age_ms\":-1}"),
			 "-                             0  -         -"
			 "          -             after 0 ms\n");
}
