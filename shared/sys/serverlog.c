/* SPDX-License-Identifier: MIT */
/* serverlog.c - stderr as a file: the log of a service that `start` began. */
#include "shared/sys/serverlog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/sys/log.h"
#include "shared/sys/logname.h"

#define MODE  0640
#define FLAGS (O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC)

/* "" if stderr is something else. */
static char our_path[PATH_MAX];
static uint32_t seen_epoch;
static bool has_warned;

static void
current_name(char out[LOGNAME_MAX])
{
	const struct logname n = { .log = LOG_SERVER, .state = LOG_CURRENT };

	logname_write(&n, out);
}

static enum gp_code
system_fail(struct gp_error *err, const char *path)
{
	char room[128];

	return gp_fail(err, GP_E_SYSTEM, "cannot open %s: %s", path,
		strerror_r(errno, room, sizeof(room)));
}

int
serverlog_open(const char *dir, char path[], size_t size, struct gp_error *err)
{
	char name[LOGNAME_MAX];
	int fd;

	current_name(name);
	if ((size_t)snprintf(path, size, "%s/%s", dir, name) >= size) {
		(void)gp_fail(err, GP_E_LIMIT, "path too long: %s", dir);
		return -1;
	}
	fd = open(path, FLAGS, MODE);
	if (fd < 0)
		(void)system_fail(err, path);
	return fd;
}

/* --- is it ours? ---------------------------------------------------------- */

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* By the name that the system knows of it: it may have been renamed, by us or
 * by others, who have names of their own such as server.log.1. */
static bool
was_ours(struct span dir)
{
	char mine[PATH_MAX];
	char theirs[PATH_MAX];
	char *slash;
	const struct span stem = span_cstr(logname_stem(LOG_SERVER));
	struct stat a, b;
	const ssize_t n = readlink("/proc/self/fd/2", mine, sizeof(mine) - 1);

	if (n <= 0)
		return false;
	mine[n] = '\0';
	slash = strrchr(mine, '/');
	if (slash == NULL || !span_starts(span_cstr(slash + 1), stem))
		return false;
	*slash = '\0';
	(void)snprintf(theirs, sizeof(theirs), "%.*s", SPAN_ARG(dir));
	return stat(mine, &a) == 0 && stat(theirs, &b) == 0 && is_same(&a, &b);
}

void
serverlog_init(struct span dir, uint32_t epoch)
{
	char name[LOGNAME_MAX];
	struct stat mine, there;
	bool is_ours;

	seen_epoch = epoch;
	current_name(name);
	(void)snprintf(
		our_path, sizeof(our_path), "%.*s/%s", SPAN_ARG(dir), name);
	is_ours = fstat(STDERR_FILENO, &mine) == 0 && S_ISREG(mine.st_mode) &&
		((stat(our_path, &there) == 0 && is_same(&mine, &there)) ||
			was_ours(dir));
	if (!is_ours)
		our_path[0] = '\0';
}

bool
serverlog_is_on(void)
{
	return our_path[0] != '\0';
}

/* --- the next file -------------------------------------------------------- */

/* As the present one, which whoever began the service has made. */
static int
open_alike(int dir_fd, const char *path)
{
	struct stat st;
	const int fd = openat(dir_fd, path, FLAGS, MODE);

	/* Only root may give it away, and only then is it needed. */
	if (fd >= 0 && geteuid() == 0 && fstat(STDERR_FILENO, &st) == 0 &&
		fchown(fd, st.st_uid, st.st_gid) != 0)
		log_warn("%s: its owner", path);
	return fd;
}

void
serverlog_follow(uint32_t epoch)
{
	int fd;

	if (our_path[0] == '\0' || epoch == seen_epoch)
		return;
	fd = open_alike(AT_FDCWD, our_path);
	if (fd < 0) {
		if (!has_warned)
			log_warn("cannot open %s", our_path);
		has_warned = true;
		return;
	}
	seen_epoch = epoch;
	has_warned = false;
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	(void)close(fd);
}

int64_t
serverlog_bytes(int dir_fd)
{
	char name[LOGNAME_MAX];
	struct stat mine, there;

	current_name(name);
	if (!serverlog_is_on() || fstat(STDERR_FILENO, &mine) != 0 ||
		fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
		!is_same(&mine, &there))
		return -1;
	return (int64_t)mine.st_size;
}

enum gp_code
serverlog_make(int dir_fd, struct gp_error *err)
{
	char name[LOGNAME_MAX];
	int fd;

	current_name(name);
	fd = open_alike(dir_fd, name);
	if (fd < 0)
		return system_fail(err, name);
	(void)close(fd);
	return GP_OK;
}
