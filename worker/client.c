/* SPDX-License-Identifier: MIT */
/* client.c - the life of a client connection. */
#include "worker/client.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/log.h"
#include "shared/sys/sock.h"
#include "worker/inflate.h"
#include "worker/reply.h"
#include "worker/request.h"
#include "worker/session.h"

#define READ_SIZE 65536
#define OUT_MAX   (64u << 20)
#define IN_MAX    (READ_SIZE + HTTP_HEAD_MAX)
#define LINGER_MS 2000
#define OUT_KEEP  4096 /* memory an idle connection keeps */

static void client_process(struct client *c, struct span bytes);

/* --- memory --------------------------------------------------------------- */

/* Bring worker->buffered up to date with what c holds. */
static void
client_account(struct client *c)
{
	size_t now = c->in.cap + c->body.cap + c->out.cap;

	worker_release(c->worker, c->accounted);
	c->worker->buffered += now;
	c->accounted = now;
}

void
client_drop_body(struct client *c)
{
	buf_fini(&c->body);
	buf_init(&c->body, (size_t)c->worker->conf->max_body_bytes);
	inflate_free(&c->inflate);
	client_account(c);
}

/* --- states --------------------------------------------------------------- */

/* While an answer is under way nothing is read. Reading stays asked for until
 * bytes come early all the same: who waits for answers costs no epoll_ctl. */
static void
client_watch(struct client *c)
{
	unsigned want = EV_READ | EV_HUP;

	if (c->state != CLIENT_BUSY)
		c->is_early = false;
	if (c->is_early)
		want = EV_HUP;
	ev_io_want(&c->io, buf_len(&c->out) > 0 ? want | EV_WRITE : want);
}

static void
client_set_state(struct client *c, enum client_state state)
{
	const struct conf *conf = c->worker->conf;

	c->state = state;
	switch (state) {
	case CLIENT_IDLE:
		client_watch(c);
		ev_timer_start(&c->timer,
			c->worker->is_draining ?
				WORKER_LAME_DUCK_MS :
				c->had_request ?
				conf->keepalive_timeout_ms :
				conf->client_header_timeout_ms);
		break;
	case CLIENT_HEAD:
		ev_timer_start(&c->timer, conf->client_header_timeout_ms);
		break;
	case CLIENT_BODY:
		ev_timer_start(&c->timer, conf->client_body_timeout_ms);
		break;
	case CLIENT_BUSY:
		ev_timer_stop(&c->timer);
		client_watch(c);
		break;
	case CLIENT_CLOSING:
		sock_shutdown_write(c->fd);
		client_watch(c);
		ev_timer_start(&c->timer, LINGER_MS);
		break;
	}
}

void
client_close(struct client *c)
{
	struct worker *w = c->worker;

	if (c->session != NULL) {
		metrics_add(&w->metrics->cancelled, 1);
		session_cancel(c->session);
	}
	GP_ASSERT(c->session == NULL);
	ev_defer_stop(&c->again);
	ev_timer_stop(&c->timer);
	ev_io_stop(&c->io);
	close(c->fd);
	worker_release(w, c->accounted);
	http_msg_free(&c->msg);
	inflate_free(&c->inflate);
	buf_fini(&c->in);
	buf_fini(&c->body);
	buf_fini(&c->out);
	list_remove(&c->link);
	w->nclients--;
	metrics_sub(&w->metrics->connections_live, 1);
	atomic_store_explicit(&w->slot->connections, (uint32_t)w->nclients,
		memory_order_relaxed);
	free(c);
	worker_client_gone(w);
}

void
client_retire(struct client *c)
{
	if (c->state == CLIENT_IDLE)
		ev_timer_start(&c->timer, WORKER_LAME_DUCK_MS);
}

const struct http_head *
client_head(const struct client *c)
{
	return http_msg_head(c->msg);
}

/* --- sending -------------------------------------------------------------- */

