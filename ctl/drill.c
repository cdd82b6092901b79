/* drill.c - Shell. `edgewise drill`: failures rehearsed. */
#include "ctl/ctl.h"
#include "ctl/drill_list.h"
#include "ctl/drill_say.h"
#include "ctl/drill_store.h"
#include "ctl/post.h"
#include "base/clk.h"
#include "base/file.h"
#include "base/log.h"
#include "base/net.h"
#include "base/secret.h"
#include "db/db_schema.h"
#include "drill/netns.h"
#include "drill/planfile.h"
#include "drill/run.h"
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char usage[] =
	"usage: edgewise drill list [--json] [--plans DIR]\n"
	"       edgewise drill run NAME|FILE --lab [OPTIONS]\n"
	"       edgewise drill run FILE --proxy ADDR --domain NAME "
	"--phones-file FILE [OPTIONS]\n"
	"       edgewise drill report [NAME|FILE] [--json|--html]\n"
	"  --lab              an edge and nodes of its own, on loopback\n"
	"  --lab-nodes N      how many, default: 3\n"
	"  --programs DIR     where edgewise-sbc and edgewise-node are\n"
	"  --calls N          under way when the fault comes\n"
	"  --node NAME        which one, default: the busiest\n"
	"  -o KEY=VALUE       any setting of a drill, see edgewise-drill(5)\n"
	"  --reports DIR      where reports are kept\n"
	"  --json, --html     that form instead of text\n"
	"  --progress-json    a JSON object for each step while it goes on\n"
	"  --plans DIR        list: files of drills there, too\n"
	"  --db sqlite|none   lab, cold-start: databases of its nodes; sqlite\n"
	"  --follow-parent    ends at once when the program that started it "
	"ends\n"
	"  --netns            the lab in a network namespace of its own\n"
	"  --keep             the lab's folder stays\n"
	"  --proxy ADDR[:PORT] the edge's client side, --local ADDR: ours\n"
	"  --phones-file FILE a line for each test phone: drill-NAME "
	"PASSWORD\n"
	POST_USAGE
	"exit: 0 passed, 1 failed, 2 stopped or wrong usage, 3 unfit to "
	"start\n";

enum {
	WRONG = 2, OPT = 256, USERS_FILE = 1 << 20,
	GONE = 5,                /* phones removed before a cold start */
};
enum { O_LAB = OPT, O_LAB_NODES, O_PROGRAMS, O_CALLS, O_NODE, O_REPORTS,
       O_JSON, O_HTML, O_PROGRESS, O_NETNS, O_KEEP, O_PROXY, O_LOCAL,
       O_DOMAIN, O_PHONES, O_PLANS, O_FOLLOW, O_DB };

struct args {
	const char *what, *reports, *proxy, *local, *domain, *phones_file;
	const char *plans;
	struct run_conf rc;
	struct post post;
	struct cfg_over over;
	char calls[32];
	bool json, html, progress, netns, follow, no_db;
};

/* --- phones --- */

static int lab_phones(struct gen_user **up, uint32_t n)
{
	struct gen_user *u = calloc(n, sizeof(*u));
	uint8_t pw[12];

	if (!u)
		return ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct buf b;

		secret_random(pw, sizeof(pw));
		(void)snprintf(u[i].name, sizeof(u[i].name), "drill-%u", i);
		buf_fixed(&b, u[i].password, sizeof(u[i].password) - 1);
		buf_hex(&b, pw, sizeof(pw));
		u[i].password[b.n] = '\0';
	}
	*up = u;
	return 0;
}

static bool good_phone(const struct gen_user *u)
{
	/* nobody else's phone is called by mistake */
	return !strncmp(u->name, "drill-", 6) && u->password[0] &&
		!u->name[strspn(u->name, "abcdefghijklmnopqrstuvwxyz"
				"0123456789-_.")];
}

