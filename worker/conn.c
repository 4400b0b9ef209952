/* SPDX-License-Identifier: MIT */
/* conn.c - connections to upstreams: their bytes, their ends, their pool. */
#include "worker/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "worker/conn_private.h"

#define READ_SIZE    65536
#define READS_A_TURN 4

static struct conn_full *
full(struct conn *c)
{
	return CONTAINER_OF(c, struct conn_full, pub);
}

/* --- ends ----------------------------------------------------------------- */

void
conn_drop_socket(struct conn_full *c)
{
	conn_pioneer_ends(c);
	tls_conn_free(&c->tls);
	ev_io_stop(&c->io);
	if (c->fd >= 0) {
		close(c->fd);
		metrics_sub(&conn_all(c)->metrics->upstream_live, 1);
	}
	c->fd = -1;
}

void
conn_close(struct conn **cp)
{
	struct conn_full *c;

	if (*cp == NULL)
		return;
	c = full(*cp);
	*cp = NULL;
	if (c->state == CONN_IDLE) {
		c->pub.upstream->nidle--;
		conn_all(c)->nidle--;
	}
	list_remove(&c->pub.link);
	list_remove(&c->turn);
	ev_timer_stop(&c->timer);
	conn_drop_socket(c);
	http_msg_free(&c->pub.msg);
	free(c);
}

void
conn_fail(struct conn_full *c, const struct gp_error *err)
{
	c->handler->failed(c->ctx, err);
}

void
conn_fail_with(struct conn_full *c, enum gp_code code, const char *what)
{
	const struct url *proxy = conn_all(c)->proxy;
	const struct url *u = c->state == CONN_CONNECTING && proxy != NULL ?
		proxy :
		conn_base(c);
	struct gp_error err;

	gp_fail(&err, code, "%s (%.*s:%u)", what, SPAN_ARG(u->host), u->port);
	conn_fail(c, &err);
}

void
conn_watch(struct conn_full *c)
{
	bool reads = c->state != CONN_CONNECTING && !c->is_paused;
	unsigned want = (reads ? (unsigned)EV_READ : 0) |
		(c->wants_write ? (unsigned)EV_WRITE : 0);

	/* A paused connection is out of the set altogether: its peer's end
	 * would be reported again and again. */
	if (want == 0)
		ev_io_stop(&c->io);
	else if (c->io.fd < 0)
		ev_io_start(&c->io, c->fd, want);
	else
		ev_io_want(&c->io, want);
}

/* --- reading -------------------------------------------------------------- */

/* Decrypt and hand out all that is there. False when c is gone. */
static bool
conn_decrypt(struct conn_full *c)
{
	static char plain[16384];
	struct gp_error err;
	size_t got;

	while (!c->is_paused) {
		switch (tls_recv(c->tls, plain, sizeof(plain), &got, &err)) {
		case TLS_DONE:
			if (!c->handler->bytes(c->ctx, span_of(plain, got)))
				return false;
			break;
		case TLS_WANT_READ:
		case TLS_WANT_WRITE:
			return true;
		case TLS_CLOSED:
			c->handler->eof(c->ctx);
			return false;
		case TLS_FAIL:
			conn_fail(c, &err);
			return false;
		}
	}
	return true;
}

/* Bytes (or the end, when n == 0) came in. False when c is gone. */
static bool
conn_take(struct conn_full *c, const char *bytes, size_t n)
{
	metrics_add(&conn_all(c)->metrics->bytes_upstream_in, n);
	if (c->state == CONN_TUNNEL) {
		if (n == 0)
			conn_fail_with(c, GP_E_CLOSED,
				"upstream_proxy closed the connection");
		else
			conn_read_tunnel(c, span_of(bytes, n));
		return false;
	}
	if (c->tls == NULL) {
		if (n > 0)
			return c->handler->bytes(c->ctx, span_of(bytes, n));
		c->handler->eof(c->ctx);
		return false;
	}
	if (n == 0)
		tls_input_eof(c->tls);
	else
		tls_input(c->tls, span_of(bytes, n));
	if (c->state == CONN_HANDSHAKE) {
		tls_input_keep(c->tls);
		conn_handshake(c);
		return false;
	}
	if (!conn_decrypt(c))
		return false;
	tls_input_keep(c->tls);
	return n > 0;
}

static void
conn_read(struct conn_full *c)
{
	static char bytes[READ_SIZE];
	bool goes_on = true;

	for (int i = 0; goes_on && i < READS_A_TURN && !c->is_paused; i++) {
		ssize_t n = read(c->fd, bytes, sizeof(bytes));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			conn_fail_with(c, GP_E_CLOSED, strerrordesc_np(errno));
			return;
		}
		goes_on = conn_take(c, bytes, (size_t)n) &&
			(size_t)n == sizeof(bytes);
	}
}

/* --- events --------------------------------------------------------------- */

static void
conn_on_timer(struct ev_timer *t)
{
	struct conn_full *c = CONTAINER_OF(t, struct conn_full, timer);
	struct conn *pub = &c->pub;

	switch (c->state) {
	case CONN_RESOLVING:
		conn_resolve(c);
		return;
	case CONN_CONNECTING:
	case CONN_TUNNEL:
	case CONN_HANDSHAKE:
		conn_connect_timeout(c);
		return;
	case CONN_UP:
		/* Resumed: TLS may hold what no socket will announce. */
		if (conn_decrypt(c))
			tls_input_keep(c->tls);
		return;
	case CONN_IDLE:
		conn_close(&pub);
		return;
	}
}

