/**
 * @file location.h  Pure. Address of record -> contact bindings, over the
 * replicated store.
 */
#ifndef NODE_LOCATION_H
#define NODE_LOCATION_H

#include "base/addr.h"
#include "cluster/store.h"
#include "node/binding.h"

enum { LOCATION_MAX = 64 };      /**< contacts of one AoR looked at          */

struct location {
	struct store *store;     /**< borrowed                               */
	uint8_t key[32];         /**< the store's key: hashes Call-IDs       */
};

/** A contact with memory of its own: outlives changes of the store */
struct loc_contact {
	struct binding b;        /**< slices into mem                        */
	struct sl key;
	struct stamp vstamp;     /**< the version seen, for location_kill()  */
	uint8_t *mem;
};

struct loc_set {
	struct loc_contact v[LOCATION_MAX];
	uint32_t n;
	uint32_t undecoded;      /**< records that no version of us can read */
};

/** What the store orders changes by: one client's Call-ID */
uint64_t location_lineage(const struct location *l, struct sl callid);

/** All visible contacts, highest q first, equal q by newest registration.
 *  @return 0 or ENOMEM; loc_set_free() in both cases */
int  location_get(struct location *l, struct sl aor, uint64_t wall,
		  struct loc_set *set);
void loc_set_free(struct loc_set *set);

/** Is there a visible contact? */
bool location_any(struct location *l, struct sl aor, uint64_t wall);

/** One visible contact; slices borrowed until the store changes.
 *  @return 0, ENOENT, EBADMSG (undecodable) */
int  location_find(struct location *l, struct sl aor, struct sl key,
		   uint64_t wall, struct binding *b);

/** A visible contact was registered from this address (IPv6: its /64) */
bool location_from(struct location *l, struct sl aor,
		   const struct addr *client, uint64_t wall);

/** The flow of the version seen is dead: take it out, unless it has been
 *  refreshed. @return 0, ENOENT, ESTALE */
int  location_kill(struct location *l, struct sl aor,
		   const struct loc_contact *c, uint64_t wall);

#endif
