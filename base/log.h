/**
 * @file log.h  Shell. key=value lines to stderr or syslog: one per decision.
 * Values from the wire go through LOGSL() / log_esc(), which escape and cap.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/sl.h"

enum log_level { LOG_LV_ERROR, LOG_LV_WARN, LOG_LV_INFO, LOG_LV_DEBUG };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_NONE };

void log_init(const char *program, enum log_target to, enum log_level lv);
enum log_level log_level_get(void);
void log_level_set(enum log_level lv);
/** The one mutable global of the program is behind this */
void log_write(enum log_level lv, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LV_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LV_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LV_INFO, __VA_ARGS__)
#define log_debug(...) do { if (log_level_get() >= LOG_LV_DEBUG) \
	log_write(LOG_LV_DEBUG, __VA_ARGS__); } while (0)

/**
 * Value from the wire as a quoted, escaped string of at most 200 characters:
 * log_info("event=x call_id=%s", log_esc(callid)). Up to 8 results live at
 * once.
 */
const char *log_esc(struct sl s);

/** Rate limit of one kind of line that others can cause: at most `burst`
 *  lines a second; the count left out is in the next line that passes. */
struct log_limit {
	uint64_t sec;       /**< second counted now         */
	uint32_t n;         /**< lines in it                */
	uint32_t dropped;   /**< left out since the last    */
};
bool log_allow(struct log_limit *l, uint32_t burst, uint64_t now);

/** Lines written since start by level, for metrics */
uint64_t log_count(enum log_level lv);

#endif
