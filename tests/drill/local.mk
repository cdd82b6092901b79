if CRITERION
check_PROGRAMS += tests/drill/test_drill
TESTS += tests/drill/test_drill
tests_drill_test_drill_SOURCES = tests/support/fini.c \
	tests/drill/test_gen.c \
	tests/drill/test_plan.c \
	tests/drill/test_report.c \
	tests/drill/test_judge.c \
	tests/drill/world.c \
	tests/drill/world.h
tests_drill_test_drill_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_drill_test_drill_LDADD = drill/libdrill.a sip/libsip.a base/libbase.a \
	$(CURL_LIBS) $(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) \
	$(JANSSON_LIBS) $(RE_LIBS) $(CRITERION_LIBS) -lpthread
endif
