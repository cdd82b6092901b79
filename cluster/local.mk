noinst_LIBRARIES += cluster/libcluster.a
cluster_libcluster_a_SOURCES = \
	cluster/cluster.h \
	cluster/record.c \
	cluster/record.h \
	cluster/stamp.c \
	cluster/stamp.h \
	cluster/store.c \
	cluster/store.h \
	cluster/store_index.c \
	cluster/store_order.c \
	cluster/store_priv.h \
	cluster/store_slot.c \
	cluster/tlv.c \
	cluster/tlv.h
