/* fuzz_digest.c - credentials: nothing made up passes, what is right does */
#include <stdlib.h>

#include "base/secret.h"
#include "sip/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[32] = "0123456789abcdef0123456789abcde";
	char ha1[AUTH_HEX_MAX + 1], resp[AUTH_HEX_MAX + 1], tmp[8192];
	struct auth_cred c;
	struct sl v = sl_mk(data, size);

	if (size > sizeof(tmp) || auth_cred_parse(&c, v))
		return 0;
	must(auth_unq(tmp, c.username).n <= c.username.n);
	auth_ha1(ha1, c.alg, SL("u"), SL("r"), SL("not to be guessed"));
	must(!auth_check(&c, sl_cstr(ha1), SL("REGISTER")));
	must(auth_nonce_check(c.nonce, key, SL("r"), 1700000000000, 60) ==
	     NONCE_FORGED);
	auth_response(resp, &c, sl_cstr(ha1), SL("REGISTER"));
	must(strlen(resp) == (c.alg == AUTH_MD5 ? 32 : 64));
	c.response = sl_cstr(resp);
	must(auth_check(&c, sl_cstr(ha1), SL("REGISTER")) ==
	     (sl_isset(c.qop) || c.alg == AUTH_MD5));
	return 0;
}
