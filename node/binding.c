/**
 * @file binding.c  Pure. One contact binding.
 */
#include "node/binding.h"
#include "sip/hop.h"
#include <errno.h>

/* Tags of the stored value: append only */
enum {
	T_URI = 1, T_PATH, T_CALLID, T_AGENT, T_INSTANCE, T_METHODS,
	T_RECEIVED, T_REG_ID, T_CSEQ, T_Q, T_EXPIRES, T_NAT,
};
enum { VALUE_VERSION = 1, VALUE_HEAD = 5 };

/* qvalue = "0" [ "." 0*3DIGIT ] / "1" [ "." 0*3"0" ], RFC 3261 25.1 */
static int parse_q(uint16_t *qp, struct sl s)
{
	uint16_t q, unit = 100;

	if (s.n < 1 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1'))
		return EBADMSG;
	q = s.p[0] == '1' ? BINDING_Q_MAX : 0;
	if (s.n > 1 && s.p[1] != '.')
		return EBADMSG;
	for (size_t i = 2; i < s.n; i++, unit /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return EBADMSG;
		q += (uint16_t)((s.p[i] - '0') * unit);
	}
	if (q > BINDING_Q_MAX)
		return EBADMSG;
	*qp = q;
	return 0;
}

static struct sl unquote(struct sl s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return sl_sub(s, 1, s.n - 1);
	return s;
}

static int parse_param(struct binding *b, struct sl name, struct sl val,
		       const char **why)
{
	if (sl_ieq(name, SL("q"))) {
		if (parse_q(&b->q, val)) {
			*why = "Bad q";
			return EBADMSG;
		}
	}
	else if (sl_ieq(name, SL("expires"))) {
		/* malformed = as if absent, RFC 3261 20.19, 10.2.1.1 */
		b->has_expires = !sl_u32(val, UINT32_MAX, &b->wish);
	}
	else if (sl_ieq(name, SL("+sip.instance"))) {
		b->instance = unquote(val);
		if (!b->instance.n || b->instance.n > BINDING_TEXT_MAX) {
			*why = "Bad Instance";
			return EBADMSG;
		}
	}
	else if (sl_ieq(name, SL("reg-id"))) {
		if (sl_u32(val, INT32_MAX, &b->reg_id) || !b->reg_id) {
			*why = "Bad reg-id";
			return EBADMSG;
		}
	}
	else if (sl_ieq(name, SL("methods")) && val.n <= BINDING_TEXT_MAX) {
		b->methods = val;
	}
	return 0;
}

int binding_parse(struct binding *b, struct sl contact, const char **why)
{
	struct name_addr na;
	struct sl rest, name, val;
	struct uri u;
	int err;

	*b = (struct binding){ .q = BINDING_Q_MAX };
	*why = "Bad Contact";
	if (name_addr_parse(&na, contact) || uri_parse(&u, na.uri))
		return EBADMSG;
	if (u.scheme != URI_SIP && u.scheme != URI_SIPS) {
		*why = "Contact Is Not A SIP URI";
		return EBADMSG;
	}
	/* headers of a Contact would become headers of requests to it */
	if (sl_isset(u.headers)) {
		*why = "Contact With Headers";
		return EBADMSG;
	}
	b->uri = na.uri;
	rest = na.params;
	while (param_next(&rest, &name, &val)) {
		err = parse_param(b, name, val, why);
		if (err)
			return err;
	}
	if (!sl_isset(b->instance))
		b->reg_id = 0;               /* RFC 5626 6: means nothing alone */
	return 0;
}

void binding_path(struct buf *out, const struct sip_msg *m)
{
	struct sip_iter it = { 0 };
	bool more = false;

	while (sip_iter(m, SIP_PATH, &it)) {
		if (more)
			buf_lit(out, ", ");
		hop_put_flat(out, it.val);
		more = true;
	}
}

bool binding_ob(struct sl path)
{
	struct sl elem, last = SL_NONE;
	struct name_addr na;
	struct uri u;
	struct sl val;

	while (sl_elem(&path, &elem))
		last = elem;
	return last.n && !name_addr_parse(&na, last)
		&& !uri_parse(&u, na.uri)
		&& param_get(u.params, SL("ob"), &val);
}

bool binding_outbound(const struct binding *b)
{
	return b->instance.n && b->reg_id && binding_ob(b->path);
}

static void put_lower(struct buf *out, struct sl s)
{
	char *p = (char *)buf_room(out, s.n);

	if (p) {
		(void)sl_lower(p, s);
		out->n += s.n;
	}
}

int binding_key(struct buf *out, const struct binding *b)
{
	size_t at = out->n;
	int err;

	if (binding_outbound(b)) {
		buf_lit(out, "i:");
		put_lower(out, b->instance);     /* URNs: RFC 8141 3.1 */
		buf_chr(out, ';');
		buf_u64(out, b->reg_id);
	}
	else {
		buf_lit(out, "u:");
		err = contact_canon(out, b->uri);
		if (err)
			return err;
	}
	if (out->err)
		return out->err;
	return out->n - at > BINDING_KEY_MAX ? ENOSPC : 0;
}

bool binding_same(const struct binding *a, const struct binding *b)
{
	return sl_eq(a->uri, b->uri) && a->q == b->q
		&& sl_eq(a->instance, b->instance) && a->reg_id == b->reg_id;
}

static void put_text(struct buf *b, uint8_t tag, struct sl s)
{
	if (!s.n)
		return;
	put_u8(b, tag);
	put_sl16(b, s);
}

static void put_num(struct buf *b, uint8_t tag, uint64_t v)
{
	if (!v)
		return;
	put_u8(b, tag);
	put_u16(b, 8);
	put_u64(b, v);
}

int binding_encode(struct buf *out, const struct binding *b)
{
	struct buf body;
	int err;

	buf_init(&body, BINDING_VALUE_MAX - VALUE_HEAD);
	put_text(&body, T_URI, b->uri);
	put_text(&body, T_PATH, b->path);
	put_text(&body, T_CALLID, b->callid);
	put_text(&body, T_AGENT, b->agent);
	put_text(&body, T_INSTANCE, b->instance);
	put_text(&body, T_METHODS, b->methods);
	put_text(&body, T_RECEIVED, b->received);
	put_num(&body, T_REG_ID, b->reg_id);
	put_num(&body, T_CSEQ, b->cseq);
	put_num(&body, T_Q, b->q);
	put_num(&body, T_EXPIRES, b->expires);
	put_num(&body, T_NAT, b->nat);
	err = body.err;
	if (!err) {
		put_u8(out, VALUE_VERSION);
		put_u32(out, (uint32_t)body.n);
		buf_put(out, body.p, body.n);
		err = out->err;
	}
	buf_free(&body);
	return err;
}

static int take_num(struct sl v, uint64_t max, uint64_t *np)
{
	struct cur c;
	uint64_t n;

	if (v.n != 8)
		return EBADMSG;
	cur_init(&c, v.p, v.n);
	n = cur_u64(&c);
	if (n > max)
		return EBADMSG;
	*np = n;
	return 0;
}

static int take_field(struct binding *b, uint8_t tag, struct sl v)
{
	struct sl *text[] = {
		[T_URI] = &b->uri, [T_PATH] = &b->path,
		[T_CALLID] = &b->callid, [T_AGENT] = &b->agent,
		[T_INSTANCE] = &b->instance, [T_METHODS] = &b->methods,
		[T_RECEIVED] = &b->received,
	};
	uint64_t n = 0;
	int err = 0;

	if (tag >= T_URI && tag <= T_RECEIVED) {
		if (sl_isset(*text[tag]) || !v.n)
			return EBADMSG;
		*text[tag] = v;
		return 0;
	}
	switch (tag) {
	case T_REG_ID:
		err = take_num(v, INT32_MAX, &n);
		b->reg_id = (uint32_t)n;
		break;
	case T_CSEQ:
		err = take_num(v, UINT32_MAX, &n);
		b->cseq = (uint32_t)n;
		break;
	case T_Q:
		err = take_num(v, BINDING_Q_MAX, &n);
		b->q = (uint16_t)n;
		break;
	case T_EXPIRES:
		err = take_num(v, UINT64_MAX, &n);
		b->expires = n;
		break;
	case T_NAT:
		err = take_num(v, 1, &n);
		b->nat = n;
		break;
	default:
		break;          /* of a later version: skipped */
	}
	return err;
}

int binding_decode(struct binding *b, struct sl value)
{
	struct cur c;
	uint8_t tag;
	struct sl v;

	*b = (struct binding){ 0 };
	if (value.n > BINDING_VALUE_MAX)
		return EBADMSG;
	cur_init(&c, value.p, value.n);
	if (cur_u8(&c) != VALUE_VERSION || cur_u32(&c) != cur_left(&c))
		return EBADMSG;
	while (!c.err && cur_left(&c)) {
		tag = cur_u8(&c);
		v = cur_sl16(&c, UINT16_MAX);
		if (c.err || take_field(b, tag, v))
			return EBADMSG;
	}
	return c.err || !b->uri.n ? EBADMSG : 0;
}

void binding_put(struct buf *out, const struct binding *b, uint32_t left)
{
	buf_chr(out, '<');
	buf_sl(out, b->uri);
	buf_lit(out, ">;expires=");
	buf_u64(out, left);
	if (b->q != BINDING_Q_MAX) {
		buf_lit(out, ";q=0.");
		buf_chr(out, (char)('0' + b->q / 100));
		buf_chr(out, (char)('0' + b->q / 10 % 10));
		buf_chr(out, (char)('0' + b->q % 10));
	}
	else {
		buf_lit(out, ";q=1.0");
	}
	if (b->instance.n) {
		buf_lit(out, ";+sip.instance=\"");
		buf_sl(out, b->instance);
		buf_chr(out, '"');
	}
	if (b->reg_id) {
		buf_lit(out, ";reg-id=");
		buf_u64(out, b->reg_id);
	}
}
