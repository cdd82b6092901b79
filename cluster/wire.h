/**
 * @file wire.h  Pure. Frames of the cluster protocol: structs, limits, one
 * encode/decode pair per type. Normative text: docs/cluster-protocol.md 2, 5.
 *
 * Type numbers are append-only. All integers big-endian.
 */
#ifndef CLUSTER_WIRE_H
#define CLUSTER_WIRE_H

#include "base/addr.h"
#include "base/cur.h"
#include "cluster/roster.h"

#define WIRE_MAGIC 0x4557          /* "EW" */
#define WIRE_FRAME 1               /**< layout of the frame header            */
#define WIRE_VERSION_MIN 1         /**< of the messages: PUSH alone feeds      */
#define WIRE_VERSION 2             /**< digests and ranges                     */
#define WIRE_HEAD 16               /**< frame header [bytes]                  */
#define WIRE_MAX (1u << 20)        /**< longest payload [bytes]               */
#define WIRE_CONTROL_MAX 65536u    /**< of all types but PUSH [bytes]         */
#define WIRE_STRANGER_MAX 1024u    /**< of the first frame of a link [bytes]  */
#define WIRE_PUSH_RECORDS 512      /**< per frame                            */
#define WIRE_ROWS 255              /**< members in a heartbeat               */
#define WIRE_TEXT_MAX 200          /**< of an ERROR [bytes]                  */
#define WIRE_F_HINTS 1u            /**< feature: HINT may be sent to it       */
#define WIRE_HINTS 4096            /**< values in one HINT                    */
#define WIRE_CANON 1               /**< how AoR and binding keys are made canonical */

enum wire_type {
	WIRE_HELLO = 0x01,
	WIRE_HELLO_ACK = 0x02,
	WIRE_HEARTBEAT = 0x03,
	WIRE_BYE = 0x04,
	WIRE_ERROR = 0x05,
	WIRE_MEMBERS = 0x06,       /* version 2 */
	WIRE_PUSH = 0x11,
	WIRE_ACK = 0x12,
	WIRE_ASK = 0x21,           /* version 2, as all that follow */
	WIRE_DIGEST = 0x22,
	WIRE_WANT = 0x23,
	WIRE_DATA = 0x24,
	WIRE_DONE = 0x25,
	WIRE_HINT = 0x31,          /* who says WIRE_F_HINTS       */
};
const char *wire_type_name(uint8_t type);

enum wire_channel { WIRE_CONTROL = 0, WIRE_LIVE = 1, WIRE_BULK = 2 };

struct wire_head {
	uint8_t version, type;
	uint16_t flags, channel;
	uint32_t n;                /**< payload [bytes] */
};

enum wire_role { WIRE_NODE = 0 };

struct wire_hello {
	uint8_t min, max;          /**< versions                              */
	uint8_t role;
	uint8_t cluster[16];       /**< id, derived from the cluster key      */
	uint64_t node, incarnation, features;
	uint32_t max_expires;      /**< [s] must be equal                     */
	uint16_t canon;            /**< must be equal                         */
	uint64_t wall;             /**< sender's clock [ms]                   */
	char name[CLUSTER_NAME];   /**< TLV 1                                 */
	struct addr addr;          /**< TLV 2: where it listens; af 0 = absent */
	struct roster_turn turn;   /**< TLV 3: its own; n 0 = absent          */
};

struct wire_hello_ack {
	uint8_t version;           /**< chosen                                */
	uint64_t features;
	uint64_t incarnation;      /**< of the receiver, as its HELLO said    */
	uint64_t have;             /**< of the receiver's changes I have these */
	uint64_t seq;              /**< my changes so far                     */
};

struct wire_row { uint64_t node; bool hears; };

