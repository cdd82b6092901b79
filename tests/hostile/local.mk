# A peer with the cluster key that means harm, and its tests
check_PROGRAMS += tests/hostile/badpeer
tests_hostile_badpeer_SOURCES = \
	tests/hostile/badpeer.c \
	tests/hostile/badpeer.h \
	tests/hostile/badpeer_frame.c \
	tests/hostile/badpeer_link.c
tests_hostile_badpeer_LDADD = node/libnode.a cluster/libcluster.a \
	sip/libsip.a base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(RE_LIBS)
EXTRA_DIST += tests/e2e/group_badpeer.py
