/**
 * @file simnet.h  Test support. A network on virtual time: hosts that are up,
 * frozen or dead, datagrams and streams with delay, everything from one seed.
 * Knows no SIP. One process, no sockets; the same seed gives the same run.
 */
#ifndef TESTS_SIMNET_H
#define TESTS_SIMNET_H

#include "base/addr.h"
#include "base/rng.h"

struct simnet;

enum sim_kind { SIM_DATAGRAM, SIM_STREAM };

/** One message delivered. Streams deliver whole messages, in order. */
struct sim_pkt {
	enum sim_kind kind;
	struct addr from, to;
	uint32_t conn;             /**< stream, 0 for datagrams               */
	struct sl data;            /**< borrowed                              */
};

enum sim_state { SIM_UP, SIM_FROZEN, SIM_DEAD };

struct sim_host {
	const char *name;
	struct addr addr;
	enum sim_state state;
	void (*recv)(struct sim_host *h, const struct sim_pkt *p);
	/** A stream of this host ended, or could not be opened. May be NULL */
	void (*lost)(struct sim_host *h, uint32_t conn,
		     const struct addr *peer, int err);
	void *arg;
	uint32_t lag;              /**< [ms] more for each of its packets     */
	uint64_t ends;             /**< times it died: the simnet's           */
};

struct simnet {
	uint64_t now;              /**< [ms]                                  */
	struct rng rng;
	uint32_t delay_min, delay_max;      /**< [ms] of a packet             */
	uint32_t loss, twice;      /**< datagrams lost, doubled [per 1000]    */
	/** Sees every packet at delivery. May be NULL */
	void (*tap)(const struct sim_pkt *p, void *arg);
	void *tap_arg;
	struct simnet_priv *v;
};

/** @return NULL: no memory */
struct simnet *simnet_new(uint64_t seed);
void simnet_free(struct simnet *s);
/** h stays the caller's and must outlive the network */
void sim_add(struct simnet *s, struct sim_host *h);
void sim_datagram(struct simnet *s, const struct addr *from,
		  const struct addr *to, struct sl data);
/** The stream from -> to, opened when there is none. @return its number */
uint32_t sim_connect(struct simnet *s, const struct addr *from,
		     const struct addr *to);
/** On an open stream; data for one that has ended is lost, and the sender told */
void sim_stream(struct simnet *s, const struct addr *from, uint32_t conn,
		struct sl data);
/** The other end of a stream as seen from `me` */
struct addr sim_peer(const struct simnet *s, uint32_t conn,
		     const struct addr *me);
/** The open stream of these two, 0 = none */
uint32_t sim_between(const struct simnet *s, const struct addr *a,
		     const struct addr *b);
/** Did this host open that stream? */
bool sim_opened(const struct simnet *s, uint32_t conn,
		const struct addr *who);
/** Reset a stream: what is under way on it is lost, both ends are told */
void sim_cut(struct simnet *s, uint32_t conn);
/** Close a stream; both ends are told */
void sim_close(struct simnet *s, uint32_t conn);
/** Process dies: streams reset, what was on its way to it is lost */
void sim_kill(struct simnet *s, struct sim_host *h);
void sim_start(struct simnet *s, struct sim_host *h);
/** SIGSTOP: nothing is handled, the kernel still takes what comes */
void sim_freeze(struct simnet *s, struct sim_host *h);
void sim_thaw(struct simnet *s, struct sim_host *h);
/** Call h at a time */
void sim_at(struct simnet *s, uint64_t at,
	    void (*h)(void *arg, uint64_t v), void *arg, uint64_t v);
/** Time of the next event, UINT64_MAX = none */
uint64_t sim_next(const struct simnet *s);
/** Do the next event; sets now */
void sim_step(struct simnet *s);

#endif