struct wire_heartbeat {
	uint64_t beat;
	uint8_t state;             /**< enum cluster_state                    */
	bool majority, synced;
	uint64_t wall;
	uint64_t settings, users;  /**< digests; 0 = not given                */
	uint64_t seq;              /**< sender's changes                      */
	uint64_t fed;              /**< this link is covered up to            */
	uint64_t ack;              /**< receiver's changes the sender has     */
	uint64_t records, contacts;
	uint16_t n;
	struct wire_row row[WIRE_ROWS];
};

enum wire_bye_reason { WIRE_BYE_LEAVE = 1, WIRE_BYE_DUPLICATE = 2 };
struct wire_bye { uint8_t reason; };

enum wire_error_code {
	WIRE_E_MALFORMED = 1,
	WIRE_E_VERSION = 2,
	WIRE_E_CLUSTER = 3,        /**< other cluster id                      */
	WIRE_E_SETTINGS = 4,       /**< max_expires or canon differ           */
	WIRE_E_IDENTITY = 5,       /**< our own id, or no room for one more   */
	WIRE_E_CLOCK = 6,          /**< stamp too far ahead                   */
	WIRE_E_GAP = 7,            /**< PUSH does not follow on               */
	WIRE_E_MEMORY = 8,
	WIRE_E_ORDER = 9,          /**< right frame, wrong moment             */
};
struct wire_error {
	uint16_t code;
	struct sl text;
	struct roster_turn turn;   /**< TLV 1: of the receiver; n 0 = absent  */
};

/** Records after seq `prev` up to `last`; those that the receiver needn't get
 *  are left out, so n = 0 is possible */
struct wire_push {
	uint64_t prev, last;
	uint16_t n;
	uint16_t wait;             /**< TLV 1: the ACK may wait so long [ms]; 0 =
	                                absent: at once                       */
	struct sl records;         /**< n x (length u16, packed record)       */
};

struct wire_ack { uint64_t seq; };

/** Values that hold for a while; hints.h */
struct wire_hint {
	uint32_t ms;               /**< from its arrival on                   */
	uint16_t n;                /**< <= WIRE_HINTS                         */
	struct sl v;               /**< n x u64                               */
};

/* --- version 2: digests and ranges. Who asks numbers his round ------------ */

#define WIRE_DIGESTS 256           /**< in one DIGEST                         */
#define WIRE_KNOWN 4096            /**< digests in a WANT                     */

/** Give me the digests of all groups, or of the buckets of one group */
struct wire_ask {
	uint32_t round;
	uint8_t level;             /**< 0: groups, 1: buckets of `group`      */
	uint8_t group;
};

struct wire_digest {
	struct wire_ask of;
	uint64_t records;          /**< that the sender holds in all          */
	uint64_t d[WIRE_DIGESTS];
};

/** Give me your records of the buckets first..last but those that I know */
struct wire_want {
	uint32_t round;
	uint16_t first, last;      /**< in one group                          */
	uint16_t n;                /**< <= WIRE_KNOWN                         */
	struct sl known;           /**< n x digest u64                        */
};

struct wire_data {
	uint32_t round;
	uint16_t n;
	struct sl records;         /**< n x (length u16, packed record)       */
};

/** That was all of first..last; of the digests in the WANT the sender hasn't
 *  these */
struct wire_done {
	uint32_t round;
	uint16_t first, last;
	uint16_t n;
	struct sl unknown;         /**< n x place in the WANT, u16            */
};

/**
 * Look for a whole frame at the start of `in`.
 *
 * @param max  longest payload allowed now [bytes]
 * @return 0: head filled, *total = header and payload; EAGAIN: more bytes needed
 *         (*total = how many in all, at least WIRE_HEAD); EBADMSG: not a frame or damaged;
 *         ENOSPC: longer than allowed
 */
int wire_frame(struct sl in, size_t max, struct wire_head *h, size_t *total);

/** Start a frame; returns where, for wire_end() */
size_t wire_begin(struct buf *b, uint8_t type, uint16_t channel);
void wire_end(struct buf *b, size_t at);

