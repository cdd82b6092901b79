if CRITERION
check_PROGRAMS += tests/sip/test_txn
TESTS += tests/sip/test_txn
tests_sip_test_txn_SOURCES = tests/support/fini.c \
	tests/sip/test_txn_client.c \
	tests/sip/test_txn_oom.c \
	tests/sip/test_txn_server.c \
	tests/sip/test_txn_sim.c \
	tests/sip/txn_fx.c \
	tests/sip/txn_fx.h
tests_sip_test_txn_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_sip_test_txn_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
tests_sip_test_txn_LDADD = sip/libsip.a base/libbase.a $(SODIUM_LIBS) \
	$(SSL_LIBS) $(RE_LIBS) $(CRITERION_LIBS)

check_PROGRAMS += tests/sip/test_transport
TESTS += tests/sip/test_transport
tests_sip_test_transport_SOURCES = tests/support/fini.c \
	tests/sip/test_transport_chaos.c \
	tests/sip/test_transport_tcp.c \
	tests/sip/test_transport_udp.c \
	tests/sip/transport_fx.c \
	tests/sip/transport_fx.h
tests_sip_test_transport_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_sip_test_transport_LDADD = $(tests_sip_test_txn_LDADD)
endif
