/* plan.c - Pure. The built-in drills. */
#include "drill/plan.h"
#include "drill/gen.h"
#include <string.h>

static const struct {
	const char *name, *text, *unit;
} claims[CLAIMS] = {
	[CLAIM_LOST] = { "lost_calls", "test calls lost", "" },
	[CLAIM_LOST_UP] = { "lost_answered_calls",
			    "answered test calls lost", "" },
	[CLAIM_SILENT] = { "silent_calls",
			   "callers left without any answer", "" },
	[CLAIM_GHOST] = { "ghost_calls", "phones that ring for nobody", "" },
	[CLAIM_TWICE] = { "phones_rung_twice",
			  "phones that one call reached twice", "" },
	[CLAIM_REG] = { "lost_registrations", "REGISTERs not answered 200",
			"" },
	[CLAIM_EXTRA] = { "extra_setup_ms",
			  "p99 set-up delay above that before", "ms" },
	[CLAIM_MTTD] = { "mttd_ms", "from the fault to the edge's event",
			 "ms" },
	[CLAIM_RECOVER] = { "recover_ms",
			    "from the end of the fault to all as before",
			    "ms" },
	[CLAIM_PRODUCTION] = { "production_lost",
			       "other calls that the edge lost", "" },
	[CLAIM_STEADY] = { "not_as_before", "things not as before at the end",
			   "" },
	[CLAIM_BACK] = { "contacts_not_back",
			 "contacts in the databases that are not back", "" },
	[CLAIM_REMOVED] = { "removed_back",
			    "removed contacts that are back", "" },
	[CLAIM_READY] = { "ready_ms", "from the start to all nodes ready",
			  "ms" },
};

const char *claim_name(enum claim c) { return claims[c].name; }
const char *claim_text(enum claim c) { return claims[c].text; }
const char *claim_unit(enum claim c) { return claims[c].unit; }

#define COMMON(hold_, phones_, abort_) \
	.calls = 60, .mix = { 40, 30, 20, 10 }, .rate = 20, \
	.phones = phones_, .before = 1500, .hold = hold_, .after = 1500, \
	.recover_max = 20000, .abort_lost = abort_, .hook_timeout = 30
#define NO_DB \
	[CLAIM_BACK] = NO_CLAIM, [CLAIM_REMOVED] = NO_CLAIM, \
	[CLAIM_READY] = NO_CLAIM
#define SAFE \
	[CLAIM_LOST] = 0, [CLAIM_LOST_UP] = 0, [CLAIM_SILENT] = 0, \
	[CLAIM_GHOST] = 0, [CLAIM_TWICE] = 0, [CLAIM_REG] = 0, \
	[CLAIM_PRODUCTION] = 0, [CLAIM_STEADY] = 0, NO_DB

/* The limits are goals for operators, not what our machines reach. A node
 * that is silent is seen after its no100 (100 ms at least), one that has
 * gone at the reset of its connection. A phone that a node asked just before
 * it froze is heard to ring when the probes have shown that: some 1.7 s. */
