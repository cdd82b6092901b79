/**
 * @file cfg_over.h  Pure. Options "key=value" over a settings file. Internal
 * to cfg.c.
 */
#ifndef BASE_CFG_OVER_H
#define BASE_CFG_OVER_H

#include "base/cfg.h"

#define CFG_OVER_NAME 60      /**< an option in the place of a file's name */

/** Key and value of an option that cfg_over_add() took */
struct sl cfg_over_key(const char *option);
struct sl cfg_over_value(const char *option);
/** The last option that sets `key` or what is around it, NULL = none */
const char *cfg_over_find(const struct cfg_over *o, const char *key);
/** "-o key=value", cut where it is long */
const char *cfg_over_name(char name[CFG_OVER_NAME], const char *option);
/** The value as libconfig takes it: a bare word becomes a quoted text */
void cfg_over_text(struct buf *b, const char *option);

#endif
