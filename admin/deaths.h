/* SPDX-License-Identifier: MIT */
/* deaths.h - how many processes died lately, from samples of a counter. Pure.
 */
#ifndef ADMIN_DEATHS_H
#define ADMIN_DEATHS_H

#include <stdbool.h>
#include <stdint.h>

struct deaths {
	uint32_t at_start, before; /* of this minute's and the last's window */
	int64_t start_ms;
	bool has_begun;
};

void deaths_sample(struct deaths *d, uint32_t count, int64_t now_ms);
/* Those of the last minute or a little longer. */
uint32_t deaths_recent(const struct deaths *d, uint32_t count);

#endif
