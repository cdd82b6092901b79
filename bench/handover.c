/* handover.c - what it would cost to give a message from one event loop to
 * another (docs/decisions/0047-workers.md): a ring and an eventfd, one thread
 * each side.
 *
 *   bench/handover [messages [gap_us [loops]]]
 *
 * Figures: time from the put to the take, CPU of both threads for a message, how
 * often the other side had to be woken. gap_us: between two messages, 0 = as
 * fast as can be. Then, by reckoning and by a draw: which share of calls has its two
 * legs in different loops, when clients fall on `loops` by chance. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { RING = 4096, MSG = 700 };

struct slot {
	uint64_t at;             /* [ns] when it was put                    */
	uint32_t n;
	char msg[MSG];
};

static struct slot *ring;
static _Atomic uint32_t head, tail;      /* put, taken               */
static _Atomic int asleep;
static int efd;
static uint64_t messages = 200000, gap = 20, wakes, takes;
static uint64_t cpu_taker, *took;
static volatile unsigned sum;

static uint64_t ns(clockid_t c)
{
	struct timespec t;

	clock_gettime(c, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void drain(uint64_t *got)
{
	uint32_t t = atomic_load_explicit(&tail, memory_order_relaxed);
	uint32_t h = atomic_load_explicit(&head, memory_order_acquire);

	for (; t != h; t++) {
		struct slot *s = &ring[t % RING];

		took[(*got)++] = ns(CLOCK_MONOTONIC) - s->at;
		sum += (unsigned char)s->msg[s->n / 2];
	}
	atomic_store_explicit(&tail, t, memory_order_release);
}

static void *taker(void *arg)
{
	uint64_t from = ns(CLOCK_THREAD_CPUTIME_ID), got = 0, v;
	struct pollfd p = { .fd = efd, .events = POLLIN };

	(void)arg;
	while (got < messages) {
		drain(&got);
		atomic_store(&asleep, 1);
		/* put meanwhile? then nobody will wake us */
		if (atomic_load(&head) != atomic_load(&tail)) {
			atomic_store(&asleep, 0);
			continue;
		}
		if (got == messages)
			break;
		(void)poll(&p, 1, 1000);
		if (read(efd, &v, sizeof(v)) == sizeof(v))
			takes++;
		atomic_store(&asleep, 0);
	}
	cpu_taker = ns(CLOCK_THREAD_CPUTIME_ID) - from;
	return NULL;
}

static void put(const char *msg)
{
	uint32_t h = atomic_load_explicit(&head, memory_order_relaxed);
	uint64_t one = 1;
	struct slot *s = &ring[h % RING];

	while (h - atomic_load_explicit(&tail, memory_order_acquire) >= RING)
		;
	memcpy(s->msg, msg, MSG);
	s->n = MSG;
	s->at = ns(CLOCK_MONOTONIC);
	atomic_store(&head, h + 1);
	if (!atomic_exchange(&asleep, 0))
		return;
	wakes++;
	if (write(efd, &one, sizeof(one)) < 0)
		abort();
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void crossing(unsigned loops)
{
	uint64_t x = 88172645463325252ull;
	unsigned apart = 0, n = 1000000;

	for (unsigned i = 0; i < n; i++) {
		unsigned a, b;

		x ^= x << 13; x ^= x >> 7; x ^= x << 17;
		a = (unsigned)(x >> 40) % loops;
		b = (unsigned)(x >> 16 & 0xffffff) % loops;
		apart += a != b;
	}
	printf("%u loops: %.1f %% of calls have legs in two (drawn: %.1f)\n",
	       loops, 100.0 * (loops - 1) / loops, 100.0 * apart / n);
}

int main(int argc, char **argv)
{
	uint64_t from, cpu, wall;
	char msg[MSG];
	pthread_t t;

	if (argc > 1)
		messages = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		gap = strtoull(argv[2], NULL, 10);
	ring = calloc(RING, sizeof(*ring));
	took = calloc(messages, sizeof(*took));
	efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!messages || !ring || !took || efd < 0)
		return 1;
	memset(msg, 'x', sizeof(msg));
	if (pthread_create(&t, NULL, taker, NULL))
		return 1;
	cpu = ns(CLOCK_THREAD_CPUTIME_ID);
	wall = ns(CLOCK_MONOTONIC);
	for (uint64_t i = 0; i < messages; i++) {
		uint64_t due = wall + i * gap * 1000;
		struct timespec at = { (time_t)(due / 1000000000),
				       (long)(due % 1000000000) };

		if (gap)
			(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
					      &at, NULL);
		put(msg);
	}
	cpu = ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	pthread_join(t, NULL);
	wall = ns(CLOCK_MONOTONIC) - wall;
	qsort(took, messages, sizeof(*took), by_value);
	from = messages;
	printf("%llu messages of %d bytes, %.0f a second; from put to take p50 "
	       "%llu p99 %llu max %llu ns\n", (unsigned long long)from, MSG,
	       (double)from * 1e9 / (double)wall,
	       (unsigned long long)took[from / 2],
	       (unsigned long long)took[from * 99 / 100],
	       (unsigned long long)took[from - 1]);
	printf("CPU a message: giver %.0f ns%s, taker %.0f ns; woken %.1f %%\n",
	       (double)cpu / (double)from, gap ? " (its sleep included)" : "",
	       (double)cpu_taker / (double)from,
	       100.0 * (double)wakes / (double)from);
	for (unsigned n = argc > 3 ? (unsigned)atoi(argv[3]) : 2; n <= 16;
	     n *= 2)
		crossing(n);
	free(ring);
	free(took);
	return 0;
}
