/**
 * @file token.h  Pure. Sealed flow tokens: the user part of our Path and
 * Record-Route URIs. Whoever shows one proves that we gave it to him; nobody
 * can make one or read one.
 *
 * Two kinds. A *path* token stays inside: it is added to REGISTER, stored by the
 * nodes and stripped from every message to a client. A *record-route* token
 * is seen by both ends of a dialog, so it also holds a hash of the Call-ID and is
 * refused in any other call and outside a dialog.
 *
 * A token of a stream also names who registered on it (sbc/known), so that he
 * is found again after his connection has ended. A record-route token may hold
 * the Record-Route entries of foreign nodes, which no client is to see.
 */
#ifndef SBC_TOKEN_H
#define SBC_TOKEN_H

#include "base/aead.h"
#include "sip/flow.h"

enum token_kind { TOKEN_PATH = 1, TOKEN_RR = 2 };

/** Whose flow: of the one who sent the dialog's first request, or of the
 *  one who got it */
enum token_leg { TOKEN_CALLER = 0, TOKEN_CALLEE = 1 };

enum {
	TOKEN_HOPS  = 192,       /**< longest text of hops [bytes]            */
	TOKEN_MAX   = 368,       /**< longest token as text                   */
	TOKEN_MEMO  = 112,       /**< the same, without hops: IPv6, stream    */
	TOKEN_PLAIN = 48,        /**< longest sealed form without hops        */
	TOKEN_CALL  = 64,        /**< longest Call-ID that a memo keeps       */
};

struct token {
	enum token_kind kind;
	enum token_leg leg;
	struct flow flow;
	uint64_t id;             /**< streams: of known_read(); 0 = nobody    */
	bool prev;               /**< opened: id is of the previous key       */
	uint8_t hopn;            /**< length of hops, 0 = none                */
	/* last: beyond hopn it is not cleared */
	char hops[TOKEN_HOPS];   /**< record-route: Route elements of nodes that
				      want to stay in the dialog, in the order
				      they have for requests of the callee    */
};

struct token_key {
	struct aead seal;
	uint8_t nonce[SECRET_KEY];
	uint8_t id[SECRET_KEY];  /**< for known_read()                        */
};

/** A token that was made or opened lately, with what is in it: the ACK and the
 *  BYE of a call, and the calls to one phone, show the same text again */
struct token_memo {
	uint8_t n;               /**< length of txt, 0 = free                 */
	uint8_t plainc;
	uint8_t calln;           /**< length of call, 0 = not kept            */
	bool prev;               /**< sealed with the previous key            */
	char txt[TOKEN_MEMO];
	uint8_t plain[TOKEN_PLAIN];
	char call[TOKEN_CALL];   /**< the Call-ID whose hash is in it         */
};
enum { TOKEN_MEMOS = 1024 };

/** What the current key has been used for lately; zeroed at first */
struct token_memos {
	struct token_memo v[TOKEN_MEMOS];
	uint64_t hash;           /**< of the Call-ID that was hashed last     */
	uint8_t calln;           /**< its length, 0 = none                    */
	char call[TOKEN_CALL];   /**< a call needs it twice: for both legs    */
};

struct token_keys {
	struct token_key cur;    /**< makes and opens                         */
	struct token_key prev;   /**< opens only                              */
	bool has_prev;
	uint32_t boot;           /**< this process: a stream connection of
				      another one is gone for ever            */
	struct token_memos *memo; /**< borrowed, of these keys only; NULL: every
				      token is unsealed                       */
};

/** prev may be NULL; without a memo */
void token_keys_init(struct token_keys *k, const uint8_t cur[SECRET_KEY],
		     const uint8_t *prev, uint32_t boot);

/** Write a token. The same flow, leg and Call-ID always give the same text,
 *  so a retransmitted or refreshed request looks the same again. callid is used
 *  for TOKEN_RR only. */
void token_put(struct buf *b, const struct token_keys *k,
	       const struct token *t, struct sl callid);

enum token_verdict {
	TOKEN_OK,
	TOKEN_FORGED,    /**< not made with our keys                          */
	TOKEN_MISUSED,   /**< ours, but of the other kind or another Call-ID  */
	TOKEN_STALE,     /**< ours, on a connection of an earlier process     */
};
const char *token_verdict_name(enum token_verdict v);

/** Open a token. *t is written for TOKEN_OK and TOKEN_STALE only. */
enum token_verdict token_open(struct token *t, const struct token_keys *k,
			      struct sl txt, enum token_kind want,
			      struct sl callid);

#endif
