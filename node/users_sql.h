/**
 * @file users_sql.h  Shell. Looks users up in an SQL database for the core,
 * in threads of a worker.
 */
#ifndef NODE_USERS_SQL_H
#define NODE_USERS_SQL_H

#include "base/cfg.h"

struct node;
struct node_config;
struct users_sql;

/** *up = NULL when users are in a file. Connects later, by itself.
 *  @return 0 or errno */
int  users_sql_alloc(struct users_sql **up, struct node *n);
/** Before the core is freed */
void users_sql_free(struct users_sql *u);
/** Give what the core wants to know to the worker; often. NULL allowed */
void users_sql_pump(struct users_sql *u);

#endif
