/**
 * @file edge.h  Pure. The whole edge without sockets: messages in, effects
 * out. The shell (sbc.c) and the tests drive it with the same four verbs.
 */
#ifndef SBC_EDGE_H
#define SBC_EDGE_H

#include "base/stat.h"
#include "dispatcher/dispatcher.h"
#include "sip/flow.h"
#include "sip/frame.h"
#include "sbc/source.h"

/** Phrase of the answer to a node's keep-alives */
#define EDGE_KEPT "Kept"
/** Branch of a question to a contact that we wrote for a node: so begins it */
#define EDGE_ASKED SIP_COOKIE "pe"

struct edge;
struct ledger;
struct peer_conf;
struct peers;

/** Times [ms] and limits that may change while it runs */
struct edge_tune {
	uint32_t no100;          /**< INVITE: node silent; 0 = each node by the
				      times it has shown: disp_no100()        */
	uint32_t no18x;          /**< INVITE: node said 100, and then neither
				      answered nor forked; 0 = off            */
	uint32_t noreply;        /**< other methods: no final answer          */
	uint32_t ring;           /**< Timer C                                 */
	uint32_t deadline;       /**< no further attempt after this           */
	uint32_t caller_gone;    /**< INVITE given up when the connection that
				      it came over is lost for so long        */
	uint32_t flow_timer;     /**< [s] Flow-Timer, keep= on streams; 0 = off */
	uint32_t max_attempts;   /**< nodes tried for one request             */
	bool oc;                 /**< nodes may ask for less: RFC 7339        */
	uint32_t max_message;    /**< [bytes]                                 */
	bool straight;           /**< past the node: call_rings(), call_answers() */
	bool hide;               /**< hide = core                             */
	bool dialog_token;       /**< in-dialog requests need our token       */
	bool private_targets;    /**< clients may name private addresses      */
	bool learn;              /**< nodes may name further nodes            */
	struct disp_conf probe;
};

struct edge_conf {
	const struct listener *lst;    /**< index = flow.lst; copied          */
	uint16_t lstc;
	uint16_t core;                 /**< listener towards the nodes        */
	const struct disp_node_conf *node;   /**< the pool; copied            */
	uint16_t nodec;
	struct edge_tune tune;
	uint32_t t1, t2, t4;           /**< [ms]                              */
	uint32_t max_transactions;
	uint32_t max_known;            /**< clients found again after their
					    connection, 0 = 20000             */
	uint8_t key[32];               /**< of flow tokens, kept for restarts */
	uint8_t prev[32];
	bool has_prev;
	uint8_t branch_key[32];        /**< new at every start                */
	uint32_t boot;                 /**< new at every start                */
	uint64_t seed;                 /**< of jitter                         */
};

/** @return 0; EINVAL (no listener, core out of range); ENOSPC (pool); ENOMEM */
int  edge_alloc(struct edge **ep, const struct edge_conf *cf, struct stats *st,
		uint64_t now);
void edge_free(struct edge *e);

/** One message from flow f; v, why as the transport gives them */
void edge_recv(struct edge *e, const struct flow *f, struct sl msg,
	       enum frame_verdict v, const char *why, uint64_t now);
/** A stream ended or could not be opened, a datagram was refused. err may be 0 */
void edge_lost(struct edge *e, const struct flow *f, int err, uint64_t now);
void edge_tick(struct edge *e, uint64_t now);
uint64_t edge_next(const struct edge *e);
bool edge_poll(struct edge *e, struct sip_out *out);

/** Set times and the pool anew. Nodes no longer listed are removed, what runs on
 *  them goes on; learned ones stay if t->learn. @return 0, ENOSPC, ENOMEM (then nothing was changed) */
int  edge_reconf(struct edge *e, const struct edge_tune *t,
		 const struct disp_node_conf *node, uint16_t nodec,
		 uint64_t now);

enum { ADMIT_WORDS = 32 };
/** Admission */
struct edge_admit_conf {
	struct source_conf source;
	char scanner[ADMIT_WORDS][64];   /**< parts of User-Agent, not answered */
	uint32_t scannerc;
	char domain[ADMIT_WORDS][128];   /**< others are not answered; 0 = any */
	uint32_t domainc;
};
/** Off before the first call; the cap of the table is that of the first.
 *  @return 0, ENOMEM */
int  edge_admit(struct edge *e, const struct edge_admit_conf *c);
/** NULL: off */
struct sources *edge_sources(struct edge *e);
/** May a stream come from there? */
bool edge_admits(const struct edge *e, const struct addr *a, uint64_t now);
/** ms 0: as long as can be. @return false: off, or no memory */
bool edge_ban(struct edge *e, const struct addr *a, uint64_t ms,
	      struct sl why, uint64_t now);
/** @return false: it was not banned */
bool edge_unban(struct edge *e, const struct addr *a);

enum { EDGE_NUMBERS = 16 };
struct edge_overload_conf {
	uint32_t target;                 /**< [ms] wait aimed at, 0 = off      */
	char number[EDGE_NUMBERS][64];   /**< called in an emergency           */
	uint32_t numberc;
};
/** Off before the first call */
void edge_overload_conf(struct edge *e, const struct edge_overload_conf *c,
			uint64_t now);
/** What edge_recv() is given from now on has waited for us [us] at listener lst */
void edge_waited(struct edge *e, uint16_t lst, uint32_t us, uint64_t now);

/** Trusted peers, none at first. @return as peers_set() */
int  edge_peers(struct edge *e, const struct peer_conf *v, uint32_t n,
		uint64_t now);
/** Borrowed until the next edge_peers() */
const struct peers *edge_peers_get(const struct edge *e);

/** @return as disp_set_wish() */
int  edge_wish(struct edge *e, const char *name, const struct disp_wish *w,
	       uint64_t now);
/** Another number: wishes or learned nodes have changed */
uint64_t edge_pool_seq(const struct edge *e);
/** What is still under way at a node */
struct edge_left {
	uint32_t requests;       /**< calls included                          */
	uint32_t calls;          /**< not answered yet                        */
};
void edge_left(const struct edge *e, uint16_t node, struct edge_left *l);

struct disp *edge_disp(struct edge *e);
/** Where a node says its management pages are: at its own address, no other.
 *  @return 0; ENOENT: it has not told */
int  edge_node_http(const struct edge *e, uint16_t node, struct addr *a);
/** The account: its events, and where to enter what the shell knows. The shell
 *  keeps its `wall` right */
struct ledger *edge_ledger(struct edge *e);
/** Are call records wanted? Off at first */
void edge_cdr_on(struct edge *e, bool on);
/** A line of call records, NULL = none. The caller unrefs it */
struct blob *edge_poll_cdr(struct edge *e);
/** At least one node is UP */
bool edge_ready(const struct edge *e);
/** Messages of edge and nodes alone so far, answers to probes and the like: was
 *  the last message one? */
uint64_t edge_probe_answers(const struct edge *e);
/** Method of the message that edge_recv() took last, of an answer that of CSeq */
enum sip_method edge_took(const struct edge *e);
/** Messages refused or absorbed at first sight under overload so far: was the last
 *  message one? What it was is not worth a trace */
uint64_t edge_early_done(const struct edge *e);
/** Requests that have no final answer yet */
uint32_t edge_pending(const struct edge *e);
/** Stop taking new requests (503); what runs is finished */
void edge_drain(struct edge *e);

/** Path element by which nodes reach this client, who never spoke to us: of a
 *  datagram. @return 0, EAFNOSUPPORT (no listener), ENOSPC */
int  edge_path_to(struct edge *e, struct buf *b, uint8_t tp,
		  const struct addr *peer);

#endif
