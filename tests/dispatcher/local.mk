if CRITERION
check_PROGRAMS += tests/dispatcher/test_dispatcher
TESTS += tests/dispatcher/test_dispatcher
tests_dispatcher_test_dispatcher_SOURCES = tests/support/fini.c \
	tests/dispatcher/fixture.h \
	tests/dispatcher/test_backlog.c \
	tests/dispatcher/test_budget.c \
	tests/dispatcher/test_cap.c \
	tests/dispatcher/test_dispatcher.c \
	tests/dispatcher/test_dispatcher_admin.c \
	tests/dispatcher/test_health.c \
	tests/dispatcher/test_loss.c \
	tests/dispatcher/test_outlier.c \
	tests/dispatcher/test_pick.c \
	tests/dispatcher/test_rtt.c
tests_dispatcher_test_dispatcher_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_dispatcher_test_dispatcher_LDADD = dispatcher/libdispatcher.a \
	base/libbase.a -lm $(CRITERION_LIBS)
endif
