/**
 * @file record.h  Pure. What replicates: one record per binding, a join
 * semilattice. Normative text: docs/cluster-protocol.md 3 and 4.
 *
 * A lineage is one client's own order of changes (SIP: a Call-ID; the cluster
 * only sees its 64-bit hash). Inside a lineage the larger (cseq, vstamp) wins,
 * whatever the clocks say; across lineages the one with the largest stamp ever
 * seen in it is shown.
 */
#ifndef CLUSTER_RECORD_H
#define CLUSTER_RECORD_H

#include "base/cur.h"
#include "cluster/stamp.h"

/* Limits of the protocol: a record beyond them is refused before anything is
 * allocated. */
#define REC_LINEAGES 5         /**< per record; beyond it the oldest is dropped */
#define REC_AOR_MAX 512        /**< [bytes]                                    */
#define REC_KEY_MAX 1100       /**< [bytes]                                    */
#define REC_VALUE_MAX 8192     /**< of one entry [bytes]                       */
#define REC_EXT_MAX 1024       /**< unknown TLVs of one entry or record [bytes] */
#define REC_SIZE_MAX 16384     /**< encoded record [bytes]                     */

/** What one lineage did to the binding last */
struct rec_entry {
	uint64_t lineage;       /**< low 8 bits: generation, see store_put()   */
	uint32_t cseq;
	bool dead;              /**< removed by its owner                      */
	bool has_value;         /**< false: the value was dropped (expired)     */
	struct stamp vstamp;    /**< when this version was admitted            */
	struct stamp gstamp;    /**< largest stamp ever seen in this lineage   */
	uint64_t expires;       /**< wall clock [ms]                           */
	struct sl value;        /**< opaque                                    */
	struct sl ext;          /**< unknown optional TLVs, passed on as they came */
};

struct record {
	struct sl aor, key;     /**< identity; compared byte by byte           */
	struct stamp kill;      /**< versions up to this one are gone          */
	uint64_t hold;          /**< must be remembered until then, wall [ms]  */
	uint8_t n;              /**< entries, in falling order of gstamp       */
	struct rec_entry e[REC_LINEAGES];
	struct sl ext;          /**< unknown optional TLVs of the record       */
};

/**
 * dst := join(dst, src). Slices of dst may point into src afterwards.
 * Commutative, associative, idempotent (the drop beyond REC_LINEAGES apart).
 *
 * @return true if dst changed
 */
bool record_join(struct record *dst, const struct record *src);
/** Equal in everything that a join looks at */
bool record_same(const struct record *a, const struct record *b);
/** Forget what is past its time: values of expired and killed entries,
 *  superseded entries `keep` ms after their admission (max_expires + guard).
 *  @return true if something was dropped */
bool record_prune(struct record *r, uint64_t wall, uint64_t keep);
/** Nothing left worth keeping at `wall` */
bool record_is_past(const struct record *r, uint64_t wall);
/** Time of the next change by itself: something to prune, or the hold ends */
uint64_t record_next(const struct record *r, uint64_t keep);
/** The contact to show, or NULL: top entry, not dead, not killed, not expired */
const struct rec_entry *record_visible(const struct record *r, uint64_t wall);
/** Largest stamp in the record */
struct stamp record_top(const struct record *r);
/** Clamp times that a peer may claim: expires and hold to at most `max`
 *  [wall ms] */
void record_clamp(struct record *r, uint64_t max);

/** Encode; err is in b (ENOSPC when over REC_SIZE_MAX) */
void record_encode(struct buf *b, const struct record *r);
/** Encoded size [bytes] */
size_t record_size(const struct record *r);
/** Decode all of `p`; slices borrow from it. @return 0 or EBADMSG */
int  record_decode(struct record *r, struct sl p);

#endif
