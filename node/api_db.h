/**
 * @file api_db.h  Shell. The database of contacts over HTTP: its state, and the
 * proof on demand that it holds what memory holds.
 */
#ifndef NODE_API_DB_H
#define NODE_API_DB_H

#include "web/action.h"

struct api_db;
struct node;

/** GET and POST /api/v1/db/verify. n is borrowed */
int  api_db_alloc(struct api_db **ap, struct http_srv *s, struct actions *act,
		  struct node *n);
/** After the server is freed */
void api_db_free(struct api_db *a);
/** The `sql` of the status, NULL = no database */
json_t *api_db_json(const struct node *n);
/** @return false = there is nothing to warn of */
bool api_db_warning(const struct node *n, char *txt, size_t size);

#endif