static int file_phones(struct gen_user **up, uint32_t *np, uint32_t want,
		       const char *path)
{
	struct gen_user *u = calloc(want, sizeof(*u));
	char *line, *rest = NULL;
	uint32_t n = 0;
	struct buf b;
	int err = u ? file_read(&b, path, USERS_FILE) : ENOMEM;

	if (err) {
		fprintf(stderr, "edgewise: %s: %s\n", path, strerror(err));
		free(u);
		return err;
	}
	buf_chr(&b, '\0');
	for (line = b.err ? NULL : strtok_r((char *)b.p, "\n", &rest);
	     line && n < want && !err; line = strtok_r(NULL, "\n", &rest)) {
		if (*line == '#' || !*line)
			continue;
		if (sscanf(line, "%63s %63s", u[n].name, u[n].password) != 2 ||
		    !good_phone(&u[n]))
			err = EBADMSG;
		n++;
	}
	explicit_bzero(b.p, b.n);
	buf_free(&b);
	if (!err && n < 2)
		err = EBADMSG;
	if (err) {
		fprintf(stderr, "edgewise: %s: a line for each phone is "
			"wanted, at least two: drill-NAME PASSWORD\n", path);
		free(u);
		return err;
	}
	*up = u;
	*np = n;
	return 0;
}

/* --- run --- */

static const char *who(const struct args *a)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *sudo = getenv("SUDO_USER");

	return a->post.who ? a->post.who : sudo && *sudo ? sudo :
		pw ? pw->pw_name : "";
}

static json_t *make_report(struct run *r, const struct args *a,
			   struct outcome *o)
{
	json_t *last, *rep = NULL;
	struct report_in in = {
		.plan = r->plan, .o = o, .f = &r->facts, .gen = r->gen,
		.note = r->note, .notes = r->notes, .begin = r->begin,
		.end = clk_now(), .wall = r->wall, .node = r->x.node,
		.why = r->why, .who = who(a), .version = r->version,
		.where = r->lab ? "lab" : r->url, .pool = r->pool,
	};

	if (judge_make(o, r->plan, r->gen, &r->facts,
			 r->verdict == JUDGE_ABORTED))
		return NULL;
	if (r->verdict == JUDGE_UNFIT)
		o->verdict = JUDGE_UNFIT;
	last = drill_store_last(a->reports, r->plan->name);
	rep = report_json(&in, last);
	json_decref(last);
	return rep;
}

static void show(const json_t *rep, const struct args *a)
{
	struct buf b;

	buf_init(&b, 64 << 20);
	if (a->json) {
		char *s = json_dumps(rep, JSON_INDENT(1));

		puts(s ? s : "");
		free(s);
	}
	else if (a->html ? report_html(&b, rep) : report_text(&b, rep))
		fputs("edgewise: this is no report\n", stderr);
	else
		fwrite(b.p, 1, b.n, stdout);
	buf_free(&b);
}

static int finish(struct run *r, const struct args *a)
{
	char path[400] = "";
	struct outcome o;
	json_t *rep = make_report(r, a, &o);

	if (!rep) {
		fputs("edgewise: no memory for the report\n", stderr);
		return CTL_BAD;
	}
	(void)drill_store_save(rep, a->reports, r->plan->name, r->wall,
			       path, sizeof(path));
	if (a->progress)
		drill_say_done(rep, path);
	else {
		show(rep, a);
		if (*path)
			fprintf(stderr, "report: %s, and .html\n", path);
	}
	json_decref(rep);
	return (int)o.verdict;
}

static int go(struct args *a, struct drill_plan *p)
{
	static struct run r;
	int rc, err = net_init(8192);

	if (err)
		return CTL_BAD;
	a->rc.plan = p;
	a->rc.progress = a->progress ? drill_say_json : drill_say_text;
	a->rc.figures = a->progress ? drill_say_figures : NULL;
	err = run_drill(&r, &a->rc);
	if (err) {
		fprintf(stderr, "edgewise: the drill could not be begun: "
			"%s\n", strerror(err));
		rc = JUDGE_UNFIT;
	}
	else
		rc = finish(&r, a);
	run_free(&r);
	net_close();
	return rc;
}

/** Addresses and phones of a drill in somebody's system */
static int prepare_real(struct args *a, const struct drill_plan *p,
			char url[POST_URL])
{
	if (p->kind != DRILL_HOOKS && p->kind != DRILL_DRAIN &&
	    !p->edge_fault) {
		fprintf(stderr, "edgewise: %s needs --lab, or a file with "
			"inject and restore\n", p->name);
		return EINVAL;
	}
	if (!a->proxy || !a->domain || !a->phones_file ||
	    addr_parse(&a->rc.proxy, sl_cstr(a->proxy), 5060)) {
		fputs("edgewise: --proxy, --domain and --phones-file are "
		      "needed without --lab\n", stderr);
		return EINVAL;
	}
	a->rc.local = a->rc.proxy;
	if (a->local ? addr_parse_ip(&a->rc.local, sl_cstr(a->local)) :
	    !addr_is_loopback(&a->rc.proxy)) {
		fputs("edgewise: --local, an address of this machine, is "
		      "needed\n", stderr);
		return EINVAL;
	}
	a->rc.domain = a->domain;
	a->rc.url = url;
	return post_url(&a->post, url, POST_URL);
}

