if CRITERION
check_PROGRAMS += tests/sbc/test_sbc
TESTS += tests/sbc/test_sbc
tests_sbc_test_sbc_SOURCES = \
	tests/sbc/test_config.c \
	tests/sbc/test_edge.c \
	tests/sbc/test_guard.c \
	tests/sbc/test_rules.c \
	tests/sbc/test_sim.c \
	tests/sbc/test_token.c \
	tests/sbc/world.c \
	tests/sbc/world.h \
	tests/sbc/world_i.h \
	tests/sbc/world_node.c \
	tests/sbc/world_phone.c \
	tests/support/simnet.c \
	tests/support/simnet.h
tests_sbc_test_sbc_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_sbc_test_sbc_LDADD = sbc/libsbc.a dispatcher/libdispatcher.a \
	sip/libsip.a base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) \
	$(RE_LIBS) $(CRITERION_LIBS)
endif
