/* SPDX-License-Identifier: MIT */
/* logs_thread.c - the log thread: from records to lines to files. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "admin/logs_private.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "shared/sys/ring.h"

#define TURN_MS        1000
#define LINE_BYTES_MAX (16u << 20)
#define SINK_MAX       (8u << 20) /* bytes of one log that may wait */
#define KEEP_BYTES     (256u << 10)
#define RETRY_MOST_S   10
#define MODE           0640
#define MODE_BODIES    0600

/* --- troubles ------------------------------------------------------------- */

static void
set_why(struct logs *l, const char *why)
{
	(void)pthread_mutex_lock(&l->mutex);
	(void)snprintf(l->why, sizeof(l->why), "%s", why);
	(void)pthread_mutex_unlock(&l->mutex);
}

/* Lines cannot be written: say so once. */
static void
failed(struct logs_store *s, const char *why)
{
	const unsigned pause_s = MIN(1u << MIN(s->failures, 8), RETRY_MOST_S);

	metrics_add(&s->l->metrics->log_errors, 1);
	if (!s->is_failing)
		log_warnx("log files in %s: %s", s->dir, why);
	set_why(s->l, why);
	s->is_failing = true;
	s->failures++;
	s->retry_ms = clock_mono_ms() + (int64_t)pause_s * 1000;
}

static void
went_well(struct logs_store *s)
{
	if (s->is_failing) {
		log_info("the log files in %s are written again", s->dir);
		set_why(s->l, "");
	}
	s->is_failing = false;
	s->failures = 0;
}

/* --- files ---------------------------------------------------------------- */

static void
close_all(struct logs_store *s)
{
	for (size_t i = 0; i < LOGS_JSON; i++)
		logfile_close(&s->sinks[i].file);
	if (s->dir_fd >= 0)
		(void)close(s->dir_fd);
	s->dir_fd = -1;
}

