/**
 * @file re.h  The only include of libre. Its headers need these macros, which
 * its pkg-config file does not give.
 */
#ifndef BASE_RE_H
#define BASE_RE_H

#include "config.h"

#ifndef HAVE_INTTYPES_H
#define HAVE_INTTYPES_H 1
#endif
#ifndef HAVE_STDBOOL_H
#define HAVE_STDBOOL_H 1
#endif
#ifndef HAVE_INET6
#define HAVE_INET6 1
#endif

#include <re.h>
#define DEBUG_MODULE "edgewise"
#define DEBUG_LEVEL 0
#include <re_dbg.h>

#endif
