/* peers.c - Pure. Trusted peers of the edge. */
#include "sbc/peers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

static int peer_stats(struct peer *p, struct stats *st)
{
	const struct {
		enum stat_type type;
		const char *name, *more, *help;
		const uint64_t *v;
	} row[] = {
		{ STAT_COUNTER, "sbc_peer_calls_total", ",direction=\"in\"",
		  "Calls from and to peers", &p->calls_in },
		{ STAT_COUNTER, "sbc_peer_calls_total", ",direction=\"out\"",
		  "Calls from and to peers", &p->calls_out },
		{ STAT_COUNTER, "sbc_peer_refused_total", ",why=\"cps\"",
		  "Calls of peers that were refused", &p->capped },
		{ STAT_COUNTER, "sbc_peer_refused_total", ",why=\"domain\"",
		  "Calls of peers that were refused", &p->refused },
		{ STAT_COUNTER, "sbc_peer_answered_total", "",
		  "Calls that a peer answered with 2xx", &p->answered },
		{ STAT_COUNTER, "sbc_peer_failed_total", "",
		  "Requests that a peer left unanswered or that did not reach "
		  "it", &p->failed },
		{ STAT_COUNTER, "sbc_peer_skipped_total", "",
		  "Requests not sent because the peer rested", &p->skipped },
		{ STAT_GAUGE, "sbc_peer_resting", "",
		  "1: calls take another peer for the moment", &p->resting },
	};
	char labels[PEER_NAME + 48];
	int err = 0;

	for (size_t i = 0; i < sizeof(row) / sizeof(*row) && !err; i++) {
		(void)snprintf(labels, sizeof(labels), "peer=\"%s\"%s",
			       p->cf.name, row[i].more);
		err = stat_add(st, row[i].type, row[i].name, labels,
			       row[i].help, row[i].v, p);
	}
	return err;
}

static void peer_free(struct peer *p, struct stats *st)
{
	if (!p)
		return;
	stat_del_owner(st, p);
	free(p);
}

/** New ones only: figures of the others are where they were */
static int make_missing(struct peers *ps, struct peer **made,
			const struct peer_conf *v, uint32_t n,
			struct stats *st, uint64_t now)
{
	int err = 0;

	for (uint32_t i = 0; i < n && !err; i++) {
		if (peers_named(ps, sl_cstr(v[i].name)))
			continue;
		made[i] = calloc(1, sizeof(**made));
		if (!made[i])
			return ENOMEM;
		made[i]->cf = v[i];
		made[i]->filled = now;
		made[i]->tokens = 1000ull * v[i].max_cps;
		err = peer_stats(made[i], st);
	}
	return err;
}

int peers_set(struct peers *ps, const struct peer_conf *v, uint32_t n,
	      struct stats *st, uint64_t now)
{
	struct peer *next[PEERS_MAX] = { NULL };
	int err;

	if (n > PEERS_MAX)
		return ENOSPC;
	ps->st = st;
	err = make_missing(ps, next, v, n, st, now);
	if (err) {
		for (uint32_t i = 0; i < n; i++)
			peer_free(next[i], st);
		return err;
	}
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < ps->n && !next[i]; k++) {
			if (!ps->v[k] || strcmp(ps->v[k]->cf.name, v[i].name))
				continue;
			next[i] = ps->v[k];
			ps->v[k] = NULL;
		}
		next[i]->cf = v[i];
		if (!next[i]->id)
			next[i]->id = ++ps->last_id;
	}
	for (uint32_t k = 0; k < ps->n; k++)
		peer_free(ps->v[k], st);
	memcpy(ps->v, next, sizeof(next));
	ps->n = n;
	return 0;
}

void peers_close(struct peers *ps)
{
	for (uint32_t i = 0; i < ps->n; i++)
		peer_free(ps->v[i], ps->st);
	ps->n = 0;
}

struct peer *peers_from(const struct peers *ps, const struct addr *src)
{
	for (uint32_t i = 0; i < ps->n; i++) {
		struct peer *p = ps->v[i];

		if (addr_ip_eq(&p->cf.addr, src))
			return p;
		for (uint32_t k = 0; k < p->cf.netc; k++)
			if (addr_in_net(src, &p->cf.net[k]))
				return p;
	}
	return NULL;
}

struct peer *peers_named(const struct peers *ps, struct sl name)
{
	for (uint32_t i = 0; i < ps->n; i++)
		if (ps->v[i] && sl_eq(sl_cstr(ps->v[i]->cf.name), name))
			return ps->v[i];
	return NULL;
}

struct peer *peers_by_id(const struct peers *ps, uint32_t id)
{
	for (uint32_t i = 0; i < ps->n && id; i++)
		if (ps->v[i]->id == id)
			return ps->v[i];
	return NULL;
}

bool peer_domain(const struct peer *p, struct sl host)
{
	for (uint32_t i = 0; i < p->cf.domainc; i++)
		if (sl_ieq(sl_cstr(p->cf.domain[i]), host))
			return true;
	return !p->cf.domainc;
}

bool peer_take(struct peer *p, uint64_t now)
{
	const uint64_t full = 1000ull * p->cf.max_cps;
	uint64_t dt = now - p->filled;

	if (!full)
		return true;
	/* not more than a second's worth at once */
	dt = dt < 1000 ? dt : 1000;
	p->tokens += dt * p->cf.max_cps;
	p->tokens = p->tokens < full ? p->tokens : full;
	p->filled = now;
	if (p->tokens < 1000)
		return false;
	p->tokens -= 1000;
	return true;
}

static void set_resting(struct peer *p, uint64_t until, const char *why)
{
	bool was = p->until != 0;

	p->until = until;
	p->resting = until != 0;
	if (was == (until != 0))
		return;
	if (until)
		log_warn("event=peer peer=%s state=resting reason=%s fails=%u",
			 p->cf.name, why, p->fails);
	else
		log_info("event=peer peer=%s state=ready", p->cf.name);
}

void peer_heard(struct peer *p)
{
	p->fails = 0;
	set_resting(p, 0, "");
}

void peer_failed(struct peer *p, const char *why, uint32_t ms, uint64_t now)
{
	uint32_t twice = p->fails < PEER_REST_DOUBLED ? p->fails :
							PEER_REST_DOUBLED;

	p->failed++;
	/* calls sent before it was known to be out of order fail together */
	if (p->until > now && !ms)
		return;
	p->fails++;
	if (!ms)
		ms = p->cf.rest << twice;
	if (ms && now + ms > p->until)
		set_resting(p, now + ms, why);
}

bool peer_rests(struct peer *p, uint64_t now)
{
	/* the log and the gauge stay until it has been heard: the time being
	 * over says nothing yet */
	return now < p->until;
}
