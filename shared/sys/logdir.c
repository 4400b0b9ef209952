/* SPDX-License-Identifier: MIT */
/* logdir.c - the directory of the log files: what is in it, what is to go. */
#include "shared/sys/logdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/sys/log.h"

#define DAY_S 86400

static enum gp_code
system_fail(struct gp_error *err, const char *what, const char *name)
{
	char room[128];

	return gp_fail(err, GP_E_SYSTEM, "cannot %s %s: %s", what, name,
		strerror_r(errno, room, sizeof(room)));
}

int
logdir_open(const char *path, struct gp_error *err)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		(void)system_fail(err, "open", path);
	return fd;
}

bool
logdir_try_lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void
logdir_unlock(int fd)
{
	(void)flock(fd, LOCK_UN);
}

/* --- what is there -------------------------------------------------------- */

void
logdir_list_free(struct logdir_list *l)
{
	free(l->v);
	*l = (struct logdir_list){ 0 };
}

static int
compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int
in_order(const void *pa, const void *pb)
{
	const struct logdir_file *const a = pa;
	const struct logdir_file *const b = pb;
	int by = compare(a->is.log, b->is.log);

	if (by == 0)
		by = compare(
			a->is.state != LOG_CURRENT, b->is.state != LOG_CURRENT);
	if (by == 0)
		by = compare(b->is.rotated_wall_s, a->is.rotated_wall_s);
	if (by == 0)
		by = compare(b->is.again, a->is.again);
	if (by == 0)
		by = compare(a->is.state != LOG_COMPRESSED,
			b->is.state != LOG_COMPRESSED);
	return by != 0 ? by : compare(a->is.state, b->is.state);
}

static void
add(struct logdir_list *l, size_t *cap, const struct logdir_file *f)
{
	if (l->n == *cap) {
		*cap = *cap > 0 ? 2 * *cap : 64;
		l->v = reallocarray(l->v, *cap, sizeof(*l->v));
		if (l->v == NULL)
			fatal(1, "memory");
	}
	l->v[l->n++] = *f;
}

static void
look_at(int fd, const char *name, struct logdir_list *l, size_t *cap)
{
	struct logdir_file f = { .fate = LOGDIR_KEEP };
	struct stat st;

	if (!logname_read(name, &f.is) ||
		fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		!S_ISREG(st.st_mode))
		return;
	memcpy(f.name, name, strlen(name) + 1);
	f.bytes = (int64_t)st.st_size;
	f.modified_wall_s = (int64_t)st.st_mtime;
	add(l, cap, &f);
}

enum gp_code
logdir_scan(int fd, struct logdir_list *out, struct gp_error *err)
{
	const int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *const dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *e;
	size_t cap = 0;

	*out = (struct logdir_list){ 0 };
	if (dir == NULL) {
		if (own >= 0)
			(void)close(own);
		return system_fail(err, "read", "the directory");
	}
	/* Nobody else uses this DIR. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while (out->n < LOGDIR_FILES_MAX && (e = readdir(dir)) != NULL)
		look_at(fd, e->d_name, out, &cap);
	(void)closedir(dir);
	if (out->n > 0)
		qsort(out->v, out->n, sizeof(*out->v), in_order);
	return GP_OK;
}

/* --- what is to go -------------------------------------------------------- */

/* Both are there: compressing was broken off just before the end. */
static bool
is_same_but_compressed(const struct logdir_file *a, const struct logdir_file *b)
{
	return a->is.log == b->is.log && a->is.state == LOG_COMPRESSED &&
		b->is.state == LOG_ROTATED &&
		a->is.rotated_wall_s == b->is.rotated_wall_s &&
		a->is.again == b->is.again;
}

static bool
is_left_over(const struct logdir_list *l, size_t i)
{
	return l->v[i].is.state == LOG_PARTIAL ||
		(i > 0 && is_same_but_compressed(&l->v[i - 1], &l->v[i]));
}

/* Rotated while the clock was wrong. Such files would be the newest ones for
 * years, and take the places of those that really are. Less than a day may be
 * the clock put right a little: then the names are still nearly in order. */
static bool
is_of_the_future(const struct logdir_file *f, int64_t now_wall_s)
{
	return f->is.rotated_wall_s - now_wall_s > DAY_S;
}

/* nth: among those of its log that were rotated, the newest being the first. */
static enum logdir_fate
judge(const struct logdir_file *f, const struct logdir_rules *rules,
	int64_t nth, int64_t now_wall_s)
{
	const int64_t age_s = now_wall_s - f->is.rotated_wall_s;

	if (rules->retention_s > 0 && age_s > rules->retention_s)
		return LOGDIR_TOO_OLD;
	if (rules->backup_count > 0 && nth > rules->backup_count)
		return LOGDIR_TOO_MANY;
	/* Other processes have to notice first that theirs was rotated. */
	if (rules->compresses && f->is.state == LOG_ROTATED &&
		(f->is.log != LOG_SERVER || age_s >= rules->settle_s))
		return LOGDIR_COMPRESS;
	return LOGDIR_KEEP;
}

void
logdir_judge(struct logdir_list *l, const struct logdir_rules *rules,
	int64_t now_wall_s)
{
	int64_t nth[LOG_COUNT] = { 0 };
	int64_t nth_future[LOG_COUNT] = { 0 };

	/* Those of the future come behind all others. */
	for (size_t i = 0; i < l->n; i++)
		nth_future[l->v[i].is.log] += l->v[i].is.state != LOG_CURRENT &&
			!is_left_over(l, i) &&
			!is_of_the_future(&l->v[i], now_wall_s);
	for (size_t i = 0; i < l->n; i++) {
		struct logdir_file *const f = &l->v[i];
		const enum logname_log log = f->is.log;

		if (f->is.state == LOG_CURRENT)
			f->fate = LOGDIR_KEEP;
		else if (is_left_over(l, i))
			f->fate = LOGDIR_LEFTOVER;
		else if (is_of_the_future(f, now_wall_s))
			f->fate =
				judge(f, rules, ++nth_future[log], now_wall_s);
		else
			f->fate = judge(f, rules, ++nth[log], now_wall_s);
	}
}

const char *
logdir_fate_text(enum logdir_fate fate)
{
	static const char *const texts[] = {
		[LOGDIR_KEEP] = "kept",
		[LOGDIR_COMPRESS] = "compressed",
		[LOGDIR_TOO_OLD] = "too old",
		[LOGDIR_TOO_MANY] = "one too many",
		[LOGDIR_LEFTOVER] = "left over from a compression",
	};

	return texts[fate];
}

enum gp_code
logdir_remove(int fd, const struct logdir_file *f, struct gp_error *err)
{
	return unlinkat(fd, f->name, 0) == 0 || errno == ENOENT ?
		GP_OK :
		system_fail(err, "remove", f->name);
}
