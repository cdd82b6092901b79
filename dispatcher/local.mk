noinst_LIBRARIES += dispatcher/libdispatcher.a
dispatcher_libdispatcher_a_SOURCES = \
	dispatcher/backlog.c \
	dispatcher/backlog.h \
	dispatcher/budget.c \
	dispatcher/budget.h \
	dispatcher/dispatcher.c \
	dispatcher/dispatcher.h \
	dispatcher/dispatcher_admin.c \
	dispatcher/dispatcher_cap.c \
	dispatcher/dispatcher_i.h \
	dispatcher/dispatcher_loss.c \
	dispatcher/dispatcher_view.c \
	dispatcher/health.c \
	dispatcher/health.h \
	dispatcher/outlier.c \
	dispatcher/outlier.h \
	dispatcher/pick.c \
	dispatcher/pick.h \
	dispatcher/pool.c \
	dispatcher/pool.h \
	dispatcher/rtt.c \
	dispatcher/rtt.h \
	dispatcher/window.h
