/**
 * @file drill_list.h  Shell. Which drills there are: built in, and files of a
 * folder.
 */
#ifndef CTL_DRILL_LIST_H
#define CTL_DRILL_LIST_H

#include <stdbool.h>

enum { DRILL_LIST_FILES = 64 };  /**< most files of a folder                 */

/** Print them. @param plans  folder, NULL = none. @return exit status */
int drill_list(const char *plans, bool json);

#endif
