/* SPDX-License-Identifier: MIT */
/* api_events.c - /api/events: what goes to all that listen, each second. */
#include "admin/api_events.h"

#include "admin/access.h"
#include "admin/api_json.h"

#define EVERY_MS   1000
#define EVENTS_MAX (HTTP_SERVER_BACKLOG_MAX / 2)
#define LIVE_MOST  200 /* rows of an event */

static void
put_events(const struct pages *p, struct buf *out)
{
	struct jout j;

	jout_init(&j, out);
	buf_puts(out, "event: overview\ndata: ");
	api_put_overview(p, &j);
	buf_puts(out, "\n\nevent: live\ndata: ");
	jout_init(&j, out);
	api_put_live(p, LIVE_MOST, &j);
	buf_puts(out, "\n\n");
}

static void
on_timer(struct ev_timer *t)
{
	struct api_events *const e = CONTAINER_OF(t, struct api_events, timer);
	struct http_server *const server = e->pages->server;
	struct buf text;

	/* The next one who listens starts it again. */
	if (http_server_streams(server) == 0)
		return;
	ev_timer_start(t, EVERY_MS);
	if (e->sessions_ended != access_ended(e->pages->access)) {
		/* Whose stream that was is not known: who still may listen
		 * comes again. */
		e->sessions_ended = access_ended(e->pages->access);
		http_server_end_streams(server);
		return;
	}
	buf_init(&text, EVENTS_MAX);
	put_events(e->pages, &text);
	if (!text.bad)
		http_server_send(server, buf_span(&text));
	buf_fini(&text);
}

void
api_events_init(struct api_events *e, struct ev *ev, const struct pages *pages)
{
	e->pages = pages;
	ev_timer_init(&e->timer, ev, on_timer);
}

void
api_events_stop(struct api_events *e)
{
	ev_timer_stop(&e->timer);
}

void
api_events(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	(void)request;
	a->how = HTTP_ANSWER_STREAM;
	/* How long a browser waits before it comes again. */
	buf_puts(&a->body, "retry: 2000\n\n");
	put_events(p, &a->body);
	if (!ev_timer_is_armed(&p->events->timer)) {
		p->events->sessions_ended = access_ended(p->access);
		ev_timer_start(&p->events->timer, EVERY_MS);
	}
}
