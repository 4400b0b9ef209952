/* SPDX-License-Identifier: MIT */
/* logs_keep.c - rotates, compresses and removes log files. */
#include <errno.h>
#include <unistd.h>

#include "admin/logs_private.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "shared/sys/serverlog.h"

#define DAY_S   86400
#define HOUR_MS INT64_C(3600000)
#define STEP    INT64_C(0x400000) /* bytes compressed before lines are written */
/* By then every process has noticed that its log was rotated. */
#define SETTLE_S 60
/* After a rotation that has failed. */
#define PAUSE_MS 30000

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

static void
complain(struct logs_store *s, const char *why)
{
	metrics_add(&s->l->metrics->log_errors, 1);
	log_warnx("log files in %s: %s", s->dir, why);
}

void
logs_keep_init(struct logs_store *s)
{
	s->keep = (struct logs_keep){ .cleanup_ms = clock_mono_ms() };
}

/* --- rotation ------------------------------------------------------------- */

static void
want(struct logs_store *s, enum logs_chore chore)
{
	s->keep.chore = MAX(s->keep.chore, chore);
}

bool
logs_rotate(struct logs_store *s, struct logfile *f)
{
	const bool had_lock = s->keep.is_zipping;
	const int64_t bytes = f->bytes;
	char name[LOGNAME_MAX];
	struct gp_error err;
	enum gp_code rc;

	/* Whoever has it will be done soon. */
	if (clock_mono_ms() < s->keep.rotate_ms ||
		(!had_lock && !logdir_try_lock(s->dir_fd)))
		return false;
	rc = logfile_rotate(f, now_s(), name, &err);
	if (!had_lock)
		logdir_unlock(s->dir_fd);
	if (rc != GP_OK) {
		s->keep.rotate_ms = clock_mono_ms() + PAUSE_MS;
		complain(s, err.text);
		return false;
	}
	metrics_add(&s->l->metrics->log_rotations, 1);
	log_info("%s is rotated: %lld bytes are in %s", logname_stem(f->log),
		(long long)bytes, name);
	want(s, LOGS_SWEEP);
	return true;
}

/* All processes write it; they are told that it is another file. */
static void
watch_server_log(struct logs_store *s)
{
	const int64_t bytes = serverlog_bytes(s->dir_fd);
	char name[LOGNAME_MAX];
	struct gp_error err;
	enum gp_code rc;

	if (bytes < 0 || bytes < s->conf->upstream_log_max_size_bytes ||
		!s->conf->upstream_log_rotation || s->keep.is_zipping ||
		clock_mono_ms() < s->keep.rotate_ms ||
		!logdir_try_lock(s->dir_fd))
		return;
	rc = logfile_rename(s->dir_fd, LOG_SERVER, now_s(), name, &err);
	if (rc == GP_OK) {
		rc = serverlog_make(s->dir_fd, &err);
		if (rc != GP_OK)
			logfile_rename_back(s->dir_fd, LOG_SERVER, name);
	}
	logdir_unlock(s->dir_fd);
	if (rc != GP_OK) {
		s->keep.rotate_ms = clock_mono_ms() + PAUSE_MS;
		complain(s, err.text);
		return;
	}
	metrics_add(&s->l->metrics->log_rotations, 1);
	log_info("this log is rotated: %lld bytes are in %s", (long long)bytes,
		name);
	(void)atomic_fetch_add(&s->l->link->shm->log_rotations, 1);
	s->keep.settled_ms = clock_mono_ms() + INT64_C(1000) * (SETTLE_S + 1);
	want(s, LOGS_SWEEP);
}

/* --- what is to go -------------------------------------------------------- */

static struct logdir_rules
rules_of(const struct logs_store *s)
{
	const struct conf *const c = s->conf;
	const bool is_cleanup = s->keep.chore == LOGS_CLEANUP;

	return (struct logdir_rules){
		.compresses = c->upstream_log_compression &&
			(is_cleanup || c->upstream_log_compress_immediately),
		.settle_s = SETTLE_S,
		.retention_s = is_cleanup ?
			(int64_t)c->upstream_log_retention_days * DAY_S :
			0,
		.backup_count = c->upstream_log_backup_count,
	};
}

