/**
 * @file transport_i.h  Shell. Private to transport*.c.
 */
#ifndef SIP_TRANSPORT_I_H
#define SIP_TRANSPORT_I_H

#include <sys/socket.h>

#include "base/net.h"
#include "base/wheel.h"
#include "sip/scan.h"
#include "sip/transport.h"

enum {
	TR_LISTENERS = 64,
	TR_RX_N = 32,              /**< datagrams per system call               */
	TR_RX_ROUNDS = 8,          /**< such calls per turn                     */
	TR_RX_SIZE = 65536,        /**< room for each [bytes]                   */
	TR_TX_N = 64,              /**< datagrams or blobs per system call      */
	TR_UDP_QUEUE = 4096,       /**< unsent datagrams per socket             */
	TR_LOST_QUEUE = 1024,      /**< datagram errors not yet told            */
	TR_BUCKETS = 4096,
	TR_KEEP = 8192,            /**< input kept by an idle stream [bytes]    */
	TR_ACCEPTS = 64,           /**< connections taken per turn              */
	TR_READS = 4,              /**< reads of TR_RX_SIZE per turn and stream */
	TR_ACCEPT_PAUSE = 100,     /**< when out of descriptors [ms]            */
	TR_LINGER = 1000,          /**< from our FIN to close [ms]              */
	TR_BAD_WAIT = 2000,        /**< for the answer to a bad stream [ms]     */
	TR_CORE_TIMEOUT = 5000,    /**< unacknowledged bytes to a node [ms]     */
	TR_CLIENT_TIMEOUT = 30000, /**< the same to a client [ms]               */
	TR_RCVBUF = 4 << 20,
	TR_WALL = 1000,            /**< between looks at the wall clock [ms]    */
};

enum tr_drop {
	DROP_TRUNCATED,    /**< datagram longer than the room for it           */
	DROP_NO_CONN,      /**< stream of the flow is no more                  */
	DROP_SOCKET,       /**< datagrams the kernel had no room for: the reader
			    *   was late, or net.core.rmem_max is small         */
	DROP_UDP_QUEUE,    /**< datagram: queue full                           */
	DROP_UDP_SEND,     /**< datagram: the system refused it                */
	DROP_TXQ,          /**< stream: more than txq_max unsent               */
	DROP_CONNS,        /**< stream refused: max_conns                      */
	DROP_GUEST,        /**< a stranger's stream closed for a newer one     */
	DROP_CONNS_IP,     /**< stream refused: max_conns_ip                   */
	DROP_SOURCE,       /**< stream refused: not admitted                   */
	DROP_ACCEPT,       /**< accept failed (descriptors, memory)            */
	DROP_TIMEOUT,      /**< stream closed: first, whole message or idle    */
	DROP_FRAMING,      /**< stream that cannot be framed                   */
	DROP_LOST,         /**< datagram error not told: queue full            */
	DROP_BAD_FLOW,     /**< no such listener, wrong family                 */
	DROP_N
};

struct tr_stats {
	uint64_t rx_msg[TP_N], tx_msg[TP_N];
	uint64_t rx_bytes[TP_N], tx_bytes[TP_N];
	uint64_t conns;                 /**< gauge */
	uint64_t in, out, ended;        /**< streams                           */
	uint64_t pings, stun, icmp;
	uint64_t drop[DROP_N];
};

struct dgram {
	struct addr to;
	struct blob *blob;
};

struct lst {
	struct transport *t;
	struct nfd *nfd;
	int fd;                         /**< -1 = slot not used                */
	uint16_t idx;
	uint8_t tp;
	bool core;
	bool dirty;                     /**< UDP: something queued             */
	bool blocked;                   /**< UDP: waits until writable         */
	bool df;                        /**< UDP: no router may cut them       */
	uint32_t kernel_lost;           /**< UDP: by SO_MEMINFO, at ...        */
	uint64_t lost_due;              /**< ... when to ask again [ms]        */
	int mtu;                        /**< ... and what it was before: IP_PMTUDISC_* */
	struct addr bound;
	struct dgram *tx;               /**< UDP: TR_UDP_QUEUE, made at first use */
	uint32_t head, n;
	struct wtimer pause;            /**< TCP: accept again                 */
};

enum conn_state {
	CONN_DIALLING,
	CONN_OPEN,
	CONN_CLOSING,      /**< sends the rest, then FIN                       */
	CONN_LINGER,       /**< FIN sent, input thrown away                    */
	CONN_DEAD,         /**< on the lost list                               */
};

