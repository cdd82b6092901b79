/**
 * @file planfile.h  Shell. Drills of an operator: a libconfig file, or single
 * settings, over a built-in drill.
 */
#ifndef DRILL_PLANFILE_H
#define DRILL_PLANFILE_H

#include "base/cfg.h"
#include "drill/plan.h"

/**
 * @param path  settings; NULL: none, then `base` names the built-in drill
 * @param over  -o KEY=VALUE, NULL = none
 * @return 0, ENOENT, EBADMSG (texts in errs), ENOMEM
 */
int planfile_read(struct drill_plan *p, const char *base, const char *path,
		  const struct cfg_over *over, struct cfg_errs *errs);

#endif
