/**
 * @file cdr.h  Pure. The record of a call: one line of JSON for each INVITE
 * transaction of a client that ended, with the nodes it took. No credentials.
 */
#ifndef SBC_CDR_H
#define SBC_CDR_H

#include "base/addr.h"
#include "base/blobs.h"

enum {
	CDR_TRIES = 8,           /**< nodes kept; later ones are counted      */
	CDR_LINE  = 12288,       /**< longest line [bytes]                    */
};

/** How an attempt ended; above these, CDR_LOST + enum fail_why */
enum { CDR_OPEN, CDR_ANSWERED, CDR_LOST };

/** Whose answer ended it */
enum cdr_by { CDR_BY_NOBODY, CDR_BY_EDGE, CDR_BY_NODE, CDR_BY_CALLEE };

/** Kept in the call while it is set up. Times: since its begin [ms] */
struct cdr_trail {
	struct cdr_try {
		uint16_t node;
		uint8_t result;
		bool heard;
		uint32_t sent, first;
	} v[CDR_TRIES];
	uint8_t n;               /**< attempts, may be above CDR_TRIES        */
	bool adopted;            /**< the edge went on for a failed node      */
	enum cdr_by by;
};
void cdr_sent(struct cdr_trail *t, uint16_t node, uint64_t ms);
/** The first thing the node said */
void cdr_first(struct cdr_trail *t, uint16_t node, uint64_t ms);
void cdr_end(struct cdr_trail *t, uint16_t node, uint8_t result);

/** All that is in a line; slices borrowed, header values as they came */
struct cdr {
	uint64_t start, end;         /**< [ms since 1970]                     */
	struct sl callid, from, to, ruri;
	struct addr source;
	const char *transport;
	uint16_t code;
	bool cancelled;
	const struct cdr_trail *trail;
	const char *node[CDR_TRIES]; /**< names                               */
};
/** With its line end */
void cdr_line(struct buf *b, const struct cdr *c);

enum { CDRQ_MAX = 4096 };

/** Lines on their way to the shell */
struct cdrq {
	struct blob *v[CDRQ_MAX];
	uint32_t head, n;
	bool on;                     /**< records are wanted                  */
	uint64_t dropped;
};
/** Takes one reference over */
void cdrq_put(struct cdrq *q, struct blob *b);
/** NULL = none. The caller unrefs it */
struct blob *cdrq_poll(struct cdrq *q);

#endif