/** Phones that are only there to be back, or not */
static uint32_t extra(const struct args *a)
{
	return a->rc.kept + a->rc.gone;
}

static int make_tables(const char *url)
{
	struct db_conf cf = { .create = true };
	struct db *db = NULL;
	char why[DB_WHY] = "";
	enum db_err e;

	(void)snprintf(cf.url, sizeof(cf.url), "%s", url);
	e = db_open(&db, &cf, why);
	if (!e)
		e = db_schema_make(db, why);
	db_close(db);
	if (e)
		fprintf(stderr, "edgewise: %s: %s\n", url, *why ? why :
			db_err_name(e));
	return e ? EIO : 0;
}

/** A cold start is told what the databases bring back, where it has any */
static void prepare_db(struct args *a, struct drill_plan *p)
{
	if (a->rc.lab && p->kind == DRILL_COLD && !a->no_db && db_version()) {
		a->rc.kept = p->contacts;
		a->rc.gone = GONE;
		a->rc.lab_conf.db_make = make_tables;
		return;
	}
	for (int i = CLAIM_BACK; i <= CLAIM_READY; i++)
		p->limit[i] = NO_CLAIM;
}

static int prepare(struct args *a, struct drill_plan *p, char url[POST_URL],
		   char token[POST_TOKEN])
{
	int err = 0;

	a->rc.users = p->phones;
	a->rc.domain = "drill.invalid";
	prepare_db(a, p);
	if (a->rc.lab)
		err = lab_phones(&a->rc.user, p->phones + extra(a));
	else {
		err = prepare_real(a, p, url);
		if (!err)
			err = file_phones(&a->rc.user, &a->rc.users,
					  p->phones, a->phones_file);
		a->rc.token = token;
		if (!err && p->kind != DRILL_HOOKS)
			err = post_token(&a->post, token, POST_TOKEN);
	}
	if (err)
		return err;
	a->rc.lab_conf.user = a->rc.user;
	a->rc.lab_conf.users = a->rc.users + extra(a);
	a->rc.lab_conf.domain = a->rc.domain;
	if (!a->rc.lab || !(p->own_net || a->netns))
		return 0;
	err = netns_enter();
	if (err)
		fprintf(stderr, "edgewise: no network namespace of our own: "
			"%s\n", strerror(err));
	return err;
}

/** Our end is then like kill -9: the guard takes back what is there */
static int follow_parent(void)
{
	pid_t parent = getppid();

	/* it may have ended in between: then init is our parent */
	return prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent ||
		parent == 1 ? ESRCH : 0;
}

static int run_cmd(struct args *a)
{
	static struct cfg_errs e;
	char url[POST_URL] = "", token[POST_TOKEN] = "";
	struct drill_plan p;
	bool file = strchr(a->what, '/') || strstr(a->what, ".conf");
	int rc, err = planfile_read(&p, file ? NULL : a->what,
				    file ? a->what : NULL, &a->over, &e);

	for (uint32_t i = 0; i < e.n && i < CFG_ERRS; i++)
		fprintf(stderr, "%s\n", e.txt[i]);
	if (err) {
		if (!e.n)
			fprintf(stderr, "edgewise: %s: %s\n", a->what,
				file ? strerror(err) : "no such drill, see "
				"`edgewise drill list`");
		return WRONG;
	}
	if (secret_init())
		return JUDGE_UNFIT;
	err = prepare(a, &p, url, token);
	/* a user namespace made there takes the signal away */
	if (!err && a->follow)
		err = follow_parent();
	rc = err ? (err == EINVAL || err == EBADMSG ? WRONG : JUDGE_UNFIT) :
		go(a, &p);
	if (a->rc.user)
		explicit_bzero(a->rc.user, (a->rc.users + extra(a)) *
			       sizeof(*a->rc.user));
	free(a->rc.user);
	explicit_bzero(token, sizeof(token));
	return rc;
}

