/* SPDX-License-Identifier: MIT */
/* pages.h - what the admin port serves, and to whom. */
#ifndef ADMIN_PAGES_H
#define ADMIN_PAGES_H

#include "admin/http_server.h"
#include "shared/sys/link.h"

/* The deaths of the last minute, from samples of a counter. */
struct deaths {
	uint32_t at_start, before; /* of this minute's and the last's window */
	int64_t start_ms;
	bool has_begun;
};

void deaths_sample(struct deaths *d, uint32_t count, int64_t now_ms);
uint32_t deaths_recent(const struct deaths *d, uint32_t count);

struct history;

struct pages {
	const struct link *link;
	struct history *history;
	struct deaths deaths; /* sampled by the owner */
};

/* http_server_fn; ctx is the struct pages. */
void pages_answer(
	void *ctx, const struct http_head *head, struct http_answer *answer);

#endif
