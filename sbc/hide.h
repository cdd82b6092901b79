/**
 * @file hide.h  Pure. What one side may see of the other: cuts on a message on
 * its way to a client or to a node. Counts what it takes away.
 */
#ifndef SBC_HIDE_H
#define SBC_HIDE_H

#include "sbc/route.h"
#include "sip/splice.h"

enum { HIDE_INSIDE = 80 };

struct hide_conf {
	bool core;              /**< hide = core: nothing of the inside       */
	char inside[HIDE_INSIDE][48];   /**< IP texts of nodes and of our core
					     side                             */
	uint32_t insidec;
	const struct route_conf *rc;    /**< borrowed                         */
};

struct hide_stats {
	uint64_t rr_removed;       /**< Record-Route entries of the inside    */
	uint64_t injected;         /**< headers clients must not send         */
	uint64_t inside_removed;   /**< Server, Warning with inside addresses */
};

void hide_inside_add(struct hide_conf *hc, const struct addr *a);
/** Does the text hold an inside address? */
bool hide_has_inside(const struct hide_conf *hc, struct sl txt);

/** A request from a client to a node: headers that only the inside may set */
void hide_from_client(struct splice *s, const struct sip_msg *m,
		      struct hide_stats *st);
/** The same from a trusted peer: who calls, it may assert (RFC 3325) */
void hide_from_peer(struct splice *s, const struct sip_msg *m,
		    struct hide_stats *st);
/** A request to a client; without its Vias and Routes, which the builder
 *  replaces */
void hide_request(struct splice *s, const struct sip_msg *m,
		  const struct hide_conf *hc, struct hide_stats *st);
/** A response to a client */
void hide_response(struct splice *s, const struct sip_msg *m,
		   const struct hide_conf *hc, struct hide_stats *st);

#endif
