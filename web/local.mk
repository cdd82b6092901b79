noinst_LIBRARIES += web/libweb.a
web_libweb_a_SOURCES = \
	web/action.c \
	web/action.h \
	web/admin.c \
	web/admin.h \
	web/http.c \
	web/http.h \
	web/http_conn.c \
	web/http_conn.h \
	web/http_req.c \
	web/http_req.h \
	web/jsn.c \
	web/jsn.h
