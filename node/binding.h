/**
 * @file binding.h  Pure. One contact binding: taken from a REGISTER, and as
 * the opaque value the store keeps. RFC 3261 10, 3327, 5626.
 */
#ifndef NODE_BINDING_H
#define NODE_BINDING_H

#include "base/cur.h"
#include "cluster/record.h"
#include "sip/scan.h"
#include "sip/uri.h"

enum {
	BINDING_Q_MAX = 1000,         /**< q in thousandths                   */
	BINDING_VALUE_MAX = REC_VALUE_MAX,    /**< encoded value [bytes]      */
	BINDING_KEY_MAX = REC_KEY_MAX,        /**< binding key [bytes]        */
	BINDING_TEXT_MAX = 512,       /**< instance, Call-ID, agent [bytes]   */
};

/** All slices are borrowed: from the message, or from the decoded value */
struct binding {
	struct sl uri;          /**< contact addr-spec as the client wrote it  */
	struct sl path;         /**< Path elements, comma-separated; may be empty */
	struct sl callid;
	struct sl agent;        /**< User-Agent; may be unset                  */
	struct sl instance;     /**< +sip.instance inside its quotes; or unset */
	struct sl methods;      /**< methods parameter as written; or unset    */
	struct sl received;     /**< client's address as the edge saw it       */
	uint32_t reg_id;        /**< 0 = none                                  */
	uint32_t cseq;
	uint16_t q;             /**< 0..BINDING_Q_MAX                          */
	bool nat;               /**< its Via named another host than it came
				     from                              */
	bool has_expires;       /**< Contact has a usable expires parameter    */
	uint32_t wish;          /**< that parameter [s]                        */
	uint64_t expires;       /**< wall clock [ms]                           */
};

/**
 * Read one Contact element. Only what stands in the element is set.
 *
 * @param why  literal for the reason phrase
 * @return 0, or EBADMSG (answer 400)
 */
int  binding_parse(struct binding *b, struct sl contact, const char **why);

/** Join all Path elements of m with commas, in order */
void binding_path(struct buf *out, const struct sip_msg *m);

/** True when the first hop, the last Path element, supports RFC 5626 (;ob) */
bool binding_ob(struct sl path);

/** True when the key is instance and reg-id, not the URI */
bool binding_outbound(const struct binding *b);

/**
 * What makes two contacts the same binding: instance and reg-id behind an
 * outbound edge, the canonical URI otherwise. Part of the cluster protocol.
 *
 * @return 0, EBADMSG (not a SIP URI), ENOSPC (above BINDING_KEY_MAX)
 */
int  binding_key(struct buf *out, const struct binding *b);

/** Same registration wish: decides whether an equal CSeq is a retransmission.
 *  Path is left out: an edge draws a new token when it sends again. */
bool binding_same(const struct binding *a, const struct binding *b);

/** @return 0 or ENOSPC, ENOMEM (of out) */
int  binding_encode(struct buf *out, const struct binding *b);
/** Slices point into value. @return 0 or EBADMSG */
int  binding_decode(struct binding *b, struct sl value);

/** One element of the Contact list in a 200, with `left` seconds to live */
void binding_put(struct buf *out, const struct binding *b, uint32_t left);

#endif
