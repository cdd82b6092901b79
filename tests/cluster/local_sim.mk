# The cluster in one process: tests/cluster/simrun runs it over many seeds
# (scripts/check does, `make check` does not), test_cluster over few.
SIM_WORLD = \
	tests/cluster/mem.c \
	tests/cluster/mem.h \
	tests/cluster/sim.c \
	tests/cluster/sim.h \
	tests/cluster/sim_net.c \
	tests/cluster/world.c \
	tests/cluster/world.h \
	tests/cluster/world_check.c \
	tests/cluster/world_fault.c \
	tests/cluster/world_hint.c \
	tests/cluster/world_look.c \
	tests/cluster/world_op.c
SIM_WRAP = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
SIM_LIBS = cluster/libcluster.a base/libbase.a $(SSL_LIBS) $(SODIUM_LIBS)

check_PROGRAMS += tests/cluster/simrun
tests_cluster_simrun_SOURCES = tests/cluster/simrun.c $(SIM_WORLD)
tests_cluster_simrun_LDFLAGS = $(AM_LDFLAGS) $(SIM_WRAP)
tests_cluster_simrun_LDADD = $(SIM_LIBS)

# Every order of four changes and one crash: run by scripts/check, too
check_PROGRAMS += tests/cluster/simmodel
tests_cluster_simmodel_SOURCES = tests/cluster/simmodel.c
tests_cluster_simmodel_LDADD = $(SIM_LIBS)
