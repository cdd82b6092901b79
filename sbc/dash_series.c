/* dash_series.c - Shell. Which figures have a history. */
#include "sbc/dash.h"

#include "base/clk.h"
#include "sbc/ledger.h"

#define L(f) { .off = offsetof(struct ledger, f) }
#define STAT(n, l) { .off = SIZE_MAX, .stat = n, .labels = l }

#define ADMIT(why) STAT("sbc_admission_dropped_total", "why=\"" why "\"")

/** Where a reason of refusal is counted */
struct place {
	size_t off;                  /**< in the ledger, SIZE_MAX = not there */
	const char *stat, *labels;
};

static const struct {
	const char *name;
	struct place at;
} refused[] = {
	{ "400 not well formed", L(refused[0].n) },
	{ "403 forbidden", L(refused[1].n) },
	{ "413 too large", L(refused[2].n) },
	{ "416 unknown URI scheme", L(refused[3].n) },
	{ "420 bad extension", L(refused[4].n) },
	{ "430 flow failed", L(refused[5].n) },
	{ "481 dialog unknown", L(refused[6].n) },
	{ "482 loop", L(refused[7].n) },
	{ "483 too many hops", L(refused[8].n) },
	{ "487 late branch of a node", L(refused[9].n) },
	{ "500 cannot be done", L(refused[10].n) },
	{ "503 no node, or overload", L(refused[11].n) },
	{ "505 SIP version", L(refused[12].n) },
	{ "513 message too large", L(refused[13].n) },
	{ "other codes", L(refused[15].n) },
	{ "too many from one address", ADMIT("rate") },
	{ "too many for one user", ADMIT("aor") },
	{ "more than was sent over UDP", ADMIT("credit") },
	{ "from banned addresses", ADMIT("banned") },
	{ "too many strangers", ADMIT("strangers") },
	{ "scanners", ADMIT("scanner") },
	{ "foreign domains", ADMIT("domain") },
	{ "unreadable message", L(malformed) },
	{ "dropped without an answer", L(dropped) },
	{ "core side: from no node", L(stranger) },
	{ "token forged", L(token_forged) },
	{ "token misused", L(token_misused) },
	{ "foreign Route removed", L(route_foreign) },
	{ "inside header of a client removed", L(hide.injected) },
	{ "ACK without token", L(ack_dropped) },
	{ "client's connection gone", L(flow_failed) },
	{ "limit of transactions", L(overload) },
	{ "overload: phones that are not known",
	  STAT("sbc_shed_total", "who=\"stranger\"") },
	{ "overload: phones that are",
	  STAT("sbc_shed_total", "who=\"known\"") },
	{ "limit of connections",
	  STAT("sip_drops_total", "reason=\"max_connections\"") },
	{ "limit of connections of one address",
	  STAT("sip_drops_total", "reason=\"max_connections_ip\"") },
	{ "stream not understood",
	  STAT("sip_drops_total", "reason=\"framing\"") },
	{ "client said nothing in time",
	  STAT("sip_drops_total", "reason=\"timeout\"") },
	{ "receiver too slow", STAT("sip_drops_total", "reason=\"txq\"") },
};
enum { REFUSED = sizeof(refused) / sizeof(refused[0]) };

static const char *const names[DS_CHARTS] = {
	"invite_per_s", "register_per_s", "other_per_s", "r2xx_per_s",
	"r3xx_per_s", "r4xx_per_s", "r5xx_per_s", "r6xx_per_s", "pending",
	"connections", "srd_p50_ms", "srd_p95_ms", "srd_p99_ms", "nodes_up",
	"lost_per_s", "moved_per_s", "saved_per_s", "adopted_per_s",
	"rescued_per_s", "ghosts_per_s",
};

const char *dash_series_name(uint32_t i)
{
	return i < DS_CHARTS ? names[i] : "?";
}

enum history_kind dash_series_kind(uint32_t i)
{
	return (i >= DS_PENDING && i <= DS_UP) ? HISTORY_GAUGE :
		HISTORY_COUNTER;
}

const char *dash_refused_name(uint32_t i)
{
	return i < REFUSED ? refused[i].name : NULL;
}

static uint64_t stat_of(const struct sbc *s, const char *name,
			const char *labels)
{
	uint64_t v = 0;

	(void)stat_get(s->st, name, labels, &v);
	return v;
}

static uint64_t place_value(const struct sbc *s, const struct ledger *l,
			    const struct place *p)
{
	uint64_t v;

	if (p->off == SIZE_MAX)
		return stat_of(s, p->stat, p->labels);
	memcpy(&v, (const char *)l + p->off, sizeof(v));
	return v;
}

static void sip_values(const struct ledger *l, uint64_t *v)
{
	for (int i = 0; i < SIP_M_N; i++)
		v[i == SIP_INVITE ? DS_INVITE : i == SIP_REGISTER ?
		  DS_REGISTER : DS_OTHER] += l->requests[i];
	for (uint32_t i = 2; i < 7; i++)
		v[DS_2XX + i - 2] = l->responses[i];
	v[DS_INV_OK] = l->rates.ok;
	v[DS_INV_REDIR] = l->rates.redirected;
	v[DS_INV_CALLEE] = l->rates.callee;
	v[DS_INV_FAILED] = l->rates.failed;
	v[DS_INV_OTHER] = l->rates.other;
	v[DS_EGRESS] = l->egress;
	v[DS_DIALOG] = l->dialog;
}

static void loss_values(const struct ledger *l, uint64_t *v)
{
	v[DS_LOST] = l->lost_ringing + l->lost_silent + l->lost_no_node;
	for (int i = 0; i < FAIL_WHY_N; i++)
		v[DS_MOVED] += l->failover[i];
	v[DS_SAVED] = l->saved;
	v[DS_ADOPTED] = l->adopted;
	v[DS_RESCUED] = l->rescued;
	v[DS_GHOST] = l->ghost + l->ghost_alive;
	v[DS_LATE] = l->late_2xx;
}

static uint64_t nodes_up(struct sbc *s)
{
	struct disp *d = edge_disp(s->edge);
	struct disp_view v;
	uint64_t n = 0;

	for (uint16_t i = 0; i < disp_n(d); i++)
		n += !disp_view(d, i, &v) && v.state == DISP_UP;
	return n;
}

void dash_series(struct dash *d, uint64_t v[HISTORY_SERIES], uint64_t now)
{
	const struct ledger *l = edge_ledger(d->s->edge);
	static const unsigned part[] = { 500, 950, 990 };

	memset(v, 0, HISTORY_SERIES * sizeof(*v));
	sip_values(l, v);
	loss_values(l, v);
	v[DS_PENDING] = edge_pending(d->s->edge);
	v[DS_CONNS] = transport_conns(d->s->tp);
	v[DS_UP] = nodes_up(d->s);
	/* without a call there is no delay, which is not 0 */
	for (uint32_t i = 0; i < 3; i++)
		v[DS_SRD50 + i] = HISTORY_NONE;
	for (uint32_t i = 0; i < 3; i++)
		(void)rates_delay(&l->rates.srd, part[i], now,
				  &v[DS_SRD50 + i]);
	v[DS_RETRANS] = stat_of(d->s, "sip_retransmissions_in_total", NULL);
	for (uint32_t i = 0; i < REFUSED; i++)
		v[DS_REFUSED + i] = place_value(d->s, l, &refused[i].at);
}

_Static_assert(DS_REFUSED + REFUSED <= HISTORY_SERIES, "series");
