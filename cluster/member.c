/* member.c - Pure. Who is alive. docs/state-machines.md, "Member".
 *
 *             frame                     late, link lost
 *   UNKNOWN --------> ALIVE ---------------------------------> SUSPECT
 *                      ^  ^---------------- frame ----------------+ |
 *                      |                                            |
 *                      +-- frame -- DEAD <--- `dead` ms unheard ----+
 *                      +-- link --- LEFT       and nobody I hear hears it
 *                                    ^--- BYE from any state
 */
#include "base/log.h"
#include "cluster/member.h"

#define LATE_FOR 10000            /* how long our lateness counts [ms] */

const char *cluster_health_name(enum cluster_health h)
{
	switch (h) {
	case CLUSTER_UNKNOWN: return "unknown";
	case CLUSTER_ALIVE:   return "alive";
	case CLUSTER_SUSPECT: return "suspect";
	case CLUSTER_DEAD:    return "dead";
	case CLUSTER_LEFT:    return "left";
	}
	return "?";
}

const char *cluster_state_name(enum cluster_state s)
{
	switch (s) {
	case CLUSTER_JOINING:  return "joining";
	case CLUSTER_READY:    return "ready";
	case CLUSTER_DRAINING: return "draining";
	case CLUSTER_REMOVED:  return "removed";
	}
	return "?";
}

void members_init(struct members *ms, const struct member_conf *cf,
		  uint64_t now)
{
	memset(ms, 0, sizeof(*ms));
	ms->cf = *cf;
	ms->ticked = now;
	ms->due = now + cf->heartbeat;
	ms->m[MEMBER_SELF].node = cf->node;
	ms->m[MEMBER_SELF].health = CLUSTER_ALIVE;
	ms->m[MEMBER_SELF].since = now;
}

/* The only writer of health */
static void set_health(struct members *ms, uint8_t i, enum cluster_health to,
		       const char *why, uint64_t now)
{
	struct member *m = &ms->m[i];

	if (m->health == to)
		return;
	log_info("event=member name=%s node=%016llx %s->%s reason=%s "
		 "after=%llums", m->name[0] ? m->name : "?",
		 (unsigned long long)m->node, cluster_health_name(m->health),
		 cluster_health_name(to), why,
		 (unsigned long long)(now - m->since));
	if (m->health == CLUSTER_ALIVE)
		ms->lost |= 1u << i;
	m->health = to;
	m->since = now;
	ms->changed = true;
}

uint8_t member_find(const struct members *ms, uint64_t node)
{
	for (uint8_t i = 0; node && i < CLUSTER_MAX; i++)
		if (ms->m[i].node == node)
			return i;
	return MEMBER_NONE;
}

uint8_t member_add(struct members *ms, uint64_t node, uint64_t now)
{
	uint8_t i = member_find(ms, node), old = MEMBER_NONE;

	if (i != MEMBER_NONE)
		return i;
	for (i = 1; i < CLUSTER_MAX && ms->m[i].node; i++) {
		const struct member *m = &ms->m[i];

		if (!m->linked && (m->health == CLUSTER_DEAD ||
				   m->health == CLUSTER_LEFT))
			old = i;
	}
	if (i == CLUSTER_MAX)
		i = old;
	if (i == MEMBER_NONE)
		return i;
	memset(&ms->m[i], 0, sizeof(ms->m[i]));
	ms->m[i].node = node;
	ms->m[i].since = now;
	return i;
}

void member_linked(struct members *ms, uint8_t i, uint64_t now)
{
	ms->m[i].linked = true;
	ms->m[i].ack = 0;              /* may be another life of it */
	ms->m[i].beaten = false;
	ms->m[i].heard = now;
	set_health(ms, i, CLUSTER_ALIVE, "link_up", now);
}

void member_unlinked(struct members *ms, uint8_t i, bool quiet, uint64_t now)
{
	ms->m[i].linked = false;
	ms->m[i].row = 0;
	if (!quiet && ms->m[i].health == CLUSTER_ALIVE)
		set_health(ms, i, CLUSTER_SUSPECT, "link_lost", now);
}

void member_heard(struct members *ms, uint8_t i, uint64_t now)
{
	ms->m[i].heard = now;
	set_health(ms, i, CLUSTER_ALIVE, "heard", now);
}

void member_left(struct members *ms, uint8_t i, uint64_t now)
{
	set_health(ms, i, CLUSTER_LEFT, "bye", now);
}

