/* SPDX-License-Identifier: MIT */
/* session.c - one chat or count: its answer and its end. */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/http/out.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "worker/reply.h"
#include "worker/session_private.h"
#include "worker/tally.h"

#define LIMITS_MAX 2048 /* bytes of fields about rate limits */

/* --- ending --------------------------------------------------------------- */

static void
release_held(struct session *s)
{
	worker_release(s->worker, s->held);
	s->held = 0;
}

static void
session_free(struct session *s)
{
	release_held(s);
	counting_cancel(&s->counting);
	if (s->is_counting)
		metrics_sub(&s->worker->metrics->counts_live, 1);
	session_learn(s);
	if (s->head_sent && xlate_is_stream(s->xlate))
		metrics_sub(&s->worker->metrics->streams_live, 1);
	session_tally(s, span_cstr(s->who));
	session_bodies_put(s->bodies, session_id(s));
	session_record(s, span_cstr(s->who));
	session_bodies_free(&s->bodies);
	session_live_end(s);
	ev_timer_stop(&s->heartbeat);
	ev_defer_stop(&s->flush);
	session_wait_end(s);
	if (s->exchange != NULL)
		exchange_cancel(&s->exchange);
	xlate_fini(s->xlate);
	secret_wipe(&s->secret);
	buf_fini(&s->body);
	arena_fini(&s->arena);
	s->client->session = NULL;
	free(s);
}

void
session_cancel(struct session *s)
{
	log_debug("req=%.*s: the client left", SPAN_ARG(session_id(s)));
	session_free(s);
}

/* --- the answer ----------------------------------------------------------- */

/* Fields that answers of any kind carry, when they come from upstream. */
static void
put_answer_fields(struct session *s, struct buf *out)
{
	struct buf value;

	session_note_time(s, &s->note.first_us);
	http_out_field(
		out, s->client->dialect->request_id_header, session_id(s));
	http_out_field(out, "x-glmproxy-model", s->choice.route.model);
	buf_init(&value, 4096);
	xlate_notices(s->xlate, &value);
	if (buf_len(&value) > 0)
		http_out_field(out, "x-glmproxy-notice", buf_span(&value));
	if (xlate_upstream_id(s->xlate).n > 0)
		http_out_field(out, "x-glmproxy-upstream-id",
			xlate_upstream_id(s->xlate));
	buf_put(out, s->limits);
	buf_reset(&value, 0);
	xlate_context_field(s->xlate, &value);
	if (buf_len(&value) > 0)
		http_out_field(out, "x-glmproxy-context", buf_span(&value));
	buf_reset(&value, 0);
	xlate_images_field(s->xlate, &value);
	if (buf_len(&value) > 0)
		http_out_field(out, "x-glmproxy-images", buf_span(&value));
	buf_fini(&value);
}

static void
send_stream_head(struct session *s)
{
	struct client *c = s->client;
	struct metrics *m = s->worker->metrics;
	struct buf *out;

	/* HTTP/1.0 knows no chunks: the end of the connection ends it. */
	s->is_chunked = client_head(c)->minor > 0;
	if (!s->is_chunked)
		c->keep_alive = false;
	out = reply_begin(c, 200);
	put_answer_fields(s, out);
	http_out_field_cstr(
		out, "content-type", "text/event-stream; charset=utf-8");
	http_out_field_cstr(out, "cache-control", "no-cache, no-transform");
	http_out_field_cstr(out, "x-accel-buffering", "no");
	if (s->is_chunked)
		http_out_field_cstr(out, "transfer-encoding", "chunked");
	http_out_end(out);
	s->head_sent = true;
	metrics_add(&m->streams_total, 1);
	metrics_add(&m->streams_live, 1);
}

/* Move what xlate has written to the client's output. */
static void
move_body(struct session *s)
{
	struct span body = buf_span(&s->body);

	if (body.n == 0)
		return;
	s->note.bytes_out += body.n;
	if (s->is_chunked)
		http_out_chunk(&s->client->out, body);
	else
		buf_put(&s->client->out, body);
	buf_reset(&s->body, 16384);
	ev_timer_start(&s->heartbeat, SESSION_HEARTBEAT_MS);
}

