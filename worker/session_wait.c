/* SPDX-License-Identifier: MIT */
/*
 * session_wait.c - a translated request that is not sent yet.
 *
 * It waits for the pause before a further try to end. Clients of streams get
 * signs of life meanwhile; one that leaves takes its request along.
 */
#include "worker/session_private.h"

static void
send_now(struct session *s)
{
	struct buf body = s->request;

	buf_init(&s->request, 0);
	s->is_waiting = false;
	ev_timer_stop(&s->wait);
	session_send(s, &body);
}

static void
on_wait(struct ev_timer *t)
{
	send_now(CONTAINER_OF(t, struct session, wait));
}

void
session_dispatch(struct session *s, struct buf *body)
{
	const int64_t pause_ms = s->pause_ms;

	s->held = buf_len(body);
	s->worker->buffered += s->held;
	live_set_phase(s->live, LIVE_WAITING);
	if (pause_ms == 0) {
		session_send(s, body);
		return;
	}
	s->pause_ms = 0;
	s->is_waiting = true;
	s->request = *body;
	buf_init(body, 0);
	ev_timer_init(&s->wait, s->worker->ev, on_wait);
	ev_timer_start(&s->wait, pause_ms);
	if (!ev_timer_is_armed(&s->heartbeat))
		ev_timer_start(&s->heartbeat, SESSION_HEARTBEAT_MS);
}

void
session_wait_end(struct session *s)
{
	if (!s->is_waiting)
		return;
	s->is_waiting = false;
	ev_timer_stop(&s->wait);
	buf_fini(&s->request);
}
