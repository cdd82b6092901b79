/**
 * @file drill_say.h  Shell. What a drill says while it goes on: lines for
 * people on stderr, or a JSON object a line on stdout.
 */
#ifndef CTL_DRILL_SAY_H
#define CTL_DRILL_SAY_H

#include <jansson.h>
#include <stdint.h>

struct run;

void drill_say_text(void *arg, uint64_t at, const char *text);
/** {"at_ms", "text"} */
void drill_say_json(void *arg, uint64_t at, const char *text);
/** {"at_ms", "step", "placed", "done", "lost", "live", ...} */
void drill_say_figures(void *arg, uint64_t at, const struct run *r);
/** {"done": true, "verdict", "report", "claims"}: the last line */
void drill_say_done(const json_t *report, const char *path);

#endif
