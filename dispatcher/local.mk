noinst_LIBRARIES += dispatcher/libdispatcher.a
dispatcher_libdispatcher_a_SOURCES = \
	dispatcher/dispatcher.c \
	dispatcher/dispatcher.h \
	dispatcher/health.c \
	dispatcher/health.h \
	dispatcher/pick.c \
	dispatcher/pick.h \
	dispatcher/pool.c \
	dispatcher/pool.h