void member_beat(struct members *ms, uint8_t i,
		 const struct wire_heartbeat *h, uint64_t wall)
{
	struct member *m = &ms->m[i];
	uint32_t row = 0;

	for (uint16_t k = 0; k < h->n; k++) {
		uint8_t j = member_find(ms, h->row[k].node);

		if (j != MEMBER_NONE && h->row[k].hears)
			row |= 1u << j;
	}
	ms->unheard[i] |= m->row & ~row;
	m->row = row;
	m->beaten = true;
	m->state = (enum cluster_state)h->state;
	m->majority = h->majority;
	m->settings = h->settings;
	m->users = h->users;
	m->seq = h->seq;
	m->ack = h->ack;
	m->records = h->records;
	m->contacts = h->contacts;
	m->clock = (int64_t)(h->wall - wall);
}

bool member_hears(const struct members *ms, uint8_t i)
{
	return i == MEMBER_SELF ||
	       (ms->m[i].linked && ms->m[i].health == CLUSTER_ALIVE);
}

static uint64_t scaled(const struct members *ms, uint64_t ms_, uint64_t now)
{
	return now < ms->late_until ? 2 * ms_ : ms_;
}

/* Not heard for [ms]; a caller's `now` may be a little older than the frame */
static uint64_t silence(const struct member *m, uint64_t now)
{
	return now > m->heard ? now - m->heard : 0;
}

bool member_silent(const struct members *ms, uint8_t i, uint64_t now)
{
	return silence(&ms->m[i], now) >= scaled(ms, ms->cf.dead, now);
}

/* Does anybody whom we hear still hear member i? */
static bool heard_by_others(const struct members *ms, uint8_t i)
{
	for (uint8_t k = 1; k < CLUSTER_MAX; k++)
		if (k != i && ms->m[k].node && member_hears(ms, k) &&
		    member_says(ms, k, i))
			return true;
	return false;
}

/* When it is next to be judged, if nothing comes before. What is past was judged. */
static void look_due(struct members *ms, const struct member *m, uint64_t now)
{
	uint64_t late = m->heard + scaled(ms, 3ull * ms->cf.heartbeat, now);
	uint64_t dead = m->heard + scaled(ms, ms->cf.dead, now);

	if (late > now && late < ms->due)
		ms->due = late;
	if (dead > now && dead < ms->due)
		ms->due = dead;
}

static void tick_one(struct members *ms, uint8_t i, uint64_t now)
{
	struct member *m = &ms->m[i];
	uint64_t silent = silence(m, now);

	if (m->health == CLUSTER_ALIVE &&
	    silent >= scaled(ms, 3ull * ms->cf.heartbeat, now))
		set_health(ms, i, CLUSTER_SUSPECT, "late", now);
	if (m->health == CLUSTER_SUSPECT &&
	    silent >= scaled(ms, ms->cf.dead, now) &&
	    !heard_by_others(ms, i))
		set_health(ms, i, CLUSTER_DEAD, "unheard", now);
}

void member_tick(struct members *ms, uint64_t now)
{
	uint64_t gap = now > ms->ticked ? now - ms->ticked : 0;

	if (gap > 2ull * ms->cf.heartbeat) {
		uint64_t late = gap - ms->cf.heartbeat;

		if (now >= ms->late_until)
			log_warn("event=own_lateness ms=%llu",
				 (unsigned long long)late);
		ms->late_until = now + LATE_FOR;
		for (uint8_t i = 1; i < CLUSTER_MAX; i++)
			if (silence(&ms->m[i], now) > late)
				ms->m[i].heard += late;
			else
				ms->m[i].heard = now;
	}
	ms->ticked = now;
	ms->due = now + ms->cf.heartbeat;
	for (uint8_t i = 1; i < CLUSTER_MAX; i++)
		if (ms->m[i].node) {
			tick_one(ms, i, now);
			look_due(ms, &ms->m[i], now);
		}
}

uint64_t member_next(const struct members *ms)
{
	return ms->due;
}

uint32_t member_alive(const struct members *ms)
{
	uint32_t n = 0;

	for (uint8_t i = 0; i < CLUSTER_MAX; i++)
		n += ms->m[i].node && member_hears(ms, i);
	return n;
}

uint16_t member_rows(const struct members *ms, struct wire_row *row)
{
	uint16_t n = 0;

	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		if (!ms->m[i].node)
			continue;
		row[n].node = ms->m[i].node;
		row[n++].hears = member_hears(ms, i);
	}
	return n;
}
