/**
 * @file registrar.h  Pure. REGISTER, RFC 3261 10.3 whole: the change is
 * planned first, then committed or dropped whole. RFC 3327, 5626.
 */
#ifndef NODE_REGISTRAR_H
#define NODE_REGISTRAR_H

#include "base/stat.h"
#include "node/config.h"
#include "node/location.h"

struct registrar {
	const struct node_config *cf;    /**< borrowed                        */
	struct location *loc;            /**< borrowed                        */
	uint64_t accepted, rejected, fetched, repeated, removed;
};

int  registrar_stats(struct registrar *r, struct stats *st);

struct reg_answer {
	uint16_t code;
	const char *why;         /**< literal: reason phrase                  */
	struct buf extra;        /**< header lines; caller frees              */
	bool changed;            /**< the store was changed                   */
};

/**
 * Handle one REGISTER that may be handled.
 *
 * @param aor       canonical AoR of To
 * @param received  address of the client as text
 * @param wall      [ms]
 */
void registrar_handle(struct registrar *r, const struct sip_msg *m,
		      struct sl aor, struct sl received, uint64_t wall,
		      struct reg_answer *a);

#endif
