/**
 * @file store_priv.h  Pure. Inside of the store: memory of one record, index,
 * change order, expiry slots. For store*.c only.
 */
#ifndef CLUSTER_STORE_PRIV_H
#define CLUSTER_STORE_PRIV_H

#include "cluster/heap.h"
#include "cluster/squeeze.h"
#include "cluster/store.h"

/* One record: links, then its compact form (store_pack.c). All of it is one
 * block of the heap; links are handles of blocks, 0 = none. */
struct srec {
	uint32_t hnext;                /* index chain                    */
	uint32_t onext, oprev;         /* change order                   */
	uint32_t wnext, wprev;         /* expiry slot; its first record's
					  wprev is STORE_SLOT_AT + slot */
	uint32_t hash;                 /* of the AoR                     */
	uint32_t seq_low;              /* of the last change, 48 bits    */
	uint16_t seq_high;
	uint16_t n;                    /* compact bytes                  */
	uint8_t via;                   /* link that brought it, 0 = own  */
	uint8_t dict : 2;              /* its values are squeezed with   */
	uint8_t shown : 1;             /* counted as a contact           */
	uint8_t p[];
};
#define SREC_HEAD offsetof(struct srec, p)

#define STORE_SEG 32768            /* index chains per segment           */
#define STORE_CHAINS 1024          /* fewest in use                      */
#define STORE_SLOTS 4096           /* of one second                      */
#define STORE_SLOT_AT (HEAP_PIECES << HEAP_SHIFT)    /* no handle    */
#define STORE_SPARE 64             /* blocks kept for store_reserve()    */
#define STORE_AOR_WIRE 1024        /* records of one AoR taken from peers */
#define STORE_SEEK 4096            /* steps of a seeking cursor per call */
#define STORE_NODES 254            /* ids that take one byte in a stamp  */
#define STORE_NODE_TAB 512
/* Compact form of the largest record: numbers may take longer than on the
 * wire */
#define STORE_PACK_MAX (REC_SIZE_MAX + 128)

/* A record on the way from its compact form. Until store_value() a value is
 * as it is stored. */
struct store_view {
	struct record rec;
	uint16_t whole[REC_LINEAGES];  /* size before it was squeezed, 0 = it
					  is not squeezed               */
	uint8_t dict;
};

struct store {
	struct store_conf cf;
	struct store_stats st;
	struct hlc hlc;
	uint64_t seq;
	struct heap heap;
	struct squeeze squeeze;

	/* Index: linear hashing, by one chain per insert or removal */
	uint32_t **seg;
	uint32_t segs, seg_cap;
	uint32_t chains;               /* in use                          */
	uint32_t low;                  /* power of two <= chains          */

	uint32_t first, last;          /* change order                    */
	struct store_cursor *cursors;

	uint32_t slot[STORE_SLOTS + 1];   /* the last one: taken, not done yet */
	uint64_t done;                 /* last second handled             */

	uint64_t *digest;              /* of STORE_BUCKETS                */
	uint64_t group[STORE_GROUPS];
	uint64_t moves;                /* see store_moves()               */

	/* Ids of nodes in stamps, by number; never taken back */
	uint64_t node[STORE_NODES];
	uint8_t node_tab[STORE_NODE_TAB];    /* number + 1               */
	uint8_t nodes;

	uint64_t wire_seq;             /* of the record in wire[], 0 = none */
	size_t wire_n;
	uint8_t pack[STORE_PACK_MAX];  /* a record being packed           */
	/* values: of a record being changed, given to a reader */
	uint8_t plain[REC_SIZE_MAX + SQUEEZE_SLACK];
	uint8_t read[REC_SIZE_MAX + SQUEEZE_SLACK];
	uint8_t wire[REC_SIZE_MAX];    /* a record given to a cursor      */
};

static inline struct srec *srec_at(const struct store *s, uint32_t h)
{
	return heap_at(&s->heap, h);
}

static inline uint64_t srec_seq(const struct srec *r)
{
	return (uint64_t)r->seq_high << 32 | r->seq_low;
}

/* store_pack.c */
/** Into s->pack, with dictionary s->squeeze.cur. @return 0 or ENOSPC */
int  store_pack(struct store *s, const struct record *rec, size_t *np);
void store_unpack(const struct store *s, const struct srec *r,
		  struct store_view *v);
/** Value i in full; `mem` takes it when it was squeezed. @return bytes of mem
 *  that were used */
size_t store_value(const struct store *s, struct store_view *v, uint8_t i,
		   uint8_t *mem);
/** All values in full, in s->plain */
void store_values(struct store *s, struct store_view *v);
/** As record_encode() makes it, in s->wire */
struct sl store_wire(struct store *s, const struct srec *r);
struct sl srec_aor(const struct srec *r);
/** Is it this binding? */
bool srec_is(const struct srec *r, uint32_t hash, struct sl aor,
	     struct sl key);
bool srec_of(const struct srec *r, uint32_t hash, struct sl aor);

/* store_index.c */
int  store_index_init(struct store *s);
void store_index_free(struct store *s);
uint32_t store_hash(const struct store *s, struct sl aor);
uint32_t store_chain(const struct store *s, uint32_t hash);
/** By its number, below s->chains */
uint32_t store_chain_at(const struct store *s, uint32_t i);
/* Next record of a scan, 0 = the end */
uint32_t store_scan_step(struct store_scan *it);
/** @return 0 = not there */
uint32_t store_lookup(const struct store *s, uint32_t hash, struct sl aor,
		      struct sl key);
void store_index_add(struct store *s, uint32_t h);
void store_index_del(struct store *s, uint32_t h);
void store_index_replace(struct store *s, uint32_t old, uint32_t h);
uint32_t store_aor_n(const struct store *s, uint32_t hash, struct sl aor,
		     uint32_t enough);

/* store_digest.c */
int  store_digest_init(struct store *s);
/** A record comes or goes (twice: nothing has happened) */
void store_digest_flip(struct store *s, uint32_t hash, const struct record *r);

/* store_order.c */
void store_order_append(struct store *s, uint32_t h);
void store_order_del(struct store *s, uint32_t h);
void store_order_replace(struct store *s, uint32_t old, uint32_t h);

/* store_slot.c */
void store_slot_add(struct store *s, uint32_t h, uint64_t at);
void store_slot_del(struct store *s, uint32_t h);

/* How long a change is remembered [ms] */
static inline uint64_t store_keep(const struct store *s)
{
	return s->cf.max_expires * 1000ull + s->cf.guard;
}

/* store_rec.c */
/** A change: write `rec` over old (0 = a new record), last in change order */
int  store_commit(struct store *s, uint32_t old, const struct record *rec,
		  uint32_t hash, uint8_t via, uint64_t wall);
void store_forget(struct store *s, uint32_t h);
/** Pack `rec` in the place of h, keeping its place in every order. @return its
 *  handle now */
uint32_t store_repack(struct store *s, uint32_t h, const struct record *rec);
/** Counts it as a contact or not */
void store_show(struct store *s, uint32_t h, const struct record *rec,
		uint64_t wall);

#endif
