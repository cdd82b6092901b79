/**
 * @file told.h  Pure. What a node says of itself (its /api/v1/status): any
 * JSON, since the node may be another version, broken, or not a node at all.
 * Only known names are taken, and no more members than a cluster can have.
 */
#ifndef SBC_TOLD_H
#define SBC_TOLD_H

#include "sbc/verdict.h"
#include <jansson.h>

enum { TOLD_PEERS = 64 };

/** What of a status the page shows; a new object */
json_t *told_json(const json_t *status);
/**
 * Fill in what the verdict asks of a node, but `asked` and `unacked`.
 *
 * @param node    as in the pool of the edge; its name is borrowed
 * @param status  its latest one, NULL = not known, or too old
 */
void told_judge(struct verdict_node *v, const json_t *node,
		const json_t *status);
/** Set "equal" in said.cluster of all nodes of the pool: those with the digest
 *  that most of them have are equal */
void told_mark(json_t *pool);

#endif
