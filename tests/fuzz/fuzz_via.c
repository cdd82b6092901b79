/* fuzz_via.c - one via-parm: alone, and as it stands in a message, where more
 * bytes follow and the short cuts are taken */
#include <stdlib.h>

#include "sip/hop.h"
#include "sip/oc.h"
#include "sip/scan_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* the same text, though in another place */
static void same(struct sl a, const char *base, struct sl b, const char *mem)
{
	must(a.n == b.n);
	must(!a.n || a.p - base == b.p - mem);
	must(sl_isset(a) == sl_isset(b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char tail[] = "\r\nTo: <sip:bob@example.com>\r\n";
	const char *base = (const char *)data, *end;
	struct via v, w;
	struct oc o;
	char *mem;
	int err;

	if (!size || size > 8192 || memchr(data, '\n', size) ||
	    memchr(data, '\r', size))
		return 0;
	mem = malloc(size + sizeof(tail));
	if (!mem)
		return 0;
	memcpy(mem, data, size);
	memcpy(mem + size, tail, sizeof(tail));
	err = via_parse(&v, sl_mk(data, size));
	end = via_scan(&w, mem, mem + size, mem + size + sizeof(tail));
	must((err == 0) == (end == mem + size));
	if (!err && !oc_parse(&o, v.params))
		must(o.loss <= 100 && o.validity <= OC_VALIDITY_MAX);
	if (!err) {
		same(v.tp, base, w.tp, mem);
		same(v.host, base, w.host, mem);
		same(v.sentby, base, w.sentby, mem);
		same(v.branch, base, w.branch, mem);
		same(v.params, base, w.params, mem);
		must(v.received.n == w.received.n);
		same(v.received_txt, base, w.received_txt, mem);
		same(v.rport_txt, base, w.rport_txt, mem);
		must(v.port == w.port && v.rport == w.rport &&
		     v.rport_set == w.rport_set && v.alias == w.alias);
	}
	free(mem);
	return 0;
}
