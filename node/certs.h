/**
 * @file certs.h  Pure. The life of our certificate while the node runs: how
 * long it is still valid, as figures, in the log, as a warning.
 */
#ifndef NODE_CERTS_H
#define NODE_CERTS_H

#include "base/stat.h"
#include "cluster/cert.h"

#define CERTS_WARN 30            /**< days before the end                    */

struct certs {
	struct cert_info info;        /**< name "" = links by key            */
	uint64_t used;                /**< figure: 1 = links by certificate  */
	uint64_t left;                /**< figure: valid so long still [s]   */
	uint64_t warn_at;             /**< [ms]                              */
};

int  certs_figures(struct certs *c, struct stats *st);
/** The one in use from now on; NULL = links by key. Logs a change */
void certs_set(struct certs *c, const struct cert_info *info, uint64_t now,
	       uint64_t wall);
/** Once a second or so: figures, and a line a day when the end is near */
void certs_tick(struct certs *c, uint64_t now, uint64_t wall);
/** Whole days left, negative once it ran out */
int64_t certs_days(const struct certs *c, uint64_t wall);
/** @return false = there is nothing to warn of */
bool certs_warning(const struct certs *c, uint64_t wall, char *txt,
		   size_t size);

#endif
