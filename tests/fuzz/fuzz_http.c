/* fuzz_http.c - the head of an HTTP request: what is given lies inside the
 * input, a head cut short asks for more, what follows changes nothing */
#include <errno.h>
#include <stdlib.h>

#include "web/http_req.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct sl s, struct sl in)
{
	if (s.n && (s.p < in.p || s.p + s.n > in.p + in.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl in = sl_mk(data, size), head;
	struct http_req r, again;
	int err = http_req_parse(&r, in);

	if (err) {
		if (err != EAGAIN && err != EBADMSG && err != EMSGSIZE)
			abort();
		if ((err == EMSGSIZE) != (size >= HTTP_HEAD_MAX) &&
		    err != EBADMSG)
			abort();
		return 0;
	}
	if (!r.head || r.head > size || r.head > HTTP_HEAD_MAX)
		abort();
	head = sl_sub(in, 0, r.head);
	inside(r.method, head);
	inside(r.path, head);
	inside(r.query, head);
	inside(r.host, head);
	inside(r.origin, head);
	if (!r.method.n || !r.path.n || r.path.p[0] != '/')
		abort();
	if (http_req_parse(&again, sl_sub(in, 0, r.head - 1)) != EAGAIN)
		abort();
	if (http_req_parse(&again, head) || again.head != r.head ||
	    again.length != r.length || again.hosts != r.hosts ||
	    again.coded != r.coded || again.close != r.close)
		abort();
	return 0;
}