static const struct drill_plan builtin[] = {
	{ .name = "node-kill", .kind = DRILL_KILL, COMMON(2000, 20, 1),
	  .text = "kill -9 of a node with calls in every state",
	  .limit = { SAFE, [CLAIM_EXTRA] = 500, [CLAIM_MTTD] = 500,
		     [CLAIM_RECOVER] = 10000 } },
	{ .name = "node-freeze", .kind = DRILL_FREEZE, COMMON(2000, 20, 1),
	  .text = "a node stops to run, its sockets stay open",
	  .limit = { SAFE, [CLAIM_EXTRA] = 2500, [CLAIM_MTTD] = 1000,
		     [CLAIM_RECOVER] = 10000 } },
	{ .name = "node-blackhole", .kind = DRILL_BLACKHOLE,
	  COMMON(2000, 20, 1), .edge_fault = "blackhole", .percent = 100,
	  .text = "nothing goes between the edge and a node",
	  .limit = { SAFE, [CLAIM_EXTRA] = 2500, [CLAIM_MTTD] = 1000,
		     [CLAIM_RECOVER] = 15000 } },
	{ .name = "node-slow", .kind = DRILL_SLOW, COMMON(2000, 20, 1),
	  .edge_fault = "delay", .ms = 300, .percent = 100,
	  .text = "all that goes to a node is late",
	  .limit = { SAFE, [CLAIM_EXTRA] = 2000, [CLAIM_MTTD] = NO_CLAIM,
		     [CLAIM_RECOVER] = 15000 } },
	{ .name = "invite-only", .kind = DRILL_INVITE, COMMON(2000, 20, 1),
	  .edge_fault = "drop-invite", .percent = 100,
	  .text = "a node answers probes, and no INVITE",
	  .limit = { SAFE, [CLAIM_EXTRA] = 1500, [CLAIM_MTTD] = 1000,
		     [CLAIM_RECOVER] = 15000 } },
	{ .name = "probe-only", .kind = DRILL_PROBE, COMMON(4000, 20, 1),
	  .edge_fault = "drop-probe", .percent = 100,
	  .text = "a node answers INVITEs, and no probe",
	  .limit = { SAFE, [CLAIM_EXTRA] = 500, [CLAIM_MTTD] = 4000,
		     [CLAIM_RECOVER] = 15000 } },
	{ .name = "late-answer", .kind = DRILL_LATE, COMMON(2000, 20, 1),
	  .edge_fault = "late", .ms = 150, .percent = 100,
	  .text = "a node's answers come when it has just been given up",
	  .limit = { SAFE, [CLAIM_EXTRA] = 1000, [CLAIM_MTTD] = NO_CLAIM,
		     [CLAIM_RECOVER] = 15000 } },
	{ .name = "node-refuses", .kind = DRILL_REJECT,
	  COMMON(2000, 20, 1), .edge_fault = "reject", .percent = 100,
	  .text = "a node answers every request with 503",
	  .limit = { SAFE, [CLAIM_EXTRA] = 500, [CLAIM_MTTD] = 500,
		     [CLAIM_RECOVER] = 15000 } },
	{ .name = "partition", .kind = DRILL_PARTITION, COMMON(4000, 20, 1),
	  .own_net = true,
	  .text = "a node is cut off from the other nodes, not from the edge",
	  .limit = { SAFE, [CLAIM_EXTRA] = 1000, [CLAIM_MTTD] = NO_CLAIM,
		     [CLAIM_RECOVER] = 15000 } },
	{ .name = "rolling-restart", .kind = DRILL_ROLLING, COMMON(1000, 20, 1),
	  .text = "each node stopped and started, one after the other",
	  .limit = { SAFE, [CLAIM_EXTRA] = 500, [CLAIM_MTTD] = NO_CLAIM,
		     [CLAIM_RECOVER] = 10000 } },
	{ .name = "drain", .kind = DRILL_DRAIN, COMMON(1000, 20, 1),
	  .text = "a node drained, killed when it is empty, and taken back",
	  .limit = { SAFE, [CLAIM_EXTRA] = 100, [CLAIM_MTTD] = NO_CLAIM,
		     [CLAIM_RECOVER] = 10000 } },
	{ .name = "all-down", .kind = DRILL_ALL, COMMON(2000, 20, 0),
	  .text = "all nodes killed: callers are told so, and all comes back",
	  .limit = { [CLAIM_LOST] = NO_CLAIM, [CLAIM_LOST_UP] = 0,
		     [CLAIM_SILENT] = 0, [CLAIM_GHOST] = 0, [CLAIM_TWICE] = 0,
		     [CLAIM_REG] = NO_CLAIM, [CLAIM_EXTRA] = NO_CLAIM,
		     [CLAIM_MTTD] = 1000, [CLAIM_RECOVER] = 15000,
		     [CLAIM_PRODUCTION] = NO_CLAIM, [CLAIM_STEADY] = 0,
		     NO_DB } },
	/* Who has heard nothing when the edge dies repeats his INVITE, and only
	 * the dead edge knew that it had reached a phone */
	{ .name = "edge-restart", .kind = DRILL_EDGE, COMMON(500, 20, 0),
	  .text = "the edge killed and started: answered calls go on",
	  .limit = { [CLAIM_LOST] = NO_CLAIM, [CLAIM_LOST_UP] = 0,
		     [CLAIM_SILENT] = NO_CLAIM, [CLAIM_GHOST] = NO_CLAIM,
		     [CLAIM_TWICE] = NO_CLAIM, [CLAIM_REG] = NO_CLAIM,
		     [CLAIM_EXTRA] = NO_CLAIM, [CLAIM_MTTD] = NO_CLAIM,
		     [CLAIM_RECOVER] = 10000, [CLAIM_PRODUCTION] = NO_CLAIM,
		     [CLAIM_STEADY] = 0, NO_DB } },
	{ .name = "register-storm", .kind = DRILL_STORM, COMMON(2000, 500, 1),
	  .text = "a node killed, and all phones register at once",
	  .limit = { SAFE, [CLAIM_EXTRA] = 1000, [CLAIM_MTTD] = 500,
		     [CLAIM_RECOVER] = 10000 } },
	{ .name = "cold-start", .kind = DRILL_COLD, COMMON(500, 20, 0),
	  .contacts = 200,
	  .text = "everything killed, everything started: contacts come "
		  "from databases",
	  .limit = { [CLAIM_LOST] = NO_CLAIM, [CLAIM_LOST_UP] = NO_CLAIM,
		     [CLAIM_SILENT] = NO_CLAIM, [CLAIM_GHOST] = NO_CLAIM,
		     [CLAIM_TWICE] = NO_CLAIM, [CLAIM_REG] = NO_CLAIM,
		     [CLAIM_EXTRA] = NO_CLAIM, [CLAIM_MTTD] = NO_CLAIM,
		     [CLAIM_RECOVER] = 15000,
		     [CLAIM_PRODUCTION] = NO_CLAIM, [CLAIM_STEADY] = 0,
		     [CLAIM_BACK] = 0, [CLAIM_REMOVED] = 0,
		     [CLAIM_READY] = 5000 } },
};
#define BUILTIN (sizeof(builtin) / sizeof(builtin[0]))

