/**
 * @file transport.h  Shell. UDP and TCP sockets for SIP: frames in, queued
 * bytes out. Decides nothing. IPv4 and IPv6.
 */
#ifndef SIP_TRANSPORT_H
#define SIP_TRANSPORT_H

#include "base/stat.h"
#include "sip/flow.h"
#include "sip/frame.h"

struct transport;

struct transport_conf {
	uint32_t max_msg;          /**< [bytes] largest SIP message of a client;
				core side: SIP_MAX_MSG                    */
	uint32_t max_conns;        /**< stream connections in all                 */
	uint32_t max_conns_ip;     /**< from one client address, 0 = no limit     */
	uint32_t idle;             /**< [s] close an idle client stream           */
	uint32_t first_msg;        /**< [s] first message must be there by then   */
	uint32_t whole_msg;        /**< [s] a message begun must be whole by then */
	uint32_t connect;          /**< [ms] outgoing connect time-out, 0 = 1000  */
	uint32_t txq_max;          /**< [bytes] unsent per connection, then it is closed;
					0 = 1 MiB                         */
};

struct transport_h {
	/** One message. verdict FRAME_MSG; or FRAME_BAD/FRAME_BIG with why: answer, then SIP_OUT_CLOSE;
	 *  or FRAME_PING: a datagram of a client that is STUN */
	void (*recv)(const struct flow *f, struct sl msg, enum frame_verdict v,
		     const char *why, void *arg);
	/** A stream ended or could not be opened (once for each, conn set, peer =
	 *  address dialled or of the caller), or conn = 0: a datagram was refused
	 *  (ICMP), or no stream could even be begun. What was queued is lost.
	 *  err: ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOBUFS (txq_max),
	 *  ... 0 = closed by peer or by SIP_OUT_CLOSE. ENOTCONN: something was to
	 *  be sent to a client's stream that had ended before. Never called from inside
	 *  transport_do() or transport_flush(). */
	void (*lost)(const struct flow *f, int err, void *arg);
	/** End of one batch of events: take effects, arm the timer. What it
	 *  queues is flushed after it. Optional */
	void (*turn)(void *arg);
	void *arg;
	/** May this address open a stream? NULL: any may */
	bool (*admit)(const struct addr *peer, void *arg);
	/** What recv() brings from now on has waited in the system for us [us], at
	 *  listener lst or in a stream of it: its first datagram, its last bytes
	 *  of a stream. Optional */
	void (*waited)(uint16_t lst, uint32_t us, void *arg);
};

int  transport_alloc(struct transport **tp, const struct transport_conf *cf,
		     const struct transport_h *h, struct stats *st);
void transport_free(struct transport *t);
/** Bind; a->port 0 = any. *lst = index for struct flow; *bound = real address.
 *  @return 0 or errno of bind (EADDRINUSE, EACCES, ...) */
int  transport_listen(struct transport *t, uint8_t tp, const struct addr *a,
		      bool core, uint16_t *lst, struct addr *bound);
/** Carry out one effect of a core; takes over out->blob */
void transport_do(struct transport *t, struct sip_out *out);
/** Write what was queued since the last flush (several messages per write) */
void transport_flush(struct transport *t);
/** Is this stream connection still open? Datagram: true */
bool transport_alive(const struct transport *t, const struct flow *f);
uint32_t transport_conns(const struct transport *t);
/** The clock as read at the begin of the running event [ms]; for handlers */
uint64_t transport_now(const struct transport *t);
/** The same as wall clock [us since 1970] */
uint64_t transport_wall_us(const struct transport *t);

#endif
