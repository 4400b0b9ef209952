/* SPDX-License-Identifier: MIT */
/* calibration.c - keeps what has been learned of token counts in a file. */
#include "admin/calibration.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/sys/calib_file.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"

#define LOOK_MS 500 /* between two looks for what has changed */
#define STOP_S  1

/* --- reading -------------------------------------------------------------- */

/* The whole file, but not more than one byte too many. */
static bool
read_all(int fd, struct buf *to)
{
	for (;;) {
		const size_t room = CALIB_FILE_MAX + 1 - buf_len(to);
		char *const at = room == 0 ? NULL : buf_reserve(to, room);
		ssize_t n;

		if (at == NULL)
			return true;
		do
			n = read(fd, at, room);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return n == 0;
		buf_commit(to, (size_t)n);
	}
}

static void
restore(struct calibration *k)
{
	struct calib_file_report report;

	if (buf_len(&k->saved) > CALIB_FILE_MAX) {
		log_warnx("%s: larger than %d bytes, which it never becomes: "
			  "ignored",
			k->path, CALIB_FILE_MAX);
		return;
	}
	calib_file_restore(k->table, buf_span(&k->saved), &report);
	if (report.ignored > 0)
		log_warnx("%s: %u lines are wrong and ignored, line %u is the "
			  "first",
			k->path, report.ignored, report.first);
	if (report.lines > 0)
		log_info("%s: %u learned ratios of token counts", k->path,
			report.lines);
}

static void
read_file(struct calibration *k)
{
	/* Whatever else lies there must not make us wait. */
	const int fd = open(k->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		if (errno != ENOENT)
			log_warn("%s", k->path);
		return;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		log_warnx("%s: not a file", k->path);
	else if (!read_all(fd, &k->saved))
		log_warn("%s", k->path);
	else
		restore(k);
	(void)close(fd);
}

/* --- writing -------------------------------------------------------------- */

static bool
write_all(int fd, struct span text)
{
	while (text.n > 0) {
		const ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno != EINTR)
			return false;
		text = span_from(text, n < 0 ? 0 : (size_t)n);
	}
	return true;
}

/* False with errno. Until the last step the old file is what it was. */
static bool
replace(const struct calibration *k, struct span text)
{
	const int fd = open(k->fresh,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	bool ok;
	int reason;

	if (fd < 0)
		return false;
	ok = write_all(fd, text) && fsync(fd) == 0;
	reason = errno;
	if (close(fd) != 0 && ok) {
		ok = false;
		reason = errno;
	}
	if (ok && rename(k->fresh, k->path) == 0)
		return true;
	if (ok)
		reason = errno;
	(void)unlink(k->fresh);
	errno = reason;
	return false;
}

static void
save_text(struct calibration *k, struct span text)
{
	if (!replace(k, text)) {
		if (!k->has_warned)
			log_warn("%s cannot be written, and what is learned "
				 "of token counts ends with the service",
				k->path);
		k->has_warned = true;
		return;
	}
	k->has_warned = false;
	buf_reset(&k->saved, CALIB_FILE_MAX);
	buf_put(&k->saved, text);
}

/* True if there was anything to save. */
static bool
save(struct calibration *k)
{
	struct buf text;
	bool differs;

	buf_init(&text, CALIB_FILE_MAX);
	/* An empty table has nothing to say against a file that we cannot
	 * read. */
	differs = calib_file_print(k->table, &text) &&
		!span_eq(buf_span(&text), buf_span(&k->saved));
	if (differs)
		save_text(k, buf_span(&text));
	buf_fini(&text);
	return differs;
}

/* --- the thread ----------------------------------------------------------- */

/* False: it is the end. */
static bool
wait_turn(struct calibration *k)
{
	struct timespec until;
	bool goes_on;
	int rc = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_mutex_lock(&k->mutex);
	while (!k->stops && rc == 0)
		rc = pthread_cond_timedwait(&k->wakes, &k->mutex, &until);
	goes_on = !k->stops;
	(void)pthread_mutex_unlock(&k->mutex);
	return goes_on;
}

static void *
run(void *arg)
{
	struct calibration *const k = arg;
	int64_t due_ms = 0;

	while (wait_turn(k))
		if (clock_mono_ms() >= due_ms && save(k))
			due_ms = clock_mono_ms() + CALIBRATION_SAVE_MS;
	(void)save(k);
	return NULL;
}

static void
start_thread(struct calibration *k)
{
	pthread_condattr_t attr;
	sigset_t all;
	sigset_t before;
	int rc;

	(void)pthread_mutex_init(&k->mutex, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&k->wakes, &attr);
	(void)pthread_condattr_destroy(&attr);
	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&k->thread, NULL, run, k);
	if (rc != 0)
		fatalx(1, "calibration thread: error %d", rc);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* --- life ----------------------------------------------------------------- */

void
calibration_open(struct calibration *k, const struct link *link)
{
	const struct span dir = link->conf->state_dir;

	*k = (struct calibration){ .table = &link->shm->calib };
	/* A path that is cut cannot be opened, and the message names it. */
	(void)snprintf(
		k->path, sizeof(k->path), "%.*s/calibration", SPAN_ARG(dir));
	/* Of this process alone: an earlier one may be saving too. */
	(void)snprintf(k->fresh, sizeof(k->fresh), "%.*s/calibration.new%d",
		SPAN_ARG(dir), link->slot);
	buf_init(&k->saved, CALIB_FILE_MAX + 1);
	read_file(k);
	start_thread(k);
}

bool
calibration_close(struct calibration *k)
{
	struct timespec until;

	(void)pthread_mutex_lock(&k->mutex);
	k->stops = true;
	(void)pthread_cond_signal(&k->wakes);
	(void)pthread_mutex_unlock(&k->mutex);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_S;
	if (pthread_timedjoin_np(k->thread, NULL, &until) != 0)
		return false;
	(void)pthread_cond_destroy(&k->wakes);
	(void)pthread_mutex_destroy(&k->mutex);
	buf_fini(&k->saved);
	return true;
}
