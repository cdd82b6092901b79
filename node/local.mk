noinst_LIBRARIES += node/libnode.a
node_libnode_a_SOURCES = \
	node/access.c \
	node/access.h \
	node/binding.c \
	node/binding.h \
	node/certs.c \
	node/certs.h \
	node/config.c \
	node/config.h \
	node/core.c \
	node/core.h \
	node/core_hold.c \
	node/core_priv.h \
	node/core_request.c \
	node/core_wait.c \
	node/files.c \
	node/files.h \
	node/gone.c \
	node/gone.h \
	node/guess.c \
	node/guess.h \
	node/health.c \
	node/health.h \
	node/keys.c \
	node/keys.h \
	node/keep.c \
	node/keep.h \
	node/location.c \
	node/location.h \
	node/nonces.c \
	node/nonces.h \
	node/own.c \
	node/own.h \
	node/persist.c \
	node/persist.h \
	node/persist_check.c \
	node/persist_i.h \
	node/persist_pace.c \
	node/persist_row.c \
	node/persist_slots.c \
	node/persist_view.c \
	node/ping.c \
	node/ping.h \
	node/ping_i.h \
	node/ping_edge.c \
	node/ping_hint.c \
	node/ping_item.c \
	node/ping_missed.c \
	node/ping_path.c \
	node/ping_seen.c \
	node/proxy.c \
	node/proxy.h \
	node/proxy_best.c \
	node/proxy_i.h \
	node/proxy_msg.c \
	node/proxy_way.c \
	node/registrar.c \
	node/routes.c \
	node/routes.h \
	node/registrar.h \
	node/sqlconf.c \
	node/sqlconf.h \
	node/subs.c \
	node/subs.h \
	node/users.c \
	node/users.h

sbin_PROGRAMS += node/edgewise-node
node_edgewise_node_SOURCES = \
	node/api.c \
	node/api.h \
	node/api_db.c \
	node/api_db.h \
	node/api_import.c \
	node/api_import.h \
	node/api_location.c \
	node/api_location.h \
	node/api_ping.c \
	node/api_ping.h \
	node/api_trace.c \
	node/api_trace.h \
	node/api_verify.c \
	node/api_verify.h \
	node/leave.c \
	node/leave.h \
	node/main.c \
	node/node.c \
	node/node.h \
	node/node_i.h \
	node/persist_io.c \
	node/persist_io.h \
	node/persist_run.c \
	node/persist_run.h \
	node/reload.c \
	node/reload.h \
	node/users_sql.c \
	node/users_sql.h
node_edgewise_node_LDADD = node/libnode.a web/libweb.a \
	cluster/libcluster.a db/libdb.a sip/libsip.a \
	base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) \
	$(JANSSON_LIBS) $(ZDB_LIBS) $(RE_LIBS)
