/* log.c - Shell. key=value lines. */
#include "base/log.h"
#include "base/buf.h"
#include "base/clk.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE 2048     /**< longest line [bytes]                      */
#define ESC_MAX 200   /**< longest escaped value, without quotes     */
#define ESC_N 8       /**< results of log_esc() alive at once        */

static struct {
	const char *prog;
	enum log_target to;
	enum log_level lv;
	uint64_t count[LOG_LV_DEBUG + 1];
} lg = { "-", LOG_TO_STDERR, LOG_LV_ERROR, { 0 } };

void log_init(const char *program, enum log_target to, enum log_level lv)
{
	lg.prog = program;
	lg.to = to;
	lg.lv = lv;
	if (to == LOG_TO_SYSLOG)
		openlog(program, LOG_PID, LOG_DAEMON);
}

enum log_level log_level_get(void)
{
	return lg.lv;
}

void log_level_set(enum log_level lv)
{
	lg.lv = lv;
}

uint64_t log_count(enum log_level lv)
{
	return __atomic_load_n(&lg.count[lv], __ATOMIC_RELAXED);
}

static size_t put_time(char *t, size_t size)
{
	uint64_t ms = clk_wall();
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	int n;

	if (!gmtime_r(&s, &tm))
		return 0;
	n = snprintf(t, size, "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ",
		     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		     tm.tm_min, tm.tm_sec, (int)(ms % 1000));
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

void log_write(enum log_level lv, const char *fmt, ...)
{
	static const char *const name[] = { "error", "warn", "info", "debug" };
	static const int prio[] = { LOG_ERR, LOG_WARNING, LOG_INFO,
				    LOG_DEBUG };
	char t[LINE];
	size_t n = 0, room = sizeof(t) - 1, from;
	va_list ap;
	int k;

	if (lv > lg.lv)
		return;
	__atomic_fetch_add(&lg.count[lv], 1, __ATOMIC_RELAXED);
	if (lg.to == LOG_TO_NONE)
		return;
	if (lg.to == LOG_TO_STDERR)
		n = put_time(t, room);
	k = snprintf(t + n, room - n, "level=%s prog=%s ", name[lv], lg.prog);
	if (k > 0)
		n += (size_t)k < room - n ? (size_t)k : room - n - 1;
	from = n;
	va_start(ap, fmt);
	k = vsnprintf(t + n, room - n, fmt, ap);
	va_end(ap);
	if (k > 0)
		n += (size_t)k < room - n ? (size_t)k : room - n - 1;
	/* whatever a value held, one decision is one line */
	for (size_t i = from; i < n; i++) {
		if ((uint8_t)t[i] < ' ' || t[i] == 0x7f)
			t[i] = '?';
	}
	if (lg.to == LOG_TO_SYSLOG) {
		t[n] = 0;
		syslog(prio[lv], "%s", t);
		return;
	}
	t[n++] = '\n';
	/* a log that cannot be written has nobody to tell */
	while (write(STDERR_FILENO, t, n) < 0 && errno == EINTR)
		;
}

const char *log_esc(struct sl s)
{
	static _Thread_local char ring[ESC_N][ESC_MAX + 8];
	static _Thread_local unsigned at;
	static const char hex[] = "0123456789abcdef";
	char *t = ring[at++ % ESC_N];
	size_t n = 0, i;

	t[n++] = '"';
	for (i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		bool plain = c >= ' ' && c < 0x7f;
		bool quote = c == '"' || c == '\\';
		size_t need = quote ? 2 : plain ? 1 : 4;

		if (n - 1 + need > ESC_MAX - 3)
			break;
		if (quote)
			t[n++] = '\\';
		if (plain) {
			t[n++] = (char)c;
			continue;
		}
		t[n++] = '\\';
		t[n++] = 'x';
		t[n++] = hex[c >> 4];
		t[n++] = hex[c & 15];
	}
	if (i < s.n) {
		memcpy(t + n, "...", 3);
		n += 3;
	}
	t[n++] = '"';
	t[n] = 0;
	return t;
}

bool log_allow(struct log_limit *l, uint32_t burst, uint64_t now)
{
	if (l->sec != now / 1000) {
		l->sec = now / 1000;
		l->n = 0;
	}
	if (l->n >= burst) {
		l->dropped++;
		return false;
	}
	l->n++;
	return true;
}
