#include "db/db_subscriber.h"
#include "tests/db/rig.h"

static const struct db_subscriber alice = {
	.username = "alice", .domain = "example.com", .ha1 = "0123", .ha1_sha256 = "4567"
};

static void count(const struct db_subscriber *u, void *arg)
{
	unsigned *n = arg;

	cr_assert(*u->username);
	(*n)++;
}

Test(subscriber, is_added_once_found_changed_and_removed)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_subscriber u = alice, got;
		bool done;

		OK(db_subscriber_add(db, &u, &done));
		cr_assert(done);
		OK(db_subscriber_add(db, &u, &done));
		cr_assert(!done);
		OK(db_subscriber_get(db, SL("alice"), SL("EXAMPLE.com"), &got,
				     &done));
		cr_assert(done);
		cr_assert_str_eq(got.ha1, "0123");
		cr_assert_str_eq(got.ha1_sha256, "4567");
		strcpy(u.ha1, "89");
		OK(db_subscriber_set(db, &u, &done));
		cr_assert(done);
		OK(db_subscriber_set(db, &u, &done));
		cr_assert(done, "no change is no missing user");
		OK(db_subscriber_get(db, SL("alice"), SL("example.com"), &got,
				     &done));
		cr_assert_str_eq(got.ha1, "89");
		OK(db_subscriber_del(db, SL("alice"), SL("example.com"), &done));
		cr_assert(done);
		OK(db_subscriber_del(db, SL("alice"), SL("example.com"), &done));
		cr_assert(!done);
	}
	DBS_DONE();
}

Test(subscriber, names_are_compared_byte_by_byte)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_subscriber got;
		bool done;

		OK(db_subscriber_add(db, &alice, &done));
		OK(db_subscriber_get(db, SL("Alice"), SL("example.com"), &got,
				     &done));
		cr_assert(!done);
		OK(db_subscriber_get(db, SL("alice "), SL("example.com"), &got,
				     &done));
		cr_assert(!done);
		OK(db_subscriber_get(db, SL("a' OR '1'='1"), SL("example.com"),
				     &got, &done));
		cr_assert(!done);
		OK(db_subscriber_get(db, SL("al\xffice"), SL("example.com"), &got,
				     &done));
		cr_assert(!done);
	}
	DBS_DONE();
}

Test(subscriber, a_list_comes_in_pages)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_subscriber u = alice;
		unsigned n = 0, got = 0;
		bool done;

		for (int i = 0; i < 5; i++) {
			u.username[0] = (char)('a' + i);
			OK(db_subscriber_add(db, &u, &done));
		}
		OK(db_subscriber_list(db, SL(""), SL(""), 3, count, &got, &n));
		cr_assert_eq(n, 3);
		OK(db_subscriber_list(db, SL("clice"), SL("example.com"), 3,
				      count, &got, &n));
		cr_assert_eq(n, 2);
		cr_assert_eq(got, 5);
	}
	DBS_DONE();
}

Test(subscriber, a_table_without_sha256_is_used_as_it_is)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_subscriber got;
		char why[DB_WHY];
		bool done;

		OK(db_script(db, "DROP TABLE subscriber"));
		OK(db_script(db, "CREATE TABLE subscriber (username VARCHAR(64),"
			     "domain VARCHAR(64), password VARCHAR(64),"
			     "ha1 VARCHAR(64))"));
		OK(db_subscriber_check(db, why));
		OK(db_subscriber_add(db, &alice, &done));
		cr_assert(done);
		OK(db_subscriber_get(db, SL("alice"), SL("example.com"), &got,
				     &done));
		cr_assert(done);
		cr_assert_str_eq(got.ha1, "0123");
		cr_assert_str_eq(got.ha1_sha256, "");
	}
	DBS_DONE();
}

Test(subscriber, a_user_may_lack_domain_and_digests)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_subscriber u = { .username = "bob" }, got;
		bool done;

		OK(db_subscriber_add(db, &u, &done));
		cr_assert(done);
		OK(db_subscriber_get(db, SL("bob"), SL(""), &got, &done));
		cr_assert(done);
		cr_assert_str_eq(got.ha1, "");
		OK(db_subscriber_set(db, &u, &done));
		OK(db_subscriber_del(db, SL("bob"), SL(""), &done));
		cr_assert(done);
	}
	DBS_DONE();
}
