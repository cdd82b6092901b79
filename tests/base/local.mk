if CRITERION
check_PROGRAMS += tests/base/test_base
TESTS += tests/base/test_base
tests_base_test_base_SOURCES = tests/support/fini.c \
	tests/base/test_buf.c \
	tests/base/test_cfg.c \
	tests/base/test_child.c \
	tests/base/test_figures.c \
	tests/base/test_file.c \
	tests/base/test_net.c \
	tests/base/test_prio.c \
	tests/base/test_text.c \
	tests/base/test_mem.c \
	tests/base/test_wheel.c
tests_base_test_base_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_base_test_base_LDADD = base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) \
	$(SSL_LIBS) $(RE_LIBS) $(CRITERION_LIBS)
endif
