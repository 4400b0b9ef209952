/* SPDX-License-Identifier: MIT */
/* exchange.c - one request to an upstream and its answer. */
#include "worker/exchange.h"

#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "worker/conn.h"
#include "worker/inflate.h"

#define SMALL_BODY   16384       /* sent in one piece with its head */
#define INFLATED_MAX (16u << 20) /* from one piece of input */
#define FINISH_MS    1000 /* for the rest of an answer nobody waits for */

enum exchange_state {
	EXCHANGE_CONNECTING,
	EXCHANGE_SENDING,
	EXCHANGE_BODY,
};

struct exchange {
	struct list link; /* all->unheard */
	struct upstreams *all;
	struct upstream *upstream;
	const struct exchange_handler *handler; /* NULL: nobody listens */
	void *ctx;
	struct conn *conn;
	enum exchange_state state;
	struct buf head, body; /* until the answer's head has come */
	int64_t sent_us;       /* clock_mono_us when sending began */
	size_t sent;           /* bytes of head and body together */
	int64_t head_timeout_ms, silence_timeout_ms;
	const char *context;
	struct turns *turns; /* NULL: permits are not counted */
	struct turn turn;
	struct ev_timer timer;
	struct ev_defer begin;
	struct inflate *inflate;
	bool is_reused;
	bool is_fresh_only; /* the silent retry */
	bool is_cut;        /* answered before all of it was sent */
	bool had_bytes;
	bool had_body;
	bool is_paused;
	unsigned in_call; /* depth of calls to the handler */
	bool is_dead;     /* freed when the last of them returns */
};

static void exchange_connect(struct exchange *x);

/* --- ends ----------------------------------------------------------------- */

static void
exchange_stop(struct exchange *x)
{
	ev_timer_stop(&x->timer);
	ev_defer_stop(&x->begin);
	conn_close(&x->conn);
	if (x->turns != NULL)
		turn_end(x->turns, &x->turn);
	inflate_free(&x->inflate);
	buf_fini(&x->head);
	buf_fini(&x->body);
}

static void
exchange_free(struct exchange *x)
{
	exchange_stop(x);
	x->is_dead = true;
	x->handler = NULL;
	if (x->in_call > 0)
		return;
	list_remove(&x->link);
	x->all->nexchanges--;
	free(x);
}

/* Around calls to the handler, which may cancel. False when x is gone. */
static bool
call_over(struct exchange *x)
{
	x->in_call--;
	if (!x->is_dead)
		return true;
	if (x->in_call == 0)
		exchange_free(x);
	return false;
}

/* Of the upstream, in the order of dialects. */
static size_t
place(const struct exchange *x)
{
	const size_t i = (size_t)(x->upstream - x->all->list);

	return MIN(i, METRICS_DIALECTS - 1);
}

static void
count_head(const struct exchange *x, unsigned status)
{
	struct metrics *m = x->all->metrics;

	metrics_add_status(m->upstream_responses, status);
	metrics_add(status < 500 ? &m->upstream_answers[place(x)] :
				   &m->upstream_refusals[place(x)],
		1);
}

static void
count_failure(const struct exchange *x)
{
	struct metrics *m = x->all->metrics;

	metrics_add(x->state == EXCHANGE_CONNECTING ?
			&m->upstream_errors_connect :
			x->state == EXCHANGE_SENDING ?
			&m->upstream_errors_head :
			&m->upstream_errors_body,
		1);
	if (x->state != EXCHANGE_BODY)
		metrics_add(&m->upstream_silences[place(x)], 1);
}

static void
exchange_fail(struct exchange *x, const struct gp_error *err)
{
	const struct exchange_handler *h = x->handler;
	void *ctx = x->ctx;
	const bool is_lost = err->code == GP_E_CLOSED ||
		err->code == GP_E_SYSTEM ||
		(err->code == GP_E_TIMEOUT && x->state == EXCHANGE_CONNECTING);

	if (h != NULL)
		count_failure(x);
	exchange_free(x);
	if (h != NULL)
		h->fail(ctx, err, is_lost);
}

static void
exchange_fail_with(struct exchange *x, enum gp_code code, const char *what)
{
	struct gp_error err;

	gp_fail(&err, code, "%s", what);
	exchange_fail(x, &err);
}

static void
exchange_done(struct exchange *x, bool can_reuse)
{
	const struct exchange_handler *h = x->handler;
	void *ctx = x->ctx;

	if (can_reuse) {
		http_msg_next(x->conn->msg);
		conn_park(&x->conn);
	}
	exchange_free(x);
	if (h != NULL)
		h->done(ctx);
}

/* --- sending -------------------------------------------------------------- */

static bool
is_all_sent(const struct exchange *x)
{
	return x->sent == buf_len(&x->head) + buf_len(&x->body);
}

/* The request will not be needed again. */
static void
forget_request(struct exchange *x)
{
	buf_fini(&x->head);
	buf_fini(&x->body);
	buf_init(&x->head, 0);
	buf_init(&x->body, 0);
	x->sent = 0;
}

