/* fuzz_uri.c - URIs and name-addrs: comparison, canonical forms */
#include <stdlib.h>

#include "sip/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* a canonical form is a URI again, and its own canonical form */
static void canon(int (*fn)(struct buf *, struct sl), const char *scheme,
		  struct sl uri, size_t max)
{
	struct buf x, y;

	buf_init(&x, 1 << 20);
	buf_init(&y, 1 << 20);
	buf_str(&x, scheme);
	if (!fn(&x, uri)) {
		must(x.n - strlen(scheme) <= max);
		buf_str(&y, scheme);
		must(!fn(&y, buf_as_sl(&x)));
		must(sl_eq(buf_as_sl(&x), buf_as_sl(&y)));
	}
	buf_free(&x);
	buf_free(&y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl s = sl_mk(data, size), a, b, rest, name, val;
	struct name_addr na;
	struct uri u;
	struct addr addr;
	size_t n = sl_chr(s, '\n');

	a = sl_sub(s, 0, n);
	b = n < size ? sl_sub(s, n + 1, size) : SL("sip:a@b");
	must(uri_equal(a, b) == uri_equal(b, a));
	if (!uri_parse(&u, a)) {
		must(uri_equal(a, a));
		(void)uri_addr(&u, &addr);
		(void)uri_transport(&u);
		canon(contact_canon, "", a, SIP_CONTACT_CANON_MAX);
		canon(aor_canon, "sip:", a, SIP_AOR_MAX);
	}
	if (!name_addr_parse(&na, s)) {
		must(!uri_parse(&u, na.uri));
		(void)param_get(na.params, SL("tag"), &val);
	}
	rest = s;
	for (n = 0; param_next(&rest, &name, &val); n++)
		must(n < size);
	return 0;
}
