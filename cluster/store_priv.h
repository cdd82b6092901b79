/**
 * @file store_priv.h  Pure. Inside of the store: memory of one record, index,
 * change order, expiry slots. For store*.c only.
 */
#ifndef CLUSTER_STORE_PRIV_H
#define CLUSTER_STORE_PRIV_H

#include "cluster/store.h"

/* One record: links, then its packed form. All of it is one allocation. */
struct srec {
	struct srec *hnext;            /* index chain                    */
	struct srec *onext, *oprev;    /* change order                   */
	struct srec *wnext, **wpprev;  /* expiry slot                    */
	uint64_t seq;                  /* of the last change             */
	uint32_t hash;                 /* of the AoR                     */
	uint16_t n;                    /* packed bytes                   */
	uint8_t via;                   /* link that brought it, 0 = own  */
	bool shown;                    /* counted as a contact           */
	uint8_t p[];
};

#define STORE_SEG 1024             /* index chains per segment           */
#define STORE_SLOTS 4096           /* of one second                      */
#define STORE_SPARE 64             /* blocks kept for store_reserve()    */
#define STORE_AOR_WIRE 1024        /* records of one AoR taken from peers */
#define STORE_SEEK 4096            /* steps of a seeking cursor per call */

struct store {
	struct store_conf cf;
	struct store_stats st;
	struct hlc hlc;
	uint64_t seq;

	/* Index: linear hashing, grows by one chain per insert */
	struct srec ***seg;
	uint32_t segs, seg_cap;
	uint32_t chains;               /* in use                          */
	uint32_t low;                  /* power of two <= chains          */

	struct srec *first, *last;     /* change order                    */
	struct store_cursor *cursors;

	struct srec *slot[STORE_SLOTS];
	struct srec *firing;           /* taken from a slot, not done yet */
	uint64_t done;                 /* last second handled             */

	uint64_t *digest;              /* of STORE_BUCKETS                */
	uint64_t group[STORE_GROUPS];
	uint64_t moves;                /* see store_moves()               */

	void *spare;                   /* blocks for when memory is out   */
	uint32_t spares;
	uint8_t scratch[REC_SIZE_MAX];    /* a record being packed     */
};

struct sl srec_aor(const struct srec *r);
struct sl srec_key(const struct srec *r);

/* store_index.c */
int  store_index_init(struct store *s);
void store_index_free(struct store *s);
uint32_t store_hash(const struct store *s, struct sl aor);
struct srec *store_chain(const struct store *s, uint32_t hash);
/** Place that points to the record, or to NULL at the end of its chain */
struct srec **store_lookup(struct store *s, uint32_t hash, struct sl aor,
			   struct sl key);
void store_index_add(struct store *s, struct srec *r);
void store_index_del(struct store *s, struct srec *r);
void store_index_replace(struct store *s, struct srec *old, struct srec *r);
uint32_t store_aor_n(struct store *s, uint32_t hash, struct sl aor,
		     uint32_t enough);

/* store_digest.c */
int  store_digest_init(struct store *s);
/** A record comes or goes (twice: nothing has happened) */
void store_digest_flip(struct store *s, uint32_t hash, const struct record *r);

/* store_order.c */
void store_order_append(struct store *s, struct srec *r);
void store_order_del(struct store *s, struct srec *r);
void store_order_replace(struct store *s, struct srec *old, struct srec *r);

/* store_slot.c */
void store_slot_add(struct store *s, struct srec *r, uint64_t at);
void store_slot_del(struct srec *r);

/* How long a change is remembered [ms] */
static inline uint64_t store_keep(const struct store *s)
{
	return s->cf.max_expires * 1000ull + s->cf.guard;
}

/* store.c */
size_t store_block(size_t n);
struct srec *store_new(struct store *s, size_t n);
void store_forget(struct store *s, struct srec *r);
/** Pack `rec` in the place of r, keeping its place in every order */
struct srec *store_repack(struct store *s, struct srec *r,
			  const struct record *rec);
void store_show(struct store *s, struct srec *r, const struct record *rec,
		uint64_t wall);

#endif
