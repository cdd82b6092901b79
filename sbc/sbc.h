/**
 * @file sbc.h  Shell. The running edge: sockets, timer, signals and pages
 * around the pure edge. Decides nothing.
 */
#ifndef SBC_SBC_H
#define SBC_SBC_H

#include "sbc/config.h"

struct sbc;

/** Bind, load the keys, start. `path` and `over` (options over it) are read
 *  again at SIGHUP; borrowed. *c is taken over (also on error). Problems are
 *  logged with what to do. */
int  sbc_alloc(struct sbc **sp, struct sbc_config *c, const char *path,
	       const struct cfg_over *over);
void sbc_free(struct sbc *s);
/** Runs until a signal ends it */
int  sbc_run(struct sbc *s);

#endif
