/**
 * @file api_location.h  Shell. Contacts over HTTP, read only: of one address
 * of record, and all of them a page at a time.
 */
#ifndef NODE_API_LOCATION_H
#define NODE_API_LOCATION_H

struct http_srv;
struct node;

#define API_PAGE 100           /**< contacts of a page, unless asked         */
#define API_PAGE_MAX 1000      /**< most                                     */

/** Adds the routes; n is borrowed. @return 0 or ENOSPC */
int  api_location_routes(struct http_srv *s, struct node *n);

#endif
