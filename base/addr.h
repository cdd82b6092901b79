/**
 * @file addr.h  Pure. IP address and port without libc's sockaddr.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/buf.h"

struct addr {
	uint8_t af;        /**< 4, 6 or 0 = unset                         */
	uint16_t port;     /**< host order                                */
	uint8_t ip[16];    /**< network order; first 4 bytes for IPv4; unused = 0 */
};

/** Prefix of addresses; port ignored */
struct addr_net {
	struct addr net;
	uint8_t bits;
};

/** "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; port is left alone.
 *  @return 0 or EBADMSG */
int addr_parse_ip(struct addr *a, struct sl s);
/** "192.0.2.1:5060", "[2001:db8::1]:5060"; without a port `defport` */
int addr_parse(struct addr *a, struct sl s, uint16_t defport);
/** "10.0.0.0/8", "10.0.0.1", "2001:db8::/32" */
int addr_net_parse(struct addr_net *net, struct sl s);
bool addr_in_net(const struct addr *a, const struct addr_net *net);
/** The IP alone */
static inline bool addr_ip_eq(const struct addr *a, const struct addr *b)
{
	return a->af == b->af && (a->af == 4 ? !memcmp(a->ip, b->ip, 4) :
					       !memcmp(a->ip, b->ip, 16));
}

/** IP and port */
static inline bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_ip_eq(a, b);
}

uint64_t addr_hash(const struct addr *a);
bool addr_is_any(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
/** RFC 1918, loopback, link-local, ULA, CGNAT, unspecified */
bool addr_is_private(const struct addr *a);
/** Writes the IP; IPv6 in brackets as in SIP */
void addr_put_ip(struct buf *b, const struct addr *a);
/** Writes ip:port */
void addr_put(struct buf *b, const struct addr *a);
/** ip:port into a static-size text, for logs: char txt[ADDR_TXT] */
#define ADDR_TXT 56
const char *addr_txt(const struct addr *a, char *txt);

#endif
