/**
 * @file health.c  Pure. One node's health.
 * States and limits: docs/state-machines.md, "Node health".
 */
#include "dispatcher/health.h"
#include "base/log.h"

static const char *state_lower(enum disp_state s)
{
	switch (s) {
	case DISP_UP:      return "up";
	case DISP_SUSPECT: return "suspect";
	case DISP_DOWN:    return "down";
	}
	return "?";
}

/** The only writer of h->state */
static void health_set(struct health *h, enum disp_state to, const char *why,
		       uint64_t now)
{
	if (h->state == to)
		return;
	log_write(to == DISP_UP ? LOG_LV_INFO : LOG_LV_WARN,
		  "node=%s %s->%s reason=%s fails=%u after=%llums", h->name,
		  state_lower(h->state), state_lower(to), why, h->failc,
		  (unsigned long long)(now - h->since));
	h->state = to;
	h->why = why;
	h->since = now;
	if (to == DISP_UP) {
		h->ever = true;
		h->doubted = false;
		h->failc = 0;
	}
}

/** Good results needed to be UP again */
static uint32_t health_need(const struct health *h)
{
	if (!h->ever)
		return 1;
	return h->state == DISP_SUSPECT ? h->cf->rise << h->penalty
					: h->cf->rise;
}

/** [ms] between two probes. HAProxy: fastinter while a change is under way */
static uint32_t health_interval(const struct health *h)
{
	uint32_t ms = h->cf->inter, span;

	switch (h->state) {
	case DISP_UP:
		break;
	case DISP_SUSPECT:
		ms = h->slow && !h->okc ? h->cf->inter : h->cf->fastinter;
		break;
	case DISP_DOWN:
		if (h->okc)
			ms = h->cf->fastinter;
		else if (h->ever)
			ms = h->cf->downinter;
		break;
	}
	span = (uint32_t)((uint64_t)ms * h->cf->jitter / 100);
	return ms - span + rng_below(h->rng, 2 * span + 1);
}

void health_init(struct health *h, const struct disp_conf *cf,
		 struct rng *rng, const char *name, uint64_t now, uint64_t due)
{
	*h = (struct health){
		.cf = cf, .rng = rng, .name = name, .state = DISP_DOWN,
		.why = "start", .since = now, .due = due,
	};
}

void health_off(struct health *h, uint64_t now)
{
	health_set(h, DISP_DOWN, "maint", now);
	h->off = true;
	h->okc = 0;
	h->probe = 0;
	h->due = UINT64_MAX;
}

void health_on(struct health *h, uint64_t now)
{
	if (h->off)
		health_init(h, h->cf, h->rng, h->name, now, now);
}

/** Something good was seen: a probe, or a request to a node that was DOWN */
static void health_good(struct health *h, const char *why, uint64_t now)
{
	h->failc = 0;
	if (h->okc < UINT32_MAX)
		h->okc++;
	if (h->state == DISP_UP || h->okc < health_need(h))
		return;
	/* cleared by probes alone: if requests fail again, ask for more */
	if (h->doubted && h->penalty < HEALTH_PENALTY)
		h->penalty++;
	health_set(h, DISP_UP, why, now);
}

/* DOWN from the start on is no change, but must not be silence either */
static void health_absent(struct health *h, const char *why, uint64_t now)
{
	h->why = why;
	log_warn("node=%s down reason=%s fails=%u after=%llums text=\"not up "
		 "since the start\"", h->name, why, h->failc,
		 (unsigned long long)(now - h->since));
}

static void health_bad(struct health *h, const char *why, uint64_t now)
{
	h->okc = 0;
	if (h->failc < UINT32_MAX)
		h->failc++;
	if (!h->ever && h->failc == h->cf->fall && h->state == DISP_DOWN)
		health_absent(h, why, now);
	h->kept = h->failc >= h->cf->fall && h->calm && !h->refusing &&
		h->state != DISP_DOWN;
	if (h->failc >= h->cf->fall && !h->kept)
		health_set(h, DISP_DOWN, why, now);
	else if (h->state == DISP_UP)
		health_set(h, DISP_SUSPECT, why, now);
}

