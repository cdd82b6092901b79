/**
 * @file passwd.h  Pure. Text of a users file: one
 * `user@domain:MD5-HA1[:SHA256-HA1]` a line, `#` comments.
 */
#ifndef CTL_PASSWD_H
#define CTL_PASSWD_H

#include "base/buf.h"

enum passwd_op { PASSWD_ADD, PASSWD_SET, PASSWD_DEL };

#define PASSWD_AOR 320    /**< longest user@domain [bytes] */

/**
 * user@domain in the form the file has it (domain in lower case, a leading
 * "sip:" removed).
 *
 * @param out  PASSWD_AOR + 1 bytes
 * @return NULL, or what is wrong
 */
const char *passwd_aor(char *out, struct sl in);
/** The user's line, without line end */
void passwd_line(struct buf *b, struct sl aor, struct sl password);
/**
 * The file with one user added, changed or removed; all else stays byte by
 * byte.
 *
 * @param line  of passwd_line(); not used to remove
 * @return 0; EEXIST (add), ENOENT (change, remove)
 */
int  passwd_edit(struct buf *out, struct sl text, enum passwd_op op,
		 struct sl aor, struct sl line);
/** One line a user: name and algorithms. @return number of users */
unsigned passwd_list(struct buf *out, struct sl text);

#endif