static bool
is_dir_there(const struct logs_store *s)
{
	struct stat mine, there;

	return fstat(s->dir_fd, &mine) == 0 && stat(s->dir, &there) == 0 &&
		mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

bool
logs_open_dir(struct logs_store *s, struct gp_error *err)
{
	if (s->dir_fd < 0)
		s->dir_fd = logdir_open(s->dir, err);
	for (size_t i = 0; i < LOGS_JSON; i++)
		s->sinks[i].file.dir_fd = s->dir_fd;
	return s->dir_fd >= 0;
}

static bool
open_dir(struct logs_store *s)
{
	struct gp_error err;

	if (s->dir_fd >= 0 && !s->keep.is_zipping && !is_dir_there(s))
		close_all(s);
	/* Usually the master has made it. */
	if (s->dir_fd < 0 && mkdir(s->dir, 0750) != 0 && errno != EEXIST)
		log_debug("%s cannot be made", s->dir);
	if (logs_open_dir(s, &err))
		return true;
	failed(s, err.text);
	return false;
}

static bool
open_file(struct logs_store *s, struct logfile *f)
{
	int64_t repaired;
	struct gp_error err;

	if (f->fd >= 0 && !logfile_is_at_its_name(f))
		logfile_close(f);
	if (f->fd >= 0)
		return true;
	if (logfile_open(f, &repaired, &err) != GP_OK) {
		failed(s, err.text);
		return false;
	}
	if (repaired > 0)
		log_warnx("%s: the last line was half written: %lld bytes are "
			  "removed",
			logname_stem(f->log), (long long)repaired);
	return true;
}

static size_t
count_lines(struct span s)
{
	struct span line;
	size_t n = 0;

	while (span_split(&s, '\n', &line))
		n++;
	return n;
}

/* As many whole lines as fit into `most`; one at least if it may be. */
static struct span
head_lines(struct span lines, int64_t most, bool at_least_one)
{
	const char *end = NULL;

	if ((int64_t)lines.n <= most)
		return lines;
	if (most > 0)
		end = memrchr(lines.p, '\n', (size_t)most);
	if (end == NULL && at_least_one)
		end = memchr(lines.p, '\n', lines.n);
	return end == NULL ? SPAN_EMPTY :
			     span_head(lines, (size_t)(end - lines.p) + 1);
}

/* The lines that go into the present file. */
static struct span
next_lines(struct logs_store *s, struct logs_sink *k)
{
	const int64_t most = s->conf->upstream_log_max_size_bytes;
	const struct span all = buf_span(&k->lines);
	struct span lines;

	if (!s->conf->upstream_log_rotation)
		return all;
	lines = head_lines(all, most - k->file.bytes, k->file.bytes == 0);
	if (lines.n > 0)
		return lines;
	return logs_rotate(s, &k->file) ? SPAN_EMPTY : all;
}

static bool
flush(struct logs_store *s, struct logs_sink *k)
{
	struct gp_error err;

	while (buf_len(&k->lines) > 0) {
		struct span lines;

		if (!open_file(s, &k->file))
			return false;
		lines = next_lines(s, k);
		if (lines.n == 0)
			continue;
		if (logfile_put(&k->file, lines, &err) != GP_OK) {
			failed(s, err.text);
			return false;
		}
		metrics_add(k->written, count_lines(lines));
		buf_consume(&k->lines, lines.n);
	}
	buf_reset(&k->lines, KEEP_BYTES);
	return true;
}

static void
flush_all(struct logs_store *s)
{
	bool is_good = true;
	bool is_any = false;

	for (size_t i = 0; i < LOGS_JSON; i++)
		is_any = is_any || buf_len(&s->sinks[i].lines) > 0;
	if (!is_any || clock_mono_ms() < s->retry_ms || !open_dir(s))
		return;
	for (size_t i = 0; i < LOGS_JSON; i++)
		is_good = flush(s, &s->sinks[i]) && is_good;
	if (is_good)
		went_well(s);
}

/* --- lines ---------------------------------------------------------------- */

static void
put_line(struct logs_store *s, enum logname_log log, unsigned line,
	const struct record *r, const struct logs_body *body)
{
	struct logs_sink *const k = &s->sinks[log];

	buf_reset(&s->line, KEEP_BYTES);
	logs_put_line(&s->line, line, r, body);
	if (s->line.bad || buf_len(&k->lines) + buf_len(&s->line) > SINK_MAX) {
		metrics_add(&s->l->metrics->log_lost_disk, 1);
		return;
	}
	buf_put(&k->lines, buf_span(&s->line));
}

static struct logs_body
body_of(struct logs_store *s, unsigned slot, enum bodypart_of of,
	const struct record *r)
{
	struct metrics *const m = s->l->metrics;
	struct logs_body body = { .text = SPAN_EMPTY };

	if (s->conf->upstream_log_bodies == 1)
		body = logs_bodies_get(s->bodies, slot, of, r->request);
	metrics_add(&m->log_bodies, body.is_there);
	metrics_add(&m->log_bodies_cut, body.missing_bytes > 0);
	return body;
}

static void
take_record(struct logs_store *s, unsigned slot, const struct record *r)
{
	const unsigned lines = logs_lines_of(r);
	struct logs_body body;

	if ((lines & 1u << LOG_REQUESTS) != 0) {
		body = body_of(s, slot, BODYPART_REQUEST, r);
		put_line(s, LOG_REQUESTS, 1u << LOG_REQUESTS, r, &body);
	}
	if ((lines & 1u << LOG_RESPONSES) != 0) {
		body = body_of(s, slot, BODYPART_ANSWER, r);
		put_line(s, LOG_RESPONSES, 1u << LOG_RESPONSES, r, &body);
	}
	if ((lines & 1u << LOG_ERRORS) != 0)
		put_line(s, LOG_ERRORS, 1u << LOG_ERRORS, r, NULL);
	if ((lines & LOGS_LINE_TRUNCATED) != 0)
		put_line(s, LOG_ERRORS, LOGS_LINE_TRUNCATED, r, NULL);
	logs_sums_add(&s->sums, r);
	logs_bodies_drop(s->bodies, slot);
}

static void
take_entry(struct logs_store *s, unsigned slot, struct span entry)
{
	char room[RING_ENTRY_MAX];
	struct bodypart p;
	struct record r;

	memcpy(room, entry.p, entry.n);
	if (bodypart_read(&p, entry))
		logs_bodies_take(s->bodies, slot, &p);
	else if (record_read(&r, room, entry.n))
		take_record(s, slot, &r);
}

static void
take_all(struct logs_store *s, struct span spool)
{
	struct logs_entry head;

	while (spool.n >= sizeof(head)) {
		memcpy(&head, spool.p, sizeof(head));
		spool = span_from(spool, sizeof(head));
		take_entry(s, head.slot, span_head(spool, head.size));
		spool = span_from(spool, head.size);
	}
}

static void
tell_sums(struct logs_store *s, bool is_end)
{
	static struct metrics all;
	struct logs_sink *const k = &s->sinks[LOG_PERFORMANCE];
	const int64_t now_ms = clock_mono_ms();

	if (s->sums.requests == 0) {
		s->sums.begun_ms = now_ms;
		return;
	}
	if (!is_end && !logs_sums_are_due(&s->sums, now_ms))
		return;
	shm_totals(s->l->link->shm, &all);
	buf_reset(&s->line, KEEP_BYTES);
	logs_put_sums(&s->line, &s->sums, metrics_get(&all.records), now_ms,
		clock_wall_us());
	/* Without room they become part of the next line. */
	if (buf_len(&k->lines) + buf_len(&s->line) > SINK_MAX)
		return;
	buf_put(&k->lines, buf_span(&s->line));
	logs_sums_begin(&s->sums, now_ms);
}

/* --- the loop ------------------------------------------------------------- */

/* Until there is something to write, or a second has passed; false: it is the
 * end. */
static bool
wait_turn(struct logs_store *s, struct buf *spool, bool has_more)
{
	struct logs *const l = s->l;
	struct timespec until;
	bool goes_on;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += TURN_MS / 1000;
	(void)pthread_mutex_lock(&l->mutex);
	while (!l->stops && !has_more && buf_len(&l->spool) == 0 &&
		pthread_cond_timedwait(&l->wakes, &l->mutex, &until) == 0)
		;
	*spool = l->spool;
	buf_init(&l->spool, LOGS_SPOOL_MAX);
	goes_on = !l->stops;
	(void)pthread_mutex_unlock(&l->mutex);
	return goes_on;
}

static bool
is_our_turn(struct logs *l)
{
	bool is;

	(void)pthread_mutex_lock(&l->mutex);
	is = l->is_our_turn;
	(void)pthread_mutex_unlock(&l->mutex);
	return is;
}

static void
begin(struct logs_store *s, struct logs *l)
{
	struct metrics *const m = l->metrics;
	_Atomic uint64_t *const written[LOGS_JSON] = {
		[LOG_REQUESTS] = &m->log_requests,
		[LOG_RESPONSES] = &m->log_responses,
		[LOG_PERFORMANCE] = &m->log_performance,
		[LOG_ERRORS] = &m->log_failures,
	};
	const struct conf *const conf = l->link->conf;

	*s = (struct logs_store){ .l = l, .conf = conf, .dir_fd = -1 };
	(void)snprintf(s->dir, sizeof(s->dir), "%.*s", SPAN_ARG(conf->log_dir));
	buf_init(&s->line, LINE_BYTES_MAX);
	for (int i = 0; i < LOGS_JSON; i++) {
		const bool has_bodies = conf->upstream_log_bodies == 1 &&
			(i == LOG_REQUESTS || i == LOG_RESPONSES);

		s->sinks[i].written = written[i];
		buf_init(&s->sinks[i].lines, SINK_MAX);
		logfile_init(&s->sinks[i].file, -1, (enum logname_log)i,
			has_bodies ? MODE_BODIES : MODE);
	}
	s->bodies = logs_bodies_new();
	logs_sums_begin(&s->sums, clock_mono_ms());
	logs_keep_init(s);
}

static void
end(struct logs_store *s)
{
	uint64_t lost = 0;

	tell_sums(s, true);
	s->retry_ms = 0;
	flush_all(s);
	logs_keep_end(s);
	close_all(s);
	for (size_t i = 0; i < LOGS_JSON; i++) {
		if (i != LOG_PERFORMANCE)
			lost += count_lines(buf_span(&s->sinks[i].lines));
		buf_fini(&s->sinks[i].lines);
	}
	metrics_add(&s->l->metrics->log_lost_disk, lost);
	buf_fini(&s->line);
	logs_bodies_free(&s->bodies);
}

void *
logs_thread(void *arg)
{
	static struct logs_store s;
	bool goes_on = true;
	bool has_more = false;

	begin(&s, arg);
	while (goes_on) {
		struct buf spool;

		goes_on = wait_turn(&s, &spool, has_more);
		take_all(&s, buf_span(&spool));
		buf_fini(&spool);
		tell_sums(&s, false);
		flush_all(&s);
		has_more = goes_on && is_our_turn(s.l) && logs_keep_turn(&s);
	}
	end(&s);
	return NULL;
}
