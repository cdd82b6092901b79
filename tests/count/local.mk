# Instructions of what is done most: tests/count/run counts them by callgrind.
check_PROGRAMS += tests/count/count
tests_count_count_SOURCES = \
	tests/count/count.c \
	tests/sbc/world.c \
	tests/sbc/world.h \
	tests/sbc/world_i.h \
	tests/sbc/world_node.c \
	tests/sbc/world_phone.c \
	tests/sim/real.c \
	tests/support/simnet.c \
	tests/support/simnet.h
tests_count_count_LDADD = sbc/libsbc.a node/libnode.a \
	cluster/libcluster.a dispatcher/libdispatcher.a sip/libsip.a \
	base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(RE_LIBS)
EXTRA_DIST += tests/count/run tests/count/limits.tsv
