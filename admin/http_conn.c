/* SPDX-License-Identifier: MIT */
/* http_conn.c - one connection of the admin port. */
#include "admin/http_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/http_answer.h"
#include "shared/http/out.h"
#include "shared/sys/log.h"
#include "shared/sys/sock.h"

#define READ_BYTES    16384
#define INPUT_MAX     (HTTP_HEAD_MAX + READ_BYTES)
#define STREAM_SNDBUF 32768
#define KEEP_BYTES    16384
#define LINGER_MS     1000
#define LINGER_BYTES  (1u << 20)

enum conn_state {
	CONN_IDLE,   /* no byte of a request yet */
	CONN_HEAD,   /* in the middle of a head */
	CONN_BODY,   /* reading a body */
	CONN_WAIT,   /* the answer comes later */
	CONN_WRITE,  /* an answer is on its way out */
	CONN_STREAM, /* an answer without end is */
	CONN_LINGER, /* all is said; waiting for the client to close */
};

struct http_conn {
	struct list link;
	struct http_conn_env *env;
	struct ev_io io;
	struct ev_timer timer;
	struct http_msg *msg;
	struct sock_addr peer;
	struct buf in, out, body;
	enum conn_state state;
	uint64_t ticket; /* of the request */
	bool has_answered_once;
	bool closes;     /* after the answer */
	uint64_t thrown; /* bytes, while lingering */
};

static void run(struct http_conn *c);

/* --- life ----------------------------------------------------------------- */

void
http_conn_drop(struct list *link)
{
	struct http_conn *const c = CONTAINER_OF(link, struct http_conn, link);

	list_remove(&c->link);
	c->env->nconns--;
	c->env->nstreams -= c->state == CONN_STREAM;
	ev_timer_stop(&c->timer);
	if (c->io.fd >= 0) {
		const int fd = c->io.fd;

		ev_io_stop(&c->io);
		(void)close(fd);
	}
	http_msg_free(&c->msg);
	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->body);
	free(c);
}

static void
close_conn(struct http_conn *c)
{
	struct http_conn_env *const env = c->env;

	http_conn_drop(&c->link);
	env->gone(env->gone_ctx);
}

/* What the connection is watched for. */
static unsigned
wants_of(const struct http_conn *c)
{
	switch (c->state) {
	case CONN_WAIT:
		return 0;
	case CONN_WRITE:
		return EV_WRITE;
	case CONN_STREAM:
		/* Who says nothing more has left. */
		return EV_HUP | (buf_len(&c->out) > 0 ? EV_WRITE : 0u);
	case CONN_IDLE:
	case CONN_HEAD:
	case CONN_BODY:
	case CONN_LINGER:
		break;
	}
	return EV_READ;
}

static void
set_state(struct http_conn *c, enum conn_state state)
{
	const struct http_server_options *const o = &c->env->options;
	int64_t limit_ms = LINGER_MS;

	c->state = state;
	switch (state) {
	case CONN_IDLE:
		/* A connection that never asked anything gets less time. */
		limit_ms = c->has_answered_once ? o->idle_ms : o->header_ms;
		break;
	case CONN_HEAD:
		limit_ms = o->header_ms;
		break;
	case CONN_BODY:
		limit_ms = o->body_ms;
		break;
	case CONN_WAIT:
		limit_ms = HTTP_SERVER_LATER_MS;
		break;
	case CONN_WRITE:
	case CONN_STREAM:
		limit_ms = o->write_ms;
		break;
	case CONN_LINGER:
		break;
	}
	/* A stream may have nothing to say for any time. */
	if (state == CONN_STREAM && buf_len(&c->out) == 0)
		ev_timer_stop(&c->timer);
	else
		ev_timer_start(&c->timer, limit_ms);
	ev_io_want(&c->io, wants_of(c));
}

/* Say that nothing more comes, then read what the client still sends, so that
 * the last answer is not lost in a reset. */
static void
linger(struct http_conn *c)
{
	c->thrown = 0;
	buf_reset(&c->in, 0);
	sock_shutdown_write(c->io.fd);
	set_state(c, CONN_LINGER);
}

void
http_conn_retire(struct list *link, int64_t idle_ms)
{
	struct http_conn *const c = CONTAINER_OF(link, struct http_conn, link);

	c->closes = true;
	if (c->state == CONN_IDLE && idle_ms > 0) {
		ev_timer_start(&c->timer, idle_ms);
	} else if (c->state == CONN_IDLE) {
		close_conn(c);
	} else if (c->state == CONN_STREAM) {
		c->env->nstreams--;
		if (buf_len(&c->out) > 0)
			set_state(c, CONN_WRITE);
		else
			linger(c);
	}
}

