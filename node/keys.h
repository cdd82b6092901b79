/**
 * @file keys.h  Shell. The cluster's keys change while the node runs.
 */
#ifndef NODE_KEYS_H
#define NODE_KEYS_H

#include "cluster/keyset.h"

struct node;

/**
 * What the file has now. The base must be that of `was`: what comes from it is
 * in every record, here and at the others. Mistakes are logged.
 *
 * @return 0, errno, EBADMSG, EPERM: another base
 */
int  keys_reread(const struct keyset *was, struct keyset *k,
		 const char *path);
/** From now on. Links by a key that is none of them any more are made anew */
void keys_use(struct node *n, const struct keyset *k);

#endif
