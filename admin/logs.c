/* SPDX-License-Identifier: MIT */
/* logs.c - writes the log files of JSON lines: the loop's half. */
#include "admin/logs.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/logs_private.h"
#include "shared/sys/bodypart.h"
#include "shared/sys/log.h"
#include "shared/sys/ring.h"

#define STOP_MS 1000
/* With so much in the spool bodies find no place: records come first. */
#define BODIES_MOST (LOGS_SPOOL_MAX / 2)

void
logs_begin(struct logs *l)
{
	(void)pthread_mutex_lock(&l->mutex);
}

void
logs_end(struct logs *l)
{
	if (buf_len(&l->spool) > 0)
		(void)pthread_cond_signal(&l->wakes);
	(void)pthread_mutex_unlock(&l->mutex);
}

/* The lines that it makes; 0 also for what is no record. */
static unsigned
lines_due(struct span entry)
{
	char room[RING_ENTRY_MAX];
	struct record r;

	memcpy(room, entry.p, entry.n);
	return record_read(&r, room, entry.n) ?
		logs_count_lines(logs_lines_of(&r)) :
		0;
}

void
logs_put(struct logs *l, int slot, struct span entry)
{
	const struct logs_entry head = { (uint16_t)entry.n, (uint16_t)slot };
	unsigned lines;

	if (!l->link->conf->upstream_log ||
		(bodypart_is(entry) && buf_len(&l->spool) > BODIES_MOST))
		return;
	lines = lines_due(entry);
	metrics_add(&l->metrics->log_taken, lines);
	if (buf_len(&l->spool) + sizeof(head) + entry.n > LOGS_SPOOL_MAX) {
		metrics_add(&l->metrics->log_lost_loop, lines);
		return;
	}
	buf_put(&l->spool, span_of((const char *)&head, sizeof(head)));
	buf_put(&l->spool, entry);
}

/* --- life ----------------------------------------------------------------- */

/* An earlier admin process has taken lines with it when it died. */
static void
count_inherited(struct logs *l)
{
	static struct metrics all;
	uint64_t due, known;

	shm_totals(l->link->shm, &all);
	due = metrics_get(&all.log_taken);
	known = metrics_get(&all.log_requests) +
		metrics_get(&all.log_responses) +
		metrics_get(&all.log_failures) +
		metrics_get(&all.log_lost_loop) +
		metrics_get(&all.log_lost_disk) +
		metrics_get(&all.log_lost_died);
	if (known < due)
		metrics_add(&l->metrics->log_lost_died, due - known);
}

void
logs_take_turn(struct logs *l)
{
	count_inherited(l);
	(void)pthread_mutex_lock(&l->mutex);
	l->is_our_turn = true;
	(void)pthread_cond_signal(&l->wakes);
	(void)pthread_mutex_unlock(&l->mutex);
}

static void
start_thread(struct logs *l)
{
	sigset_t all;
	sigset_t before;
	int rc;

	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&l->thread, NULL, logs_thread, l);
	if (rc != 0)
		fatalx(1, "log thread: error %d", rc);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct logs *
logs_start(const struct link *link)
{
	struct logs *const l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;

	if (l == NULL)
		fatal(1, "memory");
	l->link = link;
	l->metrics = &link_slot(link)->metrics;
	buf_init(&l->spool, LOGS_SPOOL_MAX);
	(void)pthread_mutex_init(&l->mutex, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&l->wakes, &attr);
	(void)pthread_condattr_destroy(&attr);
	start_thread(l);
	return l;
}

void
logs_get_state(struct logs *l, struct logs_state *out)
{
	static struct metrics all;

	*out = (struct logs_state){ .is_on = l->link->conf->upstream_log };
	(void)pthread_mutex_lock(&l->mutex);
	memcpy(out->why, l->why, sizeof(out->why));
	(void)pthread_mutex_unlock(&l->mutex);
	out->is_written = out->why[0] == '\0';
	shm_totals(l->link->shm, &all);
	out->lost = metrics_get(&all.log_lost_loop) +
		metrics_get(&all.log_lost_disk) +
		metrics_get(&all.log_lost_died);
}

static bool
join(struct logs *l)
{
	struct timespec until;

	(void)pthread_mutex_lock(&l->mutex);
	l->stops = true;
	(void)pthread_cond_signal(&l->wakes);
	(void)pthread_mutex_unlock(&l->mutex);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_MS / 1000;
	return pthread_timedjoin_np(l->thread, NULL, &until) == 0;
}

bool
logs_stop(struct logs **lp)
{
	struct logs *const l = *lp;

	*lp = NULL;
	if (!join(l))
		return false;
	(void)pthread_cond_destroy(&l->wakes);
	(void)pthread_mutex_destroy(&l->mutex);
	buf_fini(&l->spool);
	free(l);
	return true;
}
