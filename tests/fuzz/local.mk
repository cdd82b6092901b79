# Targets export LLVMFuzzerTestOneInput. configure --enable-fuzz links them
# with libFuzzer; otherwise replay.c gives them the stored inputs, once.
# A new target X: fuzz_X.c, corpus/X/ with at least one input, and
#   check_PROGRAMS += tests/fuzz/fuzz_X
#   tests_fuzz_fuzz_X_SOURCES = tests/fuzz/fuzz_X.c $(FUZZ_MAIN)
#   tests_fuzz_fuzz_X_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
#   tests_fuzz_fuzz_X_LDADD = sip/libsip.a base/libbase.a ...
if FUZZ
FUZZ_MAIN =
LIBFUZZER = -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/replay.c
LIBFUZZER =
endif
TESTS += tests/fuzz/replay.sh
EXTRA_DIST += tests/fuzz/replay.sh tests/fuzz/corpus

check_PROGRAMS += tests/fuzz/fuzz_cfg
tests_fuzz_fuzz_cfg_SOURCES = tests/fuzz/fuzz_cfg.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cfg_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_cfg_LDADD = base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_binding
tests_fuzz_fuzz_binding_SOURCES = tests/fuzz/fuzz_binding.c $(FUZZ_MAIN)
tests_fuzz_fuzz_binding_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_binding_LDADD = node/libnode.a sip/libsip.a base/libbase.a \
	$(SODIUM_LIBS) $(SSL_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_scan tests/fuzz/fuzz_uri \
	tests/fuzz/fuzz_via tests/fuzz/fuzz_frame tests/fuzz/fuzz_digest
FUZZ_SIP = sip/libsip.a base/libbase.a $(SODIUM_LIBS) $(SSL_LIBS)
tests_fuzz_fuzz_scan_SOURCES = tests/fuzz/fuzz_scan.c $(FUZZ_MAIN)
tests_fuzz_fuzz_scan_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_scan_LDADD = $(FUZZ_SIP)
tests_fuzz_fuzz_uri_SOURCES = tests/fuzz/fuzz_uri.c $(FUZZ_MAIN)
tests_fuzz_fuzz_uri_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_uri_LDADD = $(FUZZ_SIP)
tests_fuzz_fuzz_via_SOURCES = tests/fuzz/fuzz_via.c $(FUZZ_MAIN)
tests_fuzz_fuzz_via_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_via_LDADD = $(FUZZ_SIP)
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c $(FUZZ_MAIN)
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_frame_LDADD = $(FUZZ_SIP)
tests_fuzz_fuzz_digest_SOURCES = tests/fuzz/fuzz_digest.c $(FUZZ_MAIN)
tests_fuzz_fuzz_digest_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_digest_LDADD = $(FUZZ_SIP)

check_PROGRAMS += tests/fuzz/fuzz_glance
tests_fuzz_fuzz_glance_SOURCES = tests/fuzz/fuzz_glance.c $(FUZZ_MAIN)
tests_fuzz_fuzz_glance_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_glance_LDADD = $(FUZZ_SIP)

check_PROGRAMS += tests/fuzz/fuzz_node
tests_fuzz_fuzz_node_SOURCES = tests/fuzz/fuzz_node.c $(FUZZ_MAIN)
tests_fuzz_fuzz_node_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_node_LDADD = node/libnode.a cluster/libcluster.a sip/libsip.a \
	base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_inner
tests_fuzz_fuzz_inner_SOURCES = tests/fuzz/fuzz_inner.c $(FUZZ_MAIN)
tests_fuzz_fuzz_inner_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_inner_LDADD = $(tests_fuzz_fuzz_node_LDADD)

check_PROGRAMS += tests/fuzz/fuzz_token tests/fuzz/fuzz_edge \
	tests/fuzz/fuzz_members
FUZZ_SBC = sbc/libsbc.a dispatcher/libdispatcher.a sip/libsip.a \
	base/libbase.a $(SODIUM_LIBS) $(SSL_LIBS)
tests_fuzz_fuzz_token_SOURCES = tests/fuzz/fuzz_token.c $(FUZZ_MAIN)
tests_fuzz_fuzz_token_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_token_LDADD = $(FUZZ_SBC)
tests_fuzz_fuzz_members_SOURCES = tests/fuzz/fuzz_members.c $(FUZZ_MAIN)
tests_fuzz_fuzz_members_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_members_LDADD = $(FUZZ_SBC)
tests_fuzz_fuzz_edge_SOURCES = tests/fuzz/fuzz_edge.c $(FUZZ_MAIN)
tests_fuzz_fuzz_edge_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_edge_LDADD = $(FUZZ_SBC)

check_PROGRAMS += tests/fuzz/fuzz_cluster
tests_fuzz_fuzz_cluster_SOURCES = tests/fuzz/fuzz_cluster.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cluster_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_cluster_LDADD = cluster/libcluster.a base/libbase.a \
	$(SODIUM_LIBS) $(SSL_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_cert
tests_fuzz_fuzz_cert_SOURCES = tests/fuzz/fuzz_cert.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cert_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_cert_LDADD = cluster/libcluster.a base/libbase.a \
	$(SODIUM_LIBS) $(SSL_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_http
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c $(FUZZ_MAIN)
tests_fuzz_fuzz_http_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_http_LDADD = web/libweb.a base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_peer
tests_fuzz_fuzz_peer_SOURCES = tests/fuzz/fuzz_peer.c $(FUZZ_MAIN)
tests_fuzz_fuzz_peer_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_peer_LDADD = cluster/libcluster.a base/libbase.a \
	$(SODIUM_LIBS) $(SSL_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_wire tests/fuzz/fuzz_record
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c $(FUZZ_MAIN)
tests_fuzz_fuzz_wire_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_wire_LDADD = cluster/libcluster.a base/libbase.a \
	$(SODIUM_LIBS) $(SSL_LIBS)
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c $(FUZZ_MAIN)
tests_fuzz_fuzz_record_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_record_LDADD = cluster/libcluster.a base/libbase.a \
	$(SODIUM_LIBS) $(SSL_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_page
tests_fuzz_fuzz_page_SOURCES = tests/fuzz/fuzz_page.c $(FUZZ_MAIN)
tests_fuzz_fuzz_page_LDFLAGS = $(AM_LDFLAGS) $(LIBFUZZER)
tests_fuzz_fuzz_page_LDADD = sbc/libsbc.a base/libbase.a $(JANSSON_LIBS) \
	$(SODIUM_LIBS) $(SSL_LIBS)
