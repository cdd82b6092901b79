noinst_LIBRARIES += base/libbase.a
base_libbase_a_SOURCES = \
	base/addr.c \
	base/addr.h \
	base/aead.c \
	base/aead.h \
	base/buf.c \
	base/buf.h \
	base/cfg.c \
	base/cfg_text.c \
	base/cfg_text.h \
	base/cfg_value.c \
	base/cfg_value.h \
	base/cfg.h \
	base/clk.c \
	base/clk.h \
	base/cur.c \
	base/cur.h \
	base/log.c \
	base/log.h \
	base/net.c \
	base/net.h \
	base/re.h \
	base/rng.c \
	base/rng.h \
	base/secret.c \
	base/secret.h \
	base/sl.c \
	base/sl.h \
	base/stat.c \
	base/stat.h \
	base/wheel.c \
	base/wheel.h \
	base/daemon.c \
	base/daemon.h
