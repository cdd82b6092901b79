/**
 * @file hooks.h  Shell. Webhooks: events of the edge, posted by libcurl on the
 * event loop. A receiver that is slow or dead delays nothing; one request to
 * each is under way at most.
 */
#ifndef SBC_HOOKS_H
#define SBC_HOOKS_H

#include "sbc/sbc_priv.h"

struct hooks;

/** Can the files of these settings be read? @return 0 or EBADMSG */
int  hooks_check(const struct sbc_config *c, const char *file,
		 struct cfg_errs *errs);
/** Begin, or go on by other settings: what waits for a name and URL that stay
 *  is kept. *hp is NULL when there are none. @return 0 or errno, logged */
int  hooks_conf(struct hooks **hp, struct sbc *s, const struct sbc_config *c);
/** New events are taken; NULL allowed. Cheap when there are none */
void hooks_turn(struct hooks *h);
/** The edge ends: what waits is sent at once; NULL allowed */
void hooks_hurry(struct hooks *h);
/** It is under way still */
bool hooks_busy(const struct hooks *h);
void hooks_free(struct hooks *h);

#endif
