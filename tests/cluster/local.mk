if CRITERION
check_PROGRAMS += tests/cluster/test_cluster
TESTS += tests/cluster/test_cluster
tests_cluster_test_cluster_SOURCES = tests/support/fini.c \
	tests/cluster/live.c \
	tests/cluster/live.h \
	tests/cluster/pki.c \
	tests/cluster/pki.h \
	tests/cluster/test_cert.c \
	tests/cluster/test_cluster.c \
	tests/cluster/test_heap.c \
	tests/cluster/test_hints.c \
	tests/cluster/test_keyset.c \
	tests/cluster/test_member.c \
	tests/cluster/test_mesh_roster.c \
	tests/cluster/test_oom.c \
	tests/cluster/test_record.c \
	tests/cluster/test_repl.c \
	tests/cluster/test_roster.c \
	tests/cluster/test_sim.c \
	tests/cluster/test_slots.c \
	tests/cluster/test_squeeze.c \
	tests/cluster/test_store.c \
	tests/cluster/test_store_digest.c \
	tests/cluster/test_store_model.c \
	tests/cluster/test_store_pack.c \
	tests/cluster/test_stream.c \
	tests/cluster/test_sync.c \
	tests/cluster/test_wire.c \
	$(SIM_WORLD)
tests_cluster_test_cluster_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_cluster_test_cluster_LDFLAGS = $(AM_LDFLAGS) $(SIM_WRAP)
tests_cluster_test_cluster_LDADD = cluster/libcluster.a base/libbase.a \
	$(SSL_LIBS) $(CONFIG_LIBS) $(SODIUM_LIBS) $(RE_LIBS) $(CRITERION_LIBS)
endif
