#include <criterion/criterion.h>
#include "web/sse.h"

static const char *put(const char *event, uint64_t id, struct sl data)
{
	static char room[500];
	struct buf b;

	buf_fixed(&b, room, sizeof(room) - 1);
	sse_put(&b, event, id, data);
	room[b.n] = '\0';
	return room;
}

Test(sse, a_message_ends_with_an_empty_line)
{
	cr_expect_str_eq(put("view", 0, SL("{}")),
			 "event: view\ndata: {}\n\n");
	cr_expect_str_eq(put("event", 7, SL("x")),
			 "event: event\nid: 7\ndata: x\n\n");
}

Test(sse, line_breaks_cannot_end_or_forge_a_message)
{
	cr_expect_str_eq(put("e", 0, SL("a\n\nevent: evil")),
			 "event: e\ndata: a\ndata: \ndata: event: evil\n\n");
	cr_expect_str_eq(put("e", 0, SL("a\rb\r\nc")),
			 "event: e\ndata: a\ndata: b\ndata: c\n\n");
	cr_expect_str_eq(put("e", 0, SL("a\n")),
			 "event: e\ndata: a\ndata: \n\n");
}

Test(sse, nothing_is_a_message_too)
{
	cr_expect_str_eq(put("e", 0, SL("")), "event: e\ndata: \n\n");
}
