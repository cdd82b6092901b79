/* drill_store.c - Shell. Reports of drills in a folder. */
#include "ctl/drill_store.h"
#include "base/file.h"
#include "drill/report.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REPORT_MAX = 64 << 20, TIME = 16 };   /* "20261126T010203Z" */

const char *drill_store_default(char *dir, size_t size)
{
	const char *home = getenv("HOME");

	if (getuid() && home && *home)
		(void)snprintf(dir, size, "%s/.local/state/edgewise-drill",
			       home);
	else
		(void)snprintf(dir, size, "%s/lib/edgewise-drill",
			       LOCALSTATEDIR);
	return dir;
}

static json_t *load(const char *path)
{
	json_t *o;
	struct buf b;

	if (file_read(&b, path, REPORT_MAX))
		return NULL;
	o = json_loadb(b.p ? (const char *)b.p : "", b.n, 0, NULL);
	buf_free(&b);
	return o;
}

/** Is it a report of drill `name` (NULL: of any)? Its time */
static const char *time_of(const char *file, const char *name)
{
	size_t n = strlen(file);
	const char *t;

	if (n < TIME + 7 || strcmp(file + n - 5, ".json") != 0)
		return NULL;
	t = file + n - 5 - TIME;
	if (t[-1] != '-' || t[8] != 'T' || t[15] != 'Z')
		return NULL;
	if (name && (strncmp(file, name, strlen(name)) != 0 ||
		     t - 1 != file + strlen(name)))
		return NULL;
	return t;
}

/** The newest or the oldest one. @return how many there are */
static unsigned find(const char *dir, const char *name, bool newest,
		     char *out, size_t size)
{
	char best[TIME + 1] = "";
	struct dirent *e;
	unsigned n = 0;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		const char *t = time_of(e->d_name, name);
		int c = t ? strncmp(t, best, TIME) : 0;

		if (!t)
			continue;
		n++;
		if (*best && (newest ? c <= 0 : c >= 0))
			continue;
		memcpy(best, t, TIME);
		(void)snprintf(out, size, "%s/%s", dir, e->d_name);
	}
	if (d)
		closedir(d);
	return n;
}

json_t *drill_store_last(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return find(dir, name, true, path, sizeof(path)) ? load(path) : NULL;
}

json_t *drill_store_open(const char *dir, const char *what)
{
	if (what && strchr(what, '.'))
		return load(what);
	return drill_store_last(dir, what);
}

static void make_folders(const char *dir)
{
	char p[300];

	(void)snprintf(p, sizeof(p), "%s", dir);
	for (char *s = strchr(p + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		(void)mkdir(p, 0755);   /* save() says what is wrong */
		*s = '/';
	}
	(void)mkdir(p, 0700);
}

static void forget_old(const char *dir, const char *name)
{
	char path[PATH_MAX];

	while (find(dir, name, false, path, sizeof(path)) > DRILL_STORE_KEPT) {
		if (unlink(path))
			return;
		memcpy(path + strlen(path) - 5, ".html", 6);
		(void)unlink(path);     /* may have been taken away */
	}
}

int drill_store_save(const json_t *report, const char *dir, const char *name,
		     uint64_t wall, char *path, size_t size)
{
	char date[24], t[TIME + 1], html[400];
	char *s = json_dumps(report, JSON_INDENT(1));
	struct buf b;
	int n = 0, err = s ? 0 : ENOMEM;

	(void)report_date(wall, date);
	for (const char *p = date; *p; p++)
		if (*p != '-' && *p != ':' && n < TIME)
			t[n++] = *p;
	t[n] = '\0';
	(void)snprintf(html, sizeof(html), "%s/%s-%s.html", dir, name, t);
	if (snprintf(path, size, "%s/%s-%s.json", dir, name, t) >= (int)size)
		err = ENAMETOOLONG;
	make_folders(dir);
	if (!err)
		err = file_write(path, sl_cstr(s));
	free(s);
	buf_init(&b, REPORT_MAX);
	if (!err)
		err = report_html(&b, report);
	if (!err)
		err = file_write(html, buf_as_sl(&b));
	buf_free(&b);
	if (err) {
		fprintf(stderr, "edgewise: %s: report not kept: %s\n", path,
			strerror(err));
		*path = '\0';
		return err;
	}
	forget_old(dir, name);
	return 0;
}
