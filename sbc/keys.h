/**
 * @file keys.h  Shell. The keys of the flow tokens on disk: state_dir/token.key
 * and, during a rotation, state_dir/token.key.prev; 64 hex digits each.
 */
#ifndef SBC_KEYS_H
#define SBC_KEYS_H

#include <stdbool.h>
#include <stdint.h>

/** Read, or make and write, the current key; read the previous one if there.
 *  Problems are logged. @return 0 or errno; EBADMSG: not a key file */
int  keys_load(const char *dir, uint8_t cur[32], uint8_t prev[32],
	       bool *has_prev);

#endif
