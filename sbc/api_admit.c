/* api_admit.c - Shell. What admission does, and bans by hand. */
#include "sbc/sbc_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "sbc/ledger.h"
#include "web/jsn.h"

enum { BANS_SHOWN = 100, BAN_LONGEST = 86400 };

static void put_bans(json_t *o, struct sources *ss, uint64_t now)
{
	struct source *v[BANS_SHOWN];
	uint32_t n = sources_banned(ss, v, BANS_SHOWN, now);
	json_t *a = json_array();

	for (uint32_t i = 0; i < n; i++) {
		json_t *x = json_object();
		uint8_t mem[ADDR_TXT];
		struct buf b;

		buf_fixed(&b, mem, sizeof(mem));
		addr_put_ip(&b, &v[i]->addr);
		if (v[i]->addr.af == 6)
			buf_lit(&b, "/64");
		(void)json_object_set_new(x, "source", json_stringn(
			(const char *)b.p, b.n));
		jsn_str(x, "why", v[i]->why);
		jsn_u64(x, "left_ms", v[i]->banned - now);
		(void)json_array_append_new(a, x);
	}
	jsn_put(o, "bans", a);
}

void api_admit_put(struct sbc *s, json_t *out, uint64_t now)
{
	static const char *const drop[SOURCE_DROPS] = {
		[SOURCE_RATE] = "rate", [SOURCE_AOR] = "aor",
		[SOURCE_CREDIT] = "credit", [SOURCE_BANNED] = "banned",
		[SOURCE_SCANNER] = "scanner", [SOURCE_DOMAIN] = "domain",
		[SOURCE_STRANGERS] = "strangers",
	};
	struct sources *ss = edge_sources(s->edge);
	const struct source_stats *st;
	json_t *o, *d;

	if (!ss) {
		jsn_put(out, "admission", json_null());
		return;
	}
	st = sources_figures(ss);
	o = json_object();
	d = json_object();
	jsn_u64(o, "sources", st->now);
	jsn_u64(o, "proved", st->proved);
	jsn_u64(o, "banned", st->banned);
	for (int i = 0; i < SOURCE_DROPS; i++)
		jsn_u64(d, drop[i], st->drop[i]);
	jsn_put(o, "dropped", d);
	put_bans(o, ss, now);
	jsn_put(out, "admission", o);
}

/** "192.0.2.1", "2001:db8::1", "2001:db8::/64" */
static unsigned read_source(struct action *a, struct addr *src)
{
	const char *txt = action_str(a, "source");
	struct sl t = txt ? sl_cstr(txt) : SL_NONE;

	if (t.n > 3 && !strcmp(t.p + t.n - 3, "/64"))
		t.n -= 3;
	*src = (struct addr){ 0 };
	if (!t.n || addr_parse_ip(src, t))
		return action_fail(a, 400, "source: an IP address is needed");
	return 0;
}

static unsigned ban(struct action *a, void *arg)
{
	struct sbc *s = arg;
	const json_t *v = json_object_get(a->in, "seconds");
	json_int_t secs = json_integer_value(v);
	const char *why = action_str(a, "why");
	uint64_t now = clk_now();
	struct addr src;
	char txt[ADDR_TXT];
	unsigned bad = read_source(a, &src);

	if (bad)
		return bad;
	if (v && (!json_is_integer(v) || secs < 1 || secs > BAN_LONGEST))
		return action_fail(a, 400, "seconds: allowed: 1 to %d",
				   BAN_LONGEST);
	if (!why || !*why)
		return action_fail(a, 400, "why: is needed");
	if (!edge_sources(s->edge))
		return action_fail(a, 409, "admit.enabled = false in the "
				   "settings");
	if (!edge_ban(s->edge, &src, 1000ull * (uint64_t)secs, sl_cstr(why),
		      now))
		return action_fail(a, 503, "no memory");
	ledger_admin(edge_ledger(s->edge), SL("ban"),
		     sl_cstr(addr_txt(&src, txt)), sl_cstr(a->who),
		     sl_cstr(why), now);
	api_admit_put(s, a->out, now);
	sbc_turn(s);
	return 200;
}

static unsigned unban(struct action *a, void *arg)
{
	struct sbc *s = arg;
	uint64_t now = clk_now();
	char txt[ADDR_TXT];
	struct addr src;
	unsigned bad = read_source(a, &src);

	if (bad)
		return bad;
	if (!edge_unban(s->edge, &src))
		return action_fail(a, 404, "it is not banned");
	ledger_admin(edge_ledger(s->edge), SL("unban"),
		     sl_cstr(addr_txt(&src, txt)), sl_cstr(a->who), SL(""),
		     now);
	api_admit_put(s, a->out, now);
	return 200;
}

int api_admit(struct sbc *s)
{
	int err = action_route(s->act, "ban", "/api/v1/bans", ban, s);

	return err ? err : action_route(s->act, "unban", "/api/v1/bans/clear",
					unban, s);
}
