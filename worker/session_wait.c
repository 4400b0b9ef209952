/* SPDX-License-Identifier: MIT */
/*
 * session_wait.c - a translated request that is not sent yet.
 *
 * It waits for the pause before a further try to end, then for its turn
 * (turn.h). Clients of streams get signs of life meanwhile; one that leaves
 * takes its request along.
 */
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "worker/session_private.h"

/* --- waiting -------------------------------------------------------------- */

static void on_wait(struct ev_timer *t);

static void
begin_wait(struct session *s, struct buf *body, int64_t ms)
{
	s->is_waiting = true;
	s->request = *body;
	buf_init(body, 0);
	ev_timer_init(&s->wait, s->worker->ev, on_wait);
	ev_timer_start(&s->wait, ms);
	if (!ev_timer_is_armed(&s->heartbeat))
		ev_timer_start(&s->heartbeat, SESSION_HEARTBEAT_MS);
}

/* The request is the caller's again. */
static struct buf
end_wait(struct session *s)
{
	struct buf body = s->request;

	buf_init(&s->request, 0);
	ev_timer_stop(&s->wait);
	s->is_waiting = false;
	s->is_queued = false;
	return body;
}

void
session_wait_end(struct session *s)
{
	struct buf body;

	if (s->worker->turns != NULL)
		turn_end(s->worker->turns, &s->turn);
	if (!s->is_waiting)
		return;
	body = end_wait(s);
	buf_fini(&body);
}

/* --- the queue ------------------------------------------------------------ */

static void
refuse(struct session *s, _Atomic uint64_t *metric, const char *why)
{
	const struct conf *const conf = s->worker->conf;
	struct llm_failure f = llm_failure_of(LLM_FAIL_RATE,
		arena_printf(&s->arena,
			"%s: this proxy has at most %d requests of a key in "
			"flight and %d waiting; try again later",
			why, (int)conf->key_concurrency, (int)conf->key_queue));

	metrics_add(metric, 1);
	log_info("req=%.*s: %s", SPAN_ARG(session_id(s)), why);
	session_wait_end(s);
	session_step(s, xlate_fail(s->xlate, &f));
}

static void
on_turn(struct turn *t)
{
	struct session *const s = CONTAINER_OF(t, struct session, turn);
	struct buf body = end_wait(s);

	metrics_observe(
		&s->worker->metrics->queue_wait, clock_mono_us() - s->asked_us);
	live_set_phase(s->live, LIVE_WAITING);
	session_send(s, &body);
}

static void
queue(struct session *s, struct buf *body)
{
	struct turns *const turns = s->worker->turns;

	switch (turn_ask(turns, &s->turn, s->key, on_turn)) {
	case TURN_GO:
		session_send(s, body);
		break;
	case TURN_WAITS:
		s->is_queued = true;
		s->asked_us = clock_mono_us();
		live_set_phase(s->live, LIVE_QUEUED);
		begin_wait(s, body, s->worker->conf->key_queue_timeout_ms);
		break;
	case TURN_FULL:
		buf_fini(body);
		refuse(s, &s->worker->metrics->queue_full,
			"too many requests of this key are waiting");
		break;
	}
}

/* It does not wait: it can be counted here as well. */
static void
count_now(struct session *s, struct buf *body)
{
	if (turn_try(s->worker->turns, &s->turn, s->key)) {
		session_send(s, body);
		return;
	}
	buf_fini(body);
	if (s->is_counting)
		metrics_sub(&s->worker->metrics->counts_live, 1);
	s->is_counting = false;
	session_count_locally(s);
}

/* --- on its way ----------------------------------------------------------- */

static void
go_on(struct session *s, struct buf *body)
{
	struct secret key;

	if (s->worker->turns == NULL) {
		session_send(s, body);
		return;
	}
	if (s->key == 0) {
		session_key(s, &key);
		s->key = turn_key_of(&key);
		secret_wipe(&key);
	}
	if (s->client->purpose == LLM_COUNT)
		count_now(s, body);
	else
		queue(s, body);
}

static void
on_wait(struct ev_timer *t)
{
	struct session *const s = CONTAINER_OF(t, struct session, wait);
	struct buf body;

	if (s->is_queued) {
		refuse(s, &s->worker->metrics->queue_timeout,
			"the request has waited for its turn too long");
		return;
	}
	body = end_wait(s);
	go_on(s, &body);
}

void
session_dispatch(struct session *s, struct buf *body)
{
	const int64_t pause_ms = s->pause_ms;

	s->held = buf_len(body);
	s->worker->buffered += s->held;
	live_set_phase(s->live, LIVE_WAITING);
	s->pause_ms = 0;
	if (pause_ms > 0)
		begin_wait(s, body, pause_ms);
	else
		go_on(s, body);
}