/* Payloads. Decoders return 0 or EBADMSG and borrow from `p`. */
void wire_hello_encode(struct buf *b, const struct wire_hello *h);
int  wire_hello_decode(struct wire_hello *h, struct sl p);
void wire_hello_ack_encode(struct buf *b, const struct wire_hello_ack *a);
int  wire_hello_ack_decode(struct wire_hello_ack *a, struct sl p);
void wire_heartbeat_encode(struct buf *b, const struct wire_heartbeat *h);
int  wire_heartbeat_decode(struct wire_heartbeat *h, struct sl p);
void wire_bye_encode(struct buf *b, const struct wire_bye *y);
int  wire_bye_decode(struct wire_bye *y, struct sl p);
void wire_error_encode(struct buf *b, const struct wire_error *e);
int  wire_error_decode(struct wire_error *e, struct sl p);
void wire_members_encode(struct buf *b, const struct roster *r);
/** Checks all of it. @return 0: *c stands before the map, for roster_take() */
int  wire_members_decode(struct cur *c, struct sl p);
void wire_ack_encode(struct buf *b, const struct wire_ack *a);
int  wire_ack_decode(struct wire_ack *a, struct sl p);
void wire_hint_encode(struct buf *b, const struct wire_hint *h,
		      const uint64_t *v);
int  wire_hint_decode(struct wire_hint *h, struct sl p);
uint64_t wire_hint_value(const struct wire_hint *h, uint16_t i);

/** PUSH is written in pieces: begin, any number of records, end */
size_t wire_push_begin(struct buf *b, uint64_t prev);
void wire_push_add(struct buf *b, struct sl packed);
/** After the last record: the ACK may wait so long [ms] */
void wire_push_wait(struct buf *b, uint16_t ms);
void wire_push_end(struct buf *b, size_t at, uint64_t last, uint16_t n);
/** Checks that the record lengths fill the payload exactly */
int  wire_push_decode(struct wire_push *u, struct sl p);
/** Next record of a decoded push: @return false at the end */
bool wire_push_next(struct wire_push *u, struct sl *packed);

/* wire_sync.c */
void wire_ask_encode(struct buf *b, const struct wire_ask *a);
int  wire_ask_decode(struct wire_ask *a, struct sl p);
void wire_digest_encode(struct buf *b, const struct wire_digest *d);
int  wire_digest_decode(struct wire_digest *d, struct sl p);
void wire_want_encode(struct buf *b, const struct wire_want *w,
		      const uint64_t *known);
int  wire_want_decode(struct wire_want *w, struct sl p);
uint64_t wire_want_known(const struct wire_want *w, uint16_t i);
/** DATA is written in pieces: begin, any number of records, end */
size_t wire_data_begin(struct buf *b, uint32_t round);
void wire_data_end(struct buf *b, size_t at, uint16_t n);
int  wire_data_decode(struct wire_data *d, struct sl p);
bool wire_data_next(struct wire_data *d, struct sl *packed);
void wire_done_encode(struct buf *b, const struct wire_done *e,
			const uint16_t *unknown);
int  wire_done_decode(struct wire_done *e, struct sl p);
uint16_t wire_done_unknown(const struct wire_done *e, uint16_t i);

/* for wire_sync.c */
/** What is left of a message: optional fields that nobody knows */
int  wire_tail(struct cur *c);
/* for wire.c */
/** A list of numbers: n u16, and n of `size` bytes. More than max: c->err */
struct sl wire_list(struct cur *c, uint16_t *n, uint16_t max, size_t size);
uint64_t wire_list_at(struct sl list, uint16_t i, size_t size);
/** A list of records: n u16, and n times (length u16, record), which the slice
 *  is. More than WIRE_PUSH_RECORDS: c->err */
struct sl wire_records(struct cur *c, uint16_t *n);
/** @return false at its end */
bool wire_record_next(struct sl *records, uint16_t *n, struct sl *packed);

#endif
