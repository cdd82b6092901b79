if CRITERION
check_PROGRAMS += tests/node/test_node
TESTS += tests/node/test_node
tests_node_test_node_SOURCES = tests/support/fini.c \
	tests/cluster/pki.c \
	tests/cluster/pki.h \
	tests/node/persistdb.c \
	tests/node/persistdb.h \
	tests/node/persistsim.c \
	tests/node/persistsim.h \
	tests/node/rig.c \
	tests/node/rig.h \
	tests/node/test_access.c \
	tests/node/test_binding.c \
	tests/node/test_certs.c \
	tests/node/test_config.c \
	tests/node/test_core.c \
	tests/node/test_files.c \
	tests/node/test_files_state.c \
	tests/node/test_gone.c \
	tests/node/test_guess.c \
	tests/node/test_health.c \
	tests/node/test_nonces.c \
	tests/node/test_own.c \
	tests/node/test_persist.c \
	tests/node/test_persist_pace.c \
	tests/node/test_ping.c \
	tests/node/test_proxy.c \
	tests/node/test_registrar.c \
	tests/node/test_routes.c \
	tests/node/test_subs.c \
	tests/node/test_users.c
tests_node_test_node_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) \
	-DTORTURE='"$(abs_top_srcdir)/tests/torture"' \
	-DSHIPPED='"$(abs_top_srcdir)/etc/node.conf"'
tests_node_test_node_LDADD = node/libnode.a cluster/libcluster.a \
	sip/libsip.a base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) \
	$(SSL_LIBS) $(RE_LIBS) $(CRITERION_LIBS)

# Memory runs out at every place, once: an own program, as malloc is wrapped.
check_PROGRAMS += tests/node/test_oom
TESTS += tests/node/test_oom
tests_node_test_oom_SOURCES = tests/node/rig.c tests/node/rig.h \
	tests/node/test_oom.c
tests_node_test_oom_CPPFLAGS = $(tests_node_test_node_CPPFLAGS)
tests_node_test_oom_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc \
	-Wl,--wrap=calloc -Wl,--wrap=realloc
tests_node_test_oom_LDADD = $(tests_node_test_node_LDADD)
endif

# The write-back over a model of a database, with power cuts: scripts/check
# runs it over many seeds
check_PROGRAMS += tests/node/simpersist
tests_node_simpersist_SOURCES = \
	tests/node/persistdb.c \
	tests/node/persistdb.h \
	tests/node/persistsim.c \
	tests/node/persistsim.h \
	tests/node/simpersist.c
tests_node_simpersist_LDADD = node/libnode.a cluster/libcluster.a \
	sip/libsip.a base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) \
	$(SSL_LIBS) $(RE_LIBS)