/* The whole answer is out: on to the next request. */
static bool
client_next(struct client *c)
{
	c->is_answered = false;
	c->had_request = true;
	c->dialect = NULL;
	buf_reset(&c->out, OUT_KEEP);
	client_drop_body(c);
	if (!c->keep_alive) {
		client_set_state(c, CLIENT_CLOSING);
		return true;
	}
	http_msg_next(c->msg);
	client_set_state(c, CLIENT_IDLE);
	/* Pipelined requests wait for the end of the turn: answering them from
	 * here would recurse once a request. */
	if (buf_len(&c->in) > 0)
		ev_defer_start(c->worker->ev, &c->again);
	return true;
}

static void
client_on_again(struct ev_defer *d)
{
	struct client *c = CONTAINER_OF(d, struct client, again);
	struct buf in = c->in;

	/* Its bytes move out of the way of those behind the next request. */
	buf_init(&c->in, IN_MAX);
	client_process(c, buf_span(&in));
	buf_fini(&in);
}

bool
client_flush(struct client *c)
{
	struct worker *w = c->worker;

	if (c->out.bad) {
		client_close(c);
		return false;
	}
	while (buf_len(&c->out) > 0) {
		struct span s = buf_span(&c->out);
		ssize_t n = write(c->fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			client_close(c);
			return false;
		}
		if (n < 0) {
			if (!ev_timer_is_armed(&c->timer))
				ev_timer_start(&c->timer,
					w->conf->client_write_timeout_ms);
			client_watch(c);
			client_account(c);
			return true;
		}
		metrics_add(&w->metrics->bytes_client_out, (uint64_t)n);
		buf_consume(&c->out, (size_t)n);
		/* Progress: the limit on a slow reader starts anew. */
		if (c->state == CLIENT_BUSY)
			ev_timer_stop(&c->timer);
	}
	client_watch(c);
	if (c->is_answered)
		return client_next(c);
	return true;
}

bool
client_answered(struct client *c)
{
	c->is_answered = true;
	return client_flush(c);
}

void
client_refuse(struct client *c, const struct llm_failure *f)
{
	c->keep_alive = false;
	client_set_state(c, CLIENT_BUSY);
	reply_failure(c, f);
}

/* --- reading -------------------------------------------------------------- */

static void
client_fail(struct client *c, enum llm_fail kind, const char *message)
{
	struct llm_failure f = llm_failure_of(kind, span_cstr(message));

	client_refuse(c, &f);
}

static bool
client_take_piece(struct client *c)
{
	struct span piece = http_msg_piece(c->msg);
	struct gp_error err;

	if (!worker_reserve(c->worker, 0)) {
		metrics_add(&c->worker->metrics->shed, 1);
		client_fail(c, LLM_FAIL_UNAVAILABLE,
			"the proxy's buffers are full; try again shortly");
		return false;
	}
	if (c->inflate == NULL)
		buf_put(&c->body, piece);
	else if (inflate_feed(c->inflate, piece, &c->body, &err) != GP_OK &&
		!c->body.bad) {
		client_fail(c, LLM_FAIL_BAD_REQUEST,
			"the body is not what its content-encoding says");
		return false;
	}
	client_account(c);
	if (c->body.bad) {
		client_fail(c, LLM_FAIL_TOO_LARGE,
			"the body is larger than max_body_mb allows");
		return false;
	}
	return true;
}

/* One step of the parser. False when the request is whole, refused, or the
 * input is used up. */
static bool
client_step(struct client *c, enum http_step step, struct gp_error *err)
{
	switch (step) {
	case HTTP_MORE:
		return false;
	case HTTP_HEAD:
		c->keep_alive =
			client_head(c)->keep_alive && !c->worker->is_draining;
		if (!request_admit(c))
			return false;
		client_set_state(c, CLIENT_BODY);
		return true;
	case HTTP_BODY:
		ev_timer_start(
			&c->timer, c->worker->conf->client_body_timeout_ms);
		return client_take_piece(c);
	case HTTP_DONE:
		client_set_state(c, CLIENT_BUSY);
		return false;
	case HTTP_FAIL:
		client_fail(c,
			err->code == GP_E_LIMIT ? LLM_FAIL_HEAD_TOO_LARGE :
						  LLM_FAIL_BAD_REQUEST,
			err->text);
		return false;
	}
	return false;
}

