noinst_LIBRARIES += sip/libsip.a
sip_libsip_a_SOURCES = \
	sip/auth.c \
	sip/auth.h \
	sip/flow.c \
	sip/flow.h \
	sip/frame.c \
	sip/frame.h \
	sip/hop.c \
	sip/hop.h \
	sip/scan.c \
	sip/scan.h \
	sip/splice.c \
	sip/splice.h \
	sip/transport.c \
	sip/transport.h \
	sip/txn.c \
	sip/txn.h \
	sip/uri.c \
	sip/uri.h
