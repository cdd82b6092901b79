noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_SOURCES = \
	ctl/bans.c \
	ctl/ca.c \
	ctl/check.c \
	ctl/ctl.h \
	ctl/db.c \
	ctl/dbimport.c \
	ctl/dbimport.h \
	ctl/dbopen.c \
	ctl/dbopen.h \
	ctl/dbrow.c \
	ctl/dbrow.h \
	ctl/drill.c \
	ctl/drill_list.c \
	ctl/drill_list.h \
	ctl/drill_say.c \
	ctl/drill_say.h \
	ctl/drill_store.c \
	ctl/drill_store.h \
	ctl/events.c \
	ctl/evline.c \
	ctl/evline.h \
	ctl/get.c \
	ctl/get.h \
	ctl/key.c \
	ctl/ladder.c \
	ctl/ladder.h \
	ctl/location.c \
	ctl/nodes.c \
	ctl/node.c \
	ctl/passwd.c \
	ctl/passwd.h \
	ctl/pki.c \
	ctl/pki.h \
	ctl/post.c \
	ctl/post.h \
	ctl/status.c \
	ctl/trace.c \
	ctl/user.c \
	ctl/usersql.c \
	ctl/usersql.h \
	ctl/verify.c \
	ctl/view.c \
	ctl/view.h \
	ctl/weave.c \
	ctl/weave.h

bin_PROGRAMS += ctl/edgewise
ctl_edgewise_SOURCES = ctl/main.c
ctl_edgewise_LDADD = ctl/libctl.a drill/libdrill.a sbc/libsbc.a node/libnode.a \
	cluster/libcluster.a dispatcher/libdispatcher.a db/libdb.a \
	sip/libsip.a base/libbase.a $(CURL_LIBS) $(CONFIG_LIBS) $(SODIUM_LIBS) \
	$(SSL_LIBS) $(JANSSON_LIBS) $(ZDB_LIBS) $(RE_LIBS)
