/* SPDX-License-Identifier: MIT */
/* admin.c - the admin process: begin, serve, leave. */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/access.h"
#include "admin/api_events.h"
#include "admin/api_history.h"
#include "admin/calibration.h"
#include "admin/disk.h"
#include "admin/history.h"
#include "admin/logs.h"
#include "admin/pages.h"
#include "admin/resolver.h"
#include "admin/sampler.h"
#include "admin/snapshot.h"
#include "shared/sys/log.h"
#include "shared/sys/proc.h"
#include "shared/sys/serverlog.h"

/* Buffers as large as a rush makes them are no part of the heap, so that they
 * go back to the kernel when they are empty. */
#define BIG_BYTES (256 << 10)
#define BEAT_MS   (LINK_BEAT_MS / 2)
/* Answers here are short: what is under way is done well before. */
#define LEAVE_MS 1500
/* For what still comes on connections that were open before a reload. */
#define IDLE_MS 1000

struct admin {
	const struct link *link;
	struct ev *ev;
	struct http_server *server;
	struct pages pages;
	struct api_events events;
	struct sampler sampler;
	struct history_read *reader;
	struct calibration calibration;
	struct access access;
	struct history *history;
	struct logs *logs;
	struct ev_io dead_pipe;
	struct ev_timer beat;
	struct ev_timer deadline;
	bool is_draining;
	bool leaves;
};

static void
on_dead_pipe(struct ev_io *io, unsigned what)
{
	(void)what;
	log_warnx("the master is gone");
	CONTAINER_OF(io, struct admin, dead_pipe)->leaves = true;
}

static void
sample_figures(struct admin *a, int64_t now_ms)
{
	static struct metrics all;
	struct sampler_sums sums;

	if (!sampler_is_due(&a->sampler, now_ms))
		return;
	shm_totals(a->link->shm, &all);
	sampler_sums_of(&all, &sums);
	sampler_put(&a->sampler, &sums, now_ms);
}

static void
on_beat(struct ev_timer *t)
{
	struct admin *const a = CONTAINER_OF(t, struct admin, beat);
	const int64_t now_ms = ev_now_ms(a->ev);
	struct watch_sample sample;

	link_beat(a->link, now_ms);
	snapshot_sample(a->link, now_ms, &sample);
	watch_take(&a->pages.watch, &sample);
	serverlog_follow(atomic_load(&a->link->shm->log_epoch));
	sample_figures(a, now_ms);
	ev_timer_start(&a->beat, BEAT_MS);
}

static void
on_deadline(struct ev_timer *t)
{
	CONTAINER_OF(t, struct admin, deadline)->leaves = true;
}

static void
drain(struct admin *a, int64_t idle_ms)
{
	if (a->is_draining)
		return;
	a->is_draining = true;
	atomic_store(&link_slot(a->link)->state, SHM_DRAINING);
	http_server_drain(a->server, idle_ms);
	ev_timer_start(&a->deadline, LEAVE_MS);
}

static void
handle_signals(struct admin *a)
{
	if (proc_signal_take(SIGQUIT))
		a->leaves = true;
	if (proc_signal_take(SIGTERM))
		drain(a, 0);
	if (proc_signal_take(SIGWINCH))
		drain(a, IDLE_MS);
}

static void
begin(struct admin *a, const struct link *link)
{
	static const int signals[] = { SIGTERM, SIGQUIT, SIGWINCH };
	const struct conf *const conf = link->conf;
	const struct http_server_options options = {
		.fn = pages_answer,
		.ctx = &a->pages,
		.header_ms = conf->client_header_timeout_ms,
		.body_ms = conf->client_body_timeout_ms,
		.write_ms = conf->client_write_timeout_ms,
		.idle_ms = conf->keepalive_timeout_ms,
	};

	/* NOLINTBEGIN(concurrency-mt-unsafe): there are no threads yet. */
	mallopt(M_MMAP_THRESHOLD, BIG_BYTES);
	mallopt(M_TRIM_THRESHOLD, BIG_BYTES);
	/* NOLINTEND(concurrency-mt-unsafe) */
	a->link = link;
	a->pages.link = link;
	a->pages.calibration = &a->calibration;
	a->pages.access = &a->access;
	access_init(&a->access, link->conf);
	proc_signals_watch(signals, ARRAY_LEN(signals));
	a->ev = ev_new();
	ev_io_init(&a->dead_pipe, a->ev, on_dead_pipe);
	ev_io_start(&a->dead_pipe, link->dead_fd, EV_READ);
	ev_timer_init(&a->beat, a->ev, on_beat);
	ev_timer_init(&a->deadline, a->ev, on_deadline);
	calibration_open(&a->calibration, link);
	on_beat(&a->beat);
	a->server = http_server_new(
		a->ev, link->listeners, link->nlisteners, &options);
	a->logs = logs_start(link);
	a->history = history_start(a->ev, link, a->logs);
	a->reader = history_read_new(
		a->ev, conf->state_dir, api_history_answer, &a->pages);
	api_events_init(&a->events, a->ev, &a->pages);
	a->pages.server = a->server;
	a->pages.history = a->history;
	a->pages.logs = a->logs;
	a->pages.reader = a->reader;
	a->pages.events = &a->events;
	a->pages.sampler = &a->sampler;
	resolver_start(link);
	disk_start(link->conf);
	link_ready(link);
}

static void
end(struct admin *a)
{
	const bool is_saved = calibration_close(&a->calibration);

	a->pages.history = NULL;
	/* If a disk hangs, so would every way to end in order. Who writes the
	 * history is the last to close it, and tidies up its log. */
	if (!history_read_free(&a->reader) || !history_stop(&a->history) ||
		!logs_stop(&a->logs) || !is_saved)
		_exit(0);
	api_events_stop(&a->events);
	http_server_free(&a->server);
	ev_timer_stop(&a->beat);
	ev_timer_stop(&a->deadline);
	ev_io_stop(&a->dead_pipe);
	ev_free(&a->ev);
}

_Noreturn void
admin_main(const struct link *link)
{
	static struct admin a;

	begin(&a, link);
	while (!a.leaves) {
		ev_turn(a.ev, -1);
		handle_signals(&a);
		if (a.is_draining && http_server_connections(a.server) == 0)
			a.leaves = true;
	}
	end(&a);
	exit(0); /* NOLINT(concurrency-mt-unsafe) */
}
