/**
 * @file scan.h  Pure. Lazy scanner: one pass over the bytes of a message gives
 * offsets; nothing is copied, no tree is built, the bytes are never written.
 * RFC 3261 7, 25; robustness per RFC 4475 and 5118.
 */
#ifndef SIP_SCAN_H
#define SIP_SCAN_H

#include "base/sl.h"

enum sip_method {
	SIP_M_OTHER, SIP_INVITE, SIP_ACK, SIP_BYE, SIP_CANCEL, SIP_REGISTER,
	SIP_OPTIONS, SIP_PRACK, SIP_UPDATE, SIP_INFO, SIP_REFER, SIP_NOTIFY,
	SIP_SUBSCRIBE, SIP_MESSAGE, SIP_PUBLISH, SIP_M_N
};

/** Headers we look at; all others are SIP_H_OTHER and pass untouched */
enum sip_hid {
	SIP_H_OTHER, SIP_VIA, SIP_FROM, SIP_TO, SIP_CALL_ID, SIP_CSEQ,
	SIP_MAX_FORWARDS, SIP_ROUTE, SIP_RECORD_ROUTE, SIP_CONTACT, SIP_PATH,
	SIP_CONTENT_LENGTH, SIP_CONTENT_TYPE, SIP_EXPIRES, SIP_REQUIRE,
	SIP_PROXY_REQUIRE, SIP_SUPPORTED, SIP_AUTHORIZATION,
	SIP_PROXY_AUTHORIZATION, SIP_WWW_AUTHENTICATE, SIP_PROXY_AUTHENTICATE,
	SIP_USER_AGENT, SIP_SERVICE_ROUTE, SIP_RETRY_AFTER, SIP_REASON,
	SIP_RACK, SIP_RSEQ, SIP_REPLACES, SIP_REFER_TO, SIP_EVENT,
	SIP_P_ASSERTED_ID, SIP_WARNING, SIP_EDGEWISE_HEALTH, SIP_H_N
};

enum {
	SIP_MAX_MSG  = 65535,     /**< whole message [bytes]              */
	SIP_MAX_HEAD = 16384,     /**< start line and headers [bytes]     */
	SIP_MAX_HDRS = 200,
	SIP_MAX_VIAS = 70,
	SIP_MAX_LINE = 8192,      /**< one logical header [bytes]         */
};

struct sip_hdr {
	uint8_t id;               /**< enum sip_hid                        */
	uint16_t next;            /**< next header of the same id, 0 = none (index 0 is always first of its id) */
	uint32_t off;             /**< start of the name                   */
	uint32_t nlen;            /**< length of the name                  */
	uint32_t vs, ve;          /**< value, trimmed, folding still inside */
	uint32_t end;             /**< past the CRLF of the last line      */
};

/** One via-parm, see sip/hop.h */
struct via {
	struct sl tp;         /**< "UDP"                                         */
	struct sl sentby;     /**< host[:port]                                   */
	struct sl host;
	uint16_t port;        /**< 0 = none given                                */
	struct sl branch;     /**< unset = none (RFC 2543)                       */
	struct sl received;
	struct sl received_txt, rport_txt; /**< these parameters with their ';'  */
	bool rport;           /**< parameter there                               */
	bool rport_set;       /**< with a value                                  */
	bool alias;
	struct sl params;
};

