if CRITERION
check_PROGRAMS += tests/sbc/test_sbc
TESTS += tests/sbc/test_sbc
tests_sbc_test_sbc_SOURCES = tests/support/fini.c \
	tests/sbc/test_cdr.c \
	tests/sbc/test_cdrfile.c \
	tests/sbc/test_call.c \
	tests/sbc/test_straight.c \
	tests/sbc/test_config.c \
	tests/sbc/test_drills.c \
	tests/sbc/test_edge.c \
	tests/sbc/test_ended.c \
	tests/sbc/test_events.c \
	tests/sbc/test_fault.c \
	tests/sbc/test_full.c \
	tests/sbc/test_guard.c \
	tests/sbc/test_history.c \
	tests/sbc/test_hook.c \
	tests/sbc/test_hops.c \
	tests/sbc/test_ask.c \
	tests/sbc/test_keep.c \
	tests/sbc/test_known.c \
	tests/sbc/test_late.c \
	tests/sbc/test_nat.c \
	tests/sbc/test_oc.c \
	tests/sbc/test_overload.c \
	tests/sbc/test_page.c \
	tests/sbc/test_peers.c \
	tests/sbc/test_pool.c \
	tests/sbc/test_rates.c \
	tests/sbc/test_rules.c \
	tests/sbc/test_sim.c \
	tests/sbc/test_source.c \
	tests/sbc/test_state.c \
	sbc/state.c sbc/state.h \
	tests/sbc/test_token.c \
	tests/sbc/test_told.c \
	tests/sbc/test_verdict.c \
	tests/sbc/world.c \
	tests/sbc/world.h \
	tests/sbc/world_i.h \
	tests/sbc/world_node.c \
	tests/sbc/world_phone.c \
	tests/support/simnet.c \
	tests/support/simnet.h
tests_sbc_test_sbc_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_sbc_test_sbc_LDADD = sbc/libsbc.a dispatcher/libdispatcher.a \
	web/libweb.a sip/libsip.a base/libbase.a $(JANSSON_LIBS) \
	$(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(RE_LIBS) \
	$(CRITERION_LIBS)

# Memory runs out at every place, once: an own program, as malloc is wrapped.
check_PROGRAMS += tests/sbc/test_oom
TESTS += tests/sbc/test_oom
tests_sbc_test_oom_SOURCES = tests/support/fini.c tests/sbc/test_oom.c tests/sbc/world.c \
	tests/sbc/world.h tests/sbc/world_i.h tests/sbc/world_node.c \
	tests/sbc/world_phone.c tests/support/simnet.c tests/support/simnet.h
tests_sbc_test_oom_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_sbc_test_oom_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc \
	-Wl,--wrap=calloc -Wl,--wrap=realloc
tests_sbc_test_oom_LDADD = $(tests_sbc_test_sbc_LDADD)
endif
