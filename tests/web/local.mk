if CRITERION
check_PROGRAMS += tests/web/test_web
TESTS += tests/web/test_web
tests_web_test_web_SOURCES = tests/support/fini.c tests/web/test_action.c \
	tests/web/test_assets.c tests/web/test_curlm.c tests/web/test_sse.c \
	tests/web/test_stream.c \
	tests/web/test_http.c tests/web/test_http_req.c
tests_web_test_web_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_web_test_web_LDADD = web/libweb.a base/libbase.a $(JANSSON_LIBS) \
	$(CONFIG_LIBS) $(SODIUM_LIBS) $(RE_LIBS) $(CURL_LIBS) $(CRITERION_LIBS) \
	-lpthread
endif
