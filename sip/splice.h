/**
 * @file splice.h  Pure. A message changed by a list of cuts on its original
 * bytes; everything not cut goes through byte-exact.
 */
#ifndef SIP_SPLICE_H
#define SIP_SPLICE_H

#include "sip/scan.h"
#include "base/blobs.h"

enum { SPLICE_MAX = 160 };

struct splice_cut {
	uint32_t from, to;     /**< bytes [from, to) of the original are left out */
	struct sl ins;         /**< and this stands there instead; borrowed      */
	uint16_t seq;          /**< order of equal positions = order of calls    */
};

struct splice {
	const struct sip_msg *m;
	struct splice_cut cut[SPLICE_MAX];
	uint16_t n;
	int err;               /**< ENOSPC: too many cuts; EINVAL: overlap; sticky */
};

void splice_init(struct splice *s, const struct sip_msg *m);
/** Replace [from, to) by ins (empty: delete; from == to: insert) */
void splice_cut(struct splice *s, uint32_t from, uint32_t to, struct sl ins);
/** Delete a whole header (name to CRLF) */
void splice_del(struct splice *s, const struct sip_hdr *h);
/** Delete all headers of an id */
void splice_del_all(struct splice *s, enum sip_hid id);
/** Insert complete header lines ("Name: value\r\n") at the top / before h / at the end of the headers */
void splice_top(struct splice *s, struct sl lines);
void splice_before(struct splice *s, const struct sip_hdr *h, struct sl lines);
void splice_end(struct splice *s, struct sl lines);
/** Replace the value of a header */
void splice_val(struct splice *s, const struct sip_hdr *h, struct sl val);
/** Replace the Request-URI */
void splice_ruri(struct splice *s, struct sl uri);
/** Write the result. @return 0 or s->err or out->err */
int splice_write(struct splice *s, struct buf *out);
/** The result as a blob of bs, at most max bytes. NULL: s->err, too long or no
 *  memory */
struct blob *splice_blob(struct splice *s, struct blobs *bs, size_t max);

#endif
