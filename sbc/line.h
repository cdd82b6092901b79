/**
 * @file line.h  Pure. New requests of clients that wait under overload until
 * everything else is done: those of known phones first, then strangers', each in
 * the order they came.
 */
#ifndef SBC_LINE_H
#define SBC_LINE_H

#include "base/buf.h"
#include "sip/flow.h"
#include "sip/overload.h"

enum { LINE_MAX = 1024 };          /**< of each rank                         */

/** What is done with the message in hand */
enum line_now {
	LINE_NOT,                  /**< it comes from the network            */
	LINE_GOES,                 /**< its turn has come                    */
	LINE_LATE,                 /**< it has waited too long               */
};

struct line_item {
	struct flow flow;
	struct blob *msg;
	struct overload_ask ask;
	uint64_t at;               /**< [ms] when it came in line            */
	uint32_t before;           /**< [us] that it had waited by then      */
};

struct line {
	struct line_item *v[OVERLOAD_RANKS];   /**< rings, made at first use */
	uint32_t head[OVERLOAD_RANKS], n[OVERLOAD_RANKS];
	uint64_t waiting;          /**< gauge: all of them                   */
	enum line_now now;
};

void line_close(struct line *l);
/** Takes over a reference of it->msg, on 0 only. @return 0, ENOSPC, ENOMEM */
int  line_put(struct line *l, const struct line_item *it);
/** The next one; its message is the caller's now. @return false: none */
bool line_take(struct line *l, struct line_item *it);
/** This request, out of turn. @return false: it does not wait */
bool line_find(struct line *l, uint64_t request, struct line_item *it);
/** Those that are served before one of this rank that comes now */
uint32_t line_ahead(const struct line *l, enum overload_rank r);
static inline uint32_t line_n(const struct line *l)
{
	return (uint32_t)l->waiting;
}

#endif
