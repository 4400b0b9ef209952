/* SPDX-License-Identifier: MIT */
/* upstreams.c - what all exchanges of a worker share: TLS, sessions, pools. */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/sys/log.h"
#include "worker/conn.h"

static void
on_turn_end(struct ev_defer *d)
{
	conn_next_handshake(CONTAINER_OF(d, struct upstreams, turn_end));
}

struct upstreams *
upstreams_new(struct ev *ev, const struct conf *conf,
	const struct upstream_conf *list, size_t n, const struct url *proxy,
	struct metrics *metrics)
{
	struct upstreams *u = calloc(1, sizeof(*u));
	bool needs_tls = false;
	struct gp_error err;

	GP_ASSERT(u != NULL && n <= UPSTREAMS_MAX);
	u->ev = ev;
	u->conf = conf;
	u->metrics = metrics;
	u->proxy = proxy;
	u->n = n;
	list_init(&u->unheard);
	list_init(&u->handshakes);
	ev_defer_init(&u->turn_end, on_turn_end);
	for (size_t i = 0; i < n; i++) {
		u->list[i].all = u;
		u->list[i].conf = &list[i];
		u->list[i].session = tls_session_new();
		list_init(&u->list[i].idle);
		list_init(&u->list[i].followers);
		needs_tls = needs_tls || list[i].url.is_tls;
	}
	if (needs_tls) {
		u->tls = tls_new(conf->upstream_ca_file, &err);
		if (u->tls == NULL)
			fatalx(LOG_EXIT_BARRED, "%s", err.text);
	}
	return u;
}

void
upstreams_close_idle(struct upstreams *u)
{
	for (size_t i = 0; i < u->n; i++)
		while (!list_is_empty(&u->list[i].idle)) {
			struct conn *c = CONTAINER_OF(
				u->list[i].idle.next, struct conn, link);

			conn_close(&c);
		}
}

void
upstreams_free(struct upstreams **up)
{
	struct upstreams *u = *up;

	exchange_end_unheard(u);
	upstreams_close_idle(u);
	ev_defer_stop(&u->turn_end);
	for (size_t i = 0; i < u->n; i++)
		tls_session_free(&u->list[i].session);
	tls_free(&u->tls);
	free(u);
	*up = NULL;
}
