/* SPDX-License-Identifier: MIT */
/*
 * conn.c - one client's connection: requests in, answers out.
 *
 *	HANDSHAKE --> READING --> PLAYING --> READING ...
 *	                             |--> HANGING (until the peer leaves)
 *	                             |--> LINGERING (we closed) --> DEAD
 *
 * A connection is only marked DEAD where it ends; the callbacks free it last.
 */
#include "tests/upstream/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/clock.h"
#include "shared/sys/sock.h"
#include "tests/upstream/check.h"
#include "tests/upstream/control.h"
#include "tests/upstream/io.h"
#include "tests/upstream/record.h"
#include "tests/upstream/standin.h"

#define READ_BYTES 65536
#define AHEAD_MAX  262144 /* bytes read while an answer is being sent */
#define KEEP_BYTES 65536  /* memory kept between requests */
#define LINGER_MS  2000

enum state {
	HANDSHAKE,
	READING,
	PLAYING,
	HANGING,
	LINGERING,
	DEAD
};

struct conn {
	struct ev_io io;
	struct ev_timer timer;
	enum state state;
	struct tls_conn *tls; /* NULL: plain */
	uint64_t id;
	unsigned nrequests;

	struct http_msg *msg;
	struct buf in, body;
	struct arena arena;

	struct play play;
	size_t sent, cue;
	bool is_counted;     /* the answer being sent is no control page */
	struct entry *entry; /* of the last request */
};

/* --- ends -------------------------------------------------------------------
 */

static void
conn_free(struct conn *c)
{
	ev_timer_stop(&c->timer);
	if (c->io.fd >= 0) {
		int fd = c->io.fd;

		ev_io_stop(&c->io);
		(void)close(fd);
	}
	tls_conn_free(&c->tls);
	http_msg_free(&c->msg);
	buf_fini(&c->in);
	buf_fini(&c->body);
	play_fini(&c->play);
	arena_fini(&c->arena);
	record_release(&c->entry);
	standin.stats.connections_open--;
	free(c);
}

static void
answer_over(struct conn *c, enum entry_end end)
{
	if (c->is_counted)
		standin.stats.in_flight--;
	c->is_counted = false;
	record_end(c->entry, end);
	play_fini(&c->play);
}

static void
peer_gone(struct conn *c)
{
	if (c->entry != NULL && c->entry->closed_by_peer_ms == 0)
		c->entry->closed_by_peer_ms = clock_mono_ms();
	if (c->state == HANDSHAKE)
		standin.stats.handshakes_failed++;
	if (c->is_counted && (c->state == PLAYING || c->state == HANGING)) {
		standin.stats.aborted++;
		standin.stats.last_abort_ms = clock_mono_ms();
		answer_over(c, END_ABORTED);
	}
	c->state = DEAD;
}

static void
close_softly(struct conn *c, bool with_notice)
{
	if (c->tls != NULL && with_notice)
		tls_close_notify(c->tls);
	sock_shutdown_write(c->io.fd);
	c->state = LINGERING;
	ev_io_want(&c->io, EV_READ);
	ev_timer_start(&c->timer, LINGER_MS);
}

static void
reset_now(struct conn *c)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	c->state = DEAD;
}

static void
next_request(struct conn *c)
{
	http_msg_next(c->msg);
	buf_reset(&c->body, KEEP_BYTES);
	arena_reset(&c->arena);
	c->state = READING;
	if (standin.options.idle_ms > 0)
		ev_timer_start(&c->timer, (int64_t)standin.options.idle_ms);
}

static void
play_over(struct conn *c)
{
	enum play_end end = c->play.end;

	if (end == PLAY_HANG) {
		c->state = HANGING;
		return;
	}
	if (end == PLAY_KEEP && !http_msg_head(c->msg)->keep_alive)
		end = PLAY_CLOSE;
	answer_over(c,
		end == PLAY_CUT || end == PLAY_RESET ? END_CLOSED : END_DONE);
	if (end == PLAY_KEEP)
		next_request(c);
	else if (end == PLAY_RESET)
		reset_now(c);
	else
		close_softly(c, end == PLAY_CLOSE);
}

/* --- answers ----------------------------------------------------------------
 */

/* How far the next write may go. False if it is not its time yet. */
static bool
next_limit(struct conn *c, size_t *limit)
{
	const struct cue *cue;

	*limit = c->play.bytes.n;
	if (c->cue == c->play.cues.n)
		return true;
	cue = &c->play.cues.v[c->cue];
	*limit = cue->at;
	if (c->sent < cue->at)
		return true;
	c->cue++;
	ev_timer_start(&c->timer, cue->wait_ms);
	return false;
}

