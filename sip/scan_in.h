/**
 * @file scan_in.h  Pure. Shared by the scan_*.c files and glance.c only.
 */
#ifndef SIP_SCAN_IN_H
#define SIP_SCAN_IN_H

#include "sip/scan.h"

/** A scan under way */
struct scan {
	struct sip_msg *m;
	struct sip_fault *f;
	const char *b;           /**< first byte of the message               */
	const char *lim;         /**< past the last byte that may be read     */
	bool quick;              /**< take short cuts                         */
	const char *stop;        /**< short cuts of scan_quick.h before this
				      only: a CR, enough bytes behind it; NULL =
				      never                                   */
	bool has_len;            /**< Content-Length was there                */
	uint32_t len;            /**< its value                               */
	uint32_t vias;           /**< via-parms seen                          */
	uint8_t last[SIP_H_N];   /**< index of the last header of an id       */
};

/** sip_scan(); quick false: by the full grammar only (tests compare both) */
int scan_msg(struct sip_msg *m, const void *p, size_t n, bool datagram,
	     bool quick, struct sip_fault *fault);

/** The first fault found is the one that is told */
void scan_fault(struct scan *s, uint16_t code, const char *why);
/** A header: its name [p, name_end), value [v, ve), past its CRLF */
void scan_add(struct scan *s, uint8_t id, const char *p, const char *name_end,
	      const char *v, const char *ve, const char *end);

/** The start line, when it is one of the usual spelling and s->stop is behind
 *  it: past its CRLF; NULL = look closer, nothing was set */
const char *scan_quick_start(struct scan *s);
/** Headers from p on, as long as they are of the usual spelling and before
 *  s->stop; so a CR is ahead, with enough bytes behind it, and none is longer than
 *  SIP_MAX_LINE. @return where it ended: s->stop or behind it, or at another */
const char *scan_quick_hdrs(struct scan *s, const char *p);
/** "Content-Length: 0" and the empty line: at it; p = it is not that */
const char *scan_quick_last(struct scan *s, const char *p, const char *e);

/** enum sip_hid of a header name in any case, full or compact */
uint8_t scan_hdr_id(const char *p, size_t n);

/** Syntax of one header; fills the fields of the message. [p, e) = its value.
 *  @return NULL = fine, or why it is refused */
typedef const char *(scan_hdr_h)(struct scan *s, const char *p, const char *e);
/** By header id; NULL: nothing is known of it */
extern scan_hdr_h *const scan_hdr[SIP_H_N];

struct via;
/** One via-parm; ends at e or ','. lim >= e may be read. NULL = bad */
const char *via_scan(struct via *v, const char *p, const char *e,
		     const char *lim);
/** Cut the first element off a comma list; quotes and <> respected. *elem is
 *  trimmed and may be empty. @return false = nothing left */
bool scan_elem(struct sl *rest, struct sl *elem);

#endif