void
http_conn_end_stream(struct list *link)
{
	const struct http_conn *const c =
		CONTAINER_OF(link, struct http_conn, link);

	if (c->state == CONN_STREAM)
		http_conn_retire(link, 0);
}

/* --- answering ------------------------------------------------------------ */

/* Clients that ask for much and do not read it must not fill the memory. */
static bool
has_room(const struct http_conn_env *env, size_t bytes)
{
	size_t held = bytes;

	if (bytes <= HTTP_SERVER_SMALL)
		return true;
	LIST_EACH (&env->conns, it, safe)
		held += CONTAINER_OF(it, struct http_conn, link)->out.cap;
	return held <= HTTP_SERVER_UNSENT_MAX;
}

static void
put_answer(struct http_conn *c, const struct http_head *head,
	struct http_answer *a)
{
	if (a->body.bad || a->fields.bad)
		http_answer_refuse(a, 500, http_reason(500));
	if (!has_room(c->env, buf_len(&a->body)))
		http_answer_refuse(a, 503,
			"clients that do not read their answers hold too much "
			"memory: try again");
	http_answer_put_head(a, head, c->closes, &c->out);
	if (head == NULL || head->method != HTTP_METHOD_HEAD)
		buf_put(&c->out, buf_span(&a->body));
	set_state(c, CONN_WRITE);
}

/* head: of the request, NULL if it has not come or not been understood. */
static void
refuse(struct http_conn *c, const struct http_head *head, unsigned status)
{
	struct http_answer a;

	c->closes = true;
	http_answer_init(&a);
	http_answer_refuse(&a, status, http_reason(status));
	put_answer(c, head, &a);
	http_answer_fini(&a);
}

