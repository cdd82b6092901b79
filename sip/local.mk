noinst_LIBRARIES += sip/libsip.a
sip_libsip_a_SOURCES = \
	sip/auth.c \
	sip/auth.h \
	sip/auth_nonce.c \
	sip/chr.c \
	sip/chr.h \
	sip/flow.c \
	sip/flow.h \
	sip/frame.c \
	sip/frame.h \
	sip/glance.c sip/glance.h \
	sip/hop.c \
	sip/hop.h \
	sip/inner.c \
	sip/inner.h \
	sip/oc.c sip/oc.h \
	sip/overload.c sip/overload.h \
	sip/scan.c \
	sip/scan.h \
	sip/scan_hdr.c \
	sip/scan_in.h \
	sip/scan_iter.c \
	sip/scan_name.c \
	sip/scan_quick.c sip/scan_quick.h \
	sip/splice.c \
	sip/splice.h \
	sip/stun.c \
	sip/stun.h \
	sip/trace.c sip/trace_clean.c \
	sip/trace.h \
	sip/transport.c \
	sip/transport_accept.c \
	sip/transport.h \
	sip/transport_conn.c \
	sip/transport_i.h \
	sip/transport_tcp.c \
	sip/transport_udp.c \
	sip/txn.c \
	sip/txn.h \
	sip/txn_branch.c \
	sip/txn_over.c \
	sip/txn_client.c \
	sip/txn_i.h \
	sip/txn_key.c \
	sip/txn_msg.c \
	sip/txn_server.c \
	sip/uri.c \
	sip/uri.h \
	sip/uri_cmp.c \
	sip/uri_in.h \
	sip/via.c
