/**
 * @file cfg_text.h  Shell. Text of a settings file before libconfig has it.
 * Internal to cfg.c.
 */
#ifndef BASE_CFG_TEXT_H
#define BASE_CFG_TEXT_H

#include "base/cfg.h"

#define CFG_TEXT_MAX (1 << 20)    /**< longest settings file [bytes] */

/** False: an error was added, libconfig must not see this */
bool cfg_text_plain(const char *file, const char *text, struct cfg_errs *errs);
/** Whole file into b, NUL at its end. @return 0, EBADMSG (told), errno */
int  cfg_text_slurp(struct buf *b, int fd, const char *path,
		    struct cfg_errs *errs);
/** Line of "pool[1].port" or of what is around it; 0 = not found */
uint32_t cfg_text_line(const char *file, const char *key);

#endif