static void
conn_ready(struct conn_full *c, unsigned what)
{
	/* An upstream that does not take the rest of a request may have
	 * answered it all the same. */
	if (!(what & EV_WRITE)) {
		conn_read(c);
		return;
	}
	c->wants_write = false;
	conn_watch(c);
	/* The owner may close; what there is to read comes next turn. */
	if (c->state == CONN_HANDSHAKE)
		conn_handshake(c);
	else
		c->handler->writable(c->ctx);
}

static void
conn_on_io(struct ev_io *io, unsigned what)
{
	struct conn_full *c = CONTAINER_OF(io, struct conn_full, io);
	struct conn *pub = &c->pub;

	switch (c->state) {
	case CONN_CONNECTING:
		conn_connect_ends(c);
		return;
	case CONN_IDLE:
		/* It has closed, or says something that nobody asked for. */
		conn_close(&pub);
		return;
	case CONN_HANDSHAKE:
	case CONN_TUNNEL:
	case CONN_UP:
		conn_ready(c, what);
		return;
	case CONN_RESOLVING:
		break;
	}
	GP_UNREACHED();
}

/* --- for the owner -------------------------------------------------------- */

struct conn *
conn_open(struct upstream *u, int64_t limit_ms, const struct conn_handler *h,
	void *ctx)
{
	struct conn_full *c = calloc(1, sizeof(*c));

	GP_ASSERT(c != NULL);
	c->pub.upstream = u;
	c->pub.msg = http_msg_new(HTTP_RESPONSE);
	list_init(&c->pub.link);
	list_init(&c->turn);
	c->handler = h;
	c->ctx = ctx;
	c->fd = -1;
	c->state = CONN_RESOLVING;
	c->deadline_ms = ev_now_ms(u->all->ev) + limit_ms;
	ev_io_init(&c->io, u->all->ev, conn_on_io);
	ev_timer_init(&c->timer, u->all->ev, conn_on_timer);
	ev_timer_start(&c->timer, 0);
	return &c->pub;
}

/* Of the upstream that holds the most idle ones, so that a pool that one has
 * filled leaves room for the others. */
static void
conn_close_oldest(struct upstreams *all)
{
	struct upstream *most = &all->list[0];
	struct conn *oldest;

	for (size_t i = 1; i < all->n; i++)
		if (all->list[i].nidle > most->nidle)
			most = &all->list[i];
	GP_ASSERT(!list_is_empty(&most->idle));
	oldest = CONTAINER_OF(most->idle.prev, struct conn, link);
	GP_ASSERT(full(oldest)->state == CONN_IDLE);
	conn_close(&oldest);
}

void
conn_park(struct conn **cp)
{
	struct conn_full *c = full(*cp);
	struct upstream *u = c->pub.upstream;
	size_t limit = (size_t)u->all->conf->upstream_keepalive;

	/* What TLS still holds belongs to nobody, as what the socket does. */
	if (limit == 0 || (c->tls != NULL && tls_has_input(c->tls))) {
		conn_close(cp);
		return;
	}
	if (u->all->nidle >= limit)
		conn_close_oldest(u->all);
	*cp = NULL;
	c->state = CONN_IDLE;
	c->is_paused = false;
	c->wants_write = false;
	conn_watch(c);
	list_push_front(&u->idle, &c->pub.link);
	u->nidle++;
	u->all->nidle++;
	ev_timer_start(&c->timer, u->all->conf->upstream_keepalive_idle_ms);
}

static struct conn_full *
conn_take_idle(struct upstream *u)
{
	/* A closed one has left the ring, which the analyzer cannot see. */
	struct conn_full *c = /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		full(CONTAINER_OF(u->idle.next, struct conn, link));

	list_remove(&c->pub.link);
	u->nidle--;
	u->all->nidle--;
	ev_timer_stop(&c->timer);
	c->state = CONN_UP;
	return c;
}

/* The loop may not have come to it yet: bytes that are there before a request
 * would pass for its answer. */
static bool
is_quiet(const struct conn_full *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
		errno == EAGAIN;
}

struct conn *
conn_unpark(struct upstream *u, const struct conn_handler *h, void *ctx)
{
	while (!list_is_empty(&u->idle)) {
		struct conn_full *c = conn_take_idle(u);
		struct conn *pub = &c->pub;

		c->handler = h;
		c->ctx = ctx;
		if (is_quiet(c))
			return pub;
		conn_close(&pub);
	}
	return NULL;
}

enum gp_code
conn_write(struct conn *conn, struct span bytes, bool more, size_t *used,
	struct gp_error *err)
{
	struct conn_full *c = full(conn);
	ssize_t n;

	*used = 0;
	if (c->tls != NULL) {
		switch (tls_send(c->tls, bytes, more, used, err)) {
		case TLS_FAIL:
		case TLS_CLOSED:
			return GP_E_CLOSED;
		case TLS_DONE:
		case TLS_WANT_READ:
		case TLS_WANT_WRITE:
			break;
		}
	} else {
		n = send(c->fd, bytes.p, bytes.n,
			MSG_NOSIGNAL | (more ? MSG_MORE : 0));
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return gp_fail(
				err, GP_E_CLOSED, "%s", strerrordesc_np(errno));
		*used = n > 0 ? (size_t)n : 0;
	}
	metrics_add(&conn_all(c)->metrics->bytes_upstream_out, *used);
	c->wants_write = *used < bytes.n;
	conn_watch(c);
	return GP_OK;
}

void
conn_pause(struct conn *conn)
{
	struct conn_full *c = full(conn);

	c->is_paused = true;
	conn_watch(c);
}

void
conn_resume(struct conn *conn)
{
	struct conn_full *c = full(conn);

	c->is_paused = false;
	conn_watch(c);
	if (c->tls != NULL)
		ev_timer_start(&c->timer, 0);
}
