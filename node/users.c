/**
 * @file users.c  Pure. Credential table: open addressing over one copy of
 * the file.
 */
#include "node/users.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>

struct users {
	char *text;              /**< copy of the file, folded in place      */
	struct user *v;
	uint32_t n, cap;
	uint32_t *slot;          /**< index + 1 into v, 0 = free             */
	uint32_t mask;
	uint64_t digest;
	uint8_t key[SECRET_KEY];
};

static const uint8_t digest_key[SECRET_KEY] = "edgewise users digest";

static uint32_t slot_of(const struct users *u, struct sl aor)
{
	return (uint32_t)secret_hash(u->key, aor.p, aor.n) & u->mask;
}

static uint32_t find(const struct users *u, struct sl aor)
{
	uint32_t i = slot_of(u, aor);

	while (u->slot[i] && !sl_eq(u->v[u->slot[i] - 1].aor, aor))
		i = (i + 1) & u->mask;
	return i;
}

/* Lower-case letters in our own copy. @return false: not n hex digits */
static bool fold_hex(char *p, size_t have, size_t n)
{
	if (have != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] >= 'A' && p[i] <= 'F')
			p[i] = (char)(p[i] + 'a' - 'A');
		if (!((p[i] >= '0' && p[i] <= '9')
		      || (p[i] >= 'a' && p[i] <= 'f')))
			return false;
	}
	return true;
}

static const char *parse_aor(struct user *us, char *line, size_t n)
{
	struct sl s = sl_mk(line, n);
	size_t at = sl_chr(s, '@');

	if (at == 0 || at + 1 >= n)
		return "not user@domain";
	for (size_t i = 0; i < n; i++) {
		if ((uint8_t)line[i] <= ' ' || line[i] == 0x7f)
			return "blank or control character in the name";
		if (i > at && line[i] == '@')
			return "two @ in the name";
	}
	for (size_t i = at + 1; i < n; i++) {
		if (line[i] >= 'A' && line[i] <= 'Z')
			line[i] = (char)(line[i] + 'a' - 'A');
	}
	us->aor = s;
	return NULL;
}

static const char *parse_line(struct user *us, char *line, size_t n)
{
	struct sl s = sl_mk(line, n);
	size_t name = sl_chr(s, ':');
	size_t md5, sha;
	const char *why;

	if (name == n)
		return "no ':' and HA1 after the name";
	why = parse_aor(us, line, name);
	if (why)
		return why;
	line += name + 1;
	n -= name + 1;
	md5 = sl_chr(sl_mk(line, n), ':');
	if (!fold_hex(line, md5, 32))
		return "the MD5 HA1 is not 32 hex digits";
	us->ha1[AUTH_MD5] = sl_mk(line, md5);
	if (md5 == n)
		return NULL;
	line += md5 + 1;
	sha = n - md5 - 1;
	if (!fold_hex(line, sha, 64))
		return "the SHA-256 HA1 is not 64 hex digits";
	us->ha1[AUTH_SHA256] = sl_mk(line, sha);
	return NULL;
}

/* Order-free: the sum of the hashes of all lines */
static void add_digest(struct users *u, const struct user *us)
{
	size_t n = us->aor.n + 1 + us->ha1[AUTH_MD5].n;

	if (us->ha1[AUTH_SHA256].n)
		n += 1 + us->ha1[AUTH_SHA256].n;
	u->digest += secret_hash(digest_key, us->aor.p, n);
}

static int add(struct users *u, char *line, size_t n, struct users_err *e)
{
	struct user us = { 0 };
	uint32_t i;

	e->why = parse_line(&us, line, n);
	if (e->why)
		return EBADMSG;
	i = find(u, us.aor);
	if (u->slot[i]) {
		e->why = "this user is there twice";
		return EBADMSG;
	}
	u->v[u->n++] = us;
	u->slot[i] = u->n;
	add_digest(u, &us);
	return 0;
}

static bool take_line(struct sl *rest, struct sl *line)
{
	size_t nl;

	if (!rest->n)
		return false;
	nl = sl_chr(*rest, '\n');
	*line = sl_trim(sl_sub(*rest, 0, nl));
	*rest = sl_sub(*rest, nl + 1, rest->n);
	return true;
}

static bool is_user(struct sl line)
{
	return line.n && line.p[0] != '#';
}

static int size_tables(struct users *u, struct sl text)
{
	struct sl line;
	uint32_t n = 0, size = 16;

	while (take_line(&text, &line))
		n += is_user(line);
	if (n > USERS_MAX)
		return ENOSPC;
	while (size < n * 2)
		size *= 2;
	u->cap = n;
	u->mask = size - 1;
	u->v = calloc(n + 1, sizeof(*u->v));
	u->slot = calloc(size, sizeof(*u->slot));
	return u->v && u->slot ? 0 : ENOMEM;
}

int users_parse(struct users **up, struct sl text, const uint8_t key[32],
		struct users_err *e)
{
	struct users *u;
	struct sl rest, line;
	int err;

	*e = (struct users_err){ 0 };
	u = calloc(1, sizeof(*u));
	if (!u)
		return ENOMEM;
	memcpy(u->key, key, SECRET_KEY);
	err = ENOMEM;
	u->text = malloc(text.n + 1);
	if (!u->text)
		goto out;
	if (text.n)
		memcpy(u->text, text.p, text.n);
	rest = sl_mk(u->text, text.n);
	err = size_tables(u, rest);
	if (err == ENOSPC)
		e->why = "too many users";
	while (!err && take_line(&rest, &line)) {
		e->line++;
		if (is_user(line))
			err = add(u, u->text + (line.p - u->text), line.n, e);
	}
 out:
	if (err) {
		users_free(u);
		return err;
	}
	*up = u;
	return 0;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	free(u->slot);
	free(u->v);
	free(u->text);
	free(u);
}

const struct user *users_find(const struct users *u, struct sl aor)
{
	uint32_t i;

	if (!u)
		return NULL;
	i = find(u, aor);
	return u->slot[i] ? &u->v[u->slot[i] - 1] : NULL;
}

uint32_t users_count(const struct users *u)
{
	return u ? u->n : 0;
}

uint64_t users_digest(const struct users *u)
{
	return u ? u->digest : 0;
}
