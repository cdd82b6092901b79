# Edge and real nodes in one process. simrun: many seeds, also for mutants.
check_PROGRAMS += tests/sim/simrun
tests_sim_simrun_SOURCES = \
	tests/sbc/world.c \
	tests/sbc/world.h \
	tests/sbc/world_i.h \
	tests/sbc/world_node.c \
	tests/sbc/world_phone.c \
	tests/sim/real.c \
	tests/sim/simrun.c \
	tests/sim/story.c \
	tests/sim/story.h \
	tests/support/simnet.c \
	tests/support/simnet.h
tests_sim_simrun_LDADD = sbc/libsbc.a node/libnode.a \
	cluster/libcluster.a dispatcher/libdispatcher.a sip/libsip.a \
	base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(RE_LIBS)

# The seeds of tests/sbc/test_sim.c again; calls step by step.
if CRITERION
check_PROGRAMS += tests/sim/test_system
TESTS += tests/sim/test_system
tests_sim_test_system_SOURCES = tests/support/fini.c \
	tests/sbc/test_sim.c \
	tests/sbc/world.c \
	tests/sbc/world.h \
	tests/sbc/world_i.h \
	tests/sbc/world_node.c \
	tests/sbc/world_phone.c \
	tests/sim/real.c \
	tests/sim/test_calls.c \
	tests/support/simnet.c \
	tests/support/simnet.h
tests_sim_test_system_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) \
	-DREAL_NODES
tests_sim_test_system_LDADD = sbc/libsbc.a node/libnode.a \
	cluster/libcluster.a dispatcher/libdispatcher.a sip/libsip.a \
	base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(RE_LIBS) \
	$(CRITERION_LIBS)
endif
