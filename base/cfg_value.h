/**
 * @file cfg_value.h  Pure. Values of a settings table: parse from text, name
 * what is allowed, serialise. Internal to cfg.c.
 */
#ifndef BASE_CFG_VALUE_H
#define BASE_CFG_VALUE_H

#include "base/cfg.h"

static inline void *cfg_at(void *base, const struct cfg_key *k)
{
	return (char *)base + k->off;
}

static inline const void *cfg_at_c(const void *base, const struct cfg_key *k)
{
	return (const char *)base + k->off;
}

/** Set a scalar from plain text ("10", "true", "hash", "192.0.2.1").
 *  @return false = not allowed */
bool cfg_value_text(void *base, const struct cfg_key *k, struct sl s);
/** Set a number; false = not a number key or out of bounds */
bool cfg_value_int(void *base, const struct cfg_key *k, long long v);
/** Empty value, so that a table with a wrong default is still defined */
void cfg_value_clear(void *base, const struct cfg_key *k);
/** "a number from 10 to 60000 [ms]" */
void cfg_value_allowed(struct buf *b, const struct cfg_key *k);
/** The value, injective: equal bytes = equal value */
void cfg_value_put(struct buf *b, const void *base, const struct cfg_key *k);
/** Known key of the table nearest to `name`, "" = none near */
const char *cfg_value_nearest(const struct cfg_key *keys, struct sl name);

#endif
