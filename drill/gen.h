/**
 * @file gen.h  Pure. Phones that call each other: both ends of each call are
 * ours, so what was lost, rang twice or went on ringing is seen from both.
 *
 * The four verbs: gen_recv(), gen_tick(), gen_next(), gen_poll().
 */
#ifndef DRILL_GEN_H
#define DRILL_GEN_H

#include "base/rng.h"
#include "sip/auth.h"
#include "sip/txn.h"

enum {
	GEN_PHONES = 5000,       /**< most phones that call                  */
	GEN_CONTACTS = 5000,     /**< further ones                           */
	GEN_PHONES_MAX = GEN_PHONES + GEN_CONTACTS + 100,
	GEN_CALLS = 20000,       /**< most calls of one run                  */
	GEN_NAME = 64,           /**< longest user or password, with its end */
	GEN_DOMAIN = 128,
	GEN_GRACE = 2000,        /**< [ms] a phone may ring on for a caller
				      who has got his refusal                */
};

/** Of a call, as its caller sees it */
enum gen_stage {
	GEN_SENT,                /**< INVITE sent, at most a 100 heard       */
	GEN_RINGING,             /**< a 101..199 heard                       */
	GEN_TALKING,             /**< a 2xx heard                            */
	GEN_BYE,                 /**< BYE sent                               */
	GEN_DONE,                /**< BYE answered 200                       */
	GEN_LOST,                /**< refused, or no answer                  */
};
enum { GEN_STAGES = GEN_LOST + 1 };
const char *gen_stage_name(enum gen_stage s);

/** Why a call was lost */
enum gen_why {
	GEN_W_NONE,
	GEN_W_REFUSED,           /**< INVITE answered >= 300                 */
	GEN_W_SILENT,            /**< no 18x or final answer in time         */
	GEN_W_RING,              /**< rang, but the phone's answer never came */
	GEN_W_FLOW,              /**< the caller's connection broke          */
	GEN_W_BYE,               /**< BYE not answered 200                   */
	GEN_W_ACK,               /**< the ACK never reached the phone        */
	GEN_W_INSIDE,            /**< memory or a table of ours was full     */
};
const char *gen_why_name(enum gen_why w);

struct gen_user {
	char name[GEN_NAME], password[GEN_NAME];
	uint8_t lst;             /**< index into gen_conf.lst                */
};

struct gen_conf {
	const struct listener *lst;   /**< borrowed; index = flow.lst        */
	uint16_t lstc;
	struct addr proxy;
	const char *domain;
	const struct gen_user *user;  /**< copied                            */
	uint32_t users, max_calls;
	uint32_t limit;          /**< [ms] until a caller gives up           */
	uint32_t expires;        /**< [s] of registrations                   */
	uint64_t seed;
	uint8_t key[32];         /**< of branches: random                    */
	uint64_t run;            /**< in every Call-ID: tells runs apart     */
};

/** All times are clk_now() [ms], 0 = it did not come to that */
struct gen_call {
	uint32_t id;             /**< Call-ID: gen_callid()                  */
	uint32_t from, to;       /**< phones                                 */
	uint32_t ring, talk;     /**< [ms] how long                          */
	enum gen_stage stage;
	enum gen_why why;
	uint16_t code;           /**< of the refusal                         */
	uint64_t sent, rang, answered, bye, end;
	uint8_t invites;         /**< that reached the phone                 */
	uint8_t answers;         /**< different 2xx that reached the caller  */
	bool ghost;              /**< rang on after the caller's refusal     */
	bool marked;             /**< was under way at gen_mark(), as        */
	enum gen_stage at_mark;
	struct gen_call_priv *v; /**< gone when the call is over             */
};

struct gen_figures {
	uint64_t reg_sent, reg_ok, reg_refused, reg_silent, reg_broken;
	uint64_t reg_slowest;    /**< [ms]                                   */
	uint64_t strays;         /**< requests that belong to no call        */
};

struct gen;

int  gen_alloc(struct gen **gp, const struct gen_conf *cf, uint64_t now);
void gen_free(struct gen *g);

/** One whole message */
void gen_recv(struct gen *g, const struct flow *f, struct sl msg,
	      uint64_t now);
/** A connection broke */
void gen_lost(struct gen *g, const struct flow *f, uint64_t now);
void gen_tick(struct gen *g, uint64_t now);
uint64_t gen_next(const struct gen *g);
bool gen_poll(struct gen *g, struct sip_out *out);

/** Register a phone (again) now. No effect while it is doing so */
void gen_register(struct gen *g, uint32_t phone, uint64_t now);
/** Phones whose last REGISTER got its 200 */
uint32_t gen_registered(const struct gen *g);
/** Remove a phone's contact, for good. No effect while it registers */
void gen_leave(struct gen *g, uint32_t phone, uint64_t now);
/** Has it got its 200 for that? */
bool gen_left(const struct gen *g, uint32_t phone);
/** No phone registers by itself, for a while */
void gen_hold(struct gen *g, bool hold);
bool gen_held(const struct gen *g);
/** Phones with a REGISTER on its way */
uint32_t gen_registering(const struct gen *g);
/** @return 0; ENOSPC: max_calls made; ENOMEM */
int  gen_dial(struct gen *g, uint32_t from, uint32_t to, uint32_t ring,
	      uint32_t talk, uint64_t now);
/** Callers of up to n talking calls (the first ones that would talk longer than
 *  `longer` more ms) hang up. @return how many */
uint32_t gen_hangup(struct gen *g, uint32_t n, uint32_t longer, uint64_t now);
/** Note of each call under way in which stage it is */
void gen_mark(struct gen *g);
/** Callers hang up or cancel all that is under way */
void gen_end(struct gen *g, uint64_t now);

uint32_t gen_live(const struct gen *g);      /**< calls not over             */
uint32_t gen_calls(const struct gen *g);     /**< made so far                */
const struct gen_call *gen_call(const struct gen *g, uint32_t i);
const struct gen_figures *gen_figures(const struct gen *g);
/** Call-ID of a call, into txt */
const char *gen_callid(const struct gen *g, uint32_t i, char txt[64]);
/** The call of a Call-ID. @return false: none of ours */
bool gen_by_callid(const struct gen *g, struct sl callid, uint32_t *ip);

#endif
