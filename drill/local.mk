noinst_LIBRARIES += drill/libdrill.a
drill_libdrill_a_SOURCES = \
	drill/gen.c \
	drill/gen.h \
	drill/gen_call.c \
	drill/gen_i.h \
	drill/gen_leg.c \
	drill/gen_msg.c \
	drill/guard.c \
	drill/guard.h \
	drill/inject.c \
	drill/inject.h \
	drill/lab.c \
	drill/lab.h \
	drill/line.c \
	drill/line.h \
	drill/netns.c \
	drill/netns.h \
	drill/plan.c \
	drill/plan.h \
	drill/planfile.c \
	drill/planfile.h \
	drill/report.c \
	drill/report.h \
	drill/report_html.c \
	drill/report_text.c \
	drill/run.c \
	drill/run.h \
	drill/run_back.c \
	drill/run_watch.c \
	drill/judge.c \
	drill/judge.h \
	drill/watch.c \
	drill/watch.h
