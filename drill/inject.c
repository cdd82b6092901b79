/* inject.c - Shell. The fault of a drill. */
#include "drill/inject.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NFT_PORT = 5080, NODE_STOP = 8000, DRAIN_MAX = 60000 };

static void say(const struct inject *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void say(const struct inject *x, const char *fmt, ...)
{
	char txt[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(txt, sizeof(txt), fmt, ap);
	va_end(ap);
	x->say(x->arg, txt);
}

/* --- commands --- */

static void kill_hook(struct inject *x)
{
	if (!x->hook)
		return;
	(void)kill(-x->hook, SIGKILL);
	while (waitpid(x->hook, NULL, 0) < 0 && errno == EINTR)
		;
	x->hook = 0;
}

static int start_hook(struct inject *x, const char *cmd)
{
	sigset_t none;

	kill_hook(x);
	x->hook = fork();
	if (x->hook == 0) {
		(void)setpgid(0, 0);    /* all of it ends at the time-out */
		sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	if (x->hook > 0)
		(void)setpgid(x->hook, x->hook);
	else
		x->hook = 0;
	return x->hook ? 0 : errno;
}

/** @return true: over, or it never was; *ok: with status 0 */
static bool hook_over(struct inject *x, uint64_t now, bool *ok)
{
	int st = 0;

	*ok = false;
	if (!x->hook)
		return true;
	if (waitpid(x->hook, &st, WNOHANG) == x->hook) {
		x->hook = 0;
		*ok = WIFEXITED(st) && !WEXITSTATUS(st);
		return true;
	}
	if (now < x->at + 1000ull * x->plan->hook_timeout)
		return false;
	kill_hook(x);
	say(x, "the command took longer than hook_timeout and was ended");
	return true;
}

/* --- a cut between nodes: rules in our own network namespace --- */

static int run_now(const char *cmd)
{
	int st = system(cmd);

	return st != -1 && WIFEXITED(st) && !WEXITSTATUS(st) ? 0 : EIO;
}

static int cut(const struct inject *x)
{
	struct addr a;
	char ip[64], cmd[1024];
	struct buf b;

	lab_addr(x->lab, x->victim, 0, &a);
	buf_fixed(&b, ip, sizeof(ip) - 1);
	addr_put_ip(&b, &a);
	ip[b.n] = '\0';
	(void)snprintf(cmd, sizeof(cmd), "nft 'table ip edgewise_drill { "
		       "chain c { type filter hook output priority 0; "
		       "tcp dport %d ip daddr %s ip saddr != %s drop; "
		       "tcp dport %d ip saddr %s ip daddr != %s drop; "
		       "tcp sport %d ip daddr %s ip saddr != %s drop; "
		       "tcp sport %d ip saddr %s ip daddr != %s drop; }; }'",
		       NFT_PORT, ip, ip, NFT_PORT, ip, ip, NFT_PORT, ip, ip,
		       NFT_PORT, ip, ip);
	return run_now(cmd);
}

/* --- begin --- */

static void posted(const json_t *o, long code, void *arg)
{
	struct inject *x = arg;
	const char *why = json_string_value(json_object_get(o, "error"));

	if (code >= 200 && code < 300) {
		x->confirmed = true;
		return;
	}
	say(x, "the edge refused (%ld): %s", code, why ? why : "no answer");
	x->failed = true;
}

static int post_admin(struct inject *x, const char *admin)
{
	char path[120];

	(void)snprintf(path, sizeof(path), "/api/v1/nodes/%s", x->node);
	/* the edge takes it back by itself if we cannot */
	return watch_ask(x->watch, x->url, path, x->token, strcmp(admin,
			 "drain") ? json_pack("{s:s,s:s}", "admin", admin,
					      "why", "drill") :
			 json_pack("{s:s,s:s,s:i}", "admin", admin, "why",
				   "drill", "until", 300), posted, x);
}

static int post_fault(struct inject *x)
{
	const struct drill_plan *p = x->plan;
	json_t *o = json_pack("{s:s,s:s,s:i,s:i}", "node", x->node, "kind",
			      p->edge_fault, "percent", (int)p->percent,
			      "max_duration", (int)(p->hold / 1000 + 5));

	if (p->ms)
		(void)json_object_set_new(o, "ms", json_integer(p->ms));
	say(x, "the edge brings: %s towards %s", p->edge_fault, x->node);
	return watch_ask(x->watch, x->url, "/api/v1/faults", x->token, o,
			 posted, x);
}

static void kill_nodes(struct inject *x)
{
	for (uint32_t i = 1; i <= x->lab->nodes; i++)
		(void)lab_signal(x->lab, i, SIGKILL);
	for (uint32_t i = 1; i <= x->lab->nodes; i++)
		lab_kill(x->lab, i);
}

static int begin_lab(struct inject *x)
{
	struct lab *l = x->lab;

	if (!l)
		return ENOTSUP;
	switch (x->plan->kind) {
	case DRILL_KILL:
	case DRILL_STORM:
		lab_kill(l, x->victim);
		say(x, "kill -9 of %s", x->node);
		return 0;
	case DRILL_FREEZE:
		say(x, "SIGSTOP to %s", x->node);
		return lab_signal(l, x->victim, SIGSTOP);
	case DRILL_PARTITION:
		say(x, "%s is cut off from the other nodes", x->node);
		return cut(x);
	case DRILL_ROLLING:
		x->victim = 1;
		say(x, "rolling restart begins");
		return lab_signal(l, 1, SIGTERM);
	case DRILL_ALL:
		kill_nodes(x);
		say(x, "kill -9 of all nodes");
		return 0;
	case DRILL_EDGE:
		lab_kill(l, LAB_EDGE);
		say(x, "kill -9 of the edge");
		return 0;
	case DRILL_COLD:
		lab_kill(l, LAB_EDGE);
		kill_nodes(x);
		say(x, "kill -9 of everything");
		return 0;
	case DRILL_DRAIN:
	case DRILL_HOOKS:
	case DRILL_BLACKHOLE:
	case DRILL_SLOW:
	case DRILL_INVITE:
	case DRILL_PROBE:
	case DRILL_LATE:
	case DRILL_REJECT:
		break;
	}
	return ENOTSUP;
}

int inject_begin(struct inject *x, uint64_t now)
{
	int err;

	x->at = now;
	x->on = true;
	if (x->plan->kind == DRILL_HOOKS) {
		guard_command(x->guard, x->plan->restore);
		say(x, "inject: %s", x->plan->inject);
		err = start_hook(x, x->plan->inject);
	}
	else if (x->plan->kind == DRILL_DRAIN) {
		say(x, "%s is drained", x->node);
		err = post_admin(x, "drain");
	}
	else if (x->plan->edge_fault)
		err = post_fault(x);
	else
		err = begin_lab(x);
	if (err && x->plan->kind != DRILL_HOOKS)
		x->on = false;
	return err;
}

/* --- on its way --- */

/** 0: it stops; 1: it starts; 2: wait, then the next */
static bool tick_rolling(struct inject *x, uint64_t now)
{
	char name[16];

	if (x->step == 0 && lab_ended(x->lab, x->victim)) {
		if (lab_start(x->lab, x->victim))
			return true;
		x->step = 1;
		x->at = now;
	}
	else if (x->step == 0 && now > x->at + NODE_STOP) {
		say(x, "%s does not end: killed", lab_name(x->victim, name));
		lab_kill(x->lab, x->victim);
	}
	else if (x->step == 1 && x->good > x->at + 300) {
		say(x, "%s is back", lab_name(x->victim, name));
		x->step = 2;
		x->at = now;
	}
	else if (x->step == 1 && now > x->at + x->plan->recover_max)
		return true;
	else if (x->step == 2 && now >= x->at + x->plan->hold) {
		if (x->victim == x->lab->nodes)
			return true;
		x->victim++;
		x->step = 0;
		x->at = now;
		say(x, "%s is stopped", lab_name(x->victim, name));
		(void)lab_signal(x->lab, x->victim, SIGTERM);
	}
	return false;
}

static void drained(const json_t *o, long code, void *arg)
{
	struct inject *x = arg;
	json_t *n;
	size_t i;

	json_array_foreach(json_object_get(o, "pool"), i, n) {
		const char *name = json_string_value(
			json_object_get(n, "name"));

		if (name && !strcmp(name, x->node) && x->step == 0 &&
		    json_is_true(json_object_get(n, "drained")))
			x->step = 1;
	}
}

/** 0: until it is empty; 1: kill it; 2: hold */
static bool tick_drain(struct inject *x, uint64_t now)
{
	if (x->failed)
		return true;
	if (x->step == 0 && now >= x->at + 100ull * x->turn) {
		x->turn++;
		(void)watch_ask(x->watch, x->url, "/api/v1/status", NULL,
				NULL, drained, x);
	}
	if (x->step == 0 && now > x->at + DRAIN_MAX) {
		say(x, "%s does not get empty", x->node);
		x->failed = true;
	}
	if (x->step == 1) {
		say(x, "%s is empty%s", x->node, x->lab ? ": kill -9" : "");
		if (x->lab)
			lab_kill(x->lab, x->victim);
		x->step = 2;
		x->at = now;
	}
	return x->step == 2 && now >= x->at + x->plan->hold;
}

bool inject_tick(struct inject *x, uint64_t now)
{
	bool ok;

	switch (x->plan->kind) {
	case DRILL_ROLLING:
		return tick_rolling(x, now);
	case DRILL_DRAIN:
		return tick_drain(x, now);
	case DRILL_HOOKS:
		if (x->step == 0 && hook_over(x, now, &ok)) {
			if (!ok)
				say(x, "inject did not end with status 0");
			x->failed = !ok;
			x->step = 1;
		}
		return x->failed || (x->step == 1 &&
				     now >= x->at + x->plan->hold);
	case DRILL_KILL:
	case DRILL_FREEZE:
	case DRILL_PARTITION:
	case DRILL_ALL:
	case DRILL_EDGE:
	case DRILL_STORM:
	case DRILL_COLD:
	case DRILL_BLACKHOLE:
	case DRILL_SLOW:
	case DRILL_INVITE:
	case DRILL_PROBE:
	case DRILL_LATE:
	case DRILL_REJECT:
		break;
	}
	return x->failed || now >= x->at + x->plan->hold;
}

/* --- end --- */

static bool end_hook(struct inject *x, uint64_t now)
{
	bool ok;

	if (x->step < 2) {
		say(x, "restore: %s", x->plan->restore);
		x->step = 2;
		x->at = now;
		if (start_hook(x, x->plan->restore))
			return false;
	}
	if (!hook_over(x, now, &ok))
		return false;
	if (!ok) {
		say(x, "restore did not end with status 0");
		x->failed = true;
	}
	guard_command(x->guard, "");
	return true;
}

bool inject_end(struct inject *x, uint64_t now)
{
	if (!x->on)
		return true;
	if (x->plan->kind == DRILL_HOOKS) {
		if (!end_hook(x, now))
			return false;
		x->on = false;
		return true;
	}
	if (x->plan->kind == DRILL_PARTITION &&
	    run_now("nft delete table ip edgewise_drill"))
		x->failed = true;
	if (x->plan->kind == DRILL_DRAIN)
		(void)post_admin(x, "ready");
	if (x->plan->edge_fault)
		(void)watch_ask(x->watch, x->url, "/api/v1/faults/clear",
				x->token, json_object(), posted, x);
	for (uint32_t i = 0; x->lab && i <= x->lab->nodes; i++) {
		if (x->lab->frozen[i])
			(void)lab_signal(x->lab, i, SIGCONT);
		if (lab_ended(x->lab, i) && lab_start(x->lab, i))
			x->failed = true;
	}
	x->on = false;
	say(x, "taken back");
	return true;
}
