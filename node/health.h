/**
 * @file health.h  Pure. The value of Edgewise-Health in answers to an edge's
 * probes: what this node is, and who else may be asked.
 */
#ifndef NODE_HEALTH_H
#define NODE_HEALTH_H

#include "cluster/cluster.h"

#define HEALTH_MAX 1024        /**< with its end [bytes]                     */
#define HEALTH_MEMBERS 20      /**< named at most                            */

struct health {
	const char *state;     /**< "ready"                                  */
	const char *name;
	uint32_t progress;     /**< of joining [%]                           */
	uint64_t contacts;
	uint32_t turn;         /**< counts up: who does not fit comes next time */
	struct addr http;      /**< of the management pages; port 0 = none   */
	const struct cluster_view *view;
};

/** "state=ready;...;http=127.0.0.11:8061;members=n1@127.0.0.11:5060/TCP,..." The members are those
 *  alive and ready that told their SIP address, ourselves included. */
void health_text(char txt[HEALTH_MAX], const struct health *h);

#endif
