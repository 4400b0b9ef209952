/* SPDX-License-Identifier: MIT */
/* conn.c - connecting to upstreams, and bytes over what was connected. */
#include "worker/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/log.h"
#include "shared/sys/sock.h"

#define READ_SIZE       65536
#define READS_A_TURN    4
#define RESOLVE_LOOK_MS 10   /* between looks for addresses */
#define ATTEMPT_MIN_MS  1000 /* for one address, while others wait */

enum conn_state {
	CONN_RESOLVING,
	CONN_CONNECTING,
	CONN_TUNNEL,
	CONN_HANDSHAKE,
	CONN_UP,
	CONN_IDLE,
};

struct conn_full {
	struct conn pub;
	enum conn_state state;
	const struct conn_handler *handler;
	void *ctx;
	int fd;
	struct ev_io io;
	struct ev_timer timer;
	int64_t deadline_ms;
	struct sock_addr addrs[SHM_ADDRS];
	size_t naddrs, next_addr;
	int last_errno;
	struct tls_conn *tls;
	bool is_paused;
	bool wants_write;
};

static struct conn_full *
full(struct conn *c)
{
	return CONTAINER_OF(c, struct conn_full, pub);
}

static struct upstreams *
all(const struct conn_full *c)
{
	return c->pub.upstream->all;
}

static const struct url *
base(const struct conn_full *c)
{
	return &c->pub.upstream->conf->url;
}

/* --- ends ----------------------------------------------------------------- */

static void
conn_drop_socket(struct conn_full *c)
{
	tls_conn_free(&c->tls);
	ev_io_stop(&c->io);
	if (c->fd >= 0) {
		close(c->fd);
		metrics_sub(&all(c)->metrics->upstream_live, 1);
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
		all(c)->nidle--;
	}
	list_remove(&c->pub.link);
	ev_timer_stop(&c->timer);
	conn_drop_socket(c);
	http_msg_free(&c->pub.msg);
	free(c);
}

/* Tell the owner; it closes. */
static void
conn_fail(struct conn_full *c, const struct gp_error *err)
{
	c->handler->failed(c->ctx, err);
}

static void
conn_fail_with(struct conn_full *c, enum gp_code code, const char *what)
{
	const struct url *u = base(c);
	struct gp_error err;

	gp_fail(&err, code, "%s (%.*s:%u)", what, SPAN_ARG(u->host), u->port);
	conn_fail(c, &err);
}

/* --- connecting ----------------------------------------------------------- */

static int64_t
time_left(const struct conn_full *c)
{
	return c->deadline_ms - ev_now_ms(all(c)->ev);
}

static void
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

static void
conn_is_up(struct conn_full *c)
{
	c->state = CONN_UP;
	c->wants_write = false;
	ev_timer_stop(&c->timer);
	conn_watch(c);
	c->handler->up(c->ctx);
}

/* One step; a turn of the loop has room for only one. */
static void
conn_handshake(struct conn_full *c)
{
	struct upstreams *u = all(c);
	struct gp_error err;

	if (u->handshake_in_turn) {
		ev_timer_start(&c->timer, 0);
		return;
	}
	u->handshake_in_turn = true;
	ev_defer_start(u->ev, &u->turn_end);
	ev_timer_start(&c->timer, MAX(time_left(c), 1));
	switch (tls_handshake(c->tls, &err)) {
	case TLS_DONE:
		metrics_add(tls_was_resumed(c->tls) ?
				&u->metrics->tls_resumed :
				&u->metrics->tls_handshakes,
			1);
		conn_is_up(c);
		break;
	case TLS_WANT_READ:
		c->wants_write = false;
		conn_watch(c);
		break;
	case TLS_WANT_WRITE:
		c->wants_write = true;
		conn_watch(c);
		break;
	case TLS_CLOSED:
	case TLS_FAIL:
		conn_fail(c, &err);
		break;
	}
}

static void
conn_begin_tls(struct conn_full *c)
{
	struct upstream *u = c->pub.upstream;

	if (!base(c)->is_tls) {
		conn_is_up(c);
		return;
	}
	c->tls = tls_conn_new(u->all->tls, u->session, base(c)->host, c->fd);
	c->state = CONN_HANDSHAKE;
	conn_watch(c);
	conn_handshake(c);
}

static void
conn_begin_tunnel(struct conn_full *c)
{
	const struct url *u = base(c);
	char text[2 * URL_HOST_MAX + 128];
	int n = snprintf(text, sizeof(text),
		u->is_ipv6 ?
			"CONNECT [%.*s]:%u HTTP/1.1\r\nhost: "
			"[%.*s]:%u\r\n\r\n" :
			"CONNECT %.*s:%u HTTP/1.1\r\nhost: %.*s:%u\r\n\r\n",
		SPAN_ARG(u->host), u->port, SPAN_ARG(u->host), u->port);

	/* The first bytes on a fresh connection always fit. */
	if (write(c->fd, text, (size_t)n) != n) {
		conn_fail_with(c, GP_E_CLOSED, "the proxy does not answer");
		return;
	}
	http_msg_expect_no_body(c->pub.msg);
	c->state = CONN_TUNNEL;
	c->wants_write = false;
	conn_watch(c);
}

static void
conn_connected(struct conn_full *c)
{
	metrics_add(&all(c)->metrics->upstream_connects, 1);
	c->wants_write = false;
	ev_timer_start(&c->timer, MAX(time_left(c), 1));
	if (all(c)->proxy != NULL)
		conn_begin_tunnel(c);
	else
		conn_begin_tls(c);
}

