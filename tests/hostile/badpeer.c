/* badpeer.c - Shell. A hostile peer with the cluster key, against a real node:
 *
 *   badpeer --key FILE --to ADDR:PORT --mode MODE [--seed S] [--secs N]
 *           [--links N] [--max-expires S] [--own] [--members]
 *
 *   frames   sessions of frames in any order, nearly right; --own: touches no
 *            record of others; --members: changes who belongs, too
 *   flood    pushes new records as fast as they are taken, never listens
 *   deaf     a good hand-shake, then it reads nothing, and asks for all
 *   drip     a header that announces 1 MiB, then a byte each 50 ms
 *   mute     --links links that say no HELLO, held
 *   empty    --links TCP connections, one after another, nothing sent
 *   tls      what TLS 1.3 with a key must not do: each line ok or FAIL
 *
 * Prints key=value at the end; its exit status is 0 unless it could not work
 * (or tls found something). */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include "base/cfg.h"
#include "base/clk.h"
#include "base/net.h"
#include "base/secret.h"
#include "node/files.h"
#include "tests/hostile/badpeer.h"

#define OUT_MAX (4u << 20)

void die(const char *what)
{
	fprintf(stderr, "badpeer: %s\n", what);
	exit(1);
}

static void nap(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* --- modes --------------------------------------------------------------- */

static void session(struct bad *b, uint64_t end)
{
	uint32_t n = 1 + rng_below(&b->rng, 300);
	struct wire_hello h;

	/* now and then something else first, or a HELLO that is wrong */
	if (rng_below(&b->rng, 8)) {
		if (!bad_greet(b))
			return;
	} else if (rng_below(&b->rng, 2)) {
		bad_hello(b, &h);
		h.max_expires += rng_below(&b->rng, 2);
		h.canon = (uint16_t)(h.canon + rng_below(&b->rng, 2));
		h.node = rng_below(&b->rng, 3);
		h.max = (uint8_t)rng_below(&b->rng, 5);
		h.cluster[rng_below(&b->rng, 16)] ^=
			(uint8_t)rng_below(&b->rng, 2);
		wire_hello_encode(&b->out, &h);
		b->sent++;
	}
	while (n-- && clk_now() < end) {
		bad_frame(b);
		/* several in one piece, or each by itself */
		if (rng_below(&b->rng, 3) && b->out.n < 65536)
			continue;
		if (!bad_flush(b) || !bad_take(b, 0))
			return;
	}
	if (bad_flush(b))
		(void)bad_take(b, 20);
}

static void frames(struct bad *b)
{
	uint64_t end = clk_now() + b->secs * 1000ull;
	int refused = 0;

	while (clk_now() < end) {
		if (bad_dial(b)) {
			if (++refused > 50)
				die("the node takes no link any more");
			nap(20);
			continue;
		}
		refused = 0;
		session(b, end);
		bad_hang_up(b);
	}
}

static void flood(struct bad *b)
{
	uint64_t end = clk_now() + b->secs * 1000ull, beat = 0;

	while (clk_now() < end) {
		if (!b->ssl && (bad_dial(b) || !bad_greet(b))) {
			bad_hang_up(b);
			nap(20);
			continue;
		}
		bad_push(b, 200);
		if (clk_now() > beat) {
			bad_beat(b);
			beat = clk_now() + 200;
		}
		if (!bad_flush(b) || !bad_take(b, 0))
			bad_hang_up(b);
	}
	bad_hang_up(b);
}

/* The node's cursor and its answers have nowhere to go */
static void deaf(struct bad *b)
{
	uint64_t end = clk_now() + b->secs * 1000ull;
	struct wire_hello h;
	struct wire_hello_ack a = { .version = WIRE_VERSION };
	const struct wire_ask all = { 1, 0, 0 };

	if (bad_dial(b))
		die("not authenticated");
	bad_hello(b, &h);
	wire_hello_encode(&b->out, &h);
	while (!b->hello && clk_now() < end)
		if (!bad_flush(b) || !bad_take(b, 50))
			die("closed");
	a.incarnation = b->theirs;
	wire_hello_ack_encode(&b->out, &a);
	(void)bad_flush(b);
	while (clk_now() < end) {
		bad_beat(b);
		wire_ask_encode(&b->out, &all);
		b->sent++;
		if (!bad_flush(b)) {
			bad_hang_up(b);
			if (bad_dial(b) || !bad_greet(b))
				nap(50);
		}
	}
	bad_hang_up(b);
}

static void drip(struct bad *b)
{
	static const uint8_t head[] = { 'E', 'W', 1, WIRE_PUSH, 0, 0, 0, 1, 0,
					16, 0, 0, 1, 2, 3, 4 };
	uint64_t end = clk_now() + b->secs * 1000ull;

	while (clk_now() < end) {
		if (bad_dial(b) || !bad_greet(b)) {
			bad_hang_up(b);
			nap(20);
			continue;
		}
		buf_put(&b->out, head, sizeof(head));
		while (clk_now() < end && bad_flush(b) && bad_take(b, 0)) {
			buf_chr(&b->out, 'x');
			b->sent++;
			nap(50);
		}
		bad_hang_up(b);
	}
}

/* Held until the time is over; the node closes each after its time-out */
static void mute(struct bad *b)
{
	uint64_t end = clk_now() + b->secs * 1000ull;
	SSL **held = calloc(b->links, sizeof(*held));
	uint32_t n = 0;

	if (!held)
		die("no memory");
	while (n < b->links && clk_now() < end) {
		if (bad_dial(b)) {
			b->closed++;
			nap(5);
			continue;
		}
		held[n++] = b->ssl;       /* its socket stays open, too */
		b->ssl = NULL;
	}
	while (clk_now() < end)
		nap(20);
	while (n)
		SSL_free(held[--n]);
	free(held);
}

/* Did it come about? Then it is closed */
static bool was_up(int fd)
{
	int err = 0;
	socklen_t n = sizeof(err);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	bool up = !getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) && !err &&
		!getpeername(fd, (struct sockaddr *)&ss, &len);

	close(fd);
	return up;
}

