/**
 * @file db_text.h  Pure. Text as a database takes it: UTF-8 without NUL.
 */
#ifndef DB_DB_TEXT_H
#define DB_DB_TEXT_H

#include "base/buf.h"

/** Length of the valid character at the start of s, 0 = there is none */
unsigned db_text_char(struct sl s);
bool db_text_ok(struct sl s);
/** Copy for people: what is no character becomes `?`, control characters too; cut
 *  behind whole characters to `max` bytes, the room of out */
struct sl db_text_shown(char *out, size_t max, struct sl s);
/** One element of an array of PostgreSQL, `{"a","b"}`: the quotes and what is inside.
 *  s is valid text */
void db_text_element(struct buf *b, struct sl s);

#endif
