/* SPDX-License-Identifier: MIT */
/* history_thread.c - the storage thread: adds up records, writes them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "admin/history_db.h"
#include "admin/history_private.h"
#include "admin/resolver.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"

#define TURN_MS 1000
/* A turn that ends so much too soon is a whole one. */
#define SLACK_MS     50
#define ROWS_MAX     (8u << 20) /* bytes of rows that may wait */
#define PRUNE_MS     5000
#define RETRY_MOST_S 10
#define DAY_S        86400
/* Attempts before it is said that somebody else has the lock. */
#define LOCK_TRIES 3
/* Attempts at the end, each of which waits a moment for a lock. */
#define LAST_TRIES 5
/* Rows of requests that one turn of the upkeep removes at least. */
#define PRUNE_LEAST 1000

struct store {
	struct history *h;
	struct history_db db;
	struct history_sums sums;
	struct buf rows;
	int64_t taken_ms;  /* when the spool was last taken */
	int64_t write_ms;  /* when the next transaction is due */
	double allowance;  /* rows that may be written, saved up */
	int64_t retry_ms;  /* no attempt before */
	unsigned failures; /* in a row */
	int64_t prune_ms;
};

/* --- what is told --------------------------------------------------------- */

static void
tell(struct store *s, bool is_written, const char *why)
{
	struct history *const h = s->h;
	bool is_news;

	(void)pthread_mutex_lock(&h->mutex);
	is_news = h->is_written != is_written ||
		(!is_written && strcmp(h->why, why) != 0);
	h->is_written = is_written;
	(void)snprintf(h->why, sizeof(h->why), "%s", why);
	(void)pthread_mutex_unlock(&h->mutex);
	if (is_news && is_written)
		log_info("the history is written again");
	else if (is_news)
		log_warnx("the history cannot be written: %s: %s", s->db.path,
			why);
}

static void
failed(struct store *s, const char *why)
{
	const unsigned pause_s = MIN(1u << MIN(s->failures, 8), RETRY_MOST_S);

	metrics_add(&s->h->metrics->history_errors, 1);
	s->failures++;
	s->retry_ms = clock_mono_ms() + (int64_t)pause_s * 1000;
	tell(s, false, why);
}

/* --- from the spool into sums and rows ------------------------------------ */

/* Which of n requests have a row, evenly: `most` of them. */
static bool
is_chosen(size_t i, size_t n, size_t most)
{
	return n <= most || i * most / n != (i + 1) * most / n;
}

static bool
next_entry(struct span *spool, struct span *entry)
{
	uint16_t size;

	if (spool->n < sizeof(size))
		return false;
	memcpy(&size, spool->p, sizeof(size));
	*entry = span_head(span_from(*spool, sizeof(size)), size);
	*spool = span_from(*spool, sizeof(size) + (size_t)size);
	return true;
}

static void
take_entry(struct store *s, struct span entry, double weight)
{
	char room[RING_ENTRY_MAX];
	char again[RECORD_MAX];
	struct record r;

	memcpy(room, entry.p, entry.n);
	if (!record_read(&r, room, entry.n) ||
		!history_sums_add(&s->sums, &r)) {
		metrics_add(&s->h->metrics->history_lost_thread, 1);
		return;
	}
	if (weight <= 0)
		return;
	if (buf_len(&s->rows) > ROWS_MAX - RECORD_MAX - 64)
		metrics_add(&s->h->metrics->history_rows_lost, 1);
	else
		history_rows_put(&s->rows,
			span_of(again, record_write(&r, again)), weight);
}

static void
take_all(struct store *s, struct span spool)
{
	const int64_t now_ms = clock_mono_ms();
	const double per_s = (double)s->h->link->conf->history_rows_per_s;
	struct span rest = spool;
	struct span entry;
	size_t n = 0, i = 0, most;

	/* A second's worth may be saved up. */
	s->allowance = MIN(per_s,
		s->allowance + per_s * (double)(now_ms - s->taken_ms) / 1000);
	s->taken_ms = now_ms;
	while (next_entry(&rest, &entry))
		n++;
	most = MIN(n, (size_t)s->allowance);
	s->allowance -= (double)most;
	while (next_entry(&spool, &entry)) {
		const bool has_row = is_chosen(i++, n, most);

		take_entry(s, entry, has_row ? (double)n / (double)most : 0.0);
	}
}

/* --- the database --------------------------------------------------------- */

/* True if nobody else writes it. The lock ends with the process. The oldest
 * process comes first, so that none ends without having had it. */