/* 500 at a time; a full queue of the listener must not hold us up */
static void empty(struct bad *b)
{
	static int held[500];
	const uint32_t room = sizeof(held) / sizeof(held[0]);

	for (uint32_t n = 0; n < b->links + room; n++) {
		int *at = &held[n % room];

		if (n >= room && *at >= 0)
			b->links_made += was_up(*at);
		*at = n < b->links ? bad_connect(b, true) : -1;
		b->closed += n < b->links && *at < 0;
		if (n % 8 == 7)
			nap(2);
	}
}

/* --- TLS ----------------------------------------------------------------- */

static int verdict(bool good, const char *what)
{
	printf("%s %s\n", good ? "ok" : "FAIL", what);
	ERR_clear_error();
	return !good;
}

static int early(struct bad *b)
{
	size_t n = 0;
	int bad;

	b->fd = bad_connect(b, false);
	b->ssl = SSL_new(b->ctx);
	if (b->fd < 0 || !b->ssl || !SSL_set_fd(b->ssl, b->fd))
		die("no connection");
	if (!SSL_write_early_data(b->ssl, "early", 5, &n))
		die("this OpenSSL makes no early data");
	bad = SSL_connect(b->ssl) == 1 &&
		SSL_get_early_data_status(b->ssl) == SSL_EARLY_DATA_ACCEPTED;
	bad_hang_up(b);
	return verdict(!bad, "early data is not taken");
}

static int tickets, saw;

static int on_ticket(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	(void)s;
	tickets++;
	return 0;
}

/* The loop must not spend its time on keys for ever: what counts is that
 * the node stays, which the caller looks at */
static int key_updates(struct bad *b)
{
	if (bad_dial(b))
		die("not authenticated");
	for (int i = 0; i < 3000; i++, saw++) {
		if (!SSL_key_update(b->ssl, SSL_KEY_UPDATE_REQUESTED) ||
		    SSL_do_handshake(b->ssl) != 1)
			break;
		b->sent++;
	}
	bad_hang_up(b);
	return verdict(true, "key updates");
}

static int old_version(struct bad *b)
{
	SSL_CTX *keep = b->ctx;
	int err;

	b->ctx = bad_ctx(b, TLS1_2_VERSION);
	err = bad_dial(b);
	if (!err)
		bad_hang_up(b);
	SSL_CTX_free(b->ctx);
	b->ctx = keep;
	return verdict(err != 0, "TLS 1.2 is refused");
}

static int renegotiation(struct bad *b)
{
	bool done;

	if (bad_dial(b))
		die("not authenticated");
	done = SSL_renegotiate(b->ssl) == 1 && SSL_do_handshake(b->ssl) == 1;
	bad_hang_up(b);
	return verdict(!done, "there is no renegotiation");
}