static void
exchange_send(struct exchange *x)
{
	struct gp_error err;
	size_t head = buf_len(&x->head), used = 0;

	while (!is_all_sent(x)) {
		bool in_head = x->sent < head;
		struct span piece = in_head ?
			span_from(buf_span(&x->head), x->sent) :
			span_from(buf_span(&x->body), x->sent - head);
		enum gp_code rc = conn_write(x->conn, piece,
			in_head && buf_len(&x->body) > 0, &used, &err);

		x->sent += used;
		if (rc != GP_OK) {
			/* The answer may be there all the same; reading on
			 * tells. */
			log_debug("%s: sending stopped: %s", x->context,
				err.text);
			return;
		}
		if (used < piece.n)
			return;
	}
	if (x->state == EXCHANGE_BODY)
		forget_request(x);
}

static void
on_up(void *ctx)
{
	struct exchange *x = ctx;

	x->state = EXCHANGE_SENDING;
	x->conn->requests++;
	x->sent_us = clock_mono_us();
	metrics_add(&x->all->metrics->upstream_requests, 1);
	ev_timer_start(&x->timer, x->head_timeout_ms);
	exchange_send(x);
}

static void
on_writable(void *ctx)
{
	struct exchange *x = ctx;

	if (x->handler != NULL)
		exchange_send(x);
}

/* --- the answer ----------------------------------------------------------- */

/* The limit on silence starts anew. */
static void
heard(struct exchange *x)
{
	if (x->handler != NULL && !x->is_paused)
		ev_timer_start(&x->timer, x->silence_timeout_ms);
}

static bool
take_head(struct exchange *x)
{
	const struct http_head *head = http_msg_head(x->conn->msg);
	struct span coding = http_head_get(head, SPAN("content-encoding"));

	if (coding.n > 0 && !span_ieq(coding, SPAN("identity"))) {
		x->inflate = inflate_new(coding);
		if (x->inflate == NULL) {
			exchange_fail_with(x, GP_E_PEER,
				"the upstream's answer has an unknown "
				"content-encoding");
			return false;
		}
	}
	count_head(x, head->status);
	x->state = EXCHANGE_BODY;
	/* Nobody reads the rest of a request that is refused already. */
	if (is_all_sent(x) || head->status / 100 != 2) {
		x->is_cut = !is_all_sent(x);
		forget_request(x);
	}
	heard(x);
	x->in_call++;
	x->handler->head(x->ctx, head);
	return call_over(x);
}

static bool
give_body(struct exchange *x, struct span bytes)
{
	if (x->handler == NULL || bytes.n == 0)
		return true;
	x->in_call++;
	x->handler->body(x->ctx, bytes);
	return call_over(x);
}

static bool
take_body(struct exchange *x, struct span piece)
{
	struct gp_error err;
	struct buf out;
	bool goes_on;

	x->had_body = true;
	if (x->inflate == NULL)
		return give_body(x, piece);
	buf_init(&out, INFLATED_MAX);
	if (inflate_feed(x->inflate, piece, &out, &err) != GP_OK) {
		buf_fini(&out);
		err.code = GP_E_PEER;
		exchange_fail(x, &err);
		return false;
	}
	goes_on = give_body(x, buf_span(&out));
	buf_fini(&out);
	return goes_on;
}

static void
take_end(struct exchange *x, bool has_more)
{
	const struct http_head *head = http_msg_head(x->conn->msg);

	if (x->inflate != NULL && x->had_body && !inflate_is_done(x->inflate)) {
		exchange_fail_with(x, GP_E_CLOSED,
			"the upstream's compressed answer was cut");
		return;
	}
	/* Bytes behind an answer belong to nobody: such a connection could
	 * hand one client another's words. */
	exchange_done(x,
		head->keep_alive && !has_more && !x->is_cut && is_all_sent(x));
}

static void
exchange_fail_http(struct exchange *x, const struct gp_error *why)
{
	struct gp_error err;

	gp_fail(&err, GP_E_PEER, "the upstream's answer is not HTTP: %s",
		why->text);
	exchange_fail(x, &err);
}

/* False when the connection is no longer x's. */
static bool
on_bytes(void *ctx, struct span bytes)
{
	struct exchange *x = ctx;
	struct gp_error err;
	size_t used;

	if (!x->had_bytes)
		metrics_observe(&x->all->metrics->upstream_first,
			clock_mono_us() - x->sent_us);
	x->had_bytes = true;
	if (x->state == EXCHANGE_BODY)
		heard(x);
	for (;;) {
		enum http_step step =
			http_msg_feed(x->conn->msg, bytes, &used, &err);

		bytes = span_from(bytes, used);
		switch (step) {
		case HTTP_MORE:
			return true;
		case HTTP_HEAD:
			if (!take_head(x))
				return false;
			break;
		case HTTP_BODY:
			if (!take_body(x, http_msg_piece(x->conn->msg)))
				return false;
			break;
		case HTTP_DONE:
			take_end(x, bytes.n > 0);
			return false;
		case HTTP_FAIL:
			exchange_fail_http(x, &err);
			return false;
		}
	}
}

