/* sbc_cdr.c - Shell. Call records from the edge to their file. */
#include "sbc/sbc_priv.h"

#include <errno.h>

#include "base/clk.h"
#include "base/log.h"
#include "sbc/ledger.h"

enum { END_MS = 1000 };          /**< to write what waits at the end          */

int sbc_cdr_start(struct sbc *s)
{
	const struct {
		const char *labels;
		const uint64_t *v;
	} v[] = {
		{ "result=\"written\"", &s->cdr_st.written },
		{ "result=\"dropped\"", &s->cdr_st.dropped },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v) && !err; i++)
		err = stat_add(s->st, STAT_COUNTER, "sbc_cdr_total",
			       v[i].labels, "Call records", v[i].v, s);
	if (!err)
		err = stat_add(s->st, STAT_COUNTER, "sbc_cdr_errors_total",
			       NULL, "Failed tries to write call records",
			       &s->cdr_st.errors, s);
	if (!err)
		err = stat_add(s->st, STAT_GAUGE, "sbc_cdr_waiting", NULL,
			       "Call records not yet written",
			       &s->cdr_st.waiting, s);
	if (!err)
		err = sbc_cdr_file(s, s->cf.cdr_file);
	return err;
}

/** Figures of a file that ended are kept: counters do not go back */
static void counted(struct sbc *s)
{
	struct cdrfile_stats st = { 0 };

	if (s->cdr)
		cdrfile_poll(s->cdr, &st);
	s->cdr_st.written = s->cdr_before.written + st.written;
	s->cdr_st.dropped = s->cdr_before.dropped + st.dropped;
	s->cdr_st.errors = s->cdr_before.errors + st.errors;
	s->cdr_st.waiting = st.waiting;
	if (!st.err == !s->cdr_st.err)
		return;
	s->cdr_st.err = st.err;
	ledger_records(edge_ledger(s->edge), st.err ? strerror(st.err) : NULL,
		       clk_now());
}

/** An empty path: no records. The old file's thread writes what it has */
int sbc_cdr_file(struct sbc *s, const char *path)
{
	int err;

	edge_cdr_on(s->edge, *path != '\0');
	if (s->cdr && *path)
		return cdrfile_reopen(s->cdr, path);
	if (!s->cdr && !*path)
		return 0;
	if (*path) {
		err = cdrfile_alloc(&s->cdr, path);
		if (err)
			log_error("event=records problem=\"%s\"",
				  strerror(err));
		return err;
	}
	sbc_cdr_turn(s);
	s->cdr_before = s->cdr_st;
	(void)cdrfile_free(s->cdr, 0);
	s->cdr = NULL;
	s->cdr_st.err = 0;
	return 0;
}

void sbc_cdr_turn(struct sbc *s)
{
	struct blob *b;

	if (!s->cdr)
		return;
	while ((b = edge_poll_cdr(s->edge))) {
		cdrfile_put(s->cdr, blob_sl(b));
		blob_unref(b);
	}
	counted(s);
}

void sbc_cdr_stop(struct sbc *s)
{
	uint64_t left;

	if (!s->cdr)
		return;
	sbc_cdr_turn(s);
	left = cdrfile_free(s->cdr, END_MS);
	s->cdr = NULL;
	if (left)
		log_error("event=records lost=%llu problem=\"not written "
			  "before the end\"", (unsigned long long)left);
}
