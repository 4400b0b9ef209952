/* SPDX-License-Identifier: MIT */
/* pidfile.c - the pid file and the lock on the state directory. */
#include "master/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/span.h"

#define TEXT_MAX   32
#define DRAINED_AT 1024

static enum gp_code
system_fail(struct gp_error *err, const char *what, const char *path)
{
	char room[128];

	return gp_fail(err, GP_E_SYSTEM, "%s %s: %s", what, path,
		strerror_r(errno, room, sizeof(room)));
}

int
pidfile_lock_dir(const char *dir, struct gp_error *err)
{
	const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		(void)system_fail(err, "cannot open", dir);
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (errno == EWOULDBLOCK)
		(void)gp_fail(err, GP_E_STATE,
			"another instance uses the directory %s", dir);
	else
		(void)system_fail(err, "cannot lock", dir);
	(void)close(fd);
	return -1;
}

/* A file of its own, locked and filled before it gets the name. */
static int
make_temporary(char *path, struct gp_error *err)
{
	char text[TEXT_MAX];
	const int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	const int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0) {
		(void)system_fail(err, "cannot create", path);
		return -1;
	}
	if (fchmod(fd, 0644) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		write(fd, text, (size_t)n) == n)
		return fd;
	(void)system_fail(err, "cannot write", path);
	(void)unlink(path);
	(void)close(fd);
	return -1;
}

int
pidfile_write(const char *path, struct gp_error *err)
{
	char temporary[PATH_MAX];
	pid_t pid = 0;
	int fd;

	if (pidfile_read(path, &pid, err) == PIDFILE_ALIVE) {
		(void)gp_fail(err, GP_E_STATE,
			"already running with pid %ld (%s)", (long)pid, path);
		return -1;
	}
	(void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	fd = make_temporary(temporary, err);
	if (fd < 0)
		return -1;
	if (rename(temporary, path) == 0)
		return fd;
	(void)system_fail(err, "cannot write", path);
	(void)unlink(temporary);
	(void)close(fd);
	return -1;
}

bool
pidfile_is_at(int fd, const char *path)
{
	struct stat mine;
	struct stat there;

	return fstat(fd, &mine) == 0 && stat(path, &there) == 0 &&
		mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

void
pidfile_remove(const char *path, int fd)
{
	if (fd >= 0 && pidfile_is_at(fd, path))
		(void)unlink(path);
}

/* A byte far behind the text; locks may lie behind the end of a file. They
 * belong to the description, not to the process: an upgrade keeps them. */
static struct flock
drained_lock(short type)
{
	return (struct flock){ .l_type = type,
		.l_whence = SEEK_SET,
		.l_start = DRAINED_AT,
		.l_len = 1 };
}

bool
pidfile_set_drained(int fd, bool is_drained)
{
	struct flock lock = drained_lock(is_drained ? F_WRLCK : F_UNLCK);

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool
pidfile_is_drained(const char *path)
{
	struct flock lock = drained_lock(F_RDLCK);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_locked;

	if (fd < 0)
		return false;
	is_locked =
		fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	(void)close(fd);
	return is_locked;
}

enum pidfile_state
pidfile_read(const char *path, pid_t *pid, struct gp_error *err)
{
	char text[TEXT_MAX];
	uint64_t value = 0;
	ssize_t n;
	bool is_alive;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return PIDFILE_NONE;
	if (fd < 0) {
		(void)system_fail(err, "cannot read", path);
		return PIDFILE_BAD;
	}
	n = read(fd, text, sizeof(text));
	/* Its owner holds an exclusive lock. */
	is_alive = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	(void)close(fd);
	if (n <= 0 || !span_u64(span_trim(span_of(text, (size_t)n)), &value) ||
		value == 0 || value > INT_MAX) {
		(void)gp_fail(err, GP_E_SYNTAX, "%s holds no pid", path);
		return PIDFILE_BAD;
	}
	*pid = (pid_t)value;
	return is_alive ? PIDFILE_ALIVE : PIDFILE_STALE;
}
