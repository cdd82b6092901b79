/* api_import.c - Shell. */
#include "node/api_import.h"
#include "base/clk.h"
#include "node/access.h"
#include "node/location.h"
#include "node/node_i.h"
#include "sip/uri.h"
#include "web/jsn.h"
#include <errno.h>

enum { IMPORT_MAX = 100 };       /* of one request */

static struct sl str(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) ? sl_mk(json_string_value(v),
					 json_string_length(v)) : SL_NONE;
}

static uint64_t num(const json_t *o, const char *key, uint64_t max, uint64_t def)
{
	const json_t *v = json_object_get(o, key);
	json_int_t i = json_integer_value(v);

	return !json_is_integer(v) || i < 0 || (uint64_t)i > max ? def :
		(uint64_t)i;
}

/** What goes into headers of ours or is compared: no line ends, no quotes */
static bool is_plain(struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c == 0x7f || c == '"')
			return false;
	}
	return s.n <= BINDING_TEXT_MAX;
}

/** Each element names a way to send to: "<sip:...>" */
static bool is_path(struct sl s)
{
	return s.n > 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' &&
		!memchr(s.p, '\r', s.n) && !memchr(s.p, '\n', s.n) &&
		!memchr(s.p, 0, s.n);
}

/** NULL, or what is wrong */
static const char *read_binding(struct node *n, struct binding *b,
				const json_t *o, uint64_t wall)
{
	uint64_t secs = num(o, "expires", UINT32_MAX, 0);
	struct uri u;

	memset(b, 0, sizeof(*b));
	b->uri = str(o, "contact");
	if (!b->uri.n || b->uri.n > n->cf.registrar.max_contact ||
	    !is_plain(b->uri) || memchr(b->uri.p, '<', b->uri.n) ||
	    memchr(b->uri.p, '>', b->uri.n) || uri_parse(&u, b->uri) ||
	    (u.scheme != URI_SIP && u.scheme != URI_SIPS))
		return "bad contact";
	b->path = str(o, "path");
	if (!is_path(b->path) || b->path.n > n->cf.registrar.max_path)
		return "bad path";
	b->callid = str(o, "callid");
	b->agent = str(o, "user_agent");
	b->instance = str(o, "instance");
	b->received = str(o, "received");
	if (!b->callid.n || !is_plain(b->callid) || !is_plain(b->agent) ||
	    !is_plain(b->instance) || !is_plain(b->received))
		return "bad text";
	b->reg_id = (uint32_t)num(o, "reg_id", UINT32_MAX, 0);
	b->cseq = (uint32_t)num(o, "cseq", UINT32_MAX, 0);
	b->q = (uint16_t)num(o, "q", BINDING_Q_MAX, BINDING_Q_MAX);
	if (!secs)
		return "expired";
	if (secs > n->cf.registrar.max_expires)
		secs = n->cf.registrar.max_expires;
	b->expires = wall + 1000 * secs;
	return NULL;
}

static const char *put(struct node *n, struct sl aor, const struct binding *b,
		       uint64_t wall)
{
	struct buf key, value;
	struct store_contact seen;
	const char *why = NULL;
	int err;

	buf_init(&key, BINDING_KEY_MAX);
	buf_init(&value, BINDING_VALUE_MAX);
	err = binding_key(&key, b);
	if (!err)
		err = binding_encode(&value, b);
	/* a phone that has registered here knows better */
	if (!err && !store_find(n->store, aor, buf_as_sl(&key), wall, &seen))
		err = EEXIST;
	if (!err && store_count(n->store, aor, wall) >=
	    n->cf.registrar.max_contacts)
		why = "too many contacts";
	else if (!err)
		err = store_put(n->store, aor, buf_as_sl(&key),
				location_lineage(core_location(n->core),
						 b->callid), b->cseq, b->expires,
				 buf_as_sl(&value), wall);
	if (err)
		why = err == EEXIST || err == ESTALE || err == EALREADY ?
			"known here" : err == EBADMSG ? "bad contact" :
			err == ENOSPC || err == ENOMEM ? "store full" :
			"not possible";
	buf_free(&key);
	buf_free(&value);
	return why;
}

static const char *one(struct node *n, const json_t *o, uint64_t wall)
{
	struct binding b;
	struct uri u;
	struct buf aor;
	const char *why;

	why = read_binding(n, &b, o, wall);
	if (why)
		return why;
	buf_init(&aor, SIP_AOR_MAX);
	if (uri_parse(&u, str(o, "aor")) || !u.user.n ||
	    aor_canon(&aor, str(o, "aor")))
		why = "bad address of record";
	else if (aor.n > n->cf.registrar.max_aor)
		why = "bad address of record";
	else if (!core_serves(n->core, u.host))
		why = "domain not served";
	else
		why = put(n, buf_as_sl(&aor), &b, wall);
	buf_free(&aor);
	return why;
}

static unsigned import(struct action *a, void *arg)
{
	struct node *n = arg;
	json_t *in = json_object_get(a->in, "contacts"), *v;
	uint64_t wall = clk_wall();
	json_t *out;
	size_t i;

	if (!json_is_array(in) || !json_array_size(in) ||
	    json_array_size(in) > IMPORT_MAX)
		return action_fail(a, 400, "contacts: an array of 1 to %d",
				   IMPORT_MAX);
	if (!n->ready)
		return action_fail(a, 409, "not ready: ask another node");
	out = json_array();
	json_array_foreach(in, i, v) {
		const char *why = one(n, v, wall);

		(void)json_array_append_new(out, json_string(why ? why :
							     "taken"));
	}
	jsn_put(a->out, "results", out);
	return 200;
}

int api_import_routes(struct actions *a, struct node *n)
{
	return action_route(a, "import", "/api/v1/contacts", import, n);
}
