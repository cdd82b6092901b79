/* The thread that writes call records: real files in a folder of its own. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sbc/cdrfile.h"

static char dir[64], path[128], moved[128];
static struct cdrfile *f;
static struct cdrfile_stats st;

static void init(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/ew-cdr.XXXXXX");
	cr_assert_neq(mkdtemp(dir), NULL);
	(void)snprintf(path, sizeof(path), "%s/cdr", dir);
	(void)snprintf(moved, sizeof(moved), "%s/cdr.1", dir);
	f = NULL;
}

static void fini(void)
{
	(void)cdrfile_free(f, 5000);
	(void)unlink(path);
	(void)unlink(moved);
	(void)rmdir(dir);
}
TestSuite(cdrfile, .init = init, .fini = fini);

static void put(const char *s)
{
	cdrfile_put(f, sl_cstr(s));
}

/** Wait for the thread: true when cond came true within 10 s */
#define eventually(cond) __extension__ ({                               \
	bool ok_ = false;                                               \
	for (int i_ = 0; i_ < 10000 && !ok_; i_++) {                    \
		const struct timespec ms_ = { 0, 1000000 };             \
		cdrfile_poll(f, &st);                                   \
		ok_ = (cond);                                           \
		if (!ok_)                                               \
			(void)nanosleep(&ms_, NULL);                    \
	}                                                               \
	ok_; })

static const char *content(const char *p)
{
	static char t[200000];
	FILE *in = fopen(p, "r");
	size_t n = in ? fread(t, 1, sizeof(t) - 1, in) : 0;

	t[n] = '\0';
	if (in)
		(void)fclose(in);
	return t;
}

static void begin(void)
{
	cr_assert_eq(cdrfile_alloc(&f, path), 0);
}

Test(cdrfile, lines_come_whole_and_in_order)
{
	char all[4000] = "", l[20];

	begin();
	for (int i = 0; i < 300; i++) {
		(void)snprintf(l, sizeof(l), "line %d\n", i);
		strcat(all, l);
		put(l);
	}
	cr_assert(eventually(st.written == 300));
	cr_expect_eq(st.waiting, 0);
	cr_expect_str_eq(content(path), all);
}

Test(cdrfile, what_waits_is_written_at_the_end)
{
	begin();
	for (int i = 0; i < 1000; i++)
		put("x\n");
	cr_expect_eq(cdrfile_free(f, 5000), 0);
	f = NULL;
	cr_expect_eq(strlen(content(path)), 2000);
}

Test(cdrfile, goes_on_behind_what_is_there)
{
	FILE *out = fopen(path, "w");

	cr_assert(out && fputs("half a li", out) >= 0 && !fclose(out));
	begin();
	put("one\n");
	cr_assert(eventually(st.written == 1));
	cr_expect_str_eq(content(path), "half a li\none\n");
}

Test(cdrfile, moved_file_is_made_anew)
{
	begin();
	put("one\n");
	cr_assert(eventually(st.written == 1));
	cr_assert_eq(rename(path, moved), 0);
	cr_assert_eq(cdrfile_reopen(f, path), 0);
	put("two\n");
	cr_assert(eventually(st.written == 2));
	cr_expect_str_eq(content(path), "two\n");
	cr_expect_str_eq(content(moved), "one\n");
}

Test(cdrfile, full_disk_is_told_and_nothing_is_lost_when_there_is_room)
{
	cr_assert_eq(symlink("/dev/full", path), 0);
	begin();
	put("one\n");
	cr_assert(eventually(st.err == ENOSPC));
	put("two\n");
	cdrfile_poll(f, &st);
	cr_expect_eq(st.written, 0);
	cr_expect_eq(st.waiting, 2);
	cr_expect(st.errors >= 1);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(cdrfile_reopen(f, path), 0);
	cr_assert(eventually(st.written == 2));
	cr_expect_eq(st.err, 0);
	cr_expect_str_eq(content(path), "one\ntwo\n");
}

/** Files of this process cannot grow beyond n bytes: the disk is full there */
static void room(rlim_t n)
{
	struct rlimit r;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = n ? n : r.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

Test(cdrfile, line_cut_by_a_full_disk_is_finished)
{
	room(10);
	begin();
	put("123456\nabcdef\n");
	cr_assert(eventually(st.err == EFBIG));
	cr_expect_str_eq(content(path), "123456\nabc");
	room(0);
	cr_assert(eventually(st.written == 1));
	cr_expect_str_eq(content(path), "123456\nabcdef\n");
}

Test(cdrfile, line_cut_by_a_full_disk_is_whole_in_the_next_file)
{
	room(10);
	begin();
	put("123456\nabcdef\n");
	cr_assert(eventually(st.err == EFBIG));
	cr_assert_eq(rename(path, moved), 0);
	room(0);
	cr_assert_eq(cdrfile_reopen(f, path), 0);
	cr_assert(eventually(st.written == 1));
	cr_expect_str_eq(content(path), "abcdef\n");
}

Test(cdrfile, recovers_without_being_told)
{
	char sub[160], file[180];

	(void)snprintf(sub, sizeof(sub), "%s/sub", dir);
	(void)snprintf(file, sizeof(file), "%s/cdr", sub);
	cr_assert_eq(cdrfile_alloc(&f, file), 0);
	cr_assert(eventually(st.err == ENOENT));
	put("one\n");
	cr_assert_eq(mkdir(sub, 0700), 0);
	cr_assert(eventually(st.written == 1));
	cr_expect_str_eq(content(file), "one\n");
	(void)cdrfile_free(f, 5000);
	f = NULL;
	(void)unlink(file);
	(void)rmdir(sub);
}

Test(cdrfile, queue_is_bounded)
{
	cr_assert_eq(symlink("/dev/full", path), 0);
	begin();
	for (int i = 0; i < CDRFILE_LINES + 50; i++)
		put("x\n");
	cdrfile_poll(f, &st);
	cr_expect_eq(st.waiting, CDRFILE_LINES);
	cr_expect_eq(st.dropped, 50);
	cr_expect_eq(cdrfile_free(f, 10), CDRFILE_LINES);
	f = NULL;
}
