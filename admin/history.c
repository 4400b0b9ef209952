/* SPDX-License-Identifier: MIT */
/* history.c - brings the workers' records into the history: the loop's half. */
#include "admin/history.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "admin/history_private.h"
#include "admin/logs.h"
#include "admin/resolver.h"
#include "shared/base/check.h"
#include "shared/sys/bodypart.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"

#define DRAIN_MS 250
#define HURRY_MS 10
/* Bodies fill a ring sooner. */
#define DRAIN_BODIES_MS 25
/* A ring that holds more at a drain makes the next one come sooner. */
#define HURRY_BYTES (RING_BYTES / 8)
/* Entries that are taken before the loop serves others again. */
#define ENTRIES_MOST 20000
#define STOP_MS      1000
/* At the end the workers may go on: the next process takes over from here. */
#define LAST_DRAINS 20

const char *const history_aside_names[HISTORY_ASIDE] = {
	"history.db-corrupt-1",
	"history.db-corrupt-2",
};

/* --- from the rings into the spool ---------------------------------------- */

static void
put_spool(struct history *h, struct span entry)
{
	const uint16_t size = (uint16_t)entry.n;

	metrics_add(&h->metrics->history_read, 1);
	if (buf_len(&h->spool) + sizeof(size) + entry.n > HISTORY_SPOOL_MAX) {
		metrics_add(&h->metrics->history_lost_loop, 1);
		return;
	}
	buf_put(&h->spool, span_of((const char *)&size, sizeof(size)));
	buf_put(&h->spool, entry);
}

/* Returns how many entries there were. */
static size_t
drain_ring(struct history *h, int slot)
{
	struct ring *const r = shm_ring(h->link->shm, slot);
	char room[RING_ENTRY_MAX];
	struct ring_reader k;
	struct span entry;
	size_t n = 0;

	ring_begin(&k, r);
	(void)pthread_mutex_lock(&h->mutex);
	logs_begin(h->logs);
	while (n < ENTRIES_MOST && ring_next(&k, room, &entry)) {
		n++;
		if (h->link->conf->history && !bodypart_is(entry))
			put_spool(h, entry);
		logs_put(h->logs, slot, entry);
	}
	/* Before a thread can write any of it: whenever this process is killed,
	 * nothing is read and written twice. */
	ring_end(&k);
	logs_end(h->logs);
	/* It should not wait for the end of the second. */
	if (buf_len(&h->spool) > HISTORY_SPOOL_MAX / 4)
		(void)pthread_cond_signal(&h->wakes);
	(void)pthread_mutex_unlock(&h->mutex);
	if (k.nspoilt > 0) {
		metrics_add(&h->metrics->history_lost_spoilt, k.nspoilt);
		log_warnx("a worker has left %llu records that cannot be read",
			(unsigned long long)k.nspoilt);
	}
	return n;
}

/* An earlier admin process has taken records with it when it died. */
static void
count_inherited(struct history *h)
{
	static struct metrics all;
	uint64_t read, known;

	shm_totals(h->link->shm, &all);
	read = metrics_get(&all.history_read);
	known = metrics_get(&all.history_stored) +
		metrics_get(&all.history_lost_loop) +
		metrics_get(&all.history_lost_thread) +
		metrics_get(&all.history_lost_died);
	if (known < read)
		metrics_add(&h->metrics->history_lost_died, read - known);
}

/* True if there is more to come soon. */
static bool
drain(struct history *h)
{
	struct shm *const m = h->link->shm;
	const uint32_t used = MIN(atomic_load(&m->slots_used), SHM_SLOTS);
	bool is_busy = false;

	if (!h->is_our_turn) {
		h->is_our_turn = resolver_is_our_turn(h->link);
		if (!h->is_our_turn)
			return false;
		count_inherited(h);
		logs_take_turn(h->logs);
	}
	for (uint32_t i = 0; i < used; i++) {
		struct ring *const r = shm_ring(m, (int)i);

		if (ring_is_empty(r))
			continue;
		is_busy = is_busy || ring_waiting(r) > HURRY_BYTES;
		is_busy = drain_ring(h, (int)i) == ENTRIES_MOST || is_busy;
	}
	return is_busy;
}

static void
on_drain(struct ev_timer *t)
{
	struct history *const h = CONTAINER_OF(t, struct history, timer);
	const bool has_bodies = h->link->conf->upstream_log_bodies != 0;

	ev_timer_start(t,
		drain(h)           ? HURRY_MS :
			has_bodies ? DRAIN_BODIES_MS :
				     DRAIN_MS);
}

/* --- life ----------------------------------------------------------------- */

static void
start_thread(struct history *h)
{
	sigset_t all;
	sigset_t before;
	int rc;

	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&h->thread, NULL, history_thread, h);
	if (rc != 0)
		fatalx(1, "storage thread: error %d", rc);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct history *
history_start(struct ev *ev, const struct link *link, struct logs *logs)
{
	struct history *const h = calloc(1, sizeof(*h));
	pthread_condattr_t attr;

	if (h == NULL)
		fatal(1, "memory");
	h->link = link;
	h->logs = logs;
	h->metrics = &link_slot(link)->metrics;
	h->lock_fd = -1;
	h->is_written = true;
	buf_init(&h->spool, HISTORY_SPOOL_MAX);
	(void)pthread_mutex_init(&h->mutex, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&h->wakes, &attr);
	(void)pthread_condattr_destroy(&attr);
	/* A limit on the size of files is an error like others. */
	(void)signal(SIGXFSZ, SIG_IGN);
	ev_timer_init(&h->timer, ev, on_drain);
	ev_timer_start(&h->timer, 0);
	if (link->conf->history)
		start_thread(h);
	return h;
}

static bool
join(struct history *h)
{
	struct timespec until;

	(void)pthread_mutex_lock(&h->mutex);
	h->stops = true;
	(void)pthread_cond_signal(&h->wakes);
	(void)pthread_mutex_unlock(&h->mutex);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_MS / 1000;
	return pthread_timedjoin_np(h->thread, NULL, &until) == 0;
}

bool
history_stop(struct history **hp)
{
	struct history *const h = *hp;

	*hp = NULL;
	ev_timer_stop(&h->timer);
	for (int i = 0; i < LAST_DRAINS && drain(h); i++)
		;
	if (h->link->conf->history && !join(h))
		return false;
	(void)pthread_cond_destroy(&h->wakes);
	(void)pthread_mutex_destroy(&h->mutex);
	buf_fini(&h->spool);
	free(h);
	return true;
}

void
history_get_state(struct history *h, struct history_state *out)
{
	static struct metrics all;

	*out = (struct history_state){ .is_on = h->link->conf->history };
	(void)pthread_mutex_lock(&h->mutex);
	out->is_written = h->is_written;
	memcpy(out->why, h->why, sizeof(out->why));
	memcpy(out->aside, h->aside, sizeof(out->aside));
	(void)pthread_mutex_unlock(&h->mutex);
	shm_totals(h->link->shm, &all);
	out->rows = metrics_get(&all.history_rows);
	out->lost = metrics_get(&all.records_lost) +
		metrics_get(&all.history_lost_loop) +
		metrics_get(&all.history_lost_thread) +
		metrics_get(&all.history_lost_died) +
		metrics_get(&all.history_lost_spoilt);
}
