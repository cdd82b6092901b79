/* clk.c - Shell. The only reader of clocks. */
#include "base/clk.h"
#include <time.h>

static uint64_t read_us(clockid_t id)
{
	struct timespec ts;

	/* both clocks exist on every Linux */
	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clk_now_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

uint64_t clk_now(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t clk_wall(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

uint64_t clk_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}
