/* SPDX-License-Identifier: MIT */
/* worker.c - one worker process: begin, serve, drain, leave. */
#include "worker/worker.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "shared/sys/proc.h"
#include "shared/sys/serverlog.h"
#include "worker/accept.h"
#include "worker/client.h"
#include "worker/counting.h"
#include "worker/session.h"

#define BEAT_MS (LINK_BEAT_MS / 2)

/* Free memory kept rather than given back to the kernel: a request of a few
 * hundred kilobytes would otherwise pay for fresh pages every time. */
#define KEEP_BYTES (4 << 20)
/* So many clients that leave make it worth while to look through the heap for
 * what can be given back after all. */
#define RUSH 256

struct worker_main {
	struct worker worker;
	struct router router;
	struct acceptor *acceptor;
	struct ev_io dead_pipe;
	struct ev_timer beat;
	struct ev_timer deadline;
	size_t most; /* clients, since memory was last given back */
	bool leaves;
};

/* --- what the parts of a worker ask for ----------------------------------- */

uint64_t
worker_random(struct worker *w)
{
	uint64_t v;

	if (w->random_left < sizeof(v)) {
		proc_random(w->random, sizeof(w->random));
		w->random_left = sizeof(w->random);
	}
	w->random_left -= sizeof(v);
	memcpy(&v, w->random + w->random_left, sizeof(v));
	return v;
}

bool
worker_reserve(struct worker *w, size_t bytes)
{
	if (w->buffered + bytes > (size_t)w->conf->max_buffered_bytes)
		return false;
	w->buffered += bytes;
	return true;
}

void
worker_release(struct worker *w, size_t bytes)
{
	GP_ASSERT(bytes <= w->buffered);
	w->buffered -= bytes;
}

void
worker_client_gone(struct worker *w)
{
	struct worker_main *m = CONTAINER_OF(w, struct worker_main, worker);

	if (w->is_draining && w->nclients == 0)
		m->leaves = true;
}

/* --- draining ------------------------------------------------------------- */

static void
drain(struct worker_main *m, int64_t limit_ms)
{
	struct worker *w = &m->worker;
	int64_t deadline_ms = ev_now_ms(w->ev) + limit_ms;

	/* A second order may shorten the time, not extend it. */
	if (!w->is_draining || deadline_ms < w->drain_deadline_ms) {
		w->drain_deadline_ms = deadline_ms;
		ev_timer_start(&m->deadline, limit_ms);
	}
	if (!w->is_draining) {
		w->is_draining = true;
		atomic_store_explicit(
			&w->slot->state, SHM_DRAINING, memory_order_relaxed);
		acceptor_stop(m->acceptor);
		upstreams_close_idle(w->upstreams);
		LIST_EACH (&w->clients, it, safe)
			client_retire(CONTAINER_OF(it, struct client, link));
		log_info("draining, %zu connections", w->nclients);
	}
	if (w->nclients == 0)
		m->leaves = true;
}

static void
on_deadline(struct ev_timer *t)
{
	struct worker_main *m = CONTAINER_OF(t, struct worker_main, deadline);

	log_warnx("time is up: %zu connections are cut", m->worker.nclients);
	m->leaves = true;
}

static void
on_dead_pipe(struct ev_io *io, unsigned what)
{
	(void)what;
	log_warnx("the master is gone");
	CONTAINER_OF(io, struct worker_main, dead_pipe)->leaves = true;
}

/* After a rush most of the heap is free but scattered, and would stay ours. */
static void
give_back(struct worker_main *m)
{
	size_t now = m->worker.nclients;

	m->most = MAX(m->most, now);
	if (m->most - now < RUSH || now > m->most / 4)
		return;
	m->most = now;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): a worker has one thread. */
	malloc_trim(KEEP_BYTES);
}

