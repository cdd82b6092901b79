/**
 * @file verdict.h  Pure. One word about the whole system, why, and whether a
 * node may be lost now.
 */
#ifndef SBC_VERDICT_H
#define SBC_VERDICT_H

#include "base/sl.h"

enum verdict { VERDICT_OK, VERDICT_DEGRADED, VERDICT_RISK, VERDICT_DOWN };
const char *verdict_name(enum verdict v);          /**< "AT RISK" */

/** A node as the edge sees it, and as it says of itself */
struct verdict_node {
	const char *name;
	bool up;                 /**< answers and is not doubted             */
	bool doubted;            /**< SUSPECT                                */
	bool takes;              /**< gets new requests while it is up       */
	bool wanted;             /**< nobody has taken it out on purpose     */
	bool asked;              /**< we ask it for its own figures          */
	bool known;              /**< and have them, not stale; all below    */
	bool ready;
	uint32_t members;        /**< of its cluster, itself included        */
	uint32_t alive;          /**< of these                               */
	uint32_t differ;         /**< living ones that differ from it, in
					settings, users or (whole) contents  */
	bool synced;
	uint64_t unacked;        /**< registrations without a second copy in
					the last 5 minutes                   */
	bool sql_down, sql_behind;    /**< its database: calls go on        */
	bool has_cert;
	int64_t cert_days;
};

struct verdict_in {
	const struct verdict_node *node;
	uint32_t nodes;
	bool stopping;
	bool frozen;             /**< no node can be reached, or not from here */
	uint64_t lost;           /**< calls lost in the last 5 minutes       */
	const char *fault;       /**< node a drill holds a fault to, or NULL */
	bool records_failed;     /**< call records cannot be written         */
	bool unsaved;            /**< nor what operators want of nodes       */
};

enum { VERDICT_REASONS = 16, VERDICT_TEXT = 160, VERDICT_CERT_DAYS = 30 };

/** May one node die now without loss? */
enum verdict_spare { SPARE_YES, SPARE_NO, SPARE_UNKNOWN };
const char *verdict_spare_name(enum verdict_spare s);    /**< "yes" */

struct verdict_out {
	enum verdict state;              /**< the worst of the reasons       */
	uint32_t n;                      /**< worst first                    */
	struct {
		enum verdict level;
		char text[VERDICT_TEXT];
	} reason[VERDICT_REASONS];
	uint32_t more;                   /**< reasons that had no room       */
	enum verdict_spare spare;
	char spare_text[VERDICT_TEXT];
};

void verdict(const struct verdict_in *in, struct verdict_out *out);

#endif