static void
conn_try_next(struct conn_full *c)
{
	uint16_t port =
		all(c)->proxy != NULL ? all(c)->proxy->port : base(c)->port;
	size_t others;

	conn_drop_socket(c);
	while (c->next_addr < c->naddrs) {
		struct sock_addr *a = &c->addrs[c->next_addr++];

		sock_addr_set_port(a, port);
		c->fd = sock_connect(a);
		if (c->fd >= 0)
			break;
		c->last_errno = errno;
	}
	if (c->fd < 0) {
		conn_fail_with(c, GP_E_SYSTEM, strerrordesc_np(c->last_errno));
		return;
	}
	metrics_add(&all(c)->metrics->upstream_live, 1);
	c->state = CONN_CONNECTING;
	c->wants_write = true;
	others = c->naddrs - c->next_addr;
	ev_timer_start(&c->timer,
		others == 0 ? MAX(time_left(c), 1) :
			      MAX(time_left(c) / (int64_t)(others + 1),
				      ATTEMPT_MIN_MS));
	conn_watch(c);
}

static void
conn_resolve(struct conn_full *c)
{
	c->naddrs = shm_host_get(c->pub.upstream->conf->host, c->addrs);
	c->next_addr = 0;
	if (c->naddrs > 0)
		conn_try_next(c);
	else if (time_left(c) > 0)
		ev_timer_start(&c->timer, RESOLVE_LOOK_MS);
	else
		conn_fail_with(c, GP_E_SYSTEM,
			"the upstream's name has no address yet");
}

/* --- reading -------------------------------------------------------------- */

/* The proxy's answer to CONNECT. */
static void
conn_read_tunnel(struct conn_full *c, struct span bytes)
{
	struct gp_error err;
	enum http_step step = HTTP_HEAD;
	size_t used;

	while (step == HTTP_HEAD) {
		step = http_msg_feed(c->pub.msg, bytes, &used, &err);
		bytes = span_from(bytes, used);
		if (step == HTTP_HEAD &&
			http_msg_head(c->pub.msg)->status / 100 != 2) {
			conn_fail_with(c, GP_E_PEER,
				"upstream_proxy refuses to connect");
			return;
		}
	}
	if (step == HTTP_MORE)
		return;
	if (step != HTTP_DONE || bytes.n > 0) {
		conn_fail_with(c, GP_E_PEER,
			"upstream_proxy gave no proper answer to CONNECT");
		return;
	}
	http_msg_next(c->pub.msg);
	conn_begin_tls(c);
}

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
	metrics_add(&all(c)->metrics->bytes_upstream_in, n);
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
		c->last_errno = ETIMEDOUT;
		if (time_left(c) > 0 && c->next_addr < c->naddrs) {
			conn_try_next(c);
			return;
		}
		break;
	case CONN_HANDSHAKE:
		if (time_left(c) > 0) {
			conn_handshake(c);
			return;
		}
		break;
	case CONN_TUNNEL:
		break;
	case CONN_UP:
		/* Resumed: TLS may hold what no socket will announce. */
		if (conn_decrypt(c))
			tls_input_keep(c->tls);
		return;
	case CONN_IDLE:
		conn_close(&pub);
		return;
	}
	conn_fail_with(c, GP_E_TIMEOUT,
		"no connection to the upstream within connect_timeout_s");
}

static void
conn_ready(struct conn_full *c)
{
	if (!c->wants_write) {
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
	int e;

	switch (c->state) {
	case CONN_CONNECTING:
		e = sock_error(c->fd);
		if (e == 0) {
			conn_connected(c);
			return;
		}
		c->last_errno = e;
		conn_try_next(c);
		return;
	case CONN_IDLE:
		/* It has closed, or says something that nobody asked for. */
		conn_close(&pub);
		return;
	case CONN_HANDSHAKE:
	case CONN_TUNNEL:
	case CONN_UP:
		conn_ready(c);
		return;
	case CONN_RESOLVING:
		break;
	}
	(void)what;
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

	if (limit == 0) {
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

struct conn *
conn_unpark(struct upstream *u, const struct conn_handler *h, void *ctx)
{
	struct conn_full *c;

	if (list_is_empty(&u->idle))
		return NULL;
	c = full(CONTAINER_OF(u->idle.next, struct conn, link));
	list_remove(&c->pub.link);
	u->nidle--;
	u->all->nidle--;
	ev_timer_stop(&c->timer);
	c->state = CONN_UP;
	c->handler = h;
	c->ctx = ctx;
	return &c->pub;
}

enum gp_code
conn_write(struct conn *conn, struct span bytes, size_t *used,
	struct gp_error *err)
{
	struct conn_full *c = full(conn);
	ssize_t n;

	*used = 0;
	if (c->tls != NULL) {
		switch (tls_send(c->tls, bytes, used, err)) {
		case TLS_FAIL:
		case TLS_CLOSED:
			return GP_E_CLOSED;
		case TLS_DONE:
		case TLS_WANT_READ:
		case TLS_WANT_WRITE:
			break;
		}
	} else {
		n = write(c->fd, bytes.p, bytes.n);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return gp_fail(
				err, GP_E_CLOSED, "%s", strerrordesc_np(errno));
		*used = n > 0 ? (size_t)n : 0;
	}
	metrics_add(&all(c)->metrics->bytes_upstream_out, *used);
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