/* A stranger's TLS: no key at all, and a wrong one */
static int strangers(struct bad *b)
{
	SSL_CTX *keep = b->ctx;
	int bad = 0, err;

	b->ctx = SSL_CTX_new(TLS_client_method());
	if (!b->ctx)
		die("no memory");
	err = bad_dial(b);
	if (!err) {
		/* TLS 1.3: the client may believe it is through */
		err = bad_greet(b) ? 0 : EPERM;
		bad_hang_up(b);
	}
	bad += verdict(err != 0, "a peer without a key is refused");
	SSL_CTX_free(b->ctx);
	b->key[0] ^= 1;
	b->ctx = bad_ctx(b, TLS1_3_VERSION);
	err = bad_dial(b);
	if (!err) {
		err = bad_greet(b) ? 0 : EPERM;
		bad_hang_up(b);
	}
	bad += verdict(err != 0, "a peer with another key is refused");
	b->key[0] ^= 1;
	SSL_CTX_free(b->ctx);
	SSL_CTX_free(bad_ctx(b, TLS1_3_VERSION));     /* the key again */
	b->ctx = keep;
	return bad;
}

static int tls(struct bad *b)
{
	int bad = old_version(b) + early(b) + renegotiation(b) +
		key_updates(b) + strangers(b);

	SSL_CTX_set_session_cache_mode(b->ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(b->ctx, on_ticket);
	if (bad_dial(b))
		die("not authenticated");
	if (!bad_greet(b))
		die("a good peer is refused");
	(void)bad_take(b, 300);
	bad_hang_up(b);
	bad += verdict(tickets == 0, "no session tickets are given");
	printf("key_updates=%d\n", saw);
	return bad;
}

/* --- program ------------------------------------------------------------- */

static uint32_t num(const char *txt)
{
	uint32_t v = 0;

	if (sl_u32(sl_cstr(txt), UINT32_MAX, &v))
		die("not a number");
	return v;
}

static void setup(struct bad *b, uint32_t seed)
{
	rng_seed(&b->rng, seed);
	(void)signal(SIGPIPE, SIG_IGN);
	if (secret_init())
		die("no libsodium");
	buf_init(&b->in, OUT_MAX);
	buf_init(&b->out, OUT_MAX);
	for (int i = 0; i < BAD_KEPT; i++)
		buf_init(&b->kept[i], OUT_MAX);
	b->fd = -1;
	b->ctx = bad_ctx(b, TLS1_3_VERSION);
}

static const struct mode {
	const char *name;
	void (*run)(struct bad *b);
} modes[] = {
	{ "frames", frames }, { "flood", flood }, { "deaf", deaf },
	{ "drip", drip }, { "mute", mute }, { "empty", empty },
};

static int run(struct bad *b, const char *mode)
{
	int rc = 0;
	size_t i;

	if (!strcmp(mode, "tls"))
		rc = tls(b);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(mode, modes[i].name)) {
			modes[i].run(b);
			break;
		}
	}
	if (i == sizeof(modes) / sizeof(modes[0]) && strcmp(mode, "tls") != 0)
		die("no such mode");
	printf("mode=%s frames=%llu links=%llu frames_in=%llu errors_in=%llu "
	       "closed=%llu records=%llu\n", mode,
	       (unsigned long long)b->sent, (unsigned long long)b->links_made,
	       (unsigned long long)b->frames_in,
	       (unsigned long long)b->errors_in,
	       (unsigned long long)b->closed, (unsigned long long)b->push);
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "key", 1, NULL, 'k' }, { "to", 1, NULL, 't' },
		{ "mode", 1, NULL, 'm' }, { "seed", 1, NULL, 's' },
		{ "secs", 1, NULL, 'n' }, { "links", 1, NULL, 'l' },
		{ "max-expires", 1, NULL, 'x' }, { "own", 0, NULL, 'o' },
		{ "members", 0, NULL, 'M' },
		{ NULL, 0, NULL, 0 } };
	static struct bad b = { .secs = 5, .links = 100,
				.max_expires = 3600 };
	const char *mode = "";
	struct cfg_errs errs = { 0 };
	struct keyset k;
	bool keyed = false, placed = false;
	uint32_t seed = 1;
	int c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1)
		switch (c) {
		case 'k': keyed = !files_keys(&k, optarg, &errs); break;
		case 't': placed = !addr_parse(&b.to, sl_cstr(optarg), 5080); break;
		case 'm': mode = optarg; break;
		case 's': seed = num(optarg); break;
		case 'n': b.secs = num(optarg); break;
		case 'l': b.links = num(optarg); break;
		case 'x': b.max_expires = num(optarg); break;
		case 'o': b.own = true; break;
		case 'M': b.members = true; break;
		default: die("see the head of badpeer.c");
		}
	if (!keyed || !placed)
		die("--key FILE and --to ADDR:PORT are needed");
	memcpy(b.key, k.key[0], sizeof(b.key));
	setup(&b, seed);
	return run(&b, mode);
}