struct conn {
	struct conn *id_next, *peer_next, *alias_next;
	struct conn *dirty_next;
	struct conn *next, **pprev;     /**< all, or the lost list             */
	struct transport *t;
	struct lst *lst;
	struct nfd *nfd;
	int fd;
	int err;                        /**< CONN_DEAD: why                    */
	uint32_t id;
	enum conn_state state;
	bool out;                       /**< we dialled                        */
	bool dirty;
	bool bad;                       /**< cannot be framed: input ignored   */
	bool spoke;                     /**< a whole message came              */
	bool aliased, counted;
	bool guest;                     /**< of a client nobody knows          */
	struct conn *gprev, *gnext;     /**< guests: newest first              */
	struct addr peer, alias;
	struct frame frame;
	struct blob **q;                /**< ring of unsent blobs              */
	uint32_t qhead, qn, qcap;
	size_t qoff;                    /**< sent of the first                 */
	size_t qbytes;
	uint64_t rx_at;                 /**< last byte [ms]                    */
	uint64_t made_at;
	struct wtimer tmr;
};

/** Connections of one client address */
struct ipcount {
	struct ipcount *next;
	struct addr ip;
	uint32_t n;
};

/** Error without a connection: datagrams, no socket to dial with */
struct tr_err {
	struct flow flow;
	int err;
};

struct transport {
	struct transport_conf cf;
	struct transport_h h;
	struct stats *st;
	struct tr_stats c;
	struct lst lst[TR_LISTENERS];
	uint16_t lstn;
	uint32_t next_id;
	unsigned depth;                 /**< inside an event                   */
	uint64_t now, us;               /**< of the running event [ms], [us]   */
	uint64_t wall_off;              /**< wall clock less that [us]         */
	uint64_t wall_due;              /**< next look at it [ms]              */
	struct wheel *w;
	struct ntimer *tmr;
	struct conn *all;
	struct conn *dirty;
	struct conn *guests, *guests_end;
	struct conn *lost, **lost_tail; /**< ended, to be told                 */
	struct tr_err *err;
	uint32_t errh, errn;
	struct conn *by_id[TR_BUCKETS];
	struct conn *by_peer[TR_BUCKETS];
	struct conn *by_alias[TR_BUCKETS];
	struct ipcount *by_ip[TR_BUCKETS];
	struct blob *pong;
	uint8_t *rx;                    /**< TR_RX_N * TR_RX_SIZE              */
	struct udp_rx *urx;             /**< where recvmmsg() puts them        */
	size_t rx_size;                 /**< of each, TR_RX_SIZE but in tests  */
};

/* transport.c */
void tr_enter(struct transport *t);
void tr_leave(struct transport *t);
void tr_arm(struct transport *t);
void tr_tell(struct transport *t, const struct flow *f, int err);
/** Let the system note when what fd receives came; needs h.waited */
void tr_stamp(const struct transport *t, int fd);
/** Room for that */
union tr_ctl {
	struct cmsghdr align;
	char b[256];
};
/** Received with it at l, or in a stream of it: tell the user */
void tr_waited(const struct lst *l, struct msghdr *mh);

/* transport_udp.c */
struct udp_rx *udp_rx_alloc(void);
int  udp_open(struct lst *l, const struct addr *a);
void udp_close(struct lst *l);
void udp_queue(struct lst *l, const struct addr *to, struct blob *b);
void udp_flush(struct lst *l);

/* transport_accept.c */
int  tcp_open(struct lst *l, const struct addr *a);
void tcp_accept_again(struct lst *l);

/* transport_tcp.c */
/** A client has connected: read what he sends */
void tcp_accepted(struct conn *c);
struct conn *tcp_dial(struct lst *l, const struct addr *peer);
void tcp_flush(struct conn *c);
void tcp_timer(struct conn *c);
void tcp_queue(struct conn *c, struct blob *b);
void tcp_end(struct conn *c);

/* transport_conn.c */
struct conn *conn_new(struct lst *l, int fd, const struct addr *peer, bool out);
void conn_kill(struct conn *c, int err);
void conn_free(struct conn *c);
struct conn *conn_by_id(const struct transport *t, uint32_t id);
struct conn *conn_to(const struct lst *l, const struct addr *peer);
/** Its client is known: not closed for a newer one, nor counted for his address */
void conn_keep(struct conn *c);
void conn_alias(struct conn *c, const struct addr *a);
void conn_dirty(struct conn *c);
struct flow conn_flow(const struct conn *c);
/** [bytes] A smaller limit than the far end's would end connections that all
 *  its messages share */
static inline uint32_t max_msg(const struct lst *l)
{
	return l->core ? (uint32_t)SIP_MAX_MSG : l->t->cf.max_msg;
}
bool conn_ip_full(const struct transport *t, const struct addr *ip);

#endif
