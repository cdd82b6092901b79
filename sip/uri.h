/**
 * @file uri.h  Pure. URI, name-addr and their comparison. RFC 3261 19.1, 20.10.
 */
#ifndef SIP_URI_H
#define SIP_URI_H

#include "base/addr.h"
#include "base/buf.h"

enum uri_scheme { URI_SIP, URI_SIPS, URI_TEL, URI_OTHER };

struct uri {
	enum uri_scheme scheme;
	struct sl scheme_txt;
	struct sl user;       /**< raw (escaped); !sl_isset = no user          */
	struct sl pass;
	struct sl host;       /**< IPv6 with its brackets                      */
	uint16_t port;        /**< 0 = not given                               */
	struct sl params;     /**< after the first ';', without it             */
	struct sl headers;    /**< after '?', without it                       */
};

/** name-addr or addr-spec with header parameters */
struct name_addr {
	struct sl display;    /**< raw, quotes included                        */
	struct sl uri;        /**< addr-spec                                   */
	struct sl params;     /**< header parameters, after the first ';'      */
	bool brackets;
};

/** @return 0 or EBADMSG. URI_OTHER and tel: only scheme_txt (and user for tel) set */
int uri_parse(struct uri *u, struct sl s);
/** Element of From, To, Contact, Route..., with a URI that uri_parse() takes.
 *  @return 0 or EBADMSG */
int name_addr_parse(struct name_addr *na, struct sl s);

/** Parameter by name (case-insensitive) in ";a=b;c" or "a=b;c". True when
 *  there; *val unset when it has no value. Quoted values keep their quotes. */
bool param_get(struct sl params, struct sl name, struct sl *val);
/** Iterate parameters */
bool param_next(struct sl *rest, struct sl *name, struct sl *val);

/** RFC 3261 19.1.4 (escapes, default rules, parameters, headers) */
bool uri_equal(struct sl a, struct sl b);

/** Numeric host (and port, 0 when none given) of a URI; ENOENT: host is a name */
int uri_addr(const struct uri *u, struct addr *a);
/** transport= parameter: TP_* of sip/flow.h; TP_NONE when absent, -1 unknown */
int uri_transport(const struct uri *u);

/**
 * Canonical AoR, RFC 3261 10.3 step 5: "user@host" with escapes of unreserved
 * characters removed, others in upper-case hex, user case kept, host
 * lower-case, port and parameters dropped, default password dropped. sips: and
 * sip: give the same AoR.
 *
 * @return 0, EBADMSG (not sip/sips), ENOSPC (above SIP_AOR_MAX)
 */
#define SIP_AOR_MAX 512
int aor_canon(struct buf *out, struct sl uri);

/**
 * Canonical form of a contact URI used as binding key (URI equality of RFC
 * 3261 is not transitive, so it cannot be one). Sorted parameters, lower-case
 * host and parameter names, explicit nothing else. Part of the cluster
 * protocol: changing it is a protocol change.
 */
#define SIP_CONTACT_CANON_MAX 2048
int contact_canon(struct buf *out, struct sl uri);

#endif