static void
remove_file(struct logs_store *s, const struct logdir_file *f)
{
	struct gp_error err;

	if (logdir_remove(s->dir_fd, f, &err) != GP_OK)
		complain(s, err.text);
	else
		log_info("%s is removed: %s", f->name,
			logdir_fate_text(f->fate));
}

/* Begin with the first file that can be compressed. False if there is none.
 */
static bool
begin_zip(struct logs_store *s, const struct logdir_list *l)
{
	struct gp_error err;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].fate != LOGDIR_COMPRESS)
			continue;
		if (loggzip_begin(&s->keep.zip, s->dir_fd, &l->v[i].is, &err) ==
			GP_OK)
			return true;
		/* Each file that is done leads here again. */
		if (!s->keep.has_complained)
			complain(s, err.text);
		s->keep.has_complained = true;
	}
	return false;
}

/* With the lock. True if a compression is under way then. */
static bool
sweep(struct logs_store *s)
{
	const struct logdir_rules rules = rules_of(s);
	struct logdir_list l;
	struct gp_error err;
	bool is_zipping = false;

	if (logdir_scan(s->dir_fd, &l, &err) == GP_OK) {
		logdir_judge(&l, &rules, now_s());
		for (size_t i = 0; i < l.n; i++)
			if (logdir_is_doomed(&l.v[i]))
				remove_file(s, &l.v[i]);
		is_zipping = begin_zip(s, &l);
	} else {
		complain(s, err.text);
	}
	logdir_list_free(&l);
	return is_zipping;
}

static void
zip_on(struct logs_store *s)
{
	struct logs_keep *const k = &s->keep;
	struct gp_error err;

	switch (loggzip_step(&k->zip, STEP, &err)) {
	case LOGGZIP_MORE:
		return;
	case LOGGZIP_DONE:
		log_info("%s is compressed: %lld of %lld bytes", k->zip.to,
			(long long)k->zip.written_bytes,
			(long long)k->zip.read_bytes);
		break;
	case LOGGZIP_FAILED:
		complain(s, err.text);
		/* The next rotation or clean-up tries again. */
		k->chore = LOGS_IDLE;
		break;
	}
	k->is_zipping = false;
	logdir_unlock(s->dir_fd);
}

static void
see_what_is_due(struct logs_store *s)
{
	struct logs_keep *const k = &s->keep;
	const int64_t now_ms = clock_mono_ms();

	if (now_ms >= k->cleanup_ms) {
		k->cleanup_ms = now_ms +
			(int64_t)s->conf->log_cleanup_interval_hours * HOUR_MS;
		want(s, LOGS_CLEANUP);
	}
	if (k->settled_ms != 0 && now_ms >= k->settled_ms) {
		k->settled_ms = 0;
		want(s, LOGS_SWEEP);
	}
}

bool
logs_keep_turn(struct logs_store *s)
{
	struct logs_keep *const k = &s->keep;
	struct gp_error err;

	see_what_is_due(s);
	/* Whoever wants to write into it says so if it is not there. */
	if (!logs_open_dir(s, &err))
		return false;
	watch_server_log(s);
	if (k->is_zipping) {
		zip_on(s);
		return k->chore != LOGS_IDLE;
	}
	if (k->chore == LOGS_IDLE || !logdir_try_lock(s->dir_fd))
		return false;
	k->is_zipping = sweep(s);
	if (!k->is_zipping) {
		logdir_unlock(s->dir_fd);
		k->chore = LOGS_IDLE;
		k->has_complained = false;
	}
	return k->is_zipping;
}

void
logs_keep_end(struct logs_store *s)
{
	if (s->keep.is_zipping)
		loggzip_cancel(&s->keep.zip);
	s->keep.is_zipping = false;
}