/** A scanned message. Borrowed: valid while the scanned bytes live. */
struct sip_msg {
	struct sl raw;            /**< exactly this message (body included)  */
	bool req;
	bool bare_lf;             /**< had a line end without CR: refused for requests */
	enum sip_method meth;     /**< request method; of CSeq in a response */
	struct sl method;         /**< text, request or CSeq                 */
	struct sl ruri;           /**< request only                          */
	uint16_t status;          /**< response only                         */
	struct sl reason;
	struct via top;               /**< top via-parm; .tp.n 0 = none, or bad */
	struct sl callid;
	uint32_t cseq;
	struct sl from, to;           /**< header values                     */
	struct sl from_tag, to_tag;   /**< !sl_isset() = no tag              */
	int32_t maxfwd;               /**< -1 = header absent                */
	struct sl body;
	uint32_t body_off;            /**< past the empty line               */
	uint32_t hdrs_off;            /**< first header                      */
	uint16_t hdrc;
	uint8_t first[SIP_H_N];       /**< index + 1 of the first, 0 = none  */
	uint8_t count[SIP_H_N];
	struct sip_hdr hdr[SIP_MAX_HDRS];   /**< [0..hdrc), not cleared     */
};

/** Why a message is refused; 0 = fine */
struct sip_fault {
	uint16_t code;       /**< 400, 413, 416, 420, 483, 505, 513; 0 = none    */
	const char *why;     /**< short literal, goes to the reason phrase and log */
	bool answerable;     /**< Via, From, To, Call-ID, CSeq usable for an answer */
};

/**
 * Scan one message. `datagram`: bytes after Content-Length are cut off, a
 * shorter body is a fault; without it Content-Length must be right already
 * (the framer's work).
 *
 * Does syntax and the rules that make a message unusable for everybody
 * (double single-headers, CSeq mismatch, number ranges, start line form, name-addr
 * syntax of From/To/Contact/Route..., Via syntax). Policy (416, 420, 483, limits by
 * configuration) is the caller's.
 *
 * @return 0 = fine; EBADMSG = refuse, see *fault; ENODATA = only line ends
 *         (keep-alive). On EBADMSG with fault->answerable the fields needed by
 *         reply_write() are set.
 */
int sip_scan(struct sip_msg *m, const void *p, size_t n, bool datagram,
	     struct sip_fault *fault);

/** First header with this id, NULL = none */
static inline const struct sip_hdr *sip_hdr(const struct sip_msg *m,
					    enum sip_hid id)
{
	return m->first[id] ? &m->hdr[m->first[id] - 1] : NULL;
}

static inline const struct sip_hdr *sip_hdr_next(const struct sip_msg *m,
						 const struct sip_hdr *h)
{
	return h->next ? &m->hdr[h->next] : NULL;
}

/** First header by name among SIP_H_OTHER (case-insensitive) */
const struct sip_hdr *sip_hdr_name(const struct sip_msg *m, struct sl name);
/** Value of h; empty but set when the header is empty */
static inline struct sl sip_val(const struct sip_msg *m,
				const struct sip_hdr *h)
{
	return sl_mk(m->raw.p + h->vs, h->ve - h->vs);
}

/** Value of the first header with this id; SL_NONE = no such header */
static inline struct sl sip_first(const struct sip_msg *m, enum sip_hid id)
{
	const struct sip_hdr *h = sip_hdr(m, id);

	return h ? sip_val(m, h) : SL_NONE;
}

/**
 * Iterate the comma-separated elements over all headers of one id, in order,
 * with quotes and <> respected.
 *
 *     struct sip_iter it = { 0 };
 *     while (sip_iter(m, SIP_CONTACT, &it))
 *             use(it.val);
 */
struct sip_iter {
	const struct sip_hdr *h;   /**< header that holds val               */
	uint32_t pos;              /**< internal                            */
	struct sl val;             /**< element, trimmed                    */
	bool done;
};
bool sip_iter(const struct sip_msg *m, enum sip_hid id, struct sip_iter *it);
/** The same over one header value (or any comma-separated text) */
bool sl_elem(struct sl *rest, struct sl *elem);

/** True when a token list header (Require, Supported...) has this token */
bool sip_has_token(const struct sip_msg *m, enum sip_hid id, struct sl token);

enum sip_method sip_method(struct sl name);      /**< case-sensitive */
const char *sip_method_name(enum sip_method m);
/** Standard phrase of a status code */
const char *sip_phrase(uint16_t code);

#endif
