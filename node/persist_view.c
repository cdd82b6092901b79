/* persist_view.c - Pure. How the write-back stands. */
#include "node/persist_i.h"
#include <errno.h>

enum { SILENT = 5000 };            /* [ms] a job without answer: down        */

const char *persist_err_name(enum persist_err e)
{
	static const char *const name[PERSIST_ERR_N] = {
		"none", "down", "locked", "denied", "full", "schema", "data",
		"timeout", "other"
	};

	return e < PERSIST_ERR_N ? name[e] : "?";
}

const char *persist_state_name(enum persist_state s)
{
	switch (s) {
	case PERSIST_ST_LOADING: return "loading";
	case PERSIST_ST_UP:      return "up";
	case PERSIST_ST_BEHIND:  return "behind";
	case PERSIST_ST_DOWN:    return "down";
	}
	return "?";
}

const struct persist_stats *persist_stats(const struct persist *p)
{
	return &p->st;
}

bool persist_loaded(const struct persist *p)
{
	return p->loaded;
}

uint64_t persist_reading(const struct persist *p)
{
	return p->reading;
}

uint64_t persist_dirty(const struct persist *p)
{
	return store_seq(p->cf.store) - p->conf.seq;
}

uint64_t persist_age(const struct persist *p, uint64_t now)
{
	return now > p->safe_at ? now - p->safe_at : 0;
}

static bool is_silent(const struct persist *p, uint64_t now)
{
	return p->out && now - p->out_at >= SILENT;
}

enum persist_state persist_state(const struct persist *p, uint64_t now)
{
	if (p->lost || is_silent(p, now))
		return PERSIST_ST_DOWN;
	if (!p->loaded)
		return PERSIST_ST_LOADING;
	if (persist_age(p, now) > 3ull * p->cf.interval + SILENT)
		return PERSIST_ST_BEHIND;
	return PERSIST_ST_UP;
}

enum persist_err persist_why(const struct persist *p)
{
	return p->lost ? p->why : PERSIST_OK;
}

void persist_gauges(struct persist *p, uint64_t now)
{
	enum persist_state s = persist_state(p, now);

	p->st.up = s != PERSIST_ST_DOWN;
	p->st.loaded = p->loaded;
	p->st.state = s;
	p->st.dirty = persist_dirty(p);
	p->st.age_us = persist_age(p, now) * 1000;
}

/* --- verification ---------------------------------------------------------------- */

int persist_verify(struct persist *p, uint64_t now)
{
	if (!p->loaded)
		return EAGAIN;
	if (p->v.running)
		return EBUSY;
	memset(&p->v, 0, sizeof(p->v));
	p->v.running = p->asked = true;
	p->whole = false;              /* what was changed until now, too */
	(void)now;
	return 0;
}

const struct persist_verdict *persist_verdict(const struct persist *p)
{
	return &p->v;
}