/* --- report --- */

static int report_cmd(const struct args *a)
{
	json_t *r = drill_store_open(a->reports, a->what);

	if (!r) {
		fprintf(stderr, "edgewise: %s: no such report in %s\n",
			a->what ? a->what : "the last one", a->reports);
		return CTL_FAIL;
	}
	show(r, a);
	json_decref(r);
	return CTL_OK;
}

/* --- options --- */

static const struct option opts[] = {
	{ "lab", no_argument, NULL, O_LAB },
	{ "lab-nodes", required_argument, NULL, O_LAB_NODES },
	{ "programs", required_argument, NULL, O_PROGRAMS },
	{ "calls", required_argument, NULL, O_CALLS },
	{ "node", required_argument, NULL, O_NODE },
	{ "reports", required_argument, NULL, O_REPORTS },
	{ "json", no_argument, NULL, O_JSON },
	{ "html", no_argument, NULL, O_HTML },
	{ "progress-json", no_argument, NULL, O_PROGRESS },
	{ "netns", no_argument, NULL, O_NETNS },
	{ "keep", no_argument, NULL, O_KEEP },
	{ "proxy", required_argument, NULL, O_PROXY },
	{ "local", required_argument, NULL, O_LOCAL },
	{ "domain", required_argument, NULL, O_DOMAIN },
	{ "phones-file", required_argument, NULL, O_PHONES },
	{ "plans", required_argument, NULL, O_PLANS },
	{ "follow-parent", no_argument, NULL, O_FOLLOW },
	{ "db", required_argument, NULL, O_DB },
	POST_OPTS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

/** @return false: wrong usage */
static bool take(struct args *a, int c)
{
	switch (c) {
	case O_LAB:       a->rc.lab = true; return true;
	case O_LAB_NODES:
		return !sl_u32(sl_cstr(optarg), LAB_NODES,
			       &a->rc.lab_conf.nodes) &&
			a->rc.lab_conf.nodes > 1;
	case O_PROGRAMS:  a->rc.lab_conf.programs = optarg; return true;
	case O_CALLS:
		return snprintf(a->calls, sizeof(a->calls), "calls=%s",
				optarg) < (int)sizeof(a->calls) &&
			!cfg_over_add(&a->over, a->calls);
	case O_NODE:      a->rc.node = optarg; return true;
	case O_REPORTS:   a->reports = optarg; return true;
	case O_JSON:      a->json = true; return true;
	case O_HTML:      a->html = true; return true;
	case O_PROGRESS:  a->progress = true; return true;
	case O_NETNS:     a->netns = true; return true;
	case O_KEEP:      a->rc.lab_conf.keep = true; return true;
	case O_PROXY:     a->proxy = optarg; return true;
	case O_LOCAL:     a->local = optarg; return true;
	case O_DOMAIN:    a->domain = optarg; return true;
	case O_PHONES:    a->phones_file = optarg; return true;
	case O_PLANS:     a->plans = optarg; return true;
	case O_FOLLOW:    a->follow = true; return true;
	case O_DB:
		a->no_db = !strcmp(optarg, "none");
		return a->no_db || (!strcmp(optarg, "sqlite") && db_version());
	case 'o':         return !cfg_over_add(&a->over, optarg);
	default:          return post_opt(&a->post, c, optarg);
	}
}

int ctl_drill(int argc, char **argv)
{
	static struct args a;
	char dir[300];
	const char *verb;
	int c;

	a.rc.lab_conf.nodes = 3;
	while ((c = getopt_long(argc, argv, "u:c:o:h", opts, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return CTL_OK;
		}
		if (!take(&a, c)) {
			fputs(usage, stderr);
			return WRONG;
		}
	}
	if (!a.reports)
		a.reports = drill_store_default(dir, sizeof(dir));
	verb = optind < argc ? argv[optind++] : "";
	a.what = optind < argc ? argv[optind++] : NULL;
	log_init("edgewise", LOG_TO_STDERR, LOG_LV_ERROR);
	if (optind == argc && !strcmp(verb, "list") && !a.what)
		return drill_list(a.plans, a.json);
	if (optind == argc && !strcmp(verb, "run") && a.what)
		return run_cmd(&a);
	if (optind == argc && !strcmp(verb, "report"))
		return report_cmd(&a);
	fputs(usage, stderr);
	return WRONG;
}
