/**
 * @file dbopen.h  Shell. The database a command works on: named on the command line,
 * or by a node's settings file. Says on stderr what is wrong.
 */
#ifndef CTL_DBOPEN_H
#define CTL_DBOPEN_H

#include "db/db.h"

struct dbopen {
	const char *url;            /**< -d, EDGEWISE_DB; NULL = of the file   */
	const char *password_file;  /**< -p; NULL = of the file                */
	const char *config;         /**< -c; NULL = the installed node.conf    */
	bool users;                 /**< of the file users_db_url goes first   */
	bool create;                /**< make SQLite's file                    */
	struct db_conf conf;        /**< what came of it                       */
};

/* For getopt_long() and usage texts */
#define DBOPEN_OPTS "d:p:c:"
#define DBOPEN_LONG \
	{ "db", required_argument, NULL, 'd' }, \
	{ "password-file", required_argument, NULL, 'p' }, \
	{ "config", required_argument, NULL, 'c' }
#define DBOPEN_USAGE \
	"  -d, --db URL       sqlite:///PATH, postgresql://USER@HOST/DB, " \
	"mysql://USER@HOST/DB;\n" \
	"                     else EDGEWISE_DB, else db_url of the settings\n" \
	"  -p, --password-file FILE\n" \
	"                     its first line is the database's password\n" \
	"  -c, --config FILE  a node's settings, default " \
	SYSCONFDIR "/edgewise/node.conf\n"

/** @return true: it was one of ours */
bool dbopen_option(struct dbopen *o, int c, const char *arg);
/** Fill conf. @return 0 or errno, said */
int  dbopen_conf(struct dbopen *o);
/** dbopen_conf() and connect. @return 0, or EIO, ...; said */
int  dbopen_connect(struct dbopen *o, struct db **dbp);
/** "edgewise: URL: WHAT: why" with the URL as it may be shown */
void dbopen_say(const struct dbopen *o, const char *why);
/** The URL as it may be shown: a static buffer */
const char *dbopen_shown(const struct dbopen *o);

#endif
