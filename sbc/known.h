/**
 * @file known.h  Pure. Who has registered on which live stream connection, so
 * that a client whose connection was replaced is found again: a token of the
 * old connection names him, this table his new one.
 *
 * An identity is the address of record with the instance and reg-id of RFC 5626;
 * of a client that gives no instance, with the Call-ID of his REGISTERs, which
 * RFC 3261 10.2 keeps until he starts anew. As a keyed hash, so that nobody can
 * make one that equals another's. Only a REGISTER that a node answered 200
 * claims one; of several connections the newest claim counts. What a connection
 * has claimed ends with it.
 */
#ifndef SBC_KNOWN_H
#define SBC_KNOWN_H

#include "base/secret.h"
#include "base/stat.h"
#include "sip/flow.h"
#include "sip/scan.h"
#include "sip/uri.h"

/** Most identities of one connection: a PBX registers several users */
enum { KNOWN_PER_CONN = 64 };

struct known;

enum known_what {
	KNOWN_NOTHING,       /**< a fetch, or of no use                       */
	KNOWN_CLAIM,
	KNOWN_DROP,          /**< expires 0 of all contacts                   */
	KNOWN_DROP_AOR,      /**< "*"                                         */
};

/** What a REGISTER means for the table */
struct known_reg {
	enum known_what what;
	uint64_t aor, id;    /**< 0 = none                                    */
	bool prev;           /**< id is of the previous key                   */
	uint16_t aorn;
	char aor_txt[SIP_AOR_MAX];   /**< aorn bytes: the address of record   */
};

struct known_stats {
	uint64_t now;                        /**< gauge                       */
	uint64_t claimed;                    /**< new ones                    */
	uint64_t dropped;                    /**< given up by the client      */
	uint64_t ended;                      /**< with the connection         */
	uint64_t displaced;                  /**< at KNOWN_PER_CONN           */
	uint64_t refused;                    /**< at the cap, or no memory    */
};

/** @param max  entries. @return 0, EINVAL, ENOMEM */
int  known_alloc(struct known **kp, uint32_t max);
void known_free(struct known *k);
const struct known_stats *known_stats(const struct known *k);

void known_read(struct known_reg *r, const struct sip_msg *m,
		const uint8_t key[SECRET_KEY]);
/** r, as read from a REGISTER that came on f and was answered 200 */
void known_apply(struct known *k, const struct flow *f,
		 const struct known_reg *r);
/** Each identity of f whose newest claim is on f, but those of the previous key;
 *  aor is borrowed */
void known_each(const struct known *k, const struct flow *f,
		void (*h)(struct sl aor, uint64_t id, void *arg), void *arg);
/** The connection has ended */
void known_lost(struct known *k, const struct flow *f);
/** The connection with the newest claim. *f is untouched when there is none */
bool known_find(const struct known *k, uint64_t id, struct flow *f);
/** The identity claimed last on f, 0 = none */
uint64_t known_of(const struct known *k, const struct flow *f);

#endif
