/**
 * @file flow.h  Pure. Names one way to reach one remote: "that very flow".
 */
#ifndef SIP_FLOW_H
#define SIP_FLOW_H

#include "base/addr.h"

enum sip_tp { TP_NONE, TP_UDP, TP_TCP, TP_TLS, TP_WS, TP_WSS, TP_N };

struct flow {
	uint8_t tp;          /**< enum sip_tp                                   */
	uint16_t lst;        /**< listener it belongs to (index given by the shell) */
	uint32_t conn;       /**< stream connection, unique in the process' life;
				  0 = none: datagram, or "the connection to peer,
				  made when needed"                            */
	struct addr peer;    /**< remote address                                */
};

static inline bool tp_stream(uint8_t tp) { return tp >= TP_TCP; }
const char *tp_name(uint8_t tp);        /**< "UDP"                          */
const char *tp_param(uint8_t tp);       /**< "udp"                          */
int tp_by_name(struct sl s);            /**< case-insensitive; -1 = unknown */
bool flow_eq(const struct flow *a, const struct flow *b);

/** What the pure side must know of a listener */
struct listener {
	uint8_t tp;
	bool core;            /**< towards nodes, not clients                    */
	struct addr bound;    /**< local address                                 */
	char sentby[128];     /**< host[:port] for Via, Record-Route, Path: the
				   advertised address or the bound one          */
};

/** One effect of a pure core on the network */
enum sip_out_kind {
	SIP_OUT_SEND,         /**< send blob on flow                              */
	SIP_OUT_CLOSE,        /**< close stream after what is queued              */
	SIP_OUT_KEEP,         /**< the client of this stream is known: closed last */
	SIP_OUT_ALIAS,        /**< requests to `alias` may use this connection (RFC 5923) */
};
struct sip_out {
	enum sip_out_kind kind;
	struct flow flow;
	struct blob *blob;    /**< SEND: one reference, taken over by the reader  */
	struct addr alias;
	bool quiet;           /**< SEND: of no interest to a trace               */
};

/** FIFO of effects; grows, bounded by `max` entries (then drops and counts) */
struct outq {
	struct sip_out *v;
	uint32_t head, n, cap, max;
	uint64_t dropped;
};
int  outq_init(struct outq *q, uint32_t max);
void outq_free(struct outq *q);
/** Takes one reference of blob (also when it must drop) */
void outq_send(struct outq *q, const struct flow *f, struct blob *blob);
/** The same, marked quiet */
void outq_send_quiet(struct outq *q, const struct flow *f, struct blob *blob);
void outq_close(struct outq *q, const struct flow *f);
void outq_keep(struct outq *q, const struct flow *f);
void outq_alias(struct outq *q, const struct flow *f, const struct addr *a);
bool outq_poll(struct outq *q, struct sip_out *out);

#endif
