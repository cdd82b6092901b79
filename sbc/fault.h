/**
 * @file fault.h  Pure. A fault between the edge and one node, for drills: what
 * goes there or comes from there is dropped, held back or refused, for a
 * while. It ends by itself.
 */
#ifndef SBC_FAULT_H
#define SBC_FAULT_H

#include "base/rng.h"
#include "base/stat.h"
#include "sip/flow.h"

enum fault_kind {
	FAULT_NONE,
	FAULT_BLACKHOLE,      /**< nothing goes there, nothing comes back     */
	FAULT_DELAY,          /**< all that goes there is `ms` late           */
	FAULT_REJECT,         /**< its requests are answered 503              */
	FAULT_DROP_INVITE,    /**< no INVITE goes there                       */
	FAULT_DROP_PROBE,     /**< no OPTIONS goes there                      */
	FAULT_LATE,           /**< all its answers to INVITE are `ms` late    */
};
enum { FAULT_KINDS = FAULT_LATE + 1 };
/** "blackhole", "delay", "reject", "drop-invite", "drop-probe", "late" */
const char *fault_kind_name(enum fault_kind k);

enum {
	FAULT_LONGEST = 300,          /**< [s]                                */
	FAULT_MS_MAX = 10000,         /**< longest delay [ms]                 */
	FAULT_HELD_MAX = 8192,        /**< messages held back                 */
	FAULT_BYTES_MAX = 32 << 20,   /**< and their bytes                    */
};

struct fault_order {
	enum fault_kind kind;
	char node[64], who[64];
	struct addr addr;             /**< of the node                        */
	bool whole_ip;                /**< no other node has its IP address   */
	uint32_t ms, percent;         /**< percent: of the messages           */
	uint64_t until;               /**< [ms]                               */
};

struct fault_held;

struct fault {
	struct fault_order o;         /**< kind NONE: there is none           */
	uint64_t since;
	struct fault_held *first, *last;   /**< by time                       */
	uint32_t heldc;
	size_t bytes;
	struct rng rng;
	uint64_t begun, dropped, held, rejected, overflow;
	uint64_t active;              /**< gauge                              */
};

/** A message whose time has come */
struct fault_due {
	bool in;                      /**< from the node, else to it          */
	struct flow flow;
	struct blob *blob;            /**< the caller's now                   */
};

int  fault_init(struct fault *f, uint64_t seed, struct stats *st);
/** What is held is dropped */
void fault_free(struct fault *f);
/** @return 0; EBUSY: there is one; EINVAL: out of range */
int  fault_begin(struct fault *f, const struct fault_order *o, uint64_t now);
/** At once; what is held comes now. @return was there one */
bool fault_end(struct fault *f, uint64_t now);
/** @return true: its time was up, it has ended just now */
bool fault_tick(struct fault *f, uint64_t now);
/** UINT64_MAX = nothing to do */
uint64_t fault_next(const struct fault *f);
/** An effect on the side of the nodes. @return true: taken over */
bool fault_out(struct fault *f, struct sip_out *out, uint64_t now);
/** A message from that side. @return true: not for the edge (now) */
bool fault_in(struct fault *f, const struct flow *flow, struct sl msg,
	      uint64_t now);
bool fault_poll(struct fault *f, struct fault_due *d, uint64_t now);

#endif
