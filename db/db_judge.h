/**
 * @file db_judge.h  Pure. What kind of error the message of a database tells:
 * libzdb gives no codes.
 */
#ifndef DB_DB_JUDGE_H
#define DB_DB_JUDGE_H

#include "db/db.h"

/** DB_OTHER = not known, as with a server that speaks another language */
enum db_err db_judge(enum db_kind kind, const char *text);

#endif
