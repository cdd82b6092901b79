/**
 * @file api_import.h  Shell. Contacts of another registrar taken over, by an
 * action.
 */
#ifndef NODE_API_IMPORT_H
#define NODE_API_IMPORT_H

#include "web/action.h"

struct node;

/** @return 0 or ENOSPC; n is borrowed */
int  api_import_routes(struct actions *a, struct node *n);

#endif
