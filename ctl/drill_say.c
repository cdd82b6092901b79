/* drill_say.c - Shell. What a drill says while it goes on. */
#include "ctl/drill_say.h"
#include "drill/run.h"
#include <stdio.h>
#include <stdlib.h>

void drill_say_text(void *arg, uint64_t at, const char *text)
{
	fprintf(stderr, "%6llu.%03llu  %s\n", (unsigned long long)at / 1000,
		(unsigned long long)at % 1000, text);
}

/** Takes over o. A line leaves at once: somebody waits for it */
static void say(json_t *o)
{
	char *s = o ? json_dumps(o, JSON_COMPACT) : NULL;

	if (s)
		puts(s);
	(void)fflush(stdout);
	free(s);
	json_decref(o);
}

void drill_say_json(void *arg, uint64_t at, const char *text)
{
	say(json_pack("{s:I,s:s}", "at_ms", (json_int_t)at, "text", text));
}

void drill_say_figures(void *arg, uint64_t at, const struct run *r)
{
	struct run_calls c;

	run_calls(r, &c);
	say(json_pack("{s:I,s:s,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:I,s:I,s:I}",
		      "at_ms", (json_int_t)at, "step", run_step_name(r),
		      "node", r->x.node, "placed", (int)c.placed, "done",
		      (int)c.done, "lost", (int)c.lost, "live", (int)c.live,
		      "phones", (int)r->cf.users, "registered",
		      (int)gen_registered(r->gen), "moved",
		      (json_int_t)r->moved, "adopted",
		      (json_int_t)r->adopted, "production_lost",
		      (json_int_t)r->facts.production_lost));
}

/** What of each claim a page shows */
static json_t *short_claims(const json_t *report)
{
	static const char *const keys[] = {
		"claim", "text", "unit", "held", "limit", "value",
	};
	json_t *a = json_array(), *c;
	size_t i;

	json_array_foreach(json_object_get(report, "claims"), i, c) {
		json_t *o = json_object();

		for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
			(void)json_object_set(o, keys[k],
					      json_object_get(c, keys[k]));
		(void)json_array_append_new(a, o);
	}
	return a;
}

void drill_say_done(const json_t *report, const char *path)
{
	json_t *o = json_pack("{s:b,s:s}", "done", 1, "report", path);

	(void)json_object_set(o, "verdict",
			      json_object_get(report, "verdict"));
	(void)json_object_set(o, "why", json_object_get(report, "why"));
	(void)json_object_set_new(o, "claims", short_claims(report));
	say(o);
}
