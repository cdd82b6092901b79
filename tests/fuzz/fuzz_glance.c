/* A request seen at a glance: what is found is what the scanner finds, and the
 * answer built of it can be read. */
#include <stdlib.h>

#include "base/buf.h"
#include "sip/glance.h"
#include "sip/hop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct sl a, struct sl b)
{
	if (!sl_eq(a, b))
		abort();
}

static struct sl answer(struct buf *b, const struct sip_msg *m)
{
	const struct addr src = { .af = 4, .ip = { 192, 0, 2, 1 },
				  .port = 5060 };

	reply_write(b, m, &src, 503, SL_NONE, SL("tag"), SL_NONE);
	return buf_as_sl(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sip_msg m, full;
	struct sip_fault f;
	struct buf a, b;
	char *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	/* exactly sized: a read past the end is seen */
	if (size)
		memcpy(copy, data, size);
	if (glance(&m, copy, size)) {
		int err = sip_scan(&full, copy, size, true, &f);

		/* what is wrong elsewhere is not seen */
		if (err && (!f.answerable && m.meth != SIP_ACK))
			abort();
		if (!err) {
			buf_init(&a, 1 << 18);
			buf_init(&b, 1 << 18);
			same(m.callid, full.callid);
			same(m.top.branch, full.top.branch);
			same(m.top.sentby, full.top.sentby);
			if (sl_isset(full.to_tag) && !sl_isset(m.to_tag))
				abort();
			m.to_tag = full.to_tag;
			same(answer(&a, &m), answer(&b, &full));
			buf_free(&a);
			buf_free(&b);
		}
	}
	free(copy);
	return 0;
}
