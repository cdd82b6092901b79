/* Certificates: of a peer as DER, as TLS hands it over, and our own three
 * files. What names a node names one that can be; a text that is taken is whole. */
#include <stdlib.h>
#include <openssl/x509.h>
#include "cluster/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void peer(const uint8_t *data, size_t size)
{
	const unsigned char *p = data;
	X509 *x = d2i_X509(NULL, &p, (long)size);
	char name[CERT_NAME], txt[24];
	uint64_t from, to;

	if (!x)
		return;
	memset(name, 1, sizeof(name));
	if (!cert_name(name, x) &&
	    (!memchr(name, 0, sizeof(name)) || !cert_name_ok(sl_cstr(name))))
		abort();
	cert_times(&from, &to, x);
	cert_date(txt, from);
	cert_date(txt, to);
	if (!memchr(txt, 0, sizeof(txt)))
		abort();
	X509_free(x);
}

/* ca NUL own NUL key */
static void files(struct sl s)
{
	size_t a = sl_chr(s, 0), b;
	struct cert_err e = { 0 };
	struct cert *c = NULL;
	struct sl own, key;

	own = a < s.n ? sl_sub(s, a + 1, s.n) : SL("");
	b = sl_chr(own, 0);
	key = b < own.n ? sl_sub(own, b + 1, own.n) : SL("");
	if (!cert_alloc(&c, sl_sub(s, 0, a), sl_sub(own, 0, b), key,
			1800000000000ull, &e)) {
		if (!cert_name_ok(sl_cstr(cert_info(c)->name)) ||
		    cert_info(c)->not_after < 1800000000000ull)
			abort();
	}
	else if (c || !memchr(e.why, 0, sizeof(e.why))) {
		abort();
	}
	cert_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 3 * CERT_FILE_MAX)
		return 0;
	if (size && data[0] == 0x30)
		peer(data, size);
	else
		files(sl_mk(data, size));
	return 0;
}