static void
play_on(struct conn *c)
{
	size_t limit, put;
	enum tls_step step;

	while (c->state == PLAYING) {
		if (!next_limit(c, &limit))
			return;
		if (c->sent == c->play.bytes.n) {
			play_over(c);
			return;
		}
		step = io_write(c->io.fd, c->tls,
			span_of(c->play.bytes.p + c->sent,
				MIN(limit - c->sent, c->play.write_max)),
			&put);
		if (step == TLS_WANT_WRITE || step == TLS_WANT_READ) {
			ev_io_want(&c->io, EV_READ | EV_WRITE);
			return;
		}
		if (step != TLS_OK) {
			peer_gone(c);
			return;
		}
		if (c->sent == 0 && c->entry != NULL)
			c->entry->head_ms = clock_mono_ms();
		c->sent += put;
		standin.stats.bytes_out += (int64_t)put;
		if (c->play.write_max != SIZE_MAX) {
			ev_timer_start(&c->timer, 0);
			return;
		}
	}
}

static void
play_start(struct conn *c)
{
	c->state = PLAYING;
	c->sent = 0;
	c->cue = 0;
	ev_timer_stop(&c->timer);
	play_on(c);
}

static void
log_line(const struct conn *c, const struct request *r)
{
	struct span path = r->head->path;

	(void)fprintf(stderr, "standin: %llu/%u %.*s [%.*s] %u %s\n",
		(unsigned long long)c->id, r->on_connection, SPAN_ARG(path),
		SPAN_ARG(r->scenario.source), c->play.status,
		r->refused != 0 ? r->why : "ok");
}

/* Everything that decides on the answer; false if it is a refusal. */
static bool
judge(struct request *r)
{
	if (standin.options.has_no_checks)
		return request_skim(r);
	if (!check_key(r) || !check_length(r) || r->route == ROUTE_NONE ||
		r->route == ROUTE_ELSEWHERE)
		return request_ignore(r);
	return request_read(r) && check_request(r);
}

static void
answer(struct conn *c)
{
	const struct tls_facts *tls =
		c->tls == NULL ? NULL : tls_conn_facts(c->tls);
	struct request r = { .arena = &c->arena,
		.head = http_msg_head(c->msg),
		.body = buf_span(&c->body),
		.sni = tls == NULL ? SPAN_EMPTY : span_cstr(tls->sni),
		.on_connection = ++c->nrequests,
		.user_text = SPAN_EMPTY,
		.model_name = SPAN_EMPTY,
		.max_tokens = -1 };

	request_route(&r);
	if (r.route == ROUTE_CONTROL) {
		control_answer(&c->play, &r);
		record_release(&c->entry);
		play_start(c);
		return;
	}
	standin.stats.refused += !judge(&r);
	play_make(&c->play, &r);
	standin.stats.requests++;
	standin.stats.in_flight++;
	standin.stats.most_in_flight =
		MAX(standin.stats.most_in_flight, standin.stats.in_flight);
	c->is_counted = true;
	record_release(&c->entry);
	c->entry = record_new(&r, c->id, tls);
	if (c->entry != NULL)
		c->entry->status = c->play.status;
	if (!standin.options.is_quiet)
		log_line(c, &r);
	request_fini(&r);
	play_start(c);
}

/* --- requests ---------------------------------------------------------------
 */

/* Broken HTTP, or too much of it: say so and close. */
static void
give_up(struct conn *c, unsigned status, const char *why)
{
	char body[600];

	(void)snprintf(body, sizeof(body), "standin: %s\n", why);
	standin.stats.refused++;
	(void)fprintf(stderr, "standin: %llu: %u %s\n",
		(unsigned long long)c->id, status, why);
	play_make_plain(&c->play, status, span_cstr(body), true);
	record_release(&c->entry);
	play_start(c);
}

static void
head_done(struct conn *c)
{
	const struct http_head *h = http_msg_head(c->msg);
	size_t put;

	if (h->has_length && h->length > standin.options.max_body) {
		give_up(c, 413, "the body is too long");
		return;
	}
	if (h->expects_continue &&
		io_write(c->io.fd, c->tls,
			SPAN("HTTP/1.1 100 Continue\r\n\r\n"), &put) != TLS_OK)
		peer_gone(c);
}

