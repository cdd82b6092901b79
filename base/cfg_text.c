/* cfg_text.c - Shell. Text of a settings file before libconfig has it. */
#include "base/cfg_text.h"
#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <unistd.h>

#define DEPTH 16    /**< deepest nesting of brackets */

/** Behind the comment or quoted text that begins at p; p itself: neither */
static const char *skip_quoted(const char *p)
{
	const char *end;

	if (*p == '#' || (p[0] == '/' && p[1] == '/'))
		return p + strcspn(p, "\n");
	if (p[0] == '/' && p[1] == '*') {
		end = strstr(p + 2, "*/");
		return end ? end + 2 : p + strlen(p);
	}
	if (*p != '"')
		return p;
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
	}
	return *p ? p + 1 : p;
}

static uint32_t line_at(const char *text, const char *p)
{
	uint32_t line = 1;

	for (; text < p; text++)
		line += *text == '\n';
	return line;
}

/** Length of the number or name at p, 0 = neither; *big: libconfig 1.5 would
 *  keep 32 bits of it without a word */
static size_t skip_word(const char *p, bool *big)
{
	size_t n = strspn(p, "0123456789abcdefghijklmnopqrstuvwxyz"
			  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.");
	uint64_t v;

	if (n > 2 && p[0] == '0' && (p[1] | 0x20) == 'x')
		*big = n > 10;
	else
		*big = sl_u64(sl_mk(p, n), INT32_MAX, &v) == ERANGE;
	return n;
}

/**
 * What libconfig must not see: files read from elsewhere, numbers it cuts,
 * and brackets so deep that its recursion becomes ours.
 */
bool cfg_text_plain(const char *file, const char *text, struct cfg_errs *errs)
{
	const char *p = text, *end;
	bool big = false;
	int depth = 0;

	while (*p) {
		end = skip_quoted(p);
		if (end == p)
			end = p + skip_word(p, &big);
		if (big) {
			cfg_err(errs, file, line_at(text, p), NULL,
				"number too large, allowed: up to %d",
				INT32_MAX);
			return false;
		}
		if (end > p) {
			p = end;
			continue;
		}
		if (*p == '@') {
			cfg_err(errs, file, line_at(text, p),
				"@include", "is not supported, allowed: one "
				"file with all settings");
			return false;
		}
		depth += (*p == '(' || *p == '{' || *p == '[') -
			 (*p == ')' || *p == '}' || *p == ']');
		if (depth < 0)
			depth = 0;
		if (depth > DEPTH) {
			cfg_err(errs, file, line_at(text, p), NULL,
				"brackets too deep, allowed: %d", DEPTH);
			return false;
		}
		p++;
	}
	return true;
}

/** Whole file into b, NUL at its end */
int cfg_text_slurp(struct buf *b, int fd, const char *path,
		   struct cfg_errs *errs)
{
	ssize_t n;

	do {
		uint8_t *p = buf_room(b, 4096);

		if (!p)
			break;
		n = read(fd, p, 4096);
		if (n < 0)
			return errno;
		b->n += (size_t)n;
	} while (n > 0);
	if (b->err == ENOSPC) {
		cfg_err(errs, path, 0, NULL, "is too long, allowed: %d bytes",
			CFG_TEXT_MAX);
		return EBADMSG;
	}
	if (b->n && memchr(b->p, 0, b->n)) {
		cfg_err(errs, path, 0, NULL,
			"holds a NUL byte, allowed: text");
		return EBADMSG;
	}
	buf_chr(b, 0);
	return b->err;
}

/** Line of "pool[1].port" or of the nearest thing around it; 0 = not there */
static uint32_t line_in(const config_t *c, const char *key)
{
	char path[256];
	struct buf b;

	buf_fixed(&b, path, sizeof(path) - 1);
	for (; *key; key++) {
		if (*key == '[')
			buf_chr(&b, '.');
		buf_chr(&b, *key);
	}
	for (path[b.n] = 0; path[0];) {
		const config_setting_t *s = config_lookup(c, path);
		char *dot = strrchr(path, '.');

		if (s)
			return config_setting_source_line(s);
		*(dot ? dot : path) = 0;
	}
	return 0;
}

/** A program's own check knows the key, not where it stood: look again */
uint32_t cfg_text_line(const char *file, const char *key)
{
	struct cfg_errs ignored = { 0 };
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint32_t line = 0;
	struct buf b;
	config_t c;

	if (fd < 0)
		return 0;
	buf_init(&b, CFG_TEXT_MAX);
	config_init(&c);
	if (!cfg_text_slurp(&b, fd, file, &ignored) &&
	    cfg_text_plain(file, (const char *)b.p, &ignored) &&
	    config_read_string(&c, (const char *)b.p))
		line = line_in(&c, key);
	config_destroy(&c);
	buf_free(&b);
	close(fd);
	return line;
}
