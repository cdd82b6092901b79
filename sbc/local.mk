noinst_LIBRARIES += sbc/libsbc.a
sbc_libsbc_a_SOURCES = \
	sbc/admit.c \
	sbc/admit.h \
	sbc/call.c sbc/call_adopt.c \
	sbc/call_asked.c sbc/call_caller.c sbc/call_late.c sbc/call_response.c \
	sbc/call.h \
	sbc/cdr.c \
	sbc/cdr.h \
	sbc/cdrfile.c \
	sbc/cdrfile.h \
	sbc/config.c \
	sbc/config_edge.c \
	sbc/config.h \
	sbc/drills.c \
	sbc/drills.h \
	sbc/edge.c \
	sbc/edge.h \
	sbc/edge_build.c \
	sbc/edge_cdr.c \
	sbc/edge_early.c \
	sbc/edge_ghost.c \
	sbc/edge_ended.c \
	sbc/edge_hops.c \
	sbc/edge_ask.c \
	sbc/edge_keep.c \
	sbc/edge_line.c \
	sbc/line.c sbc/line.h \
	sbc/edge_known.c \
	sbc/edge_learn.c \
	sbc/edge_lost.c \
	sbc/edge_pool.c \
	sbc/edge_priv.h \
	sbc/edge_probe.c \
	sbc/edge_request.c \
	sbc/edge_response.c \
	sbc/edge_overload.c \
	sbc/edge_source.c \
	sbc/phones.c sbc/phones.h \
	sbc/events.c \
	sbc/events.h \
	sbc/fault.c \
	sbc/fault.h \
	sbc/ended.c \
	sbc/ended.h \
	sbc/hide.c \
	sbc/history.c \
	sbc/hook.c \
	sbc/hook.h \
	sbc/history.h \
	sbc/hide.h \
	sbc/keys.c \
	sbc/keys.h \
	sbc/known.c \
	sbc/known.h \
	sbc/learn.c \
	sbc/learn.h \
	sbc/ledger.c \
	sbc/ledger.h \
	sbc/edge_peer.c \
	sbc/page.c \
	sbc/page_bans.c \
	sbc/page.h \
	sbc/page_drills.c \
	sbc/page_nodes.c \
	sbc/page_peers.c \
	sbc/page_sql.c \
	sbc/page_pings.c \
	sbc/page_put.c \
	sbc/peers.c \
	sbc/peers.h \
	sbc/rates.c \
	sbc/rates.h \
	sbc/route.c \
	sbc/route.h \
	sbc/source.c \
	sbc/source.h \
	sbc/token.c \
	sbc/token.h \
	sbc/told.c \
	sbc/told.h \
	sbc/verdict.c \
	sbc/verdict.h

sbin_PROGRAMS += sbc/edgewise-sbc
sbc_edgewise_sbc_SOURCES = \
	sbc/api.c \
	sbc/api_admit.c \
	sbc/api_drills.c \
	sbc/api_events.c \
	sbc/api_fault.c \
	sbc/api_paths.c \
	sbc/api_node.c \
	sbc/api_trace.c \
	sbc/dash.c \
	sbc/dash.h \
	sbc/dash_past.c \
	sbc/dash_series.c \
	sbc/dash_view.c \
	sbc/main.c \
	sbc/scrape.c \
	sbc/scrape.h \
	sbc/sbc.c \
	sbc/sbc_cdr.c \
	sbc/hooks.c \
	sbc/hooks.h \
	sbc/sbc.h \
	sbc/sbc_priv.h \
	sbc/state.c \
	sbc/state.h
sbc_edgewise_sbc_LDADD = sbc/libsbc.a web/libweb.a dispatcher/libdispatcher.a \
	sip/libsip.a base/libbase.a $(RE_LIBS) $(CONFIG_LIBS) \
	$(SODIUM_LIBS) $(JANSSON_LIBS) $(SSL_LIBS) $(CURL_LIBS)
