/* stat.c - Pure. Figures and their Prometheus text. */
#include "base/stat.h"
#include <errno.h>
#include <stdlib.h>

#define STATS_MAX 65536    /**< most figures in one registry */

const uint32_t stat_hist_bound[STAT_HIST_N] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 2500000, 5000000, 10000000,
};

struct figure {
	enum stat_type type;
	const char *name;
	char *labels;          /**< owned, NULL = none           */
	const char *help;
	const void *val;
	const void *owner;
};

struct stats {
	struct figure *v;      /**< sorted by name, then labels  */
	size_t n, cap;
};

void stat_hist_add(struct stat_hist *h, uint64_t us)
{
	unsigned i = 0;

	while (i < STAT_HIST_N && us > stat_hist_bound[i])
		i++;
	h->bucket[i]++;
	h->sum += us;
	h->count++;
}

int stats_alloc(struct stats **sp)
{
	struct stats *s = calloc(1, sizeof(*s));

	if (!s)
		return ENOMEM;
	*sp = s;
	return 0;
}

void stats_free(struct stats *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].labels);
	free(s->v);
	free(s);
}

/** Place of (name, labels), or where it would go; *found tells which */
static size_t place(const struct stats *s, const char *name,
		    const char *labels, bool *found)
{
	size_t lo = 0, hi = s->n;

	*found = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct figure *f = &s->v[mid];
		int d = strcmp(f->name, name);

		if (!d)
			d = strcmp(f->labels ? f->labels : "",
				   labels ? labels : "");
		if (!d) {
			*found = true;
			return mid;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int stat_add(struct stats *s, enum stat_type type, const char *name,
	     const char *labels, const char *help, const void *val,
	     const void *owner)
{
	struct figure f = { type, name, NULL, help, val, owner };
	bool found;
	size_t at;

	if (labels && !*labels)
		labels = NULL;
	at = place(s, name, labels, &found);
	if (found)
		return EEXIST;
	if (s->n >= STATS_MAX)
		return ENOSPC;
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct figure *v = realloc(s->v, cap * sizeof(*v));

		if (!v)
			return ENOMEM;
		s->v = v;
		s->cap = cap;
	}
	if (labels) {
		f.labels = strdup(labels);
		if (!f.labels)
			return ENOMEM;
	}
	memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(s->v[0]));
	s->v[at] = f;
	s->n++;
	return 0;
}

int stat_add_rows(struct stats *s, const struct stat_row *row, size_t n,
		  const char *labels, const void *owner)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = stat_add(s, row[i].type, row[i].name, labels,
			       row[i].help, row[i].val, owner);
	return err;
}

void stat_del_owner(struct stats *s, const void *owner)
{
	size_t k = 0;

	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].owner == owner)
			free(s->v[i].labels);
		else
			s->v[k++] = s->v[i];
	}
	s->n = k;
}

/** us as seconds without trailing zeros */
static void put_seconds(struct buf *b, uint64_t us)
{
	uint64_t frac = us % 1000000, div = 100000;

	buf_u64(b, us / 1000000);
	if (!frac)
		return;
	buf_chr(b, '.');
	for (; frac; frac %= div, div /= 10) {
		buf_chr(b, (char)('0' + frac / div));
		if (div == 1)
			break;
	}
}

static void put_head(struct buf *b, const struct figure *f,
		     const char *suffix, const char *le)
{
	buf_lit(b, "edgewise_");
	buf_str(b, f->name);
	buf_str(b, suffix);
	if (f->labels || le) {
		buf_chr(b, '{');
		if (f->labels)
			buf_str(b, f->labels);
		if (f->labels && le)
			buf_chr(b, ',');
		if (le) {
			buf_lit(b, "le=\"");
			buf_str(b, le);
			buf_chr(b, '"');
		}
		buf_chr(b, '}');
	}
	buf_chr(b, ' ');
}

static void put_hist(struct buf *b, const struct figure *f)
{
	const struct stat_hist *h = f->val;
	uint64_t sum = 0;

	for (unsigned i = 0; i <= STAT_HIST_N; i++) {
		char le[32] = "+Inf";
		struct buf t;

		if (i < STAT_HIST_N) {
			buf_fixed(&t, le, sizeof(le) - 1);
			put_seconds(&t, stat_hist_bound[i]);
			le[t.n] = 0;
		}
		sum += h->bucket[i];
		put_head(b, f, "_bucket", le);
		buf_u64(b, sum);
		buf_chr(b, '\n');
	}
	put_head(b, f, "_sum", NULL);
	put_seconds(b, h->sum);
	buf_chr(b, '\n');
	put_head(b, f, "_count", NULL);
	buf_u64(b, h->count);
	buf_chr(b, '\n');
}

/** The help of a family: any of its rows may be the one that has it */
static const char *family_help(const struct stats *s, size_t i)
{
	const char *name = s->v[i].name;

	for (; i < s->n && strcmp(s->v[i].name, name) == 0; i++) {
		if (s->v[i].help && *s->v[i].help)
			return s->v[i].help;
	}
	return "";
}

void stats_prometheus(const struct stats *s, struct buf *b)
{
	static const char *const type[] = { "counter", "gauge", "gauge",
					    "counter", "histogram" };

	for (size_t i = 0; i < s->n; i++) {
		const struct figure *f = &s->v[i];

		if (!i || strcmp(s->v[i - 1].name, f->name) != 0) {
			buf_lit(b, "# HELP edgewise_");
			buf_str(b, f->name);
			buf_chr(b, ' ');
			buf_str(b, family_help(s, i));
			buf_lit(b, "\n# TYPE edgewise_");
			buf_str(b, f->name);
			buf_chr(b, ' ');
			buf_str(b, type[f->type]);
			buf_chr(b, '\n');
		}
		if (f->type == STAT_HIST) {
			put_hist(b, f);
			continue;
		}
		put_head(b, f, "", NULL);
		if (f->type == STAT_GAUGE_US ||
		    f->type == STAT_COUNTER_US)
			put_seconds(b, *(const uint64_t *)f->val);
		else
			buf_u64(b, *(const uint64_t *)f->val);
		buf_chr(b, '\n');
	}
}

bool stat_get(const struct stats *s, const char *name, const char *labels,
	      uint64_t *vp)
{
	bool found;
	size_t at = place(s, name, labels, &found);

	if (!found)
		return false;
	if (s->v[at].type == STAT_HIST)
		*vp = ((const struct stat_hist *)s->v[at].val)->count;
	else
		*vp = *(const uint64_t *)s->v[at].val;
	return true;
}