static void
end_stream(struct session *s, bool is_broken)
{
	struct client *c = s->client;

	if (!s->head_sent)
		send_stream_head(s);
	move_body(s);
	if (s->is_chunked)
		http_out_last_chunk(&c->out);
	if (is_broken) {
		metrics_add(&s->worker->metrics->streams_broken, 1);
		tally_failure(
			s->worker->metrics, xlate_failure(s->xlate)->kind);
		c->keep_alive = false;
	}
	session_tell_end(s);
	session_free(s);
	if (!client_answered(c))
		return;
}

static void
end_body(struct session *s)
{
	struct client *c = s->client;
	struct buf body = s->body;

	put_answer_fields(s, reply_begin(c, 200));
	s->note.bytes_out = buf_len(&body);
	buf_init(&s->body, 0);
	session_tell_end(s);
	session_free(s);
	reply_end(c, "application/json", buf_span(&body));
	buf_fini(&body);
}

/* Upstream has refused the request and does not say what it minds. */
static void
log_sent(const struct session *s)
{
	const struct span sent = xlate_sent_fields(s->xlate);
	struct buf notices;

	buf_init(&notices, 4096);
	xlate_notices(s->xlate, &notices);
	log_warnx("req=%.*s: upstream: refused, fields sent: %.*s; notices: "
		  "%.*s",
		SPAN_ARG(session_id(s)), SPAN_ARG(sent),
		SPAN_ARG(buf_span(&notices)));
	buf_fini(&notices);
}

static void
end_failed(struct session *s)
{
	struct client *c = s->client;
	struct llm_failure f = *xlate_failure(s->xlate);
	char id[64];
	struct span req = span_head(session_id(s), sizeof(id)), limits;
	struct arena texts;
	struct buf body;

	if (f.is_vague)
		log_sent(s);
	/* The client knows nothing of what was tried. */
	if (f.kind == LLM_FAIL_CONTEXT && s->refusal.times > 0) {
		f.input_tokens = s->refusal.first_input;
		f.completion_tokens = s->refusal.first_completion;
		f.limit_tokens = s->refusal.first_limit;
	}
	buf_init(&body, REPLY_FAILURE_MAX);
	reply_failure_body(c, &f, req, &body);
	s->note.bytes_out = buf_len(&body);
	/* The texts must outlive the session's arena. */
	arena_init(&texts);
	f.reset = arena_dup(&texts, f.reset);
	f.trace = arena_dup(&texts, f.trace);
	limits = arena_dup(&texts, s->limits);
	memcpy(id, req.p, req.n);
	session_tell_end(s);
	session_free(s);
	reply_failure_as(c, &f, span_of(id, req.n), limits, buf_span(&body));
	buf_fini(&body);
	arena_fini(&texts);
}

/* Let go of an exchange whose answer is complete for us; a broken one is
 * closed by session_free. */
static void
release_exchange(struct session *s)
{
	if (s->exchange != NULL)
		exchange_finish(&s->exchange);
}

/* More than the client takes, or than there is room for: the rest is left with
 * upstream. */
static bool
has_enough(const struct session *s)
{
	size_t n = buf_len(&s->client->out);

	return n > CLIENT_OUT_HIGH || (n > 0 && !worker_reserve(s->worker, 0));
}

static void
on_flush(struct ev_defer *d)
{
	struct session *s = CONTAINER_OF(d, struct session, flush);
	struct client *c = s->client;

	if (!s->head_sent)
		send_stream_head(s);
	move_body(s);
	if (!client_flush(c))
		return;
	if (!s->is_paused && s->exchange != NULL && has_enough(s)) {
		s->is_paused = true;
		exchange_pause(s->exchange);
	}
}

/* There is something for the client in a stream. */
static void
flush_later(struct session *s)
{
	ev_defer_start(s->worker->ev, &s->flush);
}

void
session_forget_output(struct session *s)
{
	if (s->head_sent) {
		move_body(s);
		return;
	}
	ev_defer_stop(&s->flush);
	buf_reset(&s->body, 0);
}

/* Its first pieces go to the client: there is no way back. */
static void
tell_begin(struct session *s)
{
	session_tell_first(s);
	if (!s->is_sample)
		client_drop_body(s->client);
}

