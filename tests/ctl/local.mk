if CRITERION
check_PROGRAMS += tests/ctl/test_ctl
TESTS += tests/ctl/test_ctl
tests_ctl_test_ctl_SOURCES = tests/support/fini.c \
	tests/ctl/test_ca.c \
	tests/ctl/test_commands.c \
	tests/ctl/test_dbrow.c \
	tests/ctl/test_evline.c \
	tests/ctl/test_ladder.c \
	tests/ctl/test_passwd.c \
	tests/ctl/test_post.c \
	tests/ctl/test_view.c \
	tests/ctl/test_weave.c
tests_ctl_test_ctl_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
if SQL
tests_ctl_test_ctl_SOURCES += tests/ctl/test_db.c
endif
tests_ctl_test_ctl_LDADD = $(ctl_edgewise_LDADD) $(CRITERION_LIBS) -lpthread
endif

check_PROGRAMS += tests/ctl/keys
tests_ctl_keys_SOURCES = tests/ctl/keys.c
tests_ctl_keys_LDADD = $(ctl_edgewise_LDADD)
TESTS += tests/ctl/shipped.sh tests/ctl/completion.sh
EXTRA_DIST += tests/ctl/test_db.c tests/ctl/shipped.sh tests/ctl/completion.sh

TESTS += tests/support/examples.sh
EXTRA_DIST += tests/support/examples.sh
