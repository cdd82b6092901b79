/**
 * @file transport_fx.h  A transport on real loopback sockets, port 0, and the
 * loop run until a condition holds or 5 s have passed.
 */
#ifndef TEST_TRANSPORT_FX_H
#define TEST_TRANSPORT_FX_H

#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/net.h"
#include "sip/transport_i.h"

struct tfx {
	struct transport *t;
	struct stats *st;
	struct transport_conf cf;
	uint16_t udp, tcp;          /* listeners on 127.0.0.1 */
	struct addr udp_at, tcp_at;
	/* what was told */
	unsigned recvs, losts, waits;
	uint16_t waited_lst;
	uint32_t waited;            /* [us] the last */
	enum frame_verdict verdict;
	struct flow from, lost;
	int err;
	struct buf got;             /* all messages together */
	void (*on_recv)(const struct flow *f, struct sl msg);
};
extern struct tfx y;

#define MSG "OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"

void tfx_init(void);            /* conf, loop */
void tfx_start(void);           /* transport, both listeners */
void tfx_close(void);
/** Run the loop until cond() or 5 s have passed. @return cond() */
bool tfx_until(bool (*cond)(void));
/** What a read brings that came to lst so long ago [us] */
void tfx_stamped(uint16_t lst, int64_t us);
/** Send MSG until one is said to have waited */
void tfx_until_stamped(int fd, const struct addr *to);
void tfx_for(uint64_t ms);
void tfx_send(const struct flow *f, const char *txt);
void tfx_do(enum sip_out_kind k, const struct flow *f, const struct addr *a);
struct flow tfx_to(uint16_t lst, uint8_t tp, const struct addr *peer);
uint64_t tfx_drop(enum tr_drop d);

/* the other end: plain sockets */
int  peer_udp(struct addr *at);
int  peer_listen(struct addr *at, int backlog);
int  peer_connect(const struct addr *to);
int  peer_accept(int lfd);      /* runs the loop meanwhile */
void peer_send(int fd, const void *p, size_t n, const struct addr *to);
/** Read until n bytes or the end are there, running the loop. @return bytes */
size_t peer_read(int fd, char *p, size_t n);
void peer_reset(int fd);        /* close with RST */

#endif
