/**
 * @file leave.c  Shell. Leaving a cluster, removal, admission; the saved map.
 */
#include "node/leave.h"
#include "base/clk.h"
#include "base/file.h"
#include "base/log.h"
#include "cluster/roster.h"
#include "node/node_i.h"
#include "web/action.h"
#include "web/jsn.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	DRAIN_WAIT = 30,        /* [s] for calls being set up                */
	DRAIN_MAX = 3600,       /* [s]                                       */
	HELD_WAIT = 10000,      /* [ms] for another node to have all         */
	TOLD_WAIT = 2000,       /* [ms] for the others to close their links  */
	LEAVE_TICK = 20,        /* [ms]                                      */
	LEAVE_PATH = FILES_STATE + 16,
};

const char *leave_step_name(enum leave_step s)
{
	switch (s) {
	case LEAVE_NONE:  return "none";
	case LEAVE_DRAIN: return "drain";
	case LEAVE_HELD:  return "held";
	case LEAVE_TOLD:  return "told";
	}
	return "?";
}

/* --- the file ---------------------------------------------------------------- */

static void path_of(char path[LEAVE_PATH], const char *dir, const char *name)
{
	(void)snprintf(path, LEAVE_PATH, "%s/%s", dir, name);
}

struct roster *leave_load(const char *state_dir)
{
	struct roster *r = calloc(1, sizeof(*r));
	char path[LEAVE_PATH], bad[LEAVE_PATH];
	struct buf b;
	int err;

	path_of(path, state_dir, "members");
	path_of(bad, state_dir, "members.bad");
	err = r ? file_read(&b, path, ROSTER_FILE) : ENOMEM;
	if (!err) {
		err = roster_load(r, buf_as_sl(&b));
		buf_free(&b);
	}
	if (!err)
		return r;
	free(r);
	if (err == ENOENT)
		return NULL;
	if (err == EBADMSG || err == EFBIG)
		(void)rename(path, bad);        /* to be looked at */
	log_error("event=members_file file=%s problem=\"%s\" text=\"going on "
		  "with cluster.peers and cluster.join\"", path,
		  err == EBADMSG ? "damaged, kept as members.bad" :
		  strerror(err));
	return NULL;
}

void leave_roster(const struct roster *r, void *node)
{
	struct node *n = node;

	buf_reset(&n->members);
	roster_save(&n->members, r);
	n->members_new = true;
}

void leave_save(struct node *n)
{
	char path[LEAVE_PATH];
	int err;

	if (!n->members_new)
		return;
	path_of(path, n->state, "members");
	err = n->members.err ? n->members.err :
	      file_write(path, buf_as_sl(&n->members));
	/* tried again in a second: told when it begins and when it ends */
	if (err != n->members_err)
		log_write(err ? LOG_LV_ERROR : LOG_LV_INFO, "event=members_file "
			  "file=%s problem=\"%s\"", path,
			  err ? strerror(err) : "none any more");
	n->members_err = err;
	n->members_new = err != 0;
}

/* --- leaving ------------------------------------------------------------------- */

/* The only writer of the step */
static void set_step(struct node *n, enum leave_step to, const char *why,
		     uint64_t until)
{
	log_info("event=leave step=%s->%s reason=\"%s\" after=%llums",
		 leave_step_name(n->leave), leave_step_name(to), why,
		 (unsigned long long)(clk_now() - n->leave_since));
	n->leave = to;
	n->leave_until = until;
}

static void begin(struct node *n, uint32_t wait)
{
	uint64_t now = clk_now();

	n->leave_since = now;
	set_step(n, LEAVE_DRAIN, "asked to", now + 1000ull * wait);
	node_drain(n);
}

static void poll_drain(struct node *n, uint64_t now)
{
	uint64_t open = core_open(n->core);

	if (open && now < n->leave_until)
		return;
	if (open)
		log_warn("event=leave open=%llu text=\"calls being set up are "
			 "left to the edge\"", (unsigned long long)open);
	n->leave_seq = store_seq(n->store);
	set_step(n, LEAVE_HELD, open ? "time is up" : "nothing under way",
		 now + HELD_WAIT);
}