void
session_step(struct session *s, enum xlate_state state)
{
	switch (state) {
	case XLATE_PENDING:
		break;
	case XLATE_OPEN:
		if (xlate_has_begun(s->xlate))
			tell_begin(s);
		flush_later(s);
		break;
	case XLATE_DONE:
		session_tell_first(s);
		release_exchange(s);
		if (xlate_is_stream(s->xlate))
			end_stream(s, false);
		else
			end_body(s);
		break;
	case XLATE_FAILED:
		session_note_limit(s);
		release_exchange(s);
		if (session_resend(s) || session_try_again(s))
			break;
		if (s->head_sent) {
			(void)xlate_break(s->xlate);
			end_stream(s, true);
		} else
			end_failed(s);
		break;
	case XLATE_BROKEN:
		session_note_limit(s);
		end_stream(s, true);
		break;
	}
}

void
session_stop(struct session *s)
{
	const struct llm_failure f = llm_failure_of(LLM_FAIL_UNAVAILABLE,
		SPAN("the proxy ends, and the time that it leaves to live "
		     "requests is over; send it again"));

	session_wait_end(s);
	session_step(s, xlate_fail(s->xlate, &f));
}

void
session_drained(struct session *s)
{
	if (!s->is_paused || s->exchange == NULL)
		return;
	s->is_paused = false;
	exchange_resume(s->exchange);
}

/* --- upstream ------------------------------------------------------------- */

/* They mean something to clients of upstream's own dialect only. */
static void
take_limits(struct session *s, const struct http_head *head)
{
	const struct dialect *const d = s->client->dialect;
	struct buf out;

	if (s->choice.route.upstream != d)
		return;
	buf_init(&out, LIMITS_MAX);
	for (size_t i = 0; i < head->nfields; i++) {
		const struct http_field *const f = &head->fields[i];

		if (!span_istarts(f->name, d->limit_header))
			continue;
		buf_put(&out, f->name);
		buf_puts(&out, ": ");
		buf_put(&out, f->value);
		buf_puts(&out, "\r\n");
	}
	/* All or nothing: half a field would be no field. */
	if (!out.bad)
		s->limits = arena_dup(&s->arena, buf_span(&out));
	buf_fini(&out);
}

static void
on_head(void *ctx, const struct http_head *head)
{
	struct session *s = ctx;

	release_held(s);
	take_limits(s, head);
	session_note_head(s);
	s->has_head = true;
	/* What concerns the key is passed on. */
	s->count_has_failed = s->client->purpose == LLM_COUNT &&
		head->status / 100 != 2 && head->status != 401 &&
		head->status != 403;
	if (!s->count_has_failed)
		session_step(s, xlate_head(s->xlate, head));
}

/* An answer in one piece is held until its end. */
static bool
hold(struct session *s, size_t bytes)
{
	if (!worker_reserve(s->worker, bytes))
		return false;
	s->held += bytes;
	return true;
}

static void
on_body(void *ctx, struct span bytes)
{
	struct session *s = ctx;
	struct llm_failure f;

	session_note_time(s, &s->note.body_us);
	s->note.bytes_received += bytes.n;
	session_bodies_received(s->bodies, bytes);
	if (s->count_has_failed)
		return;
	if (xlate_is_stream(s->xlate) || hold(s, bytes.n)) {
		const enum xlate_state state = xlate_feed(s->xlate, bytes);

		session_live_progress(s);
		session_step(s, state);
		return;
	}
	metrics_add(&s->worker->metrics->shed, 1);
	f = llm_failure_of(LLM_FAIL_UNAVAILABLE,
		SPAN("the proxy's buffers are full; try again shortly"));
	session_step(s, xlate_fail(s->xlate, &f));
}

static void
on_done(void *ctx)
{
	struct session *s = ctx;

	enum xlate_state state;

	s->exchange = NULL;
	if (s->count_has_failed) {
		session_count_locally(s);
		return;
	}
	state = xlate_end(s->xlate);
	if (s->client->purpose == LLM_COUNT && state == XLATE_DONE &&
		xlate_tally(s->xlate)->usage.is_estimate) {
		/* No figure is in it, and we can do better than guess. */
		buf_reset(&s->body, 0);
		session_count_locally(s);
		return;
	}
	session_step(s, state);
}

