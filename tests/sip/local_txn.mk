if CRITERION
check_PROGRAMS += tests/sip/test_txn
TESTS += tests/sip/test_txn
tests_sip_test_txn_SOURCES = \
	tests/sip/test_txn_client.c \
	tests/sip/test_txn_server.c \
	tests/sip/test_txn_sim.c \
	tests/sip/txn_fx.c \
	tests/sip/txn_fx.h
tests_sip_test_txn_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_sip_test_txn_LDADD = sip/libsip.a base/libbase.a $(SODIUM_LIBS) \
	$(SSL_LIBS) $(RE_LIBS) $(CRITERION_LIBS)
endif
