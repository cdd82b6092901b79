/* main.c - Shell. `edgewise`: the command line tool. */
#include <config.h>
#include "ctl/ctl.h"
#include "db/db.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: edgewise COMMAND ...\n"
	"  status [-u URL] [--json] [--watch [SECONDS]]\n"
	"                                     the pool or the cluster as it "
	"is now\n"
	"  events [-u URL] [--follow] [--json]\n"
	"                                     what happened to calls and "
	"nodes\n"
	"  trace [--json|--raw] CALL-ID|AOR   messages of a call, attempts and "
	"why\n"
	"  nodes [-u URL]                     the pool, and what is left to "
	"drain\n"
	"  drain|maint|ready NODE --why TEXT  take a node out, or back in\n"
	"  weight NODE N|default              its share of the requests\n"
	"  bans|ban|unban [SOURCE]            addresses that the edge does not "
	"hear\n"
	"  check [--type sbc|node] FILE       read a settings file, start "
	"nothing\n"
	"  user add|passwd|del|list -f FILE|-d URL|-c FILE [USER@DOMAIN]\n"
	"                                     edit a users file, or a "
	"database's users\n"
	"  location show|list [-u URL] [--json] [AOR]\n"
	"                                     contacts a node holds\n"
	"  verify [-c FILE] [--json]          do all nodes hold the same?\n"
	"  node leave|remove|admit [...] [NAME|ID]\n"
	"                                     members of the cluster come and "
	"go\n"
	"  db import|init|status|upgrade|verify ...\n"
	"                                     a node's database\n"
	"  drill list|run|report ...          rehearse failures\n"
	"  key [--add|--swap|--drop|--show] FILE\n"
	"                                     make a cluster key; to the "
	"next one\n"
	"  ca init|issue|show DIR|FILE ...    certificates for the links "
	"between nodes\n"
	"  version                            print the version\n"
	"  help                               this text\n"
	"`edgewise COMMAND --help` tells more; edgewise(1) tells all.\n";

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "status", ctl_status },
	{ "events", ctl_events },
	{ "trace", ctl_trace },
	{ "nodes", ctl_nodes },
	{ "drain", ctl_nodes },
	{ "maint", ctl_nodes },
	{ "ready", ctl_nodes },
	{ "weight", ctl_nodes },
	{ "bans", ctl_bans },
	{ "ban", ctl_bans },
	{ "unban", ctl_bans },
	{ "check", ctl_check },
	{ "user", ctl_user },
	{ "key", ctl_key },
	{ "ca", ctl_ca },
	{ "location", ctl_location },
	{ "verify", ctl_verify },
	{ "node", ctl_node },
	{ "db", ctl_db },
	{ "drill", ctl_drill },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(name, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	if (!strcmp(name, "version") || !strcmp(name, "--version") ||
	    !strcmp(name, "-V")) {
		puts("edgewise " PACKAGE_VERSION);
		db_print_licence();
		return CTL_OK;
	}
	if (!strcmp(name, "help") || !strcmp(name, "--help") ||
	    !strcmp(name, "-h")) {
		fputs(usage, stdout);
		return CTL_OK;
	}
	if (*name)
		fprintf(stderr, "edgewise: %s: no such command\n", name);
	fputs(usage, stderr);
	return CTL_FAIL;
}
