/**
 * @file api.h  Shell. Status and readiness of a node over HTTP.
 */
#ifndef NODE_API_H
#define NODE_API_H

struct api;
struct node;

/** @return 0, or errno of the socket or the token; n is borrowed */
int  api_alloc(struct api **ap, struct node *n);
void api_free(struct api *a);
/** Files of the management pages again (SIGHUP) */
void api_reload(struct api *a);

#endif
