/* SPDX-License-Identifier: MIT */
/* watch.c - what has been going on of late. */
#include "admin/watch.h"

#include "shared/base/span.h"

/* Workers write the counters: one that goes back means nothing. */
static uint64_t
grown(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

struct watch_outcomes
watch_recent(const struct watch_upstream *u)
{
	const struct watch_outcomes *const from = &u->begins[u->next];

	return (struct watch_outcomes){
		.answers = grown(from->answers, u->last.answers),
		.refusals = grown(from->refusals, u->last.refusals),
		.silences = grown(from->silences, u->last.silences),
	};
}

static void
begin_upstream(struct watch_upstream *u, const struct watch_outcomes *now)
{
	*u = (struct watch_upstream){ .last = *now };
	for (size_t i = 0; i < WATCH_STEPS; i++)
		u->begins[i] = *now;
}

static void
take_upstream(struct watch_upstream *u, const struct watch_outcomes *now,
	int64_t now_ms, bool moves_on)
{
	if (now->answers > u->last.answers)
		u->answered_ms = now_ms;
	if (now->refusals > u->last.refusals ||
		now->silences > u->last.silences)
		u->failed_ms = now_ms;
	if (moves_on) {
		u->begins[u->next] = u->last;
		u->next = (u->next + 1) % WATCH_STEPS;
	}
	u->last = *now;
}

static void
take_clock(struct watch *w, const struct watch_sample *s)
{
	const int64_t offset_us = s->wall_us - s->boot_us;
	const int64_t jump_us = offset_us - w->offset_us;

	w->offset_us = offset_us;
	if (jump_us <= WATCH_STEP_US && jump_us >= -WATCH_STEP_US)
		return;
	w->jump_us = jump_us;
	w->jumped_ms = s->now_ms;
}

void
watch_take(struct watch *w, const struct watch_sample *s)
{
	const bool moves_on =
		s->now_ms - w->step_ms >= WATCH_WINDOW_MS / WATCH_STEPS;

	deaths_sample(&w->deaths, s->deaths, s->now_ms);
	deaths_sample(&w->losses, s->losses, s->now_ms);
	deaths_sample(&w->lines, s->lines, s->now_ms);
	if (!w->has_begun) {
		w->has_begun = true;
		w->step_ms = s->now_ms;
		w->offset_us = s->wall_us - s->boot_us;
		for (size_t i = 0; i < METRICS_DIALECTS; i++)
			begin_upstream(&w->upstreams[i], &s->upstreams[i]);
		return;
	}
	take_clock(w, s);
	for (size_t i = 0; i < METRICS_DIALECTS; i++)
		take_upstream(&w->upstreams[i], &s->upstreams[i], s->now_ms,
			moves_on);
	if (moves_on)
		w->step_ms = s->now_ms;
}
