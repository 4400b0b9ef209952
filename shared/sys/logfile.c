/* SPDX-License-Identifier: MIT */
/* logfile.c - a log file of lines that one process writes, and its rotation. */
#include "shared/sys/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/check.h"

#define BLOCK 4096

static enum gp_code
system_fail(struct gp_error *err, const char *what, const char *name)
{
	char room[128];

	return gp_fail(err, GP_E_SYSTEM, "cannot %s %s: %s", what, name,
		strerror_r(errno, room, sizeof(room)));
}

static void
current_name(enum logname_log log, char out[LOGNAME_MAX])
{
	const struct logname n = { .log = log, .state = LOG_CURRENT };

	logname_write(&n, out);
}

void
logfile_init(struct logfile *f, int dir_fd, enum logname_log log, unsigned mode)
{
	*f = (struct logfile){
		.dir_fd = dir_fd, .log = log, .mode = mode, .fd = -1
	};
}

void
logfile_close(struct logfile *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
}

/* --- opening -------------------------------------------------------------- */

/* Where the last line that is whole ends; -1 if it cannot be read. */
static int64_t
end_of_lines(int fd, int64_t bytes)
{
	char block[BLOCK];

	while (bytes > 0) {
		const int64_t from = MAX(bytes - BLOCK, 0);
		const ssize_t n =
			pread(fd, block, (size_t)(bytes - from), (off_t)from);
		const char *end;

		if (n != bytes - from)
			return -1;
		end = memrchr(block, '\n', (size_t)n);
		if (end != NULL)
			return from + (end - block) + 1;
		bytes = from;
	}
	return 0;
}

static enum gp_code
put_right(struct logfile *f, const char *name, int64_t *repaired,
	struct gp_error *err)
{
	int64_t end;
	struct stat st;

	if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode))
		return gp_fail(
			err, GP_E_SYSTEM, "%s is not a regular file", name);
	if ((st.st_mode & 0777 & ~f->mode) != 0 &&
		fchmod(f->fd, st.st_mode & f->mode) != 0)
		return system_fail(err, "set the mode of", name);
	f->bytes = (int64_t)st.st_size;
	end = end_of_lines(f->fd, f->bytes);
	if (end < 0)
		return system_fail(err, "read", name);
	*repaired = f->bytes - end;
	if (*repaired > 0 && ftruncate(f->fd, (off_t)end) != 0)
		return system_fail(err, "cut", name);
	f->bytes = end;
	return GP_OK;
}

enum gp_code
logfile_open(struct logfile *f, int64_t *repaired, struct gp_error *err)
{
	char name[LOGNAME_MAX];
	enum gp_code rc;

	GP_ASSERT(f->fd < 0);
	*repaired = 0;
	current_name(f->log, name);
	f->fd = openat(f->dir_fd, name,
		O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
			O_CLOEXEC,
		(mode_t)f->mode);
	if (f->fd < 0)
		return system_fail(err, "open", name);
	rc = put_right(f, name, repaired, err);
	if (rc != GP_OK)
		logfile_close(f);
	return rc;
}

bool
logfile_is_at_its_name(const struct logfile *f)
{
	char name[LOGNAME_MAX];
	struct stat mine, there;

	current_name(f->log, name);
	return fstat(f->fd, &mine) == 0 &&
		fstatat(f->dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
		mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

/* --- writing -------------------------------------------------------------- */

enum gp_code
logfile_put(struct logfile *f, struct span lines, struct gp_error *err)
{
	char name[LOGNAME_MAX];
	struct stat st;
	size_t done = 0;

	current_name(f->log, name);
	/* It may have been emptied by hand. */
	if (fstat(f->fd, &st) != 0)
		return system_fail(err, "look at", name);
	f->bytes = (int64_t)st.st_size;
	while (done < lines.n) {
		const ssize_t n = write(f->fd, lines.p + done, lines.n - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			(void)system_fail(err, "write", name);
			/* If that fails, too, opening it again does it. */
			if (ftruncate(f->fd, (off_t)f->bytes) != 0)
				logfile_close(f);
			return GP_E_SYSTEM;
		}
		done += (size_t)n;
	}
	f->bytes += (int64_t)lines.n;
	return GP_OK;
}

/* --- rotating ------------------------------------------------------------- */

static bool
is_there(int dir_fd, struct logname name, enum logname_state state)
{
	char text[LOGNAME_MAX];
	struct stat st;

	name.state = state;
	logname_write(&name, text);
	return fstatat(dir_fd, text, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
		errno != ENOENT;
}

static bool
is_taken(int dir_fd, struct logname name)
{
	return is_there(dir_fd, name, LOG_ROTATED) ||
		is_there(dir_fd, name, LOG_COMPRESSED) ||
		is_there(dir_fd, name, LOG_PARTIAL);
}

enum gp_code
logfile_rename(int dir_fd, enum logname_log log, int64_t now_wall_s,
	char name[LOGNAME_MAX], struct gp_error *err)
{
	struct logname to = { .log = log,
		.state = LOG_ROTATED,
		.rotated_wall_s = MAX(now_wall_s, 1) };
	char from[LOGNAME_MAX];
	unsigned taken = LOGNAME_AGAIN_MAX + 1;

	current_name(log, from);
	/* Behind the last one of this second: earlier ones may be gone. */
	while (taken-- > 0) {
		to.again = taken;
		if (is_taken(dir_fd, to))
			break;
	}
	to.again = taken + 1;
	if (to.again > LOGNAME_AGAIN_MAX)
		return gp_fail(err, GP_E_LIMIT,
			"%s was rotated too often within a second", from);
	logname_write(&to, name);
	if (renameat(dir_fd, from, dir_fd, name) != 0)
		return system_fail(err, "rename", from);
	return GP_OK;
}

void
logfile_rename_back(int dir_fd, enum logname_log log, const char *name)
{
	char to[LOGNAME_MAX];

	current_name(log, to);
	(void)renameat2(dir_fd, name, dir_fd, to, RENAME_NOREPLACE);
}

enum gp_code
logfile_rotate(struct logfile *f, int64_t now_wall_s, char name[LOGNAME_MAX],
	struct gp_error *err)
{
	const enum gp_code rc =
		logfile_rename(f->dir_fd, f->log, now_wall_s, name, err);

	if (rc == GP_OK)
		logfile_close(f);
	return rc;
}
