/**
 * @file fixture.h  A pool on virtual time.
 */
#ifndef TESTS_DISPATCHER_FIXTURE_H
#define TESTS_DISPATCHER_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include "base/log.h"
#include "dispatcher/dispatcher.h"

#define T0 1000000ull          /* [ms] virtual start */

static const struct disp_conf fix_conf = {
	.inter = 1000, .fastinter = 200, .downinter = 2000, .timeout = 500,
	.fall = 3, .rise = 2, .jitter = 0, .alg = DISP_HASH, .max_nodes = 64,
};

static inline struct disp *fix_alloc(const struct disp_conf *cf, uint64_t seed)
{
	struct disp *d = NULL;

	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	cr_assert(disp_alloc(&d, cf ? cf : &fix_conf, seed, T0) == 0);
	return d;
}

static inline uint16_t fix_add(struct disp *d, const char *name, uint32_t w,
			       uint64_t now)
{
	struct disp_node_conf nc = { .weight = w };
	uint16_t idx = 0xffff;
	size_t i;

	snprintf(nc.name, sizeof(nc.name), "%s", name);
	nc.addr.af = 4;
	nc.addr.port = 5060;
	for (i = 0; name[i]; i++)          /* some address of its own */
		nc.addr.ip[i & 3] = (uint8_t)(nc.addr.ip[i & 3] * 31 +
					      (uint8_t)name[i]);
	cr_assert(disp_add(d, &nc, &idx, now) == 0, "add %s", name);
	return idx;
}

static inline enum disp_state fix_state(struct disp *d, uint16_t idx)
{
	struct disp_view v;

	cr_assert(disp_view(d, idx, &v) == 0);
	return v.state;
}

/** Let time pass to the node's next probe. @return its id; *now moves */
static inline uint32_t fix_probe(struct disp *d, uint16_t idx, uint64_t *now)
{
	struct disp_out o;
	int i;

	for (i = 0; i < 1000; i++) {
		while (disp_poll(d, &o)) {
			if (o.kind == DISP_OUT_PROBE && o.node == idx)
				return o.probe;
		}
		cr_assert(disp_next(d) != UINT64_MAX, "no probe to come");
		if (disp_next(d) > *now)
			*now = disp_next(d);
		disp_tick(d, *now);
	}
	cr_assert(false, "no probe of node %u", idx);
	return 0;
}

/** Bring a node UP by its first probe */
static inline void fix_up(struct disp *d, uint16_t idx, uint64_t *now)
{
	uint32_t id = fix_probe(d, idx, now);

	disp_probed(d, idx, id, true, 200, SL("OK"), 300, *now);
	cr_assert(fix_state(d, idx) == DISP_UP);
}

#endif
