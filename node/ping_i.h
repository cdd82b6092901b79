/**
 * @file ping_i.h  Pure. Inside of ping*.c.
 */
#ifndef NODE_PING_I_H
#define NODE_PING_I_H

#include "node/ping.h"

/** A question that is open, or a contact that failed */
struct ping_item {
	struct ping_item *chain;             /* of its place in the table     */
	struct ping_item *next, **pprev;     /* of the open ones              */
	uint64_t hash;
	uint64_t sent;                       /* [ms]                          */
	uint64_t failing;                    /* [ms] first one lost was sent  */
	struct stamp vstamp;                 /* the version asked             */
	uint32_t seq, fails;
	uint8_t edge;
	bool open;
	bool sure;                           /* its edge said that its flow has
						ended                         */
	uint16_t aorn, keyn;
	uint8_t text[];                      /* AoR, key                      */
};

/** A contact that is looked at: what is parsed of it, is parsed once */
struct ping_who {
	struct binding b;
	struct uri uri;              /**< of the Contact, if uri_ok           */
	bool uri_seen, uri_ok;
	/* ping_path() */
	bool edge_ok;                /**< its first Path element can be read  */
	bool alone;                  /**< ... and is the only one             */
	bool hop_ok;
	struct sl token, params;     /**< of that element's URI               */
	struct flow hop;             /**< hop_ok: where it leads, an edge     */
};

#define PING_PLACES 65536

static inline struct sl ping_aor(const struct ping_item *i)
{
	return sl_mk(i->text, i->aorn);
}

static inline struct sl ping_key(const struct ping_item *i)
{
	return sl_mk(i->text + i->aorn, i->keyn);
}

/* ping_item.c */
struct ping_item *ping_find(const struct ping *p, uint64_t hash);
uint64_t ping_hash(const struct ping *p, struct sl aor, struct sl key);
/** @return NULL: no room */
struct ping_item *ping_new(struct ping *p, uint64_t hash, struct sl aor,
			   struct sl key);
void ping_drop(struct ping *p, struct ping_item *i);
void ping_open(struct ping *p, struct ping_item *i, uint64_t now);
void ping_shut(struct ping *p, struct ping_item *i);
/** Forget some of those that nobody asks any more: gone, or not ours now */
void ping_sweep(struct ping *p, uint64_t now);
/** Its question was answered */
void ping_alive(struct ping *p, struct ping_item *i, uint64_t now);
/** Its question was not answered, or by the edge alone */
void ping_lost(struct ping *p, struct ping_item *i, uint64_t now,
	       uint64_t wall);

/** ping.max_failures may be another */
void ping_recount(struct ping *p);

/** Is it the contact that does not answer, as far as we can know? */
bool ping_own_fault(const struct ping *p, const struct ping_item *i);

/* ping_hint.c: to the other nodes */
/** Its question was lost */
void ping_hint_say(struct ping *p, const struct ping_item *i);
/** It has answered */
void ping_hint_unsay(struct ping *p, const struct ping_item *i);
/** Owners change: of those that are another node's now. p->mine is as it was */
void ping_hint_hand_over(struct ping *p);
/** Failures in a row that its last owner has told of */
uint32_t ping_hint_told(const struct ping *p, const struct ping_item *i,
			uint64_t now);

/* ping_missed.c */
/** Owners of slots may have changed */
void ping_missed_look(struct ping *p);
/** One further bucket of those that a dead node missed.
 *  @return false: nothing of ours is in it, or there is none */
bool ping_missed_next(struct ping *p, uint16_t *bucket);

/* ping_seen.c */
/** Its answer came after ms */
void ping_seen_put(struct ping *p, uint64_t hash, uint64_t ms, uint64_t now);
/** Has it answered within ms, as far as we remember? */
bool ping_seen_since(const struct ping *p, uint64_t hash, uint64_t now,
		     uint64_t ms);
/** Each bucket was visited once more */
void ping_round(struct ping *p);

/** The contact of hash answered, ms after it was asked, at `at` */
void ping_heard(struct ping *p, uint64_t hash, struct sl aor, uint32_t edge,
		uint64_t ms, uint64_t at);

/* ping_path.c */
void ping_path(struct ping *p, struct ping_who *w);
/** Edges may be others */
void ping_path_forget(struct ping *p);

/* ping_edge.c */
void ping_edge_conf(struct ping *p);
uint8_t ping_edge_of(struct ping *p, const struct addr *a);
/** Its edge is to keep it alive */
void ping_edge_keep(struct ping *p, struct sl aor,
		    const struct store_contact *c, const struct ping_who *w,
		    uint64_t hash, bool by_stun, uint64_t now);
/** Its edge is to ask it. @return false: we have to */
bool ping_edge_ask(struct ping *p, struct sl aor,
		   const struct store_contact *c, const struct ping_who *w,
		   uint64_t hash, uint64_t now);
bool ping_edge_response(struct ping *p, const struct sip_msg *m, uint64_t now,
			uint64_t wall);
void ping_edge_tick(struct ping *p, uint64_t now, uint64_t wall);

/* ping.c */
/** An OPTIONS of our own; the item becomes open */
void ping_send(struct ping *p, struct ping_item *i, const struct binding *b,
	       const struct flow *hop, uint64_t now);
/** ping.dead_codes */
bool ping_is_dead(const struct ping *p, uint16_t code);
/** The URI of its Contact, NULL = none that we can read */
const struct uri *ping_contact(struct ping_who *w);
/** Do the rules name it? */
bool ping_named(const struct ping *p, struct ping_who *w);
/** "z9hG4bKpg", hash, seq */
#define PING_BRANCH (9 + 16 + 8)

#endif