static void health_result(struct health *h, enum health_result r,
			  const char *why, uint64_t now)
{
	bool stale = h->stale;

	h->probe = 0;
	h->stale = false;
	h->refusing = r == HEALTH_REFUSED;
	if (r != HEALTH_GOOD)
		health_bad(h, why, now);
	else if (!stale)
		health_good(h, why, now);
	/* counted from the start of the probe, so that a time-out longer
	 * than fastinter does not slow a burst down */
	h->due = h->sent + health_interval(h);
	if (h->due < now || stale)
		h->due = now;
}

bool health_probed(struct health *h, uint32_t probe, enum health_result r,
		   uint64_t now)
{
	static const char *const why[] = {
		[HEALTH_GOOD] = "probe-ok",
		[HEALTH_SILENT] = "probe-failed",
		[HEALTH_REFUSED] = "probe-refused",
	};

	if (!probe || probe != h->probe)
		return false;
	health_result(h, r, why[r], now);
	return true;
}

/** A request failed but the node may live: look at it closely */
static void health_doubt(struct health *h, const char *why, uint64_t now)
{
	h->okc = 0;
	h->stale = h->probe != 0;
	/* DOWN keeps its own pace: panic traffic must not raise it; SUSPECT
	 * is in its burst already */
	if (h->state != DISP_UP)
		return;
	health_set(h, DISP_SUSPECT, why, now);
	h->doubted = true;
	if (!h->probe)
		h->due = now;
}

/** There is no way to it now. A probe that is out is told the same. */
static void health_no_way(struct health *h, uint64_t now)
{
	h->okc = 0;
	if (h->state != DISP_UP)
		return;
	health_set(h, DISP_SUSPECT, "no-way", now);
	if (!h->probe)
		h->due = now;
}

static void health_answered(struct health *h, uint64_t now)
{
	/* a node that answers "not me" to probes means it, whatever it does
	 * with requests it has already taken */
	if (h->refusing)
		return;
	h->penalty = 0;
	switch (h->state) {
	case DISP_UP:
		break;
	case DISP_SUSPECT:
		h->failc = 0;
		health_set(h, DISP_UP, "request-ok", now);
		break;
	case DISP_DOWN:
		if (!h->probe)
			h->due = now;
		health_good(h, "request-ok", now);
		break;
	}
}

void health_report(struct health *h, enum disp_report r, uint64_t now)
{
	if (h->off)
		return;
	switch (r) {
	case DISP_OK:
		health_answered(h, now);
		break;
	case DISP_SILENT:
		health_doubt(h, "request-silent", now);
		break;
	case DISP_LOST:
		health_no_way(h, now);
		break;
	case DISP_REFUSED:
		health_doubt(h, "request-refused", now);
		break;
	case DISP_FAILED:         /* it answered; for outlier.c */
		break;
	case DISP_RESET:
		h->okc = 0;
		if (h->state == DISP_DOWN)
			break;
		h->probe = 0;       /* it went the same way */
		h->due = now + h->cf->fastinter;
		health_set(h, DISP_DOWN, "reset", now);
		break;
	}
}

bool health_tick(struct health *h, uint32_t probe, uint64_t now)
{
	if (h->off)
		return false;
	if (h->probe && now >= h->deadline)
		health_result(h, HEALTH_SILENT, "probe-timeout", now);
	if (h->probe || now < h->due)
		return false;
	h->probe = probe;
	h->stale = false;
	h->sent = now;
	h->deadline = now + h->cf->timeout;
	h->due = UINT64_MAX;     /* set by the result */
	return true;
}

uint64_t health_next(const struct health *h)
{
	if (h->off)
		return UINT64_MAX;
	return h->probe ? h->deadline : h->due;
}

void health_reconf(struct health *h, uint64_t now)
{
	uint64_t at = now + health_interval(h);

	if (h->off)
		return;
	if (h->probe) {
		if (h->deadline > now + h->cf->timeout)
			h->deadline = now + h->cf->timeout;
	} else if (h->due > at) {
		h->due = at;
	}
}
