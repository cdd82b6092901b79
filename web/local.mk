noinst_LIBRARIES += web/libweb.a
web_libweb_a_SOURCES = \
	web/admin.c \
	web/admin.h \
	web/http.c \
	web/http.h \
	web/jsn.c \
	web/jsn.h
