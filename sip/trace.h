/**
 * @file trace.h  Pure. The last messages sent and received, in fixed memory:
 * their bytes as they were. The oldest go when there is no room. What is told
 * of them goes through trace_clean() first.
 */
#ifndef SIP_TRACE_H
#define SIP_TRACE_H

#include "base/buf.h"
#include "sip/flow.h"

enum {
	TRACE_TEXT = 4096,       /**< of a message that is kept [bytes]       */
	TRACE_BYTES_MIN = 65536, /**< smallest memory of texts                */
	TRACE_CLEAN = 8 * TRACE_TEXT, /**< longest cleaned text [bytes]       */
	TRACE_FOUND = 200,       /**< most messages of one search             */
};

/** Header values */
enum trace_field {
	TRACE_CALLID, TRACE_FROM, TRACE_TO, TRACE_CSEQ,
};
enum { TRACE_FIELDS = TRACE_CSEQ + 1 };

struct trace_msg {
	uint64_t id;             /**< 1, 2, ...                               */
	uint64_t wall;           /**< [us since 1970]                         */
	uint64_t mark;           /**< of the caller: what had happened before;
				      never falls                            */
	uint64_t at;             /**< place of the text, counted on for ever  */
	struct flow flow;
	uint32_t length;         /**< as it came or went [bytes]              */
	uint16_t n;              /**< of the text kept                        */
	bool out;                /**< sent, not received                      */
	bool cut;                /**< longer than TRACE_TEXT                  */
};

struct trace {
	struct trace_msg *v;
	uint8_t *mem;
	uint32_t cap, bytes;
	uint32_t longest;        /**< TRACE_TEXT                              */
	uint64_t last;           /**< id of the newest, 0 = none              */
	uint64_t kept;
	uint64_t head;           /**< where the next text goes, as `at`       */
	uint32_t pos;            /**< the same in mem                         */
	uint32_t next, oldest;   /**< indices in v                            */
};

/** messages 0: nothing is kept. @return 0, EINVAL, ENOMEM */
int  trace_init(struct trace *t, uint32_t messages, uint32_t bytes);
void trace_free(struct trace *t);
/** Keep a message. One copy and nothing else: every call pays for it */
void trace_add(struct trace *t, const struct flow *f, bool out, struct sl msg,
	       uint64_t mark, uint64_t wall);
/** The oldest one kept after id `since`; NULL = none */
const struct trace_msg *trace_after(const struct trace *t, uint64_t since);
/** As it came, with credentials. Borrowed until the next trace_add() */
struct sl trace_text(const struct trace *t, const struct trace_msg *m);

/** What is looked for: one of callid and aor (canonical, aor_canon()) */
struct trace_query {
	struct sl callid, aor;
	uint64_t before;         /**< older than that id; 0 = the newest, too */
	uint32_t limit;          /**< 1 to TRACE_FOUND                        */
};
struct trace_found {
	const struct trace_msg *v[TRACE_FOUND];   /**< the newest first       */
	uint32_t n;
	uint64_t next;           /**< the `before` to go on; 0 = that was all */
	uint64_t from, to;       /**< marks: from < a mark <= to belongs here */
};
/** Looks at a piece of what is kept, from the newest to older ones: a search
 *  never holds up calls for longer than that piece takes. Borrowed as
 *  trace_text() */
void trace_find(const struct trace *t, const struct trace_query *q,
		struct trace_found *f);
/** Values of headers in a text; SL_NONE = not there */
void trace_fields(struct sl text, struct sl v[TRACE_FIELDS]);
/** First line of a text, without its end */
struct sl trace_line(struct sl text);
/** Is this canonical AoR the one in From or To? */
bool trace_is_of(const struct sl v[TRACE_FIELDS], struct sl aor);

/* trace_clean.c */
/** Append a text without credentials; cut: it goes on where it was not kept.
 *  Gone are: values of headers with "auth" in their name, or of Basic, Bearer
 *  and Digest; passwords in URIs; k=, a=crypto, a=key-mgmt and a=ice-pwd and
 *  whatever follows "inline:" */
void trace_clean(struct buf *b, struct sl text, bool cut);
/** Content of the first line of a text. @return bytes with its end, which is
 *  CRLF, LF or CR */
size_t trace_cut_line(struct sl text, struct sl *line);

#endif