static void
body_piece(struct conn *c)
{
	struct span piece = http_msg_piece(c->msg);

	if (c->body.len + piece.n > standin.options.max_body)
		give_up(c, 413, "the body is too long");
	else
		buf_put(&c->body, piece);
}

static void
parse(struct conn *c)
{
	struct gp_error err;
	enum http_step step = HTTP_BODY;

	while (c->state == READING && step != HTTP_MORE) {
		size_t used = 0;

		step = http_msg_feed(c->msg, buf_span(&c->in), &used, &err);
		if (step == HTTP_HEAD)
			head_done(c);
		else if (step == HTTP_BODY)
			body_piece(c);
		/* A piece is a view of what is consumed here. */
		buf_consume(&c->in, used);
		if (step == HTTP_DONE)
			answer(c);
		else if (step == HTTP_FAIL)
			give_up(c, err.code == GP_E_LIMIT ? 431 : 400,
				err.text);
	}
}

static void
read_all(struct conn *c)
{
	static char room[READ_BYTES]; /* not one a connection: there are many */

	while (c->state != DEAD) {
		enum tls_step step;
		size_t got;

		if (c->state == PLAYING && buf_len(&c->in) > AHEAD_MAX) {
			peer_gone(c); /* nobody pipelines so much */
			return;
		}
		step = io_read(c->io.fd, c->tls, room, READ_BYTES, &got);
		if (step == TLS_WANT_READ || step == TLS_WANT_WRITE)
			return;
		if (step != TLS_OK) {
			peer_gone(c);
			return;
		}
		standin.stats.bytes_in += (int64_t)got;
		if (c->state == LINGERING || c->state == HANGING)
			continue;
		buf_put(&c->in, span_of(room, got));
		if (c->state == READING) {
			ev_timer_stop(&c->timer);
			parse(c);
		}
	}
}

static void
shake_hands(struct conn *c)
{
	enum tls_step step = tls_handshake(c->tls);

	if (step == TLS_WANT_READ) {
		ev_io_want(&c->io, EV_READ);
	} else if (step == TLS_WANT_WRITE) {
		ev_io_want(&c->io, EV_WRITE);
	} else if (step == TLS_OK) {
		if (tls_conn_facts(c->tls)->is_resumed)
			standin.stats.handshakes_resumed++;
		else
			standin.stats.handshakes_full++;
		ev_io_want(&c->io, EV_READ);
		c->state = READING;
	} else {
		peer_gone(c);
	}
}

/* --- callbacks --------------------------------------------------------------
 */

static void
settle(struct conn *c)
{
	/* Requests that came while an answer was being sent. */
	if (c->state == READING && buf_len(&c->in) > 0)
		parse(c);
	if (c->state == DEAD)
		conn_free(c);
}

static void
on_io(struct ev_io *io, unsigned what)
{
	struct conn *c = CONTAINER_OF(io, struct conn, io);

	if (c->state == HANDSHAKE)
		shake_hands(c);
	if (c->state == PLAYING && (what & EV_WRITE) &&
		!ev_timer_is_armed(&c->timer)) {
		ev_io_want(&c->io, EV_READ);
		play_on(c);
	}
	if (c->state != HANDSHAKE && c->state != DEAD)
		read_all(c);
	settle(c);
}

static void
on_timer(struct ev_timer *t)
{
	struct conn *c = CONTAINER_OF(t, struct conn, timer);

	if (c->state == PLAYING) {
		play_on(c);
	} else {
		if (c->state == READING)
			standin.stats.idle_closed++;
		c->state = DEAD;
	}
	settle(c);
}

void
conn_start(struct ev *ev, int fd, struct tls_server *tls)
{
	static uint64_t counter;
	struct conn *c = calloc(1, sizeof(*c));

	GP_ASSERT(c != NULL);
	c->id = ++counter;
	c->state = READING;
	if (tls != NULL) {
		c->tls = tls_conn_new(tls, fd);
		c->state = HANDSHAKE;
	}
	c->msg = http_msg_new(HTTP_REQUEST);
	buf_init(&c->in, SIZE_MAX / 2);
	buf_init(&c->body, SIZE_MAX / 2);
	buf_init(&c->play.own, 0);
	arena_init(&c->arena);
	ev_io_init(&c->io, ev, on_io);
	ev_timer_init(&c->timer, ev, on_timer);
	ev_io_start(&c->io, fd, EV_READ);
	standin.stats.connections_open++;
	standin.stats.connections_total++;
}
