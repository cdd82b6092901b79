/* judge.c - Pure. What came out, against what was claimed. */
#include "drill/judge.h"
#include <errno.h>
#include <stdlib.h>

const uint32_t judge_bound[HIST - 1] = {
	1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 1000, 2000, 5000
};

const char *judge_name(enum judgement v)
{
	switch (v) {
	case JUDGE_PASS:    return "PASS";
	case JUDGE_FAIL:    return "FAIL";
	case JUDGE_ABORTED: return "ABORTED";
	case JUDGE_UNFIT:   return "UNFIT";
	}
	return "";
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void judge_hist(struct hist *h, uint32_t *v, uint32_t n)
{
	uint32_t k = 0;

	*h = (struct hist){ .n = n };
	if (!n)
		return;
	qsort(v, n, sizeof(*v), by_value);
	for (uint32_t i = 0; i < n; i++) {
		while (k < HIST - 1 && v[i] > judge_bound[k])
			k++;
		h->bin[k]++;
	}
	/* the smallest value that so many percent do not exceed */
	h->p50 = v[(n * 50 + 99) / 100 - 1];
	h->p99 = v[(n * 99 + 99) / 100 - 1];
	h->max = v[n - 1];
}

uint32_t judge_row(const struct gen_call *c, const struct facts *f)
{
	if (!f->fault || (!c->marked && c->sent < f->fault))
		return MIXES + 1;
	if (!c->marked)
		return MIXES;
	switch (c->at_mark) {
	case GEN_SENT:    return MIX_SENT;
	case GEN_RINGING: return MIX_RINGING;
	case GEN_TALKING: return MIX_ANSWERED;
	case GEN_BYE:     return MIX_BYE;
	case GEN_DONE:
	case GEN_LOST:    break;
	}
	return MIXES + 1;
}

/** Set-up of calls begun when: until the fault, until all was well, later */
static enum phase phase_of(const struct gen_call *c, const struct facts *f)
{
	bool hit = c->marked && c->at_mark == GEN_SENT;

	if (!f->fault || (c->sent < f->fault && !hit))
		return PHASE_BEFORE;
	return f->recovered && c->sent >= f->recovered ? PHASE_AFTER :
		PHASE_DURING;
}

static void count_call(struct outcome *o, const struct gen_call *c,
		       const struct facts *f, uint8_t said)
{
	struct row *r = &o->row[judge_row(c, f)];

	r->placed++;
	r->survived += c->stage == GEN_DONE;
	r->lost += c->stage != GEN_DONE;
	r->ghost += c->ghost;
	r->moved += (said & SAID_MOVED) != 0;
	r->adopted += (said & SAID_ADOPTED) != 0;
}

static void claim(struct outcome *o, enum claim c, bool known, uint64_t value)
{
	o->claim[c].known = known;
	o->claim[c].value = value;
}

static void count_claims(struct outcome *o, const struct gen *g)
{
	uint64_t lost = 0, up = 0, silent = 0, ghost = 0, twice = 0;
	uint32_t n = gen_calls(g);

	for (uint32_t i = 0; i < n; i++) {
		const struct gen_call *c = gen_call(g, i);
		bool gone = c->stage != GEN_DONE;

		lost += gone;
		up += gone && c->marked && (c->at_mark == GEN_TALKING ||
					    c->at_mark == GEN_BYE);
		silent += gone && (c->why == GEN_W_SILENT ||
				   c->why == GEN_W_RING);
		ghost += c->ghost;
		twice += c->invites > 1 || c->answers > 1;
	}
	claim(o, CLAIM_LOST, n > 0, lost);
	claim(o, CLAIM_LOST_UP, o->row[MIX_ANSWERED].placed +
	      o->row[MIX_BYE].placed > 0, up);
	claim(o, CLAIM_SILENT, n > 0, silent);
	claim(o, CLAIM_GHOST, n > 0, ghost);
	claim(o, CLAIM_TWICE, n > 0, twice);
}

static int make_hists(struct outcome *o, const struct gen *g,
		      const struct facts *f)
{
	uint32_t n = gen_calls(g), k[PHASES] = { 0 };
	uint32_t *v = calloc(PHASES * (size_t)(n + 1), sizeof(*v));

	if (!v)
		return ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct gen_call *c = gen_call(g, i);
		enum phase p = phase_of(c, f);

		if (c->rang)
			v[p * n + k[p]++] = (uint32_t)(c->rang - c->sent);
	}
	for (int p = 0; p < PHASES; p++)
		judge_hist(&o->setup[p], v + (size_t)p * n, k[p]);
	free(v);
	return 0;
}

static void judge(struct outcome *o, const struct drill_plan *p, bool aborted)
{
	o->verdict = JUDGE_PASS;
	for (int i = 0; i < CLAIMS; i++) {
		o->claim[i].claimed = p->limit[i] != NO_CLAIM;
		o->claim[i].limit = p->limit[i];
		/* what nobody has measured did not hold */
		o->claim[i].held = o->claim[i].known &&
			o->claim[i].value <= p->limit[i];
		if (o->claim[i].claimed && !o->claim[i].held)
			o->verdict = JUDGE_FAIL;
	}
	if (aborted)
		o->verdict = JUDGE_ABORTED;
}

int judge_make(struct outcome *o, const struct drill_plan *p,
		 const struct gen *g, const struct facts *f, bool aborted)
{
	const struct hist *h = o->setup;
	int err;

	*o = (struct outcome){ 0 };
	for (uint32_t i = 0; i < gen_calls(g); i++)
		count_call(o, gen_call(g, i), f, f->said ? f->said[i] : 0);
	err = make_hists(o, g, f);
	if (err)
		return err;
	count_claims(o, g);
	claim(o, CLAIM_REG, gen_figures(g)->reg_sent > 0, f->reg_lost);
	claim(o, CLAIM_EXTRA, h[PHASE_BEFORE].n && h[PHASE_DURING].n,
	      h[PHASE_DURING].p99 > h[PHASE_BEFORE].p99 ?
	      h[PHASE_DURING].p99 - h[PHASE_BEFORE].p99 : 0);
	claim(o, CLAIM_MTTD, f->fault && f->detected, f->detected > f->fault ?
	      f->detected - f->fault : 0);
	claim(o, CLAIM_RECOVER, f->ended && f->recovered,
	      f->recovered > f->ended ? f->recovered - f->ended : 0);
	claim(o, CLAIM_PRODUCTION, f->counted, f->production_lost);
	claim(o, CLAIM_STEADY, f->checked, f->not_as_before);
	claim(o, CLAIM_BACK, f->looked, f->not_back);
	claim(o, CLAIM_REMOVED, f->looked, f->removed_back);
	claim(o, CLAIM_READY, f->ended && f->ready, f->ready > f->ended ?
	      f->ready - f->ended : 0);
	judge(o, p, aborted);
	return 0;
}
