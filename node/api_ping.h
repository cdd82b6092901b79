/**
 * @file api_ping.h  Shell. Pings over HTTP: of the node, and of one contact.
 */
#ifndef NODE_API_PING_H
#define NODE_API_PING_H

#include "node/location.h"
#include <jansson.h>

struct node;

/** `ping` of the status; a new object, null = no contact is ours to ask */
json_t *api_ping_status(const struct node *n);
/** `ping` of a contact; a new object, NULL = it is not pinged */
json_t *api_ping_contact(const struct node *n, struct sl aor,
			 const struct loc_contact *c);

#endif