static void poll_held(struct node *n, uint64_t now)
{
	bool held = cluster_held(n->cluster, n->leave_seq);

	/* with nobody there it was forced, and waiting brings nothing */
	if (!held && now < n->leave_until && cluster_alive(n->cluster))
		return;
	if (!held)
		log_warn("event=leave seq=%llu text=\"no other ready node has "
			 "confirmed all changes\"",
			 (unsigned long long)n->leave_seq);
	(void)cluster_turn(n->cluster, n->id, false, true);
	set_step(n, LEAVE_TOLD, held ? "another node has all" : "time is up",
		 now + TOLD_WAIT);
}

bool leave_poll(struct node *n)
{
	uint64_t now = clk_now();
	bool done = false;

	switch (n->leave) {
	case LEAVE_NONE:
		return false;
	case LEAVE_DRAIN:
		poll_drain(n, now);
		break;
	case LEAVE_HELD:
		poll_held(n, now);
		break;
	case LEAVE_TOLD:
		done = !cluster_links(n->cluster) || now >= n->leave_until;
		break;
	}
	ntimer_at(n->second, now + LEAVE_TICK);
	if (done)
		log_info("event=left after=%llums",
			 (unsigned long long)(now - n->leave_since));
	return done;
}

/* --- actions ---------------------------------------------------------------------- */

static bool flag(const struct action *a, const char *key)
{
	return json_is_true(json_object_get(a->in, key));
}

static unsigned act_leave(struct action *a, void *arg)
{
	struct node *n = arg;
	const json_t *t = json_object_get(a->in, "timeout");
	json_int_t wait = t ? json_integer_value(t) : DRAIN_WAIT;

	if (t && (!json_is_integer(t) || wait < 0 || wait > DRAIN_MAX))
		return action_fail(a, 400, "timeout: 0 to %d seconds",
				   DRAIN_MAX);
	if (!n->cluster)
		return action_fail(a, 503, "no cluster yet");
	if (n->leave != LEAVE_NONE || n->stopping)
		return action_fail(a, 409, "it leaves or stops already");
	if (cluster_removed(n->cluster))
		return action_fail(a, 409, "it was removed already: stop it");
	if (!cluster_alive(n->cluster) && !flag(a, "force"))
		return action_fail(a, 409, "no other member is alive: contacts "
				   "would be lost; force does it");
	jsn_str(a->out, "state", "leaving");
	jsn_str(a->out, "name", n->cf.name);
	begin(n, (uint32_t)wait);
	return 202;
}

static unsigned turn_failed(struct action *a, int err, bool in)
{
	switch (err) {
	case ENOENT:
		return action_fail(a, 404, "no such member");
	case ENOTUNIQ:
		return action_fail(a, 409, "several have that name: give the "
				   "id");
	case EALREADY:
		return action_fail(a, 409, in ? "is a member" :
				   "was removed already");
	case EBUSY:
		return action_fail(a, 409, "is alive: let it leave, or force "
				   "does it");
	case ENOSPC:
		return action_fail(a, 409, "there are %d members, no more "
				   "fit", CLUSTER_MAX);
	default:
		return action_fail(a, 500, "%s", strerror(err));
	}
}

static unsigned turn_other(struct action *a, struct node *n, bool in)
{
	const char *who = action_str(a, "member");
	char id[24];
	uint64_t node;
	int err;

	if (!who)
		return action_fail(a, 400, "member: name or id");
	if (!n->cluster)
		return action_fail(a, 503, "no cluster yet");
	a->path = sl_cstr(who);                /* for the log */
	err = cluster_lookup(n->cluster, who, !in, &node);
	if (!err && node == n->id && !in)
		return action_fail(a, 409, "is this node: let it leave");
	if (!err)
		err = cluster_turn(n->cluster, node, in, flag(a, "force"));
	if (err)
		return turn_failed(a, err, in);
	(void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)node);
	jsn_str(a->out, "node", id);
	jsn_str(a->out, "state", in ? "member" : "removed");
	return 200;
}

static unsigned act_remove(struct action *a, void *arg)
{
	return turn_other(a, arg, false);
}

static unsigned act_admit(struct action *a, void *arg)
{
	return turn_other(a, arg, true);
}

int leave_routes(struct actions *a, struct node *n)
{
	int err = action_route(a, "leave", "/api/v1/leave", act_leave, n);

	if (!err)
		err = action_route(a, "member-remove",
				   "/api/v1/members/remove", act_remove, n);
	if (!err)
		err = action_route(a, "member-admit", "/api/v1/members/admit",
				   act_admit, n);
	return err;
}
