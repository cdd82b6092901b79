/**
 * @file db_sock.h  Shell. The socket of a database connection: libzdb has no
 * time-out for a server that stopped answering and doesn't tell its socket, so
 * it is found by whom it is connected to, and cut.
 */
#ifndef DB_DB_SOCK_H
#define DB_DB_SOCK_H

#include "db/db_url.h"

/** Before connecting to a server: waits for others that do; db_sock_end() must
 *  follow */
void db_sock_begin(const struct db_url *u);
/** The socket that was opened since, -1 = not known */
int  db_sock_end(const struct db_url *u);
/** Before it is closed */
void db_sock_forget(int fd);

#endif
