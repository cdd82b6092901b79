/**
 * @file source.h  Pure. Who sends to us: what each address may still ask, what it
 * may be sent, whether it is banned. An address is an IPv4 address or an IPv6 /64.
 *
 * Unproved: nothing shows that the address of its datagrams is its own. It is
 * never sent more bytes than came from it, so nobody can make us shoot at
 * another. Proved: a node took credentials from it whose nonce had been sent
 * there; or it has a stream.
 *
 * The table has a cap. Proved and banned ones are forgotten last.
 */
#ifndef SBC_SOURCE_H
#define SBC_SOURCE_H

#include "base/addr.h"
#include "base/secret.h"
#include "base/stat.h"

enum {
	SOURCE_NETS = 16,
	SOURCE_WHY = 31,
	SOURCE_PROVED = 3600000,     /**< [ms] after the last proof           */
	SOURCE_SCORE = 100,          /**< points that make a ban; one is
					  forgotten each second               */
	SOURCE_BAN_MAX = 86400000,   /**< longest ban [ms]                    */
	SOURCE_BITS = 512,           /**< phones are counted up to ~3000      */
	SOURCE_GEN = 1800000,        /**< [ms] a generation of counting       */
};

struct source_conf {
	struct addr_net trusted[SOURCE_NETS];  /**< no limits, no bans        */
	uint32_t trustedc;
	uint32_t max;                /**< sources known at once               */
	uint32_t rate, burst;        /**< new requests [1/s], at once; rate 0 =
					  any number                          */
	uint32_t phone_rate;         /**< and so many more for each phone that
					  is registered from there [1/s]      */
	uint32_t aor_rate;           /**< new requests for one address of
					  record from unproved sources [1/s],
					  0 = any                             */
	uint32_t stranger_rate;      /**< new requests of all unproved sources
					  together [1/s], 0 = any             */
	uint32_t ban;                /**< the first one [ms], 0 = never       */
};

/** Phones behind one address: bits of hashes, two generations, so that those that
 *  left are forgotten */
struct source_phones {
	uint64_t bit[2][SOURCE_BITS / 64];
	uint32_t set[2];             /**< bits that are set                   */
	uint32_t n16[2];             /**< phones they stand for [1/16]        */
	uint64_t since;              /**< of bit[0] [ms]                      */
};

struct source {
	struct source *hnext, *prev, *next;
	struct addr addr;            /**< port 0; IPv6: the /64               */
	bool good;                   /**< in the list of those kept           */
	uint64_t tokens, filled;     /**< [1/1000 requests], [ms]             */
	uint64_t credit;             /**< bytes it may be sent unproved       */
	uint64_t proved;             /**< until then [ms]                     */
	uint64_t banned;             /**< until then [ms], 0 = not            */
	uint64_t score_at;           /**< [ms]                                */
	uint32_t score, bans;
	struct source_phones *phones;        /**< owned; NULL: none           */
	char why[SOURCE_WHY + 1];    /**< of the ban                          */
};

enum source_drop {
	SOURCE_RATE, SOURCE_AOR, SOURCE_CREDIT, SOURCE_BANNED, SOURCE_SCANNER,
	SOURCE_DOMAIN, SOURCE_STRANGERS, SOURCE_DROPS
};

struct sources;

struct source_stats {
	uint64_t now, proved, banned;         /**< gauges                     */
	uint64_t drop[SOURCE_DROPS];          /**< by reason                  */
	uint64_t forgotten;                   /**< because of the cap         */
	uint64_t bans, unbans, offences;
};

/** cf->max is fixed from then on. @return 0 or ENOMEM */
int  sources_alloc(struct sources **sp, const struct source_conf *cf,
		   const uint8_t key[SECRET_KEY]);
void sources_free(struct sources *s);
void sources_conf(struct sources *s, const struct source_conf *cf);
int  sources_stats(struct sources *s, struct stats *st);
struct source_stats *sources_figures(struct sources *s);

/** No limits hold for it */
bool sources_trusts(struct sources *s, const struct addr *a);
/** The entry, made when there is none; NULL: no memory */
struct source *sources_get(struct sources *s, const struct addr *a,
			   uint64_t now);
/** The same, NULL when there is none */
struct source *sources_find(const struct sources *s, const struct addr *a);

/** n bytes came in a datagram */
void source_came(struct source *x, size_t n);
/** May n bytes go there in one? Taken off then */
bool source_pays(struct source *x, size_t n, uint64_t now);
/** A new request: @return false: too many */
bool source_takes(struct sources *s, struct source *x, uint64_t now);
/** The same of an address of record, for unproved sources */
bool sources_aor(struct sources *s, uint64_t aor, uint64_t now);
/** The same of all unproved sources together */
bool sources_stranger(struct sources *s, uint64_t now);
static inline bool source_is_proved(const struct source *x, uint64_t now)
{
	return now < x->proved;
}
/** It answered a challenge. phone: hash of who registered, 0 = no REGISTER */
void source_prove(struct sources *s, struct source *x, uint64_t phone,
		  uint64_t now);
uint32_t source_phones_n(const struct source *x);

/** It did what phones do not, on a stream. @return true: banned by this */
bool source_offends(struct sources *s, struct source *x, uint32_t points,
		    const char *why, uint64_t now);
/** By an operator. ms 0: for ever, that is SOURCE_BAN_MAX */
void source_ban(struct sources *s, struct source *x, uint64_t ms,
		struct sl why, uint64_t now);
bool source_unban(struct sources *s, struct source *x);
bool source_is_banned(struct sources *s, struct source *x, uint64_t now);
/** Those banned, at most n. @return number */
uint32_t sources_banned(struct sources *s, struct source **v, uint32_t n,
			uint64_t now);

/** Some of those whose proof or ban may be over */
void sources_sweep(struct sources *s, uint64_t now);

#endif
