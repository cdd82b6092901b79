/* oc.c - Pure. The oc parameters of a Via: RFC 7339 4.1 to 4.4. */
#include "sip/oc.h"

#include <errno.h>

/** The next ";name=value" of *s. A ';' within quotes ends nothing */
static bool oc_next(struct sl *s, struct sl *name, struct sl *val)
{
	bool quoted = false;
	struct sl one;
	size_t i, eq;

	if (!s->n)
		return false;
	for (i = 0; i < s->n && (quoted || s->p[i] != ';'); i++) {
		if (s->p[i] == '"')
			quoted = !quoted;
		else if (quoted && s->p[i] == '\\' && i + 1 < s->n)
			i++;
	}
	one = sl_sub(*s, 0, i);
	*s = sl_sub(*s, i + 1, s->n);
	eq = sl_chr(one, '=');
	*name = sl_trim(sl_sub(one, 0, eq));
	*val = eq < one.n ? sl_trim(sl_sub(one, eq + 1, one.n)) : SL_NONE;
	return true;
}

/** 1*12DIGIT "." 1*5DIGIT, as a number of 1/100000 */
static int oc_seq(struct sl s, uint64_t *v)
{
	size_t dot = sl_chr(s, '.');
	struct sl frac = sl_sub(s, dot + 1, s.n);
	uint64_t sec;
	uint32_t part;

	if (frac.n > 5 || sl_u64(sl_sub(s, 0, dot), 999999999999, &sec) ||
	    sl_u32(frac, 99999, &part))
		return EBADMSG;
	for (size_t i = frac.n; i < 5; i++)
		part *= 10;
	*v = sec * 100000 + part;
	return 0;
}

enum { OC_LOSS = 1, OC_VALID = 2, OC_SEQ = 4, OC_ALGO = 8 };

/** @return its bit; 0: none of ours; -1: bad */
static int oc_param(struct oc *o, bool *loss, struct sl name, struct sl val)
{
	if (sl_ieq(name, SL("oc")))
		return !sl_isset(val) || !sl_u32(val, 100, &o->loss) ?
			OC_LOSS : -1;
	if (sl_ieq(name, SL("oc-validity")))
		return !sl_u32(val, UINT32_MAX, &o->validity) ? OC_VALID : -1;
	if (sl_ieq(name, SL("oc-seq")))
		return !oc_seq(val, &o->seq) ? OC_SEQ : -1;
	if (!sl_ieq(name, SL("oc-algo")))
		return 0;
	*loss = sl_ieq(val, SL("\"loss\""));
	return OC_ALGO;
}

int oc_parse(struct oc *o, struct sl params)
{
	struct sl name, val;
	bool loss = true, told = false;
	int seen = 0, bit;

	*o = (struct oc){ .validity = OC_VALIDITY };
	while (oc_next(&params, &name, &val)) {
		bit = oc_param(o, &loss, name, val);
		if (bit < 0 || (seen & bit))
			return EBADMSG;
		seen |= bit;
		told = told || (bit == OC_LOSS && sl_isset(val));
	}
	if (!told)
		return ENOENT;
	if (!loss)
		return ENOTSUP;
	if (o->validity > OC_VALIDITY_MAX)
		o->validity = OC_VALIDITY_MAX;
	return 0;
}
