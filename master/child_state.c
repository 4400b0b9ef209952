/* SPDX-License-Identifier: MIT */
/* child_state.c - the life of one place in the service, e.g. "worker 3". */
#include "master/child_state.h"

#include "shared/base/check.h"
#include "shared/sys/link.h"

const struct child_limits child_limits_default = {
	.ready_ms = LINK_READY_MS,
	.stuck_ms = LINK_STUCK_MS,
	.abort_ms = 2000,
	.young_ms = 10000,
	.backoff_min_ms = 250,
	.backoff_max_ms = 30000,
};

void
child_state_init(struct child_state *s, int64_t now_ms)
{
	*s = (struct child_state){ .phase = CHILD_BACKOFF, .due_ms = now_ms };
}

void
child_state_started(struct child_state *s, int64_t now_ms)
{
	s->phase = CHILD_STARTING;
	s->started_ms = now_ms;
	s->aborted_ms = 0;
	s->is_killed = false;
}

void
child_state_ready(struct child_state *s, int64_t now_ms)
{
	if (s->phase != CHILD_STARTING)
		return;
	s->phase = CHILD_READY;
	s->ready_ms = now_ms;
}

void
child_state_leave(struct child_state *s, int64_t kill_at_ms)
{
	if (!child_state_is_alive(s)) {
		s->phase = CHILD_FREE;
		return;
	}
	s->phase = CHILD_LEAVING;
	s->due_ms = kill_at_ms;
}

void
child_state_died(struct child_state *s, const struct child_limits *l,
	bool is_barred, int64_t now_ms)
{
	const bool was_ready = s->phase == CHILD_READY;

	if (s->phase == CHILD_LEAVING) {
		s->phase = CHILD_FREE;
		return;
	}
	if (is_barred) {
		s->phase = CHILD_BARRED;
		return;
	}
	s->phase = CHILD_BACKOFF;
	if (was_ready && now_ms - s->started_ms >= l->young_ms)
		s->backoff_ms = 0;
	else if (s->backoff_ms == 0)
		s->backoff_ms = l->backoff_min_ms;
	else
		s->backoff_ms = MIN(s->backoff_ms * 2, l->backoff_max_ms);
	s->due_ms = now_ms + s->backoff_ms;
}

bool
child_state_is_alive(const struct child_state *s)
{
	return s->phase == CHILD_STARTING || s->phase == CHILD_READY ||
		s->phase == CHILD_LEAVING;
}

bool
child_state_is_healthy(const struct child_state *s,
	const struct child_limits *l, int64_t now_ms)
{
	return s->phase == CHILD_READY && now_ms - s->started_ms >= l->young_ms;
}

bool
child_state_has_failed(const struct child_state *s)
{
	return s->phase == CHILD_BARRED ||
		(s->phase == CHILD_BACKOFF && s->backoff_ms > 0);
}

/* The two steps for a process that does not answer: a chance to leave its last
 * words, then the end. */
static enum child_action
end_silent(struct child_state *s, const struct child_limits *l, int64_t now_ms)
{
	if (s->aborted_ms == 0) {
		s->aborted_ms = now_ms;
		return CHILD_ABORT;
	}
	if (!s->is_killed && now_ms - s->aborted_ms >= l->abort_ms) {
		s->is_killed = true;
		return CHILD_KILL;
	}
	return CHILD_NOTHING;
}

enum child_action
child_state_due(struct child_state *s, const struct child_limits *l,
	int64_t beat_ms, int64_t now_ms)
{
	switch (s->phase) {
	case CHILD_FREE:
	case CHILD_BARRED:
		return CHILD_NOTHING;
	case CHILD_BACKOFF:
		return now_ms >= s->due_ms ? CHILD_START : CHILD_NOTHING;
	case CHILD_STARTING:
		if (now_ms - s->started_ms >= l->ready_ms)
			return end_silent(s, l, now_ms);
		return CHILD_NOTHING;
	case CHILD_READY:
		/* Once aborted it is dead to us, even if it beats again. */
		if (s->aborted_ms != 0 ||
			now_ms - MAX(beat_ms, s->ready_ms) >= l->stuck_ms)
			return end_silent(s, l, now_ms);
		return CHILD_NOTHING;
	case CHILD_LEAVING:
		if (s->is_killed || now_ms < s->due_ms)
			return CHILD_NOTHING;
		s->is_killed = true;
		return CHILD_KILL;
	}
	GP_UNREACHED();
}

int64_t
child_state_next_ms(const struct child_state *s, const struct child_limits *l)
{
	switch (s->phase) {
	case CHILD_FREE:
	case CHILD_BARRED:
		return -1;
	case CHILD_BACKOFF:
		return s->due_ms;
	case CHILD_LEAVING:
		return s->is_killed ? -1 : s->due_ms;
	case CHILD_STARTING:
	case CHILD_READY:
		if (s->is_killed)
			return -1;
		if (s->aborted_ms != 0)
			return s->aborted_ms + l->abort_ms;
		return s->phase == CHILD_STARTING ?
			s->started_ms + l->ready_ms :
			-1;
	}
	GP_UNREACHED();
}

void
child_state_relieve(struct child_state *const *v, size_t n,
	const struct child_limits *l, int64_t now_ms)
{
	struct child_state *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (v[i]->phase == CHILD_STARTING || v[i]->phase == CHILD_READY)
			return;
		if (v[i]->phase == CHILD_BACKOFF &&
			(first == NULL || v[i]->due_ms < first->due_ms))
			first = v[i];
	}
	if (first != NULL)
		first->due_ms = MIN(first->due_ms, now_ms + l->backoff_min_ms);
}
