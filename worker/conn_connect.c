/* SPDX-License-Identifier: MIT */
/* conn_connect.c - from an upstream's addresses to a connection that is up. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/sys/clock.h"
#include "worker/conn_private.h"

#define RESOLVE_LOOK_MS 10   /* between looks for addresses */
#define ATTEMPT_MIN_MS  1000 /* for one address, while others wait */
#define PIONEERS_MAX    2    /* full handshakes at a time with an upstream */
#define FOLLOW_MS       1000 /* to wait for the session of a pioneer */

static int64_t
time_left(const struct conn_full *c)
{
	return c->deadline_ms - ev_now_ms(conn_all(c)->ev);
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

/* A full handshake is over, or was given up: those that wait for its session
 * go on, but not from here, since this may be the end of anything. */
void
conn_pioneer_ends(struct conn_full *c)
{
	struct upstream *u = c->pub.upstream;
	size_t n = 0;

	if (!c->is_pioneer)
		return;
	c->is_pioneer = false;
	u->npioneers--;
	while (!list_is_empty(&u->followers) &&
		(tls_session_is_known(u->session) ||
			u->npioneers + n < PIONEERS_MAX)) {
		struct list *first = u->followers.next;

		list_remove(first);
		list_push_back(&u->all->handshakes, first);
		n++;
	}
	if (n > 0)
		ev_defer_start(u->all->ev, &u->all->turn_end);
}

/* False when c waits for a session to resume: after a start every request
 * would pay for a full handshake until the first one is done. */
static bool
conn_begin_handshake(struct conn_full *c)
{
	struct upstream *u = c->pub.upstream;
	bool is_full = !tls_session_is_known(u->session);

	if (is_full && u->npioneers >= PIONEERS_MAX && !c->is_impatient) {
		list_push_back(&u->followers, &c->turn);
		ev_timer_start(&c->timer, MIN(MAX(time_left(c), 1), FOLLOW_MS));
		return false;
	}
	c->is_pioneer = is_full;
	u->npioneers += is_full;
	c->begun_us = clock_mono_us();
	c->tls = tls_conn_new(
		u->all->tls, u->session, conn_base(c)->host, c->fd);
	return true;
}

static void
conn_count_handshake(struct conn_full *c)
{
	const bool resumed = tls_was_resumed(c->tls);
	struct metrics *m = conn_all(c)->metrics;

	metrics_add(resumed ? &m->tls_resumed : &m->tls_handshakes, 1);
	metrics_observe(
		resumed ? &m->upstream_tls_resumed : &m->upstream_tls_full,
		clock_mono_us() - c->begun_us);
}

/* A turn of the loop has room for only one step: the others queue. */
void
conn_handshake(struct conn_full *c)
{
	struct upstreams *u = conn_all(c);
	struct gp_error err;

	if (u->handshake_in_turn) {
		if (list_is_empty(&c->turn))
			list_push_back(&u->handshakes, &c->turn);
		return;
	}
	list_remove(&c->turn);
	if (c->tls == NULL && !conn_begin_handshake(c))
		return;
	u->handshake_in_turn = true;
	ev_defer_start(u->ev, &u->turn_end);
	ev_timer_start(&c->timer, MAX(time_left(c), 1));
	switch (tls_handshake(c->tls, &err)) {
	case TLS_DONE:
		conn_count_handshake(c);
		conn_pioneer_ends(c);
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

void
conn_next_handshake(struct upstreams *u)
{
	u->handshake_in_turn = false;
	while (!u->handshake_in_turn && !list_is_empty(&u->handshakes))
		conn_handshake(CONTAINER_OF(
			u->handshakes.next, struct conn_full, turn));
}

static void
conn_begin_tls(struct conn_full *c)
{
	if (!conn_base(c)->is_tls) {
		conn_is_up(c);
		return;
	}
	c->state = CONN_HANDSHAKE;
	/* There is nothing to hear before it has begun. */
	ev_io_stop(&c->io);
	conn_handshake(c);
}

static void
conn_begin_tunnel(struct conn_full *c)
{
	const struct url *u = conn_base(c);
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
	metrics_add(&conn_all(c)->metrics->upstream_connects, 1);
	metrics_observe(&conn_all(c)->metrics->upstream_connect,
		clock_mono_us() - c->begun_us);
	c->wants_write = false;
	ev_timer_start(&c->timer, MAX(time_left(c), 1));
	if (conn_all(c)->proxy != NULL)
		conn_begin_tunnel(c);
	else
		conn_begin_tls(c);
}

static void
conn_try_next(struct conn_full *c)
{
	uint16_t port = conn_all(c)->proxy != NULL ? conn_all(c)->proxy->port :
						     conn_base(c)->port;
	size_t others;

	conn_drop_socket(c);
	while (c->next_addr < c->naddrs) {
		struct sock_addr *a = &c->addrs[c->next_addr++];

		sock_addr_set_port(a, port);
		c->begun_us = clock_mono_us();
		c->fd = sock_connect(a);
		if (c->fd >= 0)
			break;
		c->last_errno = errno;
	}
	if (c->fd < 0) {
		conn_fail_with(c, GP_E_SYSTEM, strerrordesc_np(c->last_errno));
		return;
	}
	metrics_add(&conn_all(c)->metrics->upstream_live, 1);
	c->state = CONN_CONNECTING;
	c->wants_write = true;
	others = c->naddrs - c->next_addr;
	ev_timer_start(&c->timer,
		others == 0 ? MAX(time_left(c), 1) :
			      MAX(time_left(c) / (int64_t)(others + 1),
				      ATTEMPT_MIN_MS));
	conn_watch(c);
}

void
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

/* The proxy's answer to CONNECT. */
void
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

/* --- events --------------------------------------------------------------- */

void
conn_connect_ends(struct conn_full *c)
{
	int e = sock_error(c->fd);

	if (e == 0) {
		conn_connected(c);
		return;
	}
	c->last_errno = e;
	conn_try_next(c);
}

void
conn_connect_timeout(struct conn_full *c)
{
	if (c->state == CONN_CONNECTING && time_left(c) > 0 &&
		c->next_addr < c->naddrs) {
		c->last_errno = ETIMEDOUT;
		conn_try_next(c);
		return;
	}
	if (c->state == CONN_HANDSHAKE && c->tls == NULL && time_left(c) > 0) {
		c->is_impatient = true;
		ev_timer_start(&c->timer, time_left(c));
		list_remove(&c->turn);
		conn_handshake(c);
		return;
	}
	conn_fail_with(c, GP_E_TIMEOUT,
		"no connection to the upstream within connect_timeout_s");
}
