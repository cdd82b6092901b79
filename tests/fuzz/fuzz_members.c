/* fuzz_members.c - the nodes that a node's health header names */
#include <errno.h>
#include <stdlib.h>

#include "sbc/learn.h"
#include "sip/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl list = learn_members(sl_mk(data, size));
	struct learn_member m;
	size_t before = list.n + 1;
	int err;

	while ((err = learn_next(&list, &m)) != ENOENT) {
		must(list.n < before);            /* it comes to an end */
		before = list.n;
		if (err)
			continue;
		must(m.name[0] && strlen(m.name) < sizeof(m.name));
		must(!strpbrk(m.name, " \"\\,;@/\n"));
		must(m.addr.af && m.addr.port && !addr_is_any(&m.addr));
		must(m.tp == TP_UDP || m.tp == TP_TCP);
	}
	return 0;
}
