noinst_LIBRARIES += web/libweb.a
web_libweb_a_SOURCES = \
	web/action.c \
	web/action.h \
	web/admin.c \
	web/admin.h \
	web/assets.c \
	web/assets.h \
	web/curlm.c \
	web/curlm.h \
	web/http.c \
	web/http.h \
	web/http_conn.c \
	web/http_conn.h \
	web/http_req.c \
	web/http_req.h \
	web/jsn.c \
	web/jsn.h \
	web/sse.c \
	web/sse.h \
	web/trace_get.c \
	web/trace_get.h

# the page, as bytes in the program
WEB_ASSETS = web/assets/index.html web/assets/app.js web/assets/style.css \
	web/assets/icon.svg
EXTRA_DIST += web/embed $(WEB_ASSETS)
CLEANFILES += web/assets_data.h
web/assets_data.h: $(top_srcdir)/web/embed $(WEB_ASSETS:%=$(top_srcdir)/%)
	@$(MKDIR_P) web
	$(AM_V_GEN)$(SHELL) $(top_srcdir)/web/embed \
		$(WEB_ASSETS:%=$(top_srcdir)/%) > $@.tmp && mv $@.tmp $@
web/assets.$(OBJEXT): web/assets_data.h
