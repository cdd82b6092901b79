/**
 * @file stream.h  Shell. Streams of the cluster: TLS 1.3, no tickets, no early
 * data. By key: both sides have it (external PSK with (EC)DHE, RFC 8446
 * 4.2.9), no certificates. By certificate: both sides show one of our CA's that
 * names them. Whoever hasn't it gets no byte past the hand-shake.
 */
#ifndef CLUSTER_STREAM_H
#define CLUSTER_STREAM_H

#include "base/addr.h"
#include "base/buf.h"
#include "cluster/keyset.h"

#define STREAM_CONNS 128       /**< in all                                */
#define STREAM_HALF 16         /**< accepted, not authenticated           */
#define STREAM_PREAUTH 1024    /**< bytes from a stranger, by key         */
#define STREAM_PREAUTH_CERT 10240    /**< the same by certificate: CERT_CHAIN
					  and what is around it           */
#define STREAM_CONNECT 500     /**< [ms]                                  */
#define STREAM_AUTH 5000       /**< TLS hand-shake [ms]                   */
#define STREAM_OUT 65536       /**< asks for no more to send above this [bytes] */

struct cert;
struct streams;
struct stream;

/** Called in the loop; down() also from stream_flush() */
struct streams_h {
	/** Authenticated. dialed: `target` of streams_dial(), else -1: then
	 *  the caller speaks first, which tells a peer that shows a
	 *  certificate that it was taken. @return the caller's number of it,
	 *  or -1: close */
	int  (*up)(struct stream *c, int target, void *arg);
	/** It came to nothing before up() */
	void (*failed)(int target, void *arg);
	/** Bytes at the start of in: take whole frames. @return bytes used */
	size_t (*recv)(struct stream *c, int id, struct sl in, void *arg);
	void (*down)(int id, const char *why, void *arg);
	/** After all of the above: what is to be done once per event */
	void (*done)(void *arg);
	void *arg;
};

struct streams_conf {
	struct addr addr;             /**< listens there; dials from its IP     */
	const struct keyset *keys;    /**< borrowed for streams_alloc()         */
	uint32_t user_timeout;        /**< of sent bytes without an ACK [ms]    */
	const struct cert *cert;      /**< borrowed for streams_alloc(); NULL =
	                                   by key */
	uint32_t preauth;             /**< [bytes]; 0 = STREAM_PREAUTH... */
	uint32_t auth;                /**< [ms]; 0 = STREAM_AUTH                */
};

struct streams_stats {
	uint64_t accepted, dialed, authenticated;
	uint64_t auth_failed;         /**< wrong key or certificate, no TLS,
	                                   too slow, too much                   */
	uint64_t broken;              /**< ended in the hand-shake, with no word
	                                   of what was wrong: a killed peer     */
	uint64_t half_full;           /**< oldest half-open one dropped         */
	uint64_t dial_failed;
	uint64_t key_dropped;         /**< streams ended by streams_rekey()     */
	uint64_t keys;                /**< gauge                                */
	uint64_t bytes_in, bytes_out;
	uint64_t conns;               /**< gauge                                */
};

int  streams_alloc(struct streams **tp, const struct streams_conf *cf,
		     const struct streams_h *h);
void streams_free(struct streams *t);
uint16_t streams_port(const struct streams *t);
const struct streams_stats *streams_stats(const struct streams *t);

/** Other certificate, key, CAs (NULL = by key) for streams to come; those that
 *  stand stay. cert is borrowed for the call. @return 0, or errno and nothing
 *  has changed */
int  streams_recert(struct streams *t, const struct cert *cert);

/** Other keys. Streams that stand by one that is none of them any more end:
 *  without names there is no telling who else has it. Call in the loop */
void streams_rekey(struct streams *t, const struct keyset *k);

/** failed() or up() follows, later. @return 0 or errno (neither follows) */
int  streams_dial(struct streams *t, const struct addr *a, int target);
/** Node that the peer's certificate names, "" = by key */
const char *stream_name(const struct stream *c);
/** Where to append what is to be sent; then stream_flush() */
struct buf *stream_out(struct stream *c);
/** Room for more? */
bool stream_ready(const struct stream *c);
void stream_flush(struct stream *c);
/** Close after one try to send what is in its buffer; no down() follows */
void stream_close(struct stream *c, const char *why);
/** Round trip as TCP measures it [us], 0 = not known */
uint32_t stream_rtt(const struct stream *c);

/** Time-outs; next deadline [ms] */
void streams_tick(struct streams *t, uint64_t now);
uint64_t streams_next(const struct streams *t);

#endif