static void
begin_stream(struct http_conn *c, struct http_answer *a)
{
	const struct http_head *const head = http_msg_head(c->msg);
	int bytes = STREAM_SNDBUF;

	if (c->env->nstreams >= HTTP_SERVER_STREAMS_MAX) {
		a->how = HTTP_ANSWER_WHOLE;
		http_answer_refuse(a, 503,
			"too many streams of events are open; close one");
		put_answer(c, head, a);
		return;
	}
	/* What the kernel takes for a client that does not read is lost. */
	(void)setsockopt(
		c->io.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	c->closes = true;
	put_answer(c, head, a);
	if (a->how != HTTP_ANSWER_STREAM || head->method == HTTP_METHOD_HEAD)
		return;
	c->env->nstreams++;
	set_state(c, CONN_STREAM);
}

static void
finish_answer(struct http_conn *c, struct http_answer *a)
{
	switch (a->how) {
	case HTTP_ANSWER_WHOLE:
		put_answer(c, http_msg_head(c->msg), a);
		break;
	case HTTP_ANSWER_LATER:
		set_state(c, CONN_WAIT);
		break;
	case HTTP_ANSWER_STREAM:
		begin_stream(c, a);
		break;
	}
}

static void
answer(struct http_conn *c)
{
	const struct http_head *const head = http_msg_head(c->msg);
	const struct http_server_options *const o = &c->env->options;
	const struct http_request request = {
		.head = head,
		.body = buf_span(&c->body),
		.peer = &c->peer,
		.ticket = ++c->env->ntickets,
	};
	struct http_answer a;

	c->ticket = request.ticket;
	if (!head->keep_alive || c->env->is_draining)
		c->closes = true;
	http_answer_init(&a);
	o->fn(o->ctx, &request, &a);
	finish_answer(c, &a);
	http_answer_fini(&a);
	buf_reset(&c->body, 0);
}

void
http_conn_answer(
	struct list *link, uint64_t ticket, http_later_fn *fn, void *ctx)
{
	struct http_conn *const c = CONTAINER_OF(link, struct http_conn, link);
	struct http_answer a;

	if (c->state != CONN_WAIT || c->ticket != ticket)
		return;
	http_answer_init(&a);
	fn(ctx, &a);
	a.how = HTTP_ANSWER_WHOLE;
	put_answer(c, http_msg_head(c->msg), &a);
	http_answer_fini(&a);
}

/* --- reading -------------------------------------------------------------- */

/* What the message says next. True while there is more to look at. */
static bool
take_step(struct http_conn *c)
{
	struct gp_error err;
	size_t used = 0;
	const enum http_step step =
		http_msg_feed(c->msg, buf_span(&c->in), &used, &err);

	switch (step) {
	case HTTP_MORE:
		buf_consume(&c->in, used);
		if (c->state == CONN_IDLE && (used > 0 || buf_len(&c->in) > 0))
			set_state(c, CONN_HEAD);
		return false;
	case HTTP_HEAD:
		buf_reset(&c->body, 0);
		if (http_msg_head(c->msg)->has_body)
			set_state(c, CONN_BODY);
		break;
	case HTTP_BODY:
		buf_put(&c->body, http_msg_piece(c->msg));
		if (c->body.bad) {
			refuse(c, NULL, 413);
			return false;
		}
		break;
	case HTTP_DONE:
		buf_consume(&c->in, used);
		answer(c);
		return false;
	case HTTP_FAIL:
		refuse(c, NULL, err.code == GP_E_LIMIT ? 431 : 400);
		return false;
	}
	buf_consume(&c->in, used);
	return true;
}

/* False when the connection is over. */
static bool
read_some(struct http_conn *c)
{
	char *const to = buf_reserve(&c->in, READ_BYTES);
	ssize_t n;

	if (to == NULL)
		return false;
	n = recv(c->io.fd, to, READ_BYTES, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (c->state == CONN_LINGER) {
		c->thrown += (uint64_t)n;
		return c->thrown <= LINGER_BYTES;
	}
	buf_commit(&c->in, (size_t)n);
	return true;
}

/* --- writing -------------------------------------------------------------- */

/* False when the connection is over. */
static bool
write_some(struct http_conn *c)
{
	const struct span s = buf_span(&c->out);
	const ssize_t n = send(c->io.fd, s.p, s.n, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	buf_consume(&c->out, (size_t)n);
	if (n > 0)
		set_state(c, c->state);
	if (buf_len(&c->out) > 0 || c->state == CONN_STREAM)
		return true;
	buf_reset(&c->out, KEEP_BYTES);
	c->has_answered_once = true;
	if (c->closes) {
		linger(c);
		return true;
	}
	http_msg_next(c->msg);
	set_state(c, CONN_IDLE);
	run(c);
	return true;
}

void
http_conn_send(struct list *link, struct span text)
{
	struct http_conn *const c = CONTAINER_OF(link, struct http_conn, link);
	const bool is_waiting = buf_len(&c->out) > 0;

	if (c->state != CONN_STREAM)
		return;
	if (buf_len(&c->out) + text.n > HTTP_SERVER_BACKLOG_MAX) {
		close_conn(c);
		return;
	}
	buf_put(&c->out, text);
	/* What it has waited for so far still has its own deadline. */
	if (is_waiting)
		return;
	set_state(c, CONN_STREAM);
	if (!write_some(c))
		close_conn(c);
}

/* --- events --------------------------------------------------------------- */

/* Look at what has been read, up to the next answer: a client that sends many
 * requests at once gets them answered one after the other. */
static void
run(struct http_conn *c)
{
	while ((c->state == CONN_IDLE || c->state == CONN_HEAD ||
		       c->state == CONN_BODY) &&
		take_step(c)) {
	}
}

static void
on_io(struct ev_io *io, unsigned what)
{
	struct http_conn *const c = CONTAINER_OF(io, struct http_conn, io);
	bool goes_on = true;

	if (c->state == CONN_WRITE) {
		/* Writing tells whether the other side is really gone. */
		goes_on = write_some(c);
	} else if (c->state == CONN_STREAM) {
		goes_on = (what & EV_HUP) == 0 && write_some(c);
	} else if (c->state == CONN_WAIT) {
		goes_on = false;
	} else if (what & (EV_READ | EV_HUP)) {
		goes_on = read_some(c);
		if (goes_on)
			run(c);
	}
	if (!goes_on)
		close_conn(c);
}

static void
on_timer(struct ev_timer *t)
{
	struct http_conn *const c = CONTAINER_OF(t, struct http_conn, timer);

	if (c->state == CONN_HEAD || c->state == CONN_BODY)
		refuse(c, NULL, 408);
	else if (c->state == CONN_WAIT)
		refuse(c, http_msg_head(c->msg), 503);
	else
		close_conn(c);
}

void
http_conn_open(struct http_conn_env *env, int fd, const struct sock_addr *peer)
{
	struct http_conn *const c = calloc(1, sizeof(*c));

	if (c == NULL)
		fatal(1, "memory");
	c->env = env;
	c->peer = *peer;
	list_push_back(&env->conns, &c->link);
	env->nconns++;
	c->msg = http_msg_new(HTTP_REQUEST);
	buf_init(&c->in, INPUT_MAX);
	buf_init(&c->out, HTTP_ANSWER_MAX + HTTP_HEAD_MAX);
	buf_init(&c->body, HTTP_SERVER_BODY_MAX);
	ev_io_init(&c->io, env->ev, on_io);
	ev_timer_init(&c->timer, env->ev, on_timer);
	ev_io_start(&c->io, fd, EV_READ);
	set_state(c, CONN_IDLE);
}
