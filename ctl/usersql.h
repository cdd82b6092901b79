/**
 * @file usersql.h  Shell. `edgewise user` over the `subscriber` table of an SQL
 * database.
 */
#ifndef CTL_USERSQL_H
#define CTL_USERSQL_H

#include "ctl/dbopen.h"
#include "ctl/passwd.h"

/** @param aor  user@domain as passwd_aor() makes it; pw: not to remove
 *  @return exit status; what is wrong is said */
int usersql_edit(struct dbopen *o, enum passwd_op op, struct sl aor,
		 struct sl pw);
int usersql_list(struct dbopen *o);

#endif
