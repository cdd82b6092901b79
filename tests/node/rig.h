/**
 * @file rig.h  A node's core in a box: virtual time, no socket. Its edge is
 * the test: it sends what an edge would send, and takes what comes out.
 */
#ifndef TESTS_NODE_RIG_H
#define TESTS_NODE_RIG_H

#include "node/core.h"
#include "sip/scan.h"

#define EDGE "127.0.0.1:5070"
#define PATH(tok) "<sip:" tok "@" EDGE ";transport=tcp;lr;ob>"

struct rig_out {
	struct flow flow;
	struct blob *blob;
	struct sip_msg m;       /**< of the blob                             */
};

struct rig {
	struct node_config cf;
	struct users *users;
	struct stats *st;
	struct store *store;
	struct core *core;
	struct flow edge;       /**< a TCP connection from the edge          */
	uint64_t now, wall;
	uint32_t aliases, closes;
	struct addr alias;
	uint32_t branch;        /**< counts branches of the edge             */
	const char *client;     /**< the phone's address                     */
	const char *says;       /**< the one in its Via                      */
	bool lenient;           /**< answers need not be readable            */
	struct rig_out out;     /**< the last one taken                      */
	char text[65536];       /**< the last message made                   */
};

/** Above 0 while the core works: memory taken then is the core's */
extern int rig_in_core;

/** conf: more settings, or "" */
struct rig *rig_new(const char *conf, const char *users);
/** The same, a process with a secret of its own */
struct rig *rig_with(const char *conf, const char *users, uint8_t secret);
void rig_free(struct rig *r);
void rig_raw(struct rig *r, const void *p, size_t n);

/**
 * A request of a phone at 192.0.2.7 as the edge passes it on. Each call is a new
 * transaction. more: complete header lines.
 */
void rig_req(struct rig *r, const char *method, const char *ruri,
	     const char *from, const char *to, const char *callid,
	     unsigned cseq, const char *more);
/** The same on the branch of the last rig_req(): CANCEL, ACK, a copy */
void rig_same(struct rig *r, const char *method, const char *ruri,
	      const char *from, const char *to, const char *callid,
	      unsigned cseq, const char *more);

/** Take the next message that goes out. @return its status, or 0 for a request, -1 = nothing */
int  rig_take(struct rig *r);
/** Drop what goes out until a final response or a request; 100 and so on pass by */
int  rig_final(struct rig *r);
/** Value of a header of the last one taken, as C text; "" = not there */
const char *rig_hdr(struct rig *r, const char *name);
/** Number of headers of that name */
unsigned rig_count(struct rig *r, const char *name);
bool rig_has(struct rig *r, const char *text);

/** A request that went out, kept to be answered */
struct rig_leg {
	struct blob *req;
	struct flow flow;
	struct sip_msg m;
};
/** Take a request: fails the test when something else goes out. */
void rig_leg(struct rig *r, struct rig_leg *l, const char *method);
/** Answer it, with this To tag and more header lines */
void rig_answer(struct rig *r, const struct rig_leg *l, unsigned code,
		const char *tag, const char *more);
void rig_leg_free(struct rig_leg *l);

/** Let time pass in steps of what the core asks for */
void rig_pass(struct rig *r, uint64_t ms);
uint64_t rig_stat(struct rig *r, const char *name, const char *labels);

/** REGISTER of user@example.com with one Contact value; the answer's status */
int  rig_register(struct rig *r, const char *user, const char *contact,
		  const char *token, unsigned cseq);

#endif
