/**
 * @file state.h  Shell. What the edge knows of its pool and the settings do not
 * say: wishes of operators and learned nodes, in state_dir/pool.json.
 */
#ifndef SBC_STATE_H
#define SBC_STATE_H

#include "dispatcher/dispatcher.h"

struct state_node {
	struct disp_node_conf conf;  /**< but for the name of learned ones only */
	struct disp_wish wish;       /**< times on our clock                  */
};

/**
 * @param v    room for DISP_MAX
 * @param np   out: number of entries
 * @param now  our clock and the wall's [ms]
 * @return 0 (also when there is no file), errno, EBADMSG: the file is no such
 * one; it was put aside as pool.json.bad, logged
 */
int  state_load(struct state_node *v, uint16_t *np, const char *dir,
		uint64_t now, uint64_t wall);
/** @return 0 or errno, logged */
int  state_save(const char *dir, struct disp *d, uint64_t now, uint64_t wall);

#endif