/* The connection broke. Once, silently, when it was a pooled one that had died
 * before we knew. */
static void
exchange_broken(struct exchange *x, const struct gp_error *err)
{
	if (!x->is_reused || x->had_bytes) {
		exchange_fail(x, err);
		return;
	}
	metrics_add(&x->all->metrics->upstream_retries, 1);
	conn_close(&x->conn);
	x->is_reused = false;
	x->is_fresh_only = true;
	x->sent = 0;
	exchange_connect(x);
}

static void
on_failed(void *ctx, const struct gp_error *err)
{
	exchange_broken(ctx, err);
}

static void
on_eof(void *ctx)
{
	struct exchange *x = ctx;
	struct gp_error err;

	if (x->had_bytes && http_msg_eof(x->conn->msg, &err) == HTTP_DONE) {
		take_end(x, true);
		return;
	}
	gp_fail(&err, GP_E_CLOSED,
		x->state == EXCHANGE_BODY ?
			"the upstream closed in the middle of its answer" :
			"the upstream closed without an answer");
	exchange_broken(x, &err);
}

static const struct conn_handler exchange_conn = {
	.up = on_up,
	.failed = on_failed,
	.bytes = on_bytes,
	.eof = on_eof,
	.writable = on_writable,
};

static void
on_timer(struct ev_timer *t)
{
	struct exchange *x = CONTAINER_OF(t, struct exchange, timer);

	if (x->handler == NULL)
		exchange_free(x);
	else
		exchange_fail_with(x, GP_E_TIMEOUT,
			x->state == EXCHANGE_BODY ?
				"the upstream fell silent in the middle of its "
				"answer" :
				"the upstream gave no answer in time");
}

/* --- for the session ------------------------------------------------------ */

static void
exchange_connect(struct exchange *x)
{
	struct upstreams *u = x->all;

	x->state = EXCHANGE_CONNECTING;
	ev_timer_stop(&x->timer);
	x->conn = x->is_fresh_only ?
		NULL :
		conn_unpark(x->upstream, &exchange_conn, x);
	if (x->conn == NULL) {
		x->conn = conn_open(x->upstream, u->conf->connect_timeout_ms,
			&exchange_conn, x);
		return;
	}
	x->is_reused = true;
	metrics_add(&u->metrics->upstream_reused, 1);
	on_up(x);
}

static void
on_begin(struct ev_defer *d)
{
	exchange_connect(CONTAINER_OF(d, struct exchange, begin));
}

static void
take_buf(struct buf *to, struct buf *from)
{
	*to = *from;
	buf_init(from, from->max);
}

struct exchange *
exchange_start(struct upstreams *u, const struct exchange_request *req,
	const struct exchange_handler *handler, void *ctx)
{
	struct exchange *x = calloc(1, sizeof(*x));

	GP_ASSERT(x != NULL && req->upstream < u->n);
	list_init(&x->link);
	x->all = u;
	x->upstream = &u->list[req->upstream];
	x->handler = handler;
	x->ctx = ctx;
	x->head_timeout_ms = req->head_timeout_ms;
	x->silence_timeout_ms = req->silence_timeout_ms;
	x->context = req->context;
	x->turns = req->turns;
	if (req->turns != NULL)
		turn_move(&x->turn, req->turn);
	take_buf(&x->head, req->head);
	if (buf_len(req->body) <= SMALL_BODY) {
		buf_put(&x->head, buf_span(req->body));
		buf_init(&x->body, 0);
		buf_fini(req->body);
		buf_init(req->body, 0);
	} else
		take_buf(&x->body, req->body);
	ev_timer_init(&x->timer, u->ev, on_timer);
	ev_defer_init(&x->begin, on_begin);
	ev_defer_start(u->ev, &x->begin);
	u->nexchanges++;
	return x;
}

void
exchange_pause(struct exchange *x)
{
	x->is_paused = true;
	ev_timer_stop(&x->timer);
	if (x->conn != NULL)
		conn_pause(x->conn);
}

void
exchange_resume(struct exchange *x)
{
	x->is_paused = false;
	ev_timer_start(&x->timer, x->silence_timeout_ms);
	if (x->conn != NULL)
		conn_resume(x->conn);
}

void
exchange_cancel(struct exchange **x)
{
	exchange_free(*x);
	*x = NULL;
}

void
exchange_finish(struct exchange **xp)
{
	struct exchange *x = *xp;

	*xp = NULL;
	x->handler = NULL;
	if (x->state != EXCHANGE_BODY || x->is_paused) {
		exchange_free(x);
		return;
	}
	list_push_back(&x->all->unheard, &x->link);
	ev_timer_start(&x->timer, FINISH_MS);
}

void
exchange_end_unheard(struct upstreams *u)
{
	LIST_EACH (&u->unheard, it, safe)
		exchange_free(CONTAINER_OF(it, struct exchange, link));
	GP_ASSERT(u->nexchanges == 0);
}

bool
exchange_was_reused(const struct exchange *x)
{
	return x->is_reused;
}

bool
exchange_was_retried(const struct exchange *x)
{
	return x->is_fresh_only;
}
