/* gone.c - Pure. Contacts whose connection has ended. */
#include "node/gone.h"
#include "base/log.h"
#include "sip/hop.h"
#include "sip/inner.h"
#include <errno.h>

int gone_stats(struct gone *g, struct stats *st)
{
	static const char help[] = "Connections that edges said have ended";
	const struct {
		const char *label;
		const uint64_t *v;
	} row[] = {
		{ "result=\"removed\"", &g->removed },
		{ "result=\"refreshed\"", &g->refreshed },
		{ "result=\"none\"", &g->none },
		{ "result=\"bad\"", &g->bad },
	};
	int err = stat_add(st, STAT_COUNTER, "node_gone_refused_total", NULL,
			   "Messages of edges about ended connections "
			   "answered 503: no majority", &g->refused, g);

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		err |= stat_add(st, STAT_COUNTER, "node_gone_total",
				row[i].label, help, row[i].v, g);
	return err;
}

/* Is the first hop of that path the flow of this token? */
static bool leads_by(struct sl path, struct sl token)
{
	struct sl elem;
	struct uri u;
	bool lr;

	return sl_elem(&path, &elem) && !hop_route_parse(elem, &u, &lr) &&
	       sl_eq(u.user, token);
}

static void one(struct gone *g, struct sl aor, struct sl token, uint64_t wall)
{
	struct loc_set set;
	bool any = false;
	int err;

	if (location_get(g->loc, aor, wall, &set)) {
		loc_set_free(&set);
		g->bad++;
		return;
	}
	for (uint32_t i = 0; i < set.n; i++) {
		if (!leads_by(set.v[i].b.path, token))
			continue;
		any = true;
		err = location_kill(g->loc, aor, &set.v[i], wall);
		g->removed += !err;
		g->refreshed += err == ESTALE;
		log_debug("event=flow_gone aor=%s err=%d", log_esc(aor), err);
	}
	g->none += !any;
	loc_set_free(&set);
}

void gone_take(struct gone *g, struct sl body, uint64_t wall)
{
	struct sl aor, token;

	while (inner_line(&body, &aor, &token)) {
		if (aor.n && aor.n <= SIP_AOR_MAX)
			one(g, aor, token, wall);
		else
			g->bad++;
	}
}
