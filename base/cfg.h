/**
 * @file cfg.h  Shell. Table-driven reader over libconfig. A key that is not
 * in the table, of the wrong type or out of bounds is an error with
 * file:line; nothing is applied unless all of it is right.
 */
#ifndef BASE_CFG_H
#define BASE_CFG_H

#include "base/buf.h"
#include "base/addr.h"

enum cfg_type {
	CFG_BOOL,      /**< bool                                             */
	CFG_U32,       /**< uint32_t, min..max                               */
	CFG_STR,       /**< char[max+1], at most max bytes, no control chars */
	CFG_ENUM,      /**< uint32_t, index into names[]                     */
	CFG_IP,        /**< struct addr, numeric IP only, port kept          */
	CFG_LIST,      /**< list of groups or strings: struct cfg_list       */
};

struct cfg_key {
	const char *name;      /**< "probe.inter": group.key                 */
	enum cfg_type type;
	size_t off;            /**< offset in the target struct              */
	uint32_t min, max;     /**< numbers; CFG_STR: max length; CFG_LIST: min/max entries */
	const char *def;       /**< default as text; NULL = required         */
	const char *unit;      /**< "ms", "s", "bytes", NULL                 */
	const char *help;      /**< one sentence, also in the shipped file   */
	const char *const *names;   /**< CFG_ENUM, ends with NULL            */
	bool reload;           /**< may change at SIGHUP                     */
	const char *instead;   /**< an old name, in the place of this key: still
	                            taken, warned of                         */
	/* CFG_LIST: each entry is a group read by this table, or one value
	 * (string) when sub[0].name is "" */
	const struct cfg_key *sub;      /**< ends with .name = NULL          */
	size_t elem_size;
};

struct cfg_list {
	void *v;          /**< elem_size * n, freed by cfg_clear()           */
	uint32_t n;
};

/** "-o key=value" of the command line: what is set there wins over the file */
#define CFG_OVERS 64
struct cfg_over {
	uint32_t n;
	const char *v[CFG_OVERS];   /**< "key=value", borrowed               */
};

#define CFG_ERRS 16
struct cfg_errs {
	const struct cfg_over *over;    /**< set by reading: whose fault a key is */
	uint32_t n;                 /**< all found; texts of the first CFG_ERRS */
	char txt[CFG_ERRS][256];    /**< "file:line: key: what, what is allowed" */
};

/** Take one more option. @return 0, EBADMSG (not key=value), ENOSPC */
int  cfg_over_add(struct cfg_over *o, const char *option);
/** Fill `target` with defaults, then the file, then `over` (NULL = nothing). On
 *  error target is cleared.
 *  @return 0, ENOENT (no file), EBADMSG (texts in errs), ENOMEM */
int  cfg_read_file(void *target, const struct cfg_key *keys, const char *path,
		   const struct cfg_over *over, struct cfg_errs *errs);
/** The same from memory (tests, fuzz); `name` stands for the file in texts */
int  cfg_read_mem(void *target, const struct cfg_key *keys, const char *name,
		  const char *text, struct cfg_errs *errs);
int  cfg_read_text(void *target, const struct cfg_key *keys, const char *name,
		   const char *text, const struct cfg_over *over,
		   struct cfg_errs *errs);
/** Append an error in the common form, found by a program's own cross checks */
void cfg_err(struct cfg_errs *errs, const char *file, uint32_t line,
	     const char *key, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/** One line of the log for each: event=EVENT problem="TEXT", quotes escaped */
void cfg_log(const struct cfg_errs *errs, const char *event);
/** Free lists inside target */
void cfg_clear(void *target, const struct cfg_key *keys);
/** Name of the first non-reloadable key that differs, or NULL */
const char *cfg_frozen_diff(const void *a, const void *b,
			    const struct cfg_key *keys);
/** BLAKE2b-64 over the values of keys selected by `pick` (shared settings) */
uint64_t cfg_digest(const void *target, const struct cfg_key *keys,
		    bool (*pick)(const struct cfg_key *k));

#endif