static bool
get_lock(struct store *s)
{
	const struct span dir = s->h->link->conf->state_dir;
	char path[PATH_MAX];
	char reason[128];
	char why[160];
	int code;

	if (s->h->lock_fd >= 0)
		return true;
	if (!resolver_is_our_turn(s->h->link))
		return false;
	(void)snprintf(path, sizeof(path), "%.*s/history.lock", SPAN_ARG(dir));
	s->h->lock_fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (s->h->lock_fd >= 0 && flock(s->h->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	code = errno;
	(void)snprintf(why, sizeof(why), "history.lock: %s",
		strerror_r(code, reason, sizeof(reason)));
	if (s->h->lock_fd >= 0)
		(void)close(s->h->lock_fd);
	s->h->lock_fd = -1;
	/* The process before this one is still there: soon it will not be. */
	if (code == EWOULDBLOCK && s->failures++ < LOCK_TRIES)
		return false;
	failed(s, why);
	return false;
}

/* Somebody may have removed them; so look once for each opening. */
static void
look_aside(struct store *s)
{
	const struct span dir = s->h->link->conf->state_dir;
	bool aside[HISTORY_ASIDE];
	char path[PATH_MAX];

	for (size_t i = 0; i < HISTORY_ASIDE; i++) {
		(void)snprintf(path, sizeof(path), "%.*s/%s", SPAN_ARG(dir),
			history_aside_names[i]);
		aside[i] = access(path, F_OK) == 0;
	}
	(void)pthread_mutex_lock(&s->h->mutex);
	memcpy(s->h->aside, aside, sizeof(aside));
	(void)pthread_mutex_unlock(&s->h->mutex);
}

static void
take_result(struct store *s, enum history_db_result result)
{
	switch (result) {
	case HISTORY_DB_DONE:
		s->failures = 0;
		tell(s, true, "");
		break;
	case HISTORY_DB_BUSY:
		/* A moment is nothing to talk about. */
		if (s->failures++ > 2)
			tell(s, false, s->db.why);
		metrics_add(&s->h->metrics->history_errors, 1);
		break;
	case HISTORY_DB_SPOILT:
		log_errx("%s: %s: it is set aside, and a new one begun",
			s->db.path, s->db.why);
		metrics_add(&s->h->metrics->history_set_aside, 1);
		if (!history_db_set_aside(&s->db))
			failed(s, s->db.why);
		break;
	case HISTORY_DB_FAILED:
		failed(s, s->db.why);
		break;
	}
}

static bool
get_database(struct store *s)
{
	enum history_db_result result;

	if (s->db.db != NULL && !history_db_is_there(&s->db)) {
		log_warnx("%s is gone: a new one is begun", s->db.path);
		history_db_close(&s->db);
	}
	if (s->db.db != NULL)
		return true;
	if (clock_mono_ms() < s->retry_ms || !get_lock(s))
		return false;
	result = history_db_open(&s->db);
	look_aside(s);
	if (result != HISTORY_DB_DONE)
		take_result(s, result);
	return result == HISTORY_DB_DONE;
}

static void
write_all(struct store *s)
{
	struct metrics *const m = s->h->metrics;
	enum history_db_result result;
	size_t nrows;

	if (!get_database(s) || s->sums.n == 0)
		return;
	result = history_db_add(&s->db, &s->sums, buf_span(&s->rows), &nrows);
	take_result(s, result);
	if (result != HISTORY_DB_DONE)
		return;
	metrics_add(&m->history_stored, s->sums.records);
	metrics_add(&m->history_rows, nrows);
	history_sums_clear(&s->sums);
	buf_reset(&s->rows, 0);
}

static void
prune(struct store *s)
{
	const struct conf *const conf = s->h->link->conf;
	const int64_t now_ms = clock_mono_ms();
	const int64_t before_s = clock_wall_us() / 1000000 -
		(int64_t)conf->history_retention_days * DAY_S;
	const int64_t most =
		(int64_t)conf->history_rows_per_s * 2 * (PRUNE_MS / 1000) +
		PRUNE_LEAST;
	enum history_db_result result;

	if (now_ms < s->prune_ms || s->db.db == NULL)
		return;
	s->prune_ms = now_ms + PRUNE_MS;
	result = history_db_prune(&s->db, MAX(before_s, 0), most);
	if (result != HISTORY_DB_DONE)
		take_result(s, result);
}

/* --- the loop ------------------------------------------------------------- */

/* Until the next second, or the spool is filling up; false: it is the end. */
static bool
wait_turn(struct store *s, struct buf *spool)
{
	struct history *const h = s->h;
	struct timespec until;
	bool goes_on;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += TURN_MS / 1000;
	(void)pthread_mutex_lock(&h->mutex);
	while (!h->stops && buf_len(&h->spool) <= HISTORY_SPOOL_MAX / 4 &&
		pthread_cond_timedwait(&h->wakes, &h->mutex, &until) == 0)
		;
	*spool = h->spool;
	buf_init(&h->spool, HISTORY_SPOOL_MAX);
	goes_on = !h->stops;
	(void)pthread_mutex_unlock(&h->mutex);
	return goes_on;
}

void *
history_thread(void *arg)
{
	static struct store s;
	struct history *const h = arg;
	const struct span dir = h->link->conf->state_dir;
	char path[PATH_MAX];
	bool goes_on = true;

	s = (struct store){ .h = h, .taken_ms = clock_mono_ms() - TURN_MS };
	(void)snprintf(path, sizeof(path), "%.*s/history.db", SPAN_ARG(dir));
	history_db_init(&s.db, span_cstr(path));
	history_sums_init(&s.sums);
	buf_init(&s.rows, ROWS_MAX);
	while (goes_on) {
		struct buf spool;

		if (clock_mono_ms() >= s.write_ms) {
			s.write_ms = clock_mono_ms() + TURN_MS - SLACK_MS;
			write_all(&s);
			prune(&s);
		}
		goes_on = wait_turn(&s, &spool);
		take_all(&s, buf_span(&spool));
		buf_fini(&spool);
	}
	for (int i = 0; i < LAST_TRIES && (i == 0 || s.sums.n > 0); i++) {
		s.retry_ms = 0;
		write_all(&s);
	}
	metrics_add(&h->metrics->history_lost_thread, s.sums.records);
	history_db_close(&s.db);
	history_sums_fini(&s.sums);
	buf_fini(&s.rows);
	if (h->lock_fd >= 0)
		(void)close(h->lock_fd);
	return NULL;
}
