/**
 * @file get.h  Shell. Ask the management HTTP of a program.
 */
#ifndef CTL_GET_H
#define CTL_GET_H

#include "base/buf.h"

#define GET_MAX (16u << 20)    /**< longest answer taken [bytes]             */

/**
 * GET base + path; what went wrong is printed. An answer other than 200 is
 * printed with its body when that is short.
 *
 * @param base     "http://127.0.0.1:8061" or "127.0.0.1:8061"
 * @param timeout  [s]
 * @return 0 or EIO, ENOMEM
 */
int  get_url(struct buf *b, const char *base, const char *path, long timeout);
/** The same with the token of the program; NULL = without */
int  get_secret(struct buf *b, const char *base, const char *path,
		long timeout, const char *token);
/** Does anybody answer there, whatever it says? Nothing is printed */
bool get_alive(const char *base, long timeout);

/** After curl's error: nobody there is said with what to do */
void get_say_away(const char *url, const char *why, bool refused);

#endif