/* What the client is told: no connection is upstream's failure, not ours. */
static enum xlate_state
fail_upstream(struct session *s, const struct gp_error *err)
{
	struct llm_failure f = llm_failure_from(err, &s->arena);

	if (err->code == GP_E_SYSTEM)
		f.kind = LLM_FAIL_UPSTREAM;
	return err->code == GP_E_PEER ? xlate_distrust(s->xlate, &f) :
					xlate_fail(s->xlate, &f);
}

static void
on_fail(void *ctx, const struct gp_error *err, bool is_lost)
{
	struct session *s = ctx;
	enum xlate_state state;

	s->exchange = NULL;
	if (s->client->purpose == LLM_COUNT) {
		log_warnx("req=%.*s: upstream: %s", SPAN_ARG(session_id(s)),
			err->text);
		session_count_locally(s);
		return;
	}
	s->has_lost_upstream = is_lost;
	/* It may have said that it was finished, or what it minds, before it
	 * broke off. */
	if (s->has_head && err->code == GP_E_CLOSED &&
		(xlate_upstream_streams(s->xlate) ||
			xlate_is_refused(s->xlate)))
		state = xlate_end(s->xlate);
	else
		state = fail_upstream(s, err);
	if (state != XLATE_DONE)
		log_warnx("req=%.*s: upstream: %s", SPAN_ARG(session_id(s)),
			err->text);
	session_step(s, state);
}

const struct exchange_handler session_handler = {
	.head = on_head,
	.body = on_body,
	.done = on_done,
	.fail = on_fail,
};

/* Upstream takes too long, be it before its head or behind. */
static void
give_up_count(struct session *s)
{
	if (s->exchange == NULL)
		return;
	log_warnx("req=%.*s: upstream: no count within %d ms",
		SPAN_ARG(session_id(s)), SESSION_COUNT_MS);
	exchange_cancel(&s->exchange);
	session_count_locally(s);
}

static void
on_heartbeat(struct ev_timer *t)
{
	struct session *s = CONTAINER_OF(t, struct session, heartbeat);

	if (s->client->purpose == LLM_COUNT) {
		give_up_count(s);
		return;
	}
	ev_timer_start(&s->heartbeat, SESSION_HEARTBEAT_MS);
	if (s->is_paused || (s->exchange == NULL && !s->is_waiting) ||
		!xlate_is_stream(s->xlate))
		return;
	metrics_add(&s->worker->metrics->heartbeats, 1);
	/* It opens a stream, but is no part of the answer. */
	if (xlate_heartbeat(s->xlate) != XLATE_OPEN)
		return;
	/* What was not sent yet may still be refused as too long. */
	if (!s->is_sample && !s->is_waiting &&
		s->retries >= s->worker->conf->retries)
		client_drop_body(s->client);
	flush_later(s);
}

/* --- life ----------------------------------------------------------------- */

struct session *
session_new(struct client *c, const struct xlate_env *env)
{
	struct worker *w = c->worker;
	struct session *s = calloc(1, sizeof(*s));

	GP_ASSERT(s != NULL);
	s->client = c;
	s->worker = w;
	c->session = s;
	arena_init(&s->arena);
	buf_init(&s->body, SESSION_BODY_MAX);
	s->limits = SPAN_EMPTY;
	ev_timer_init(&s->heartbeat, w->ev, on_heartbeat);
	ev_defer_init(&s->flush, on_flush);
	s->env = *env;
	s->counted = -1;
	keys_client(w->conf, c->dialect, client_head(c), s->who);
	s->begun_us = clock_mono_us();
	session_note_begin(s);
	s->bodies = session_bodies_new(w, client_head(c));
	return s;
}

void
session_renew(struct session *s)
{
	const struct client *c = s->client;
	struct worker *w = s->worker;

	if (s->xlate != NULL)
		xlate_fini(s->xlate);
	release_held(s);
	s->has_head = false;
	s->has_lost_upstream = false;
	session_key(s, &s->secret);
	s->env.secret = span_of(s->secret.bytes, s->secret.n);
	s->xlate = xlate_new(&s->arena, &w->scratch, w->router->profile,
		c->dialect, c->purpose, &s->env, &s->body);
}
