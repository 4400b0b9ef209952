/* SPDX-License-Identifier: MIT */
/* clock.c - the clocks. */
#include "shared/sys/clock.h"

#include <time.h>

#include "shared/base/check.h"

static int64_t
read_us(clockid_t clock)
{
	struct timespec t;

	GP_ASSERT(clock_gettime(clock, &t) == 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_cpu_us(void)
{
	return read_us(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t
clock_boot_us(void)
{
	return read_us(CLOCK_BOOTTIME);
}

int64_t
clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}