const struct drill_plan *plan_builtin(uint32_t i)
{
	return i < BUILTIN ? &builtin[i] : NULL;
}

const struct drill_plan *plan_find(const char *name)
{
	for (uint32_t i = 0; i < BUILTIN; i++)
		if (!strcmp(builtin[i].name, name))
			return &builtin[i];
	return NULL;
}

const char *plan_wrong(const struct drill_plan *p)
{
	uint32_t sum = 0;

	for (int i = 0; i < MIXES; i++)
		sum += p->mix[i];
	if (sum != 100)
		return "the mix must sum up to 100 %";
	if (p->phones < 2 || p->phones > GEN_PHONES)
		return "phones: allowed 2 to 5000";
	if (p->contacts > GEN_CONTACTS)
		return "contacts: at most 5000";
	if (!p->calls || p->calls > 2000)
		return "calls: allowed 1 to 2000";
	if (p->rate > 500)
		return "rate: at most 500 calls/s";
	if (p->before < 500 || p->before > 600000 || p->hold > 300000 ||
	    p->after > 600000)
		return "times: before 0.5 s to 10 min, hold at most 5 min, "
			"after at most 10 min";
	if (p->edge_fault && p->hold > 290000)
		return "hold: at most 290 s, the edge ends its faults";
	if (p->kind == DRILL_HOOKS && (!p->inject[0] || !p->restore[0]))
		return "inject and restore are both needed";
	return NULL;
}

void plan_mix(const struct drill_plan *p, uint32_t n[MIXES])
{
	uint32_t left = p->calls;

	for (int i = MIX_BYE; i > MIX_SENT; i--) {
		n[i] = p->calls * p->mix[i] / 100;
		left -= n[i];
	}
	n[MIX_SENT] = left;
}