static void
on_beat(struct ev_timer *t)
{
	struct worker_main *m = CONTAINER_OF(t, struct worker_main, beat);
	struct worker *w = &m->worker;

	link_beat(w->link, ev_now_ms(w->ev));
	serverlog_follow(atomic_load_explicit(
		&w->link->shm->log_epoch, memory_order_relaxed));
	atomic_store_explicit(
		&w->metrics->buffered_bytes, w->buffered, memory_order_relaxed);
	atomic_store_explicit(&w->metrics->cpu_us, (uint64_t)clock_cpu_us(),
		memory_order_relaxed);
	give_back(m);
	ev_timer_start(&m->beat, BEAT_MS);
}

static void
handle_signals(struct worker_main *m)
{
	const struct conf *conf = m->worker.conf;

	if (proc_signal_take(SIGQUIT))
		m->leaves = true;
	if (proc_signal_take(SIGTERM))
		drain(m, conf->stop_timeout_ms);
	if (proc_signal_take(SIGWINCH))
		drain(m, conf->drain_timeout_ms);
}

/* --- life ----------------------------------------------------------------- */

static void
begin(struct worker_main *m, const struct link *link)
{
	static const int signals[] = { SIGTERM, SIGQUIT, SIGWINCH };
	struct worker *w = &m->worker;
	struct gp_error err;

	w->link = link;
	w->conf = link->conf;
	w->slot = link_slot(link);
	w->metrics = &w->slot->metrics;
	live_writer_init(&w->live, shm_live_mut(link->shm, link->slot));
	w->router = &m->router;
	w->vocab = link->vocab;
	/* NOLINTBEGIN(concurrency-mt-unsafe): a worker has one thread. */
	mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
	mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
	/* NOLINTEND(concurrency-mt-unsafe) */
	shm_catch_panic(w->slot);
	proc_signals_watch(signals, ARRAY_LEN(signals));
	w->ev = ev_new();
	list_init(&w->clients);
	list_init(&w->countings);
	xlate_scratch_init(&w->scratch);
	if (router_init(&m->router, link, &err) != GP_OK)
		fatalx(LOG_EXIT_BARRED, "%s", err.text);
	w->upstreams = upstreams_new(w->ev, w->conf, m->router.upstreams,
		m->router.nupstreams,
		m->router.has_proxy ? &m->router.proxy : NULL, w->metrics);
	if (w->conf->key_concurrency > 0)
		w->turns = turns_new(w->ev, link);
	ev_io_init(&m->dead_pipe, w->ev, on_dead_pipe);
	ev_io_start(&m->dead_pipe, link->dead_fd, EV_READ);
	ev_timer_init(&m->beat, w->ev, on_beat);
	ev_timer_init(&m->deadline, w->ev, on_deadline);
	ev_timer_start(&m->beat, 0);
	m->acceptor = acceptor_new(w);
	link_ready(link);
}

static void
end(struct worker_main *m)
{
	struct worker *w = &m->worker;

	acceptor_free(&m->acceptor);
	w->is_over = true;
	LIST_EACH (&w->clients, it, safe) {
		struct client *c = CONTAINER_OF(it, struct client, link);

		if (c->session != NULL)
			session_stop(c->session);
	}
	LIST_EACH (&w->clients, it, safe)
		client_close(CONTAINER_OF(it, struct client, link));
	counting_end_all(w);
	ev_timer_stop(&m->beat);
	ev_timer_stop(&m->deadline);
	ev_io_stop(&m->dead_pipe);
	upstreams_free(&w->upstreams);
	turns_free(&w->turns);
	router_fini(&m->router);
	xlate_scratch_fini(&w->scratch);
	ev_free(&w->ev);
}

_Noreturn void
worker_main(const struct link *link)
{
	static struct worker_main m;

	begin(&m, link);
	while (!m.leaves) {
		ev_turn(m.worker.ev, -1);
		handle_signals(&m);
	}
	end(&m);
	exit(0); /* NOLINT(concurrency-mt-unsafe): it has one thread */
}
