noinst_LIBRARIES += db/libdb.a
db_libdb_a_SOURCES = \
	db/db.h \
	db/db_judge.c \
	db/db_judge.h \
	db/db_location.c \
	db/db_location.h \
	db/db_location_read.c \
	db/db_schema.c \
	db/db_schema.h \
	db/db_sock.h \
	db/db_subscriber.c \
	db/db_subscriber.h \
	db/db_text.c \
	db/db_text.h \
	db/db_url.c \
	db/db_url.h \
	db/db_worker.c \
	db/db_worker.h
if SQL
db_libdb_a_SOURCES += db/db.c db/db_sock.c
else
db_libdb_a_SOURCES += db/db_none.c
endif
EXTRA_DIST += db/db.c db/db_sock.c db/db_none.c

# cost of the location table: `make bench/sql`, see its head
if SQL
EXTRA_PROGRAMS += bench/sql
bench_sql_SOURCES = bench/sql.c
bench_sql_LDADD = db/libdb.a base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) \
	$(ZDB_LIBS) $(RE_LIBS)
CLEANFILES += bench/sql
endif
