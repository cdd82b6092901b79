noinst_LIBRARIES += cluster/libcluster.a
cluster_libcluster_a_SOURCES = \
	cluster/cert.c \
	cluster/cert.h \
	cluster/cluster.c \
	cluster/cluster.h \
	cluster/crc.c \
	cluster/crc.h \
	cluster/heap.c \
	cluster/heap.h \
	cluster/hints.c \
	cluster/hints.h \
	cluster/keyset.c \
	cluster/keyset.h \
	cluster/member.c \
	cluster/member.h \
	cluster/mesh.c \
	cluster/mesh.h \
	cluster/mesh_priv.h \
	cluster/mesh_recv.c \
	cluster/mesh_roster.c \
	cluster/mesh_sync.c \
	cluster/mesh_view.c \
	cluster/record.c \
	cluster/record.h \
	cluster/repl.c \
	cluster/repl.h \
	cluster/roster.c \
	cluster/roster.h \
	cluster/slots.c \
	cluster/slots.h \
	cluster/squeeze.c \
	cluster/squeeze.h \
	cluster/stamp.c \
	cluster/stamp.h \
	cluster/store.c \
	cluster/store.h \
	cluster/store_digest.c \
	cluster/store_index.c \
	cluster/store_order.c \
	cluster/store_pack.c \
	cluster/store_priv.h \
	cluster/store_read.c \
	cluster/store_rec.c \
	cluster/store_slot.c \
	cluster/sync.c \
	cluster/sync.h \
	cluster/sync_priv.h \
	cluster/sync_serve.c \
	cluster/sync_verify.c \
	cluster/tls.c \
	cluster/tls.h \
	cluster/tlv.c \
	cluster/tlv.h \
	cluster/stream.c \
	cluster/stream.h \
	cluster/stream_auth.c \
	cluster/stream_priv.h \
	cluster/stream_sock.c \
	cluster/stream_sock.h \
	cluster/wire.c \
	cluster/wire.h \
	cluster/wire_sync.c

# cost of the store: `make bench/store`, then bench/store [contacts [bytes]]
EXTRA_PROGRAMS += bench/store
bench_store_SOURCES = bench/store.c
bench_store_LDADD = cluster/libcluster.a base/libbase.a $(SODIUM_LIBS)
CLEANFILES += bench/store

# cost of a message between two event loops: `make bench/handover`
EXTRA_PROGRAMS += bench/handover
bench_handover_SOURCES = bench/handover.c
bench_handover_LDADD = -lpthread
CLEANFILES += bench/handover

# contacts into a running cluster: `make bench/fill`, see its head
EXTRA_PROGRAMS += bench/fill
bench_fill_SOURCES = bench/fill.c
bench_fill_LDADD = node/libnode.a cluster/libcluster.a sip/libsip.a \
	base/libbase.a $(CONFIG_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(RE_LIBS)
CLEANFILES += bench/fill

# phones that answer pings, for bench/ping: `make bench/phones`
EXTRA_PROGRAMS += bench/phones
bench_phones_SOURCES = bench/phones.c
CLEANFILES += bench/phones

# two datagrams a question and nothing else, for bench/ping: `make bench/floor`
EXTRA_PROGRAMS += bench/floor
bench_floor_SOURCES = bench/floor.c
CLEANFILES += bench/floor

# what the sockets alone cost: `make bench/null`, see its head
EXTRA_PROGRAMS += bench/null
bench_null_SOURCES = bench/null.c
CLEANFILES += bench/null
