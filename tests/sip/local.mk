if CRITERION
check_PROGRAMS += tests/sip/test_sip
TESTS += tests/sip/test_sip
tests_sip_test_sip_SOURCES = tests/support/fini.c \
	tests/sip/test_auth.c \
	tests/sip/test_chr.c \
	tests/sip/test_flow.c \
	tests/sip/test_frame.c \
	tests/sip/test_glance.c \
	tests/sip/test_hop.c \
	tests/sip/test_inner.c \
	tests/sip/test_ipv6.c \
	tests/sip/test_scan.c \
	tests/sip/test_oc.c \
	tests/sip/test_overload.c \
	tests/sip/test_splice.c \
	tests/sip/test_stun.c \
	tests/sip/test_torture.c \
	tests/sip/test_trace.c \
	tests/sip/test_uri.c \
	tests/sip/msg.h
tests_sip_test_sip_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) \
	-DTORTURE='"$(abs_top_srcdir)/tests/torture"'
tests_sip_test_sip_LDADD = sip/libsip.a base/libbase.a $(CONFIG_LIBS) \
	$(SODIUM_LIBS) $(SSL_LIBS) $(RE_LIBS) $(CRITERION_LIBS)
endif
EXTRA_DIST += tests/torture
