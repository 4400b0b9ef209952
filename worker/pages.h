/* SPDX-License-Identifier: MIT */
/* pages.h - what a worker answers by itself: models, health, documentation. */
#ifndef WORKER_PAGES_H
#define WORKER_PAGES_H

#include "worker/client.h"

struct page {
	struct span path;
	bool is_prefix; /* everything below it, too */
	/* c may be gone afterwards. */
	void (*answer)(struct client *c);
	bool takes_post; /* beside GET and HEAD; the body is not looked at */
};

/* The page of a path, NULL if there is none. */
const struct page *page_find(struct span path);

#endif
