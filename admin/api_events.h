/* SPDX-License-Identifier: MIT */
/* api_events.h - /api/events: what goes to all that listen, each second. */
#ifndef ADMIN_API_EVENTS_H
#define ADMIN_API_EVENTS_H

#include "admin/pages.h"
#include "shared/sys/ev.h"

struct api_events {
	const struct pages *pages;
	struct ev_timer timer;
	unsigned sessions_ended; /* when it was looked at last */
};

/* The pages must have their server before somebody listens. */
void api_events_init(
	struct api_events *e, struct ev *ev, const struct pages *pages);
void api_events_stop(struct api_events *e);

#endif
