/**
 * @file users.h  Pure. Credential table, parsed from the bytes of the users
 * file: one `user@domain:MD5-HA1[:SHA256-HA1]` a line, `#` comments.
 */
#ifndef NODE_USERS_H
#define NODE_USERS_H

#include "base/buf.h"
#include "sip/auth.h"

enum { USERS_MAX = 2000000, USERS_FILE_MAX = 256 << 20 };

struct users;

/** Borrowed from the table */
struct user {
	struct sl aor;                /**< user@domain, domain in lower case  */
	struct sl ha1[AUTH_ALG_N];    /**< lower-case hex; unset = none       */
};

struct users_err {
	uint32_t line;                /**< 1.. , 0 = whole file               */
	const char *why;              /**< literal                            */
};

/**
 * @param key  secret of the hash table (names come from the wire)
 * @return 0, EBADMSG (see *e; the first error), ENOSPC (too many), ENOMEM
 */
int  users_parse(struct users **up, struct sl text, const uint8_t key[32],
		 struct users_err *e);
void users_free(struct users *u);
/** user@domain in canonical form; NULL = unknown; a NULL table is empty */
const struct user *users_find(const struct users *u, struct sl aor);
uint32_t users_count(const struct users *u);
/** Equal tables have equal digests, whatever their order and comments */
uint64_t users_digest(const struct users *u);

#endif
