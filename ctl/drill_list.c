/* drill_list.c - Shell. Which drills there are. */
#include "ctl/ctl.h"
#include "ctl/drill_list.h"
#include "drill/planfile.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** May it run in the pool of an edge: brought and ended by that edge? */
static bool for_edge(const struct drill_plan *p)
{
	return p->edge_fault || p->kind == DRILL_DRAIN;
}

static void put(json_t *all, const struct drill_plan *p, const char *file)
{
	json_t *o;

	if (!all) {
		printf("%-16s %s%s%s%s\n", p->name, p->text,
		       p->own_net ? " (needs nft)" : "", file ? ", file " : "",
		       file ? file : "");
		return;
	}
	o = json_pack("{s:s,s:s,s:s,s:b,s:b,s:b,s:i,s:I}", "name", p->name,
		      "text", p->text, "file", file ? file : "", "edge",
		      (int)for_edge(p), "lab", p->kind != DRILL_HOOKS,
		      "own_net", (int)p->own_net, "calls", (int)p->calls,
		      "hold_ms", (json_int_t)p->hold);
	/* a name or text that is no UTF-8 cannot be told */
	if (o)
		(void)json_array_append_new(all, o);
}

static int plan_file(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && e->d_name[0] != '.' &&
		!strcmp(e->d_name + n - 5, ".conf");
}

static int put_files(json_t *all, const char *dir)
{
	struct dirent **v;
	int n = scandir(dir, &v, plan_file, alphasort), bad = 0;

	if (n < 0) {
		/* none of his own: as shipped without examples */
		if (errno == ENOENT)
			return CTL_OK;
		fprintf(stderr, "edgewise: %s: %s\n", dir, strerror(errno));
		return CTL_FAIL;
	}
	for (int i = 0; i < n; i++) {
		static struct cfg_errs e;
		char path[PATH_MAX];
		struct drill_plan p;
		int err = 0;

		e.n = 0;
		if (i >= DRILL_LIST_FILES ||
		    snprintf(path, sizeof(path), "%s/%s", dir, v[i]->d_name) >=
		    (int)sizeof(path))
			err = ENAMETOOLONG;
		else
			err = planfile_read(&p, NULL, path, NULL, &e);
		if (!err)
			put(all, &p, v[i]->d_name);
		for (uint32_t k = 0; err && k < e.n && k < CFG_ERRS; k++)
			fprintf(stderr, "%s\n", e.txt[k]);
		if (err && !e.n)
			fprintf(stderr, "edgewise: %s: %s\n", v[i]->d_name,
				i >= DRILL_LIST_FILES ? "too many files" :
				strerror(err));
		bad += err != 0;
		free(v[i]);
	}
	free(v);
	return bad ? CTL_BAD : CTL_OK;
}

int drill_list(const char *plans, bool json)
{
	json_t *all = json ? json_array() : NULL;
	const struct drill_plan *p;
	int rc = CTL_OK;

	for (uint32_t i = 0; (p = plan_builtin(i)); i++)
		put(all, p, NULL);
	if (plans)
		rc = put_files(all, plans);
	if (all) {
		char *s = json_dumps(all, JSON_COMPACT);

		puts(s ? s : "[]");
		free(s);
		json_decref(all);
	}
	return rc;
}
