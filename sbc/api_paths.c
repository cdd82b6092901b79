/* api_paths.c - Shell. Ways to phones that never spoke to this edge: for contacts that
 * come from another registrar. Only who has the token of the edge gets one. */
#include "sbc/sbc_priv.h"

#include <errno.h>

#include "web/jsn.h"

enum { PATHS_MAX = 100 };        /* of one request */

/** NULL: *path is the caller's */
static const char *one(struct sbc *s, const json_t *v, json_t **path)
{
	const char *tp = json_string_value(json_object_get(v, "transport"));
	const char *to = json_string_value(json_object_get(v, "address"));
	struct addr a;
	struct buf b;
	char mem[600];
	int err;

	if (!tp || !to || addr_parse(&a, sl_cstr(to), 5060) || !a.port ||
	    addr_is_any(&a))
		return "transport, or address: IP:PORT";
	/* the connections of streams ended with the program that had them */
	if (strcmp(tp, "udp") != 0)
		return "only udp: connections end with their program";
	buf_fixed(&b, mem, sizeof(mem));
	err = edge_path_to(s->edge, &b, TP_UDP, &a);
	if (err)
		return err == EAFNOSUPPORT ? "no listener of this kind" :
			"too long";
	*path = json_stringn((char *)b.p, b.n);
	return NULL;
}

static unsigned paths(struct action *a, void *arg)
{
	struct sbc *s = arg;
	json_t *in = json_object_get(a->in, "flows"), *v;
	json_t *out = json_array();
	size_t i;

	if (!json_is_array(in) || !json_array_size(in) ||
	    json_array_size(in) > PATHS_MAX) {
		json_decref(out);
		return action_fail(a, 400, "flows: an array of 1 to %d",
				   PATHS_MAX);
	}
	json_array_foreach(in, i, v) {
		json_t *o = json_object(), *path = NULL;
		const char *why = one(s, v, &path);

		if (why)
			jsn_str(o, "error", why);
		else
			jsn_put(o, "path", path);
		(void)json_array_append_new(out, o);
	}
	jsn_put(a->out, "paths", out);
	return 200;
}

int api_paths(struct sbc *s)
{
	return action_route(s->act, "paths", "/api/v1/paths", paths, s);
}
