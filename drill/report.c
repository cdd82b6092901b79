/* report.c - Pure. What a drill found, as JSON. */
#include "drill/report.h"
#include <stdio.h>
#include <string.h>

static const char *const row_name[ROWS] = {
	"INVITE sent", "ringing", "answered", "in BYE", "begun later", "before"
};
static const char *const phase_name[PHASES] = { "before", "during", "after" };

/** Days since 1970 as a date of the Gregorian calendar */
static void civil(uint64_t days, unsigned *y, unsigned *m, unsigned *d)
{
	uint64_t z = days + 719468, era = z / 146097, doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153;

	*d = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	*m = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	*y = (unsigned)(yoe + era * 400 + (*m <= 2));
}

const char *report_date(uint64_t wall, char txt[24])
{
	uint64_t s = wall / 1000;
	unsigned y, m, d, t = (unsigned)(s % 86400);

	civil(s / 86400, &y, &m, &d);
	(void)snprintf(txt, 24, "%04u-%02u-%02uT%02u:%02u:%02uZ", y % 10000,
		       m % 100, d % 100, t / 3600, t / 60 % 60, t % 60);
	return txt;
}

/** Text of others may be no UTF-8 */
static json_t *str(const char *s)
{
	json_t *j = json_string(s ? s : "");

	return j ? j : json_string("?");
}

static json_int_t rel(const struct report_in *in, uint64_t at)
{
	uint64_t zero = in->f->fault ? in->f->fault : in->begin;

	return (json_int_t)at - (json_int_t)zero;
}

static json_t *claims(const struct report_in *in, const json_t *last)
{
	json_t *a = json_array();

	for (int i = 0; i < CLAIMS; i++) {
		const char *name = claim_name((enum claim)i);
		const json_t *old = json_object_get(json_object_get(last,
							"values"), name);
		bool known = in->o->claim[i].known;
		json_t *o;

		if (!in->o->claim[i].claimed && !known)
			continue;
		o = json_pack("{s:s,s:s,s:s,s:b}", "claim", name, "text",
			      claim_text((enum claim)i), "unit",
			      claim_unit((enum claim)i), "held",
			      (int)in->o->claim[i].held);
		(void)json_object_set_new(o, "limit",
			in->o->claim[i].claimed ?
			json_integer(in->o->claim[i].limit) : json_null());
		(void)json_object_set_new(o, "value", known ?
			json_integer((json_int_t)in->o->claim[i].value) :
			json_null());
		if (json_is_integer(old))
			(void)json_object_set_new(o, "last", json_integer(
				json_integer_value(old)));
		(void)json_array_append_new(a, o);
	}
	return a;
}

static json_t *values(const struct outcome *out)
{
	json_t *o = json_object();

	for (int i = 0; i < CLAIMS; i++)
		if (out->claim[i].known)
			(void)json_object_set_new(o, claim_name((enum claim)i),
				json_integer((json_int_t)
					     out->claim[i].value));
	return o;
}

static json_t *table(const struct outcome *o)
{
	json_t *a = json_array();

	for (int i = 0; i < ROWS; i++) {
		const struct row *r = &o->row[i];

		(void)json_array_append_new(a, json_pack(
			"{s:s,s:i,s:i,s:i,s:i,s:i,s:i}", "state", row_name[i],
			"placed", (int)r->placed, "survived",
			(int)r->survived, "rerouted", (int)r->moved,
			"adopted", (int)r->adopted, "lost", (int)r->lost,
			"ghost", (int)r->ghost));
	}
	return a;
}

static json_t *hist(const struct hist *h)
{
	json_t *bins = json_array();

	for (int i = 0; i < HIST; i++)
		(void)json_array_append_new(bins, json_integer(h->bin[i]));
	return json_pack("{s:i,s:i,s:i,s:i,s:o}", "calls", (int)h->n, "p50_ms",
			 (int)h->p50, "p99_ms", (int)h->p99, "max_ms",
			 (int)h->max, "bins", bins);
}

static json_t *setup(const struct outcome *o)
{
	json_t *s = json_object(), *b = json_array();

	for (int i = 0; i < HIST - 1; i++)
		(void)json_array_append_new(b, json_integer(judge_bound[i]));
	(void)json_object_set_new(s, "bounds_ms", b);
	for (int i = 0; i < PHASES; i++)
		(void)json_object_set_new(s, phase_name[i],
					  hist(&o->setup[i]));
	return s;
}

