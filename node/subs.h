/**
 * @file subs.h  Pure. Users of a database that answers later, or not at all:
 * a cache in bounded memory, and what is to be looked up.
 *
 * The cache may say yes. A no always is the database's: so whoever has a new
 * password or a new account gets in at once, and the time of a refusal is the
 * same for users we know and users there are not.
 *
 *   subs_view()  what is known -- not enough --> subs_want() --> request waits
 *   subs_ask()   effect: look this one up        subs_told(): its result
 */
#ifndef NODE_SUBS_H
#define NODE_SUBS_H

#include "node/users.h"

enum {
	SUBS_NAME_MAX = 256 + 256,  /**< longest user@domain [bytes]          */
	SUBS_ASKED_MAX = 4096,      /**< look-ups under way                   */
};

struct subs;

struct subs_conf {
	uint32_t max;            /**< users remembered; a quarter as many of
				      names that are none                     */
	uint64_t ttl;            /**< [ms] a yes holds without asking again   */
	uint64_t ttl_no;         /**< [ms] a no holds                         */
	uint64_t keep;           /**< [ms] a yes holds while nobody answers   */
};

int  subs_alloc(struct subs **sp, const struct subs_conf *cf,
		const uint8_t key[32]);
void subs_free(struct subs *s);
void subs_reconf(struct subs *s, const struct subs_conf *cf);

struct subs_view {
	const struct user *user;   /**< until the next call; NULL = none known */
	bool yes;                  /**< a yes may be said without asking       */
	bool no;                   /**< a no may be said without asking        */
};
/** What is known of a user; one who is used is looked up again before his
 *  time is over. now: [ms] */
void subs_view(struct subs *s, struct sl name, uint64_t now,
	       struct subs_view *v);

/** Look him up. @return true: subs_told() will come; false: it may not, decide
 *  now (database away, too many) */
bool subs_want(struct subs *s, struct sl name);
/** A no has been said by what was just looked up */
void subs_no(struct subs *s, struct sl name, uint64_t now);
/** Take one name to look up: borrowed until the next call */
bool subs_ask(struct subs *s, struct sl *name);

struct subs_answer {
	bool failed;               /**< nothing is known by it                */
	bool found;
	struct sl ha1[AUTH_ALG_N]; /**< lower-case hex; unset = none          */
};
/** @return false: he changed meanwhile and is looked up once more */
bool subs_told(struct subs *s, struct sl name, const struct subs_answer *a,
	       uint64_t now);
/** Somebody has waited as long as he may for an answer */
void subs_late(struct subs *s);
/** He has changed: no more yes by what is known. Unset name: of all */
void subs_drop(struct subs *s, struct sl name);

struct subs_stats {
	uint64_t known, none;      /**< gauges: users, names that are none    */
	uint64_t asked;            /**< gauge: look-ups under way             */
	uint64_t away;             /**< gauge: 1 = the last look-up failed    */
	uint64_t lookups, failed;
	uint64_t refused;          /**< not looked up: too many, or away      */
	uint64_t evicted;          /**< forgotten for lack of room            */
};
const struct subs_stats *subs_stats(const struct subs *s);

#endif
