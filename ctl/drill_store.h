/**
 * @file drill_store.h  Shell. Reports of drills, kept in a folder, the last few.
 */
#ifndef CTL_DRILL_STORE_H
#define CTL_DRILL_STORE_H

#include <jansson.h>
#include <stdint.h>
#include <stddef.h>

enum { DRILL_STORE_KEPT = 50 };   /**< of each drill                         */

const char *drill_store_default(char *dir, size_t size);
/** As DIR/NAME-TIME.json and .html; the oldest of NAME go. What went wrong is
 *  said. path: of the JSON. @return 0 or errno */
int  drill_store_save(const json_t *report, const char *dir, const char *name,
		      uint64_t wall, char *path, size_t size);
/** The last one of a drill; NULL: none */
json_t *drill_store_last(const char *dir, const char *name);
/** By path, by drill, or (NULL) the last of all; NULL: none */
json_t *drill_store_open(const char *dir, const char *what);

#endif