static json_t *losses(const struct report_in *in)
{
	json_t *a = json_array();
	char id[64];

	for (uint32_t i = 0; i < gen_calls(in->gen) &&
	     json_array_size(a) < REPORT_LOSSES; i++) {
		const struct gen_call *c = gen_call(in->gen, i);

		if (c->stage == GEN_DONE && !c->ghost && c->invites < 2 &&
		    c->answers < 2)
			continue;
		(void)json_array_append_new(a, json_pack(
			"{s:s,s:s,s:s,s:i,s:I,s:I,s:b,s:i,s:b}",
			"call_id", gen_callid(in->gen, i, id),
			"state", row_name[judge_row(c, in->f)],
			"why", c->why ? gen_why_name(c->why) :
			c->stage == GEN_DONE ? "" : "not over",
			"code", (int)c->code, "sent_ms", rel(in, c->sent),
			"end_ms", rel(in, c->end ? c->end : in->end),
			"lost", (int)(c->stage != GEN_DONE),
			"invites", (int)c->invites, "ghost", (int)c->ghost));
	}
	return a;
}

static json_t *line(const struct report_in *in)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < in->notes; i++) {
		json_t *o = json_pack("{s:I,s:s}", "at_ms",
				      rel(in, in->note[i].at), "by",
				      in->note[i].edge ? "edge" : "drill");

		(void)json_object_set_new(o, "text", str(in->note[i].text));
		(void)json_array_append_new(a, o);
	}
	return a;
}

/** Every call as it went, for the picture: [sent, rang, answered, bye, end,
 *  row, lost] */
static json_t *strips(const struct report_in *in)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < gen_calls(in->gen); i++) {
		const struct gen_call *c = gen_call(in->gen, i);
		uint64_t t[5] = { c->sent, c->rang, c->answered, c->bye,
				  c->end };
		json_t *s = json_array();

		for (int k = 0; k < 5; k++)
			(void)json_array_append_new(s, t[k] ?
				json_integer(rel(in, t[k])) : json_null());
		(void)json_array_append_new(s, json_integer(
			judge_row(c, in->f)));
		(void)json_array_append_new(s, json_integer(
			c->stage != GEN_DONE));
		(void)json_array_append_new(a, s);
	}
	return a;
}

static json_t *registrations(const struct report_in *in)
{
	const struct gen_figures *f = gen_figures(in->gen);

	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "sent",
			 (json_int_t)f->reg_sent, "done",
			 (json_int_t)f->reg_ok, "refused",
			 (json_int_t)f->reg_refused, "silent",
			 (json_int_t)f->reg_silent, "broken",
			 (json_int_t)f->reg_broken, "slowest_ms",
			 (json_int_t)f->reg_slowest);
}

json_t *report_json(const struct report_in *in, const json_t *last)
{
	char date[24];
	json_t *r = json_pack(
		"{s:i,s:s,s:s,s:s,s:s,s:s,s:i,s:I,s:i,s:i,s:i}",
		"report", 1, "drill", in->plan->name, "text", in->plan->text,
		"verdict", judge_name(in->o->verdict), "begun",
		report_date(in->wall, date), "where", in->where, "pool",
		(int)in->pool, "took_ms", (json_int_t)(in->end - in->begin),
		"calls", (int)in->plan->calls, "rate", (int)in->plan->rate,
		"phones", (int)in->plan->phones);

	if (!r)
		return NULL;
	(void)json_object_set_new(r, "why", str(in->why));
	(void)json_object_set_new(r, "node", str(in->node));
	(void)json_object_set_new(r, "who", str(in->who));
	(void)json_object_set_new(r, "version", str(in->version));
	if (in->f->fault)
		(void)json_object_set_new(r, "fault_ms", json_integer(
			(json_int_t)(in->f->fault - in->begin)));
	if (in->f->ended)
		(void)json_object_set_new(r, "ended_ms", json_integer(
			rel(in, in->f->ended)));
	if (in->f->recovered)
		(void)json_object_set_new(r, "recovered_ms", json_integer(
			rel(in, in->f->recovered)));
	(void)json_object_set_new(r, "claims", claims(in, last));
	(void)json_object_set_new(r, "values", values(in->o));
	(void)json_object_set_new(r, "table", table(in->o));
	(void)json_object_set_new(r, "setup", setup(in->o));
	(void)json_object_set_new(r, "registrations", registrations(in));
	(void)json_object_set_new(r, "losses", losses(in));
	(void)json_object_set_new(r, "time_line", line(in));
	(void)json_object_set_new(r, "strips", strips(in));
	if (last)
		(void)json_object_set_new(r, "last", json_pack(
			"{s:s,s:s}", "begun", json_string_value(
			json_object_get(last, "begun")) ?: "?", "verdict",
			json_string_value(json_object_get(last, "verdict"))
			?: "?"));
	return r;
}
