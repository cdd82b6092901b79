/**
 * @file uri_in.h  Pure. Scanning of URIs and name-addrs inside a longer text:
 * the caller learns where they end. For uri.c, via.c and scan_*.c only.
 * Everywhere `e` ends the text and `lim` >= e what may be read.
 */
#ifndef SIP_URI_IN_H
#define SIP_URI_IN_H

#include "sip/uri.h"

/** URI at p, as long as its syntax goes. @return its end, NULL = bad */
const char *uri_scan(struct uri *u, const char *p, const char *e,
		     const char *lim);
/** host [":" port] of a URI or sent-by. @return its end, NULL = bad */
const char *uri_host_scan(struct sl *host, uint16_t *port, const char *p,
			  const char *e, const char *lim);
/**
 * name-addr or addr-spec with parameters and the blanks around it; ends at e
 * or at a ','. `tag`, when not NULL, gets the value of the tag parameter, of
 * which one at most may be there, with a token.
 * @return its end, NULL = bad
 */
const char *name_addr_scan(struct name_addr *na, struct uri *u, struct sl *tag,
			   const char *p, const char *e, const char *lim);

#endif
