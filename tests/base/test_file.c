#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"

static char dir[] = "/tmp/ew_file_XXXXXX";
static char path[64], beside[64];

static void setup(void)
{
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/f", dir);
	snprintf(beside, sizeof(beside), "%s/f.new", dir);
}

static void teardown(void)
{
	unlink(path);
	unlink(beside);
	rmdir(beside);
	rmdir(dir);
}

TestSuite(file, .init = setup, .fini = teardown);

static bool holds(struct sl want)
{
	struct buf b;
	bool same;

	if (file_read(&b, path, 100000))
		return false;
	same = sl_eq(buf_as_sl(&b), want);
	buf_free(&b);
	return same;
}

Test(file, what_was_written_is_read_and_private)
{
	cr_assert_eq(file_write(path, SL("one")), 0);
	cr_expect(holds(SL("one")));
	cr_expect_not(file_is_open(path));
	cr_assert_eq(file_write(path, SL("")), 0);
	cr_expect(holds(SL("")));
	cr_assert_eq(chmod(path, 0640), 0);
	cr_expect(file_is_open(path));
	cr_assert_eq(file_write(path, SL("two")), 0);
	cr_expect_not(file_is_open(path));
}

Test(file, what_cannot_be_written_leaves_the_old)
{
	cr_assert_eq(file_write(path, SL("old")), 0);
	cr_assert_eq(mkdir(beside, 0700), 0);
	cr_expect_eq(file_write(path, SL("new")), EEXIST);
	cr_expect(holds(SL("old")));
	cr_expect_eq(file_write("/nonexistent/f", SL("x")), ENOENT);
}

Test(file, a_half_file_of_a_crash_is_no_obstacle)
{
	FILE *f = fopen(beside, "w");

	cr_assert_not_null(f);
	fclose(f);
	cr_assert_eq(chmod(beside, 0666), 0);
	cr_assert_eq(file_write(path, SL("new")), 0);
	cr_expect(holds(SL("new")));
	cr_expect_not(file_is_open(path));
	cr_expect_neq(access(beside, F_OK), 0);
}

Test(file, size_is_bounded)
{
	static char big[50000];
	struct buf b;

	memset(big, 'x', sizeof(big));
	cr_assert_eq(file_write(path, sl_mk(big, sizeof(big))), 0);
	cr_expect(holds(sl_mk(big, sizeof(big))));
	cr_expect_eq(file_read(&b, path, sizeof(big) - 1), EFBIG);
	cr_expect_eq(file_read(&b, path, sizeof(big)), 0);
	buf_free(&b);
	cr_expect_eq(file_read(&b, beside, 10), ENOENT);
}
