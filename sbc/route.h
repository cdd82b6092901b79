/**
 * @file route.h  Pure. From a request to where it goes: RFC 3261 16.4-16.6
 * without DNS. Only tokens we sealed lead to a client, only the pool is behind us.
 */
#ifndef SBC_ROUTE_H
#define SBC_ROUTE_H

#include "sbc/known.h"
#include "sbc/token.h"
#include "sip/scan.h"
#include "sip/uri.h"

enum { ROUTE_NAMES = 64 };

/** One host[:port] by which we are known */
struct route_name {
	char host[128];      /**< lower case, IPv6 in brackets               */
	uint8_t n;
	uint16_t port;
};

/** What is behind that in a Path: RFC 5626, and what the flow is, for the nodes */
#define ROUTE_PATH_END ";ob"
#define ROUTE_PATH_STREAM ";ob;flow=tcp"
#define ROUTE_PATH_UDP ";ob;flow=udp"

/** "@SENTBY;transport=x;lr", behind the token of a URI that we wrote for a
 *  listener */
struct route_tail {
	char t[176];
	uint16_t n;
};

struct peers;

struct route_conf {
	struct route_name name[ROUTE_NAMES];
	uint32_t namec;
	struct route_tail tail[ROUTE_NAMES];   /**< index = listener          */
	uint32_t tailc;
	const struct token_keys *keys;    /**< borrowed                       */
	const struct known *known;        /**< borrowed; NULL: nobody is found
					       again                          */
	const struct peers *peers;        /**< borrowed; NULL: none           */
	const struct listener *lst;       /**< borrowed                       */
	uint16_t lstc;
	bool dialog_token;   /**< refuse requests inside a dialog without token */
	bool private_targets;     /**< strangers may name private addresses   */
};

enum route_to {
	ROUTE_POOL,          /**< a node, chosen by key                       */
	ROUTE_FLOW,          /**< that flow                                   */
	ROUTE_LOCAL,         /**< meant for the edge itself                   */
	ROUTE_REFUSE,        /**< answer with code                            */
};
const char *route_to_name(enum route_to t);

struct route {
	enum route_to to;
	uint16_t code;            /**< REFUSE                                 */
	const char *why;          /**< REFUSE, literal                        */
	uint64_t key;             /**< POOL                                   */
	struct flow flow;         /**< FLOW                                   */
	bool path;                /**< FLOW: by a path token                  */
	bool found;               /**< FLOW: not the token's own connection but
				       the one its client has now             */
	uint32_t peer;            /**< FLOW: to this trusted peer, 0 = none   */
	uint64_t id;              /**< FLOW: the client, 0 = not known        */
	enum token_leg leg;       /**< FLOW: leg of the target                */
	uint8_t hopn;             /**< FLOW, from a client: length of hops    */
	bool hops_back;           /**< they are in the other order            */
	unsigned strip;           /**< leading Route elements to take off     */
	unsigned foreign;         /**< Route elements of strangers after those,
				       taken off as well                      */
	bool forged;              /**< a token in it was not ours             */
	bool misused;             /**< a token in it was ours, of another use */
	bool alone;               /**< there are no other Route elements than
				       those to be stripped                   */
	bool inside;              /**< REFUSE: it named a private address     */
	/* last: beyond hopn it is not cleared */
	char hops[TOKEN_HOPS];    /**< Route elements of nodes on the way     */
};

/** Add our name; without effect when known or full */
void route_name_add(struct route_conf *rc, struct sl host, uint16_t port);
/** The same from "host[:port]" */
void route_sentby_add(struct route_conf *rc, struct sl sentby);
/** What we write for the next listener: such entries need no parsing */
void route_tail_add(struct route_conf *rc, const struct listener *l);
bool route_is_ours(const struct route_conf *rc, const struct uri *u);
/** Is it to the letter what we write there? *user: its user part */
bool route_own_text(const struct route_conf *rc, struct sl elem,
		    struct sl *user);
/** Next element of a header's value, if it is to the letter ours; *user: its user
 *  part. @return false: something else, or the end, which is rest.n == 0 */
bool route_own_next(const struct route_conf *rc, struct sl *rest,
		    struct sl *user);
/** Does a Route or Record-Route element name us? *user: its user part, which
 *  may be unset */
bool route_elem_ours(const struct route_conf *rc, struct sl elem,
		     struct sl *user);

/**
 * The flow to the client of a path token, as it is now. keys: those of rc, with
 * or without a memo.
 *
 * @return 0; ESTALE: it has ended, or is of a listener that is no more; EACCES:
 *         no path token of ours
 */
int  route_path_flow(const struct route_conf *rc,
		     const struct token_keys *keys, struct sl token,
		     struct flow *f);

/** A request from a client */
void route_client(struct route *r, const struct route_conf *rc,
		  const struct sip_msg *m, const struct flow *src);
/** A request from a node */
void route_core(struct route *r, const struct route_conf *rc,
		const struct sip_msg *m);

/** Key of the pool: the same for a phone's REGISTER and calls to it */
uint64_t route_key(const struct sip_msg *m);
/** The same of a request for this URI */
uint64_t route_key_of(struct sl uri);

#endif