/* Feed bytes to the parser; what is behind the request is kept. The client may
 * be gone afterwards. */
static void
client_process(struct client *c, struct span bytes)
{
	struct gp_error err;
	enum http_step step;
	bool goes_on = true, is_whole = false;

	if (c->state == CLIENT_IDLE && bytes.n > 0)
		client_set_state(c, CLIENT_HEAD);
	while (goes_on) {
		size_t used;

		step = http_msg_feed(c->msg, bytes, &used, &err);
		bytes = span_from(bytes, used);
		/* Refusals answer at once and may end the connection. */
		is_whole = step == HTTP_DONE;
		if (is_whole)
			buf_put(&c->in, bytes);
		goes_on = client_step(c, step, &err);
	}
	if (!is_whole)
		return;
	if (c->inflate != NULL && !inflate_is_done(c->inflate))
		client_fail(c, LLM_FAIL_BAD_REQUEST,
			"the compressed body is cut short");
	else
		request_run(c);
}

static void
client_read(struct client *c)
{
	static char bytes[READ_SIZE];
	ssize_t n = read(c->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	if (c->state == CLIENT_CLOSING)
		return;
	metrics_add(&c->worker->metrics->bytes_client_in, (uint64_t)n);
	client_process(c, span_of(bytes, (size_t)n));
}

/* --- events --------------------------------------------------------------- */

static void
client_on_io_busy(struct client *c, unsigned what)
{
	if (what & EV_HUP) {
		client_close(c);
		return;
	}
	if (what & EV_READ) {
		c->is_early = true;
		client_watch(c);
	}
	if ((what & EV_WRITE) && client_flush(c) && c->session != NULL &&
		buf_len(&c->out) < CLIENT_OUT_LOW)
		session_drained(c->session);
}

static void
client_on_io(struct ev_io *io, unsigned what)
{
	struct client *c = CONTAINER_OF(io, struct client, io);

	if (c->state == CLIENT_BUSY) {
		client_on_io_busy(c, what);
		return;
	}
	/* Bytes that came earlier are read first, at the end of this turn. */
	if (c->state == CLIENT_IDLE && buf_len(&c->in) > 0)
		return;
	if ((what & EV_WRITE) && !client_flush(c))
		return;
	client_read(c);
}

static void
client_on_timer(struct ev_timer *t)
{
	struct client *c = CONTAINER_OF(t, struct client, timer);
	struct metrics *m = c->worker->metrics;

	switch (c->state) {
	case CLIENT_HEAD:
	case CLIENT_BODY:
		metrics_add(c->state == CLIENT_HEAD ? &m->dropped_head :
						      &m->dropped_body,
			1);
		client_fail(c, LLM_FAIL_REQUEST_TIMEOUT,
			"the request did not arrive in time");
		break;
	case CLIENT_BUSY: /* it takes no bytes */
		metrics_add(&m->dropped_write, 1);
		client_close(c);
		break;
	case CLIENT_IDLE:
	case CLIENT_CLOSING:
		client_close(c);
		break;
	}
}

void
client_open(struct worker *w, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	GP_ASSERT(c != NULL);
	c->worker = w;
	c->fd = fd;
	c->msg = http_msg_new(HTTP_REQUEST);
	buf_init(&c->in, IN_MAX);
	buf_init(&c->body, (size_t)w->conf->max_body_bytes);
	buf_init(&c->out, OUT_MAX);
	ev_io_init(&c->io, w->ev, client_on_io);
	ev_timer_init(&c->timer, w->ev, client_on_timer);
	ev_defer_init(&c->again, client_on_again);
	list_push_back(&w->clients, &c->link);
	w->nclients++;
	metrics_add(&w->metrics->connections_accepted, 1);
	metrics_add(&w->metrics->connections_live, 1);
	atomic_store_explicit(&w->slot->connections, (uint32_t)w->nclients,
		memory_order_relaxed);
	ev_io_start(&c->io, fd, EV_READ | EV_HUP);
	client_set_state(c, CLIENT_IDLE);
}
