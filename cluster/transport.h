/**
 * @file transport.h  Shell. Streams of the cluster: TLS 1.3 with a key that
 * both sides have (external PSK with (EC)DHE, RFC 8446 4.2.9), no certificates, no
 * tickets, no early data. Whoever hasn't the key gets no byte past the
 * hand-shake.
 */
#ifndef CLUSTER_TRANSPORT_H
#define CLUSTER_TRANSPORT_H

#include "base/addr.h"
#include "base/buf.h"

#define TRANSPORT_CONNS 128       /**< in all                                */
#define TRANSPORT_HALF 16         /**< accepted, not authenticated           */
#define TRANSPORT_PREAUTH 1024    /**< bytes from a stranger                 */
#define TRANSPORT_CONNECT 1000    /**< [ms]                                  */
#define TRANSPORT_AUTH 5000       /**< TLS hand-shake [ms]                   */
#define TRANSPORT_OUT 131072      /**< asks for no more to send above this [bytes] */

struct transport;
struct tconn;

/** Called in the loop; down() also from tconn_flush() */
struct transport_h {
	/** Authenticated. dialed: `target` of transport_dial(), else -1. @return
	 *  the caller's number of it, or -1: close */
	int  (*up)(struct tconn *c, int target, void *arg);
	/** It came to nothing before up() */
	void (*failed)(int target, void *arg);
	/** Bytes at the start of in: take whole frames. @return bytes used */
	size_t (*recv)(struct tconn *c, int id, struct sl in, void *arg);
	void (*down)(int id, const char *why, void *arg);
	/** After all of the above: what is to be done once per event */
	void (*done)(void *arg);
	void *arg;
};

struct transport_conf {
	struct addr addr;             /**< listens there; dials from its IP     */
	uint8_t key[32];              /**< cluster key                          */
	uint32_t user_timeout;        /**< of sent bytes without an ACK [ms]    */
	uint32_t preauth;             /**< [bytes], TRANSPORT_PREAUTH           */
};

struct transport_stats {
	uint64_t accepted, dialed, authenticated;
	uint64_t auth_failed;         /**< wrong key, no TLS, too slow, too much */
	uint64_t half_full;           /**< oldest half-open one dropped         */
	uint64_t dial_failed;
	uint64_t bytes_in, bytes_out;
	uint64_t conns;               /**< gauge                                */
};

int  transport_alloc(struct transport **tp, const struct transport_conf *cf,
		     const struct transport_h *h);
void transport_free(struct transport *t);
uint16_t transport_port(const struct transport *t);
const struct transport_stats *transport_stats(const struct transport *t);

/** failed() or up() follows, later. @return 0 or errno (neither follows) */
int  transport_dial(struct transport *t, const struct addr *a, int target);
/** Where to append what is to be sent; then transport_flush() */
struct buf *tconn_out(struct tconn *c);
/** Room for more? */
bool tconn_ready(const struct tconn *c);
void tconn_flush(struct tconn *c);
/** Close after one try to send what is in its buffer; no down() follows */
void tconn_close(struct tconn *c, const char *why);
const struct addr *tconn_peer(const struct tconn *c);

/** Time-outs; next deadline [ms] */
void transport_tick(struct transport *t, uint64_t now);
uint64_t transport_next(const struct transport *t);

#endif
