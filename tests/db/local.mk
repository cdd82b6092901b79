if SQL
check_PROGRAMS += tests/db/race
TESTS += tests/db/race
tests_db_race_SOURCES = tests/db/race.c
tests_db_race_LDADD = db/libdb.a base/libbase.a $(ZDB_LIBS) $(CONFIG_LIBS) \
	$(SODIUM_LIBS) $(RE_LIBS)
endif
if CRITERION
if SQL
check_PROGRAMS += tests/db/test_db
TESTS += tests/db/test_db
tests_db_test_db_SOURCES = tests/support/fini.c \
	tests/db/rig.c \
	tests/db/rig.h \
	tests/db/test_location.c \
	tests/db/test_sql.c \
	tests/db/test_subscriber.c \
	tests/db/test_url.c \
	tests/db/test_worker.c
tests_db_test_db_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_db_test_db_LDADD = db/libdb.a base/libbase.a $(ZDB_LIBS) \
	$(CONFIG_LIBS) $(SODIUM_LIBS) $(RE_LIBS) $(CRITERION_LIBS)
endif
endif
EXTRA_DIST += tests/db/servers.sh
