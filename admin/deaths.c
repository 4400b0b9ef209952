/* SPDX-License-Identifier: MIT */
/* deaths.c - how many processes died lately, from samples of a counter. */
#include "admin/deaths.h"

#define WINDOW_MS 60000

void
deaths_sample(struct deaths *d, uint32_t count, int64_t now_ms)
{
	if (!d->has_begun) {
		*d = (struct deaths){ count, count, now_ms, true };
		return;
	}
	if (now_ms - d->start_ms < WINDOW_MS)
		return;
	d->before = d->at_start;
	d->at_start = count;
	d->start_ms = now_ms;
}

/* Of one to two windows: a burst at the border of two is not missed. */
uint32_t
deaths_recent(const struct deaths *d, uint32_t count)
{
	return d->has_begun ? count - d->before : 0;
}
