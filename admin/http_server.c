/* SPDX-License-Identifier: MIT */
/* http_server.c - accepting on the admin port. */
#include "admin/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/http_conn.h"
#include "shared/base/check.h"
#include "shared/sys/link.h"
#include "shared/sys/log.h"

#define PAUSE_MS 200 /* when descriptors run out */

struct listener {
	struct ev_io io;
	struct http_server *server;
	int fd;
};

struct http_server {
	struct http_conn_env env;
	struct listener listeners[LINK_LISTENERS_MAX];
	size_t nlisteners;
	struct ev_timer pause;
};

/* Listen, or look away. */
static void
arm(struct http_server *s)
{
	const bool wants = !s->env.is_draining &&
		!ev_timer_is_armed(&s->pause) &&
		s->env.nconns < HTTP_SERVER_CONNECTIONS_MAX;

	for (size_t i = 0; i < s->nlisteners; i++) {
		struct listener *const l = &s->listeners[i];

		if (!wants)
			ev_io_stop(&l->io);
		else if (l->io.fd < 0)
			ev_io_start(&l->io, l->fd, EV_READ);
	}
}

static void
on_pause_over(struct ev_timer *t)
{
	arm(CONTAINER_OF(t, struct http_server, pause));
}

static void
on_listener(struct ev_io *io, unsigned what)
{
	struct http_server *const s =
		CONTAINER_OF(io, struct listener, io)->server;
	struct sock_addr peer;
	const int fd = sock_accept(io->fd, &peer);

	(void)what;
	if (fd >= 0) {
		http_conn_open(&s->env, fd, &peer);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		errno == ENOBUFS) {
		log_warn("accepting pauses");
		ev_timer_start(&s->pause, PAUSE_MS);
	}
	arm(s);
}

static void
on_gone(void *ctx)
{
	arm(ctx);
}

struct http_server *
http_server_new(struct ev *ev, const int *listeners, size_t n,
	const struct http_server_options *options)
{
	struct http_server *const s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal(1, "memory");
	GP_ASSERT(n <= ARRAY_LEN(s->listeners));
	s->env = (struct http_conn_env){
		.ev = ev,
		.options = *options,
		.gone = on_gone,
		.gone_ctx = s,
	};
	list_init(&s->env.conns);
	ev_timer_init(&s->pause, ev, on_pause_over);
	s->nlisteners = n;
	for (size_t i = 0; i < n; i++) {
		struct listener *const l = &s->listeners[i];

		l->server = s;
		l->fd = listeners[i];
		ev_io_init(&l->io, ev, on_listener);
	}
	arm(s);
	return s;
}

void
http_server_answer(
	struct http_server *s, uint64_t ticket, http_later_fn *fn, void *ctx)
{
	LIST_EACH (&s->env.conns, it, safe)
		http_conn_answer(it, ticket, fn, ctx);
}

void
http_server_send(struct http_server *s, struct span text)
{
	LIST_EACH (&s->env.conns, it, safe)
		http_conn_send(it, text);
}

size_t
http_server_streams(const struct http_server *s)
{
	return s->env.nstreams;
}

void
http_server_end_streams(struct http_server *s)
{
	LIST_EACH (&s->env.conns, it, safe)
		http_conn_end_stream(it);
}

void
http_server_drain(struct http_server *s, int64_t idle_ms)
{
	s->env.is_draining = true;
	arm(s);
	LIST_EACH (&s->env.conns, it, safe)
		http_conn_retire(it, idle_ms);
}

size_t
http_server_connections(const struct http_server *s)
{
	return s->env.nconns;
}

void
http_server_free(struct http_server **sp)
{
	struct http_server *const s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	ev_timer_stop(&s->pause);
	for (size_t i = 0; i < s->nlisteners; i++)
		ev_io_stop(&s->listeners[i].io);
	LIST_EACH (&s->env.conns, it, safe)
		http_conn_drop(it);
	free(s);
}
