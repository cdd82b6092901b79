/**
 * @file sqlconf.h  Shell. Databases in a node's settings: which one is for
 * what, and whether this program can use it.
 */
#ifndef NODE_SQLCONF_H
#define NODE_SQLCONF_H

#include "node/config.h"

/** @return 0 or EBADMSG (texts in errs) */
int  sqlconf_check(const struct node_config *cf, const char *file,
		   struct cfg_errs *errs);
/** Where users are when users = "sql": users_db_url, else db_url; "" = nowhere */
const char *sqlconf_users_url(const struct node_config *cf);
/** The file with the password for it; "" = none */
const char *sqlconf_users_password(const struct node_config *cf);

#endif
