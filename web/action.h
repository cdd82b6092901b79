/**
 * @file action.h  Shell. Actions: POST with the token of this program. Who may
 * read its state_dir may act; a page in a browser cannot. And what is not for
 * everybody to read: GET with the same token.
 */
#ifndef WEB_ACTION_H
#define WEB_ACTION_H

#include "web/http.h"
#include <jansson.h>

#define ACTION_TOKEN 64          /**< hex digits of the token                */
#define ACTION_WHO 64            /**< longest name of who acts [bytes]       */
#define ACTION_ROUTES 24         /**< most actions of one server             */

struct actions;

/** One request; everything is borrowed until the handler returns */
struct action {
	struct sl path;          /**< what is behind the route's path; of a
				      GET its query                          */
	const struct http_call *call;
	const char *who;         /**< as told, UTF-8, "" = not told          */
	json_t *in;              /**< an object; of a GET NULL               */
	json_t *out;             /**< the answer: the handler fills it       */
	char error[160];         /**< why not, by action_fail()              */
};

/** Checked request. @return HTTP status; 200..299 = done, else action_fail()
 *  has said why. The log line is written behind it. */
typedef unsigned (action_h)(struct action *a, void *arg);

/**
 * Reads state_dir/admin.token, or draws one at the first start. Problems are
 * logged with what to do.
 *
 * @param srv  routes are registered there; freed before the actions are
 * @param st   figures; NULL = none
 * @return 0, errno of the file, EBADMSG (the file holds no token)
 */
int  actions_alloc(struct actions **ap, struct http_srv *srv,
		   const char *state_dir, struct stats *st);
void actions_free(struct actions *a);
/** The token file again (SIGHUP); on error the old token stays, logged */
int  actions_reload(struct actions *a);
/**
 * Serve POST on path (one that ends with '/' serves all below it).
 *
 * @param name  for the log; name and path are borrowed for ever
 * @return 0 or ENOSPC
 */
int  action_route(struct actions *a, const char *name, const char *path,
		  action_h *h, void *arg);
/** The same for GET: no body, and each one is in the log like an action */
int  action_get_route(struct actions *a, const char *name, const char *path,
		      action_h *h, void *arg);
/** Says why, and gives status back for the handler's return */
unsigned action_fail(struct action *a, unsigned status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** The first key of the request that is none of known, n of them; NULL: all are */
const char *action_unknown(const struct action *a, const char *const *known,
			   size_t n);
/** A string of the request; NULL = not there or no string */
const char *action_str(const struct action *a, const char *key);

#endif
