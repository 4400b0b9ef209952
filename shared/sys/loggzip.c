/* SPDX-License-Identifier: MIT */
/* loggzip.c - compresses a rotated log file, a piece at a time. */
#include "shared/sys/loggzip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/sys/log.h"

/* Lines resemble each other so much that more effort gains little. */
#define LEVEL 3
/* The largest window, and a header of gzip. */
#define WINDOW_GZIP (15 + 16)
#define MEMORY      8

static enum gp_code
system_fail(struct gp_error *err, const char *what, const char *name)
{
	char room[128];

	return gp_fail(err, GP_E_SYSTEM, "cannot %s %s: %s", what, name,
		strerror_r(errno, room, sizeof(room)));
}

static void
close_all(struct loggzip *z)
{
	if (z->room != NULL)
		(void)deflateEnd(&z->z);
	free(z->room);
	z->room = NULL;
	if (z->from_fd >= 0)
		(void)close(z->from_fd);
	if (z->to_fd >= 0)
		(void)close(z->to_fd);
	z->from_fd = z->to_fd = -1;
}

void
loggzip_cancel(struct loggzip *z)
{
	if (z->to_fd >= 0)
		(void)unlinkat(z->dir_fd, z->temporary, 0);
	close_all(z);
}

/* Its bytes belong to whom the original's belong. */
static enum gp_code
take_over(const struct loggzip *z, struct gp_error *err)
{
	struct stat st;

	if (fstat(z->from_fd, &st) != 0)
		return system_fail(err, "look at", z->from);
	if (!S_ISREG(st.st_mode))
		return gp_fail(
			err, GP_E_SYSTEM, "%s is not a regular file", z->from);
	if (fchmod(z->to_fd, st.st_mode & 07777) != 0)
		return system_fail(err, "set the mode of", z->temporary);
	/* Only root may, and only then does it matter. */
	if (fchown(z->to_fd, st.st_uid, st.st_gid) != 0 && geteuid() == 0)
		return system_fail(err, "set the owner of", z->temporary);
	return GP_OK;
}

static enum gp_code
open_files(struct loggzip *z, struct gp_error *err)
{
	/* Whatever has come to lie there must not make us wait. */
	z->from_fd = openat(z->dir_fd, z->from,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (z->from_fd < 0)
		return system_fail(err, "open", z->from);
	if (unlinkat(z->dir_fd, z->temporary, 0) != 0 && errno != ENOENT)
		return system_fail(err, "remove", z->temporary);
	z->to_fd = openat(z->dir_fd, z->temporary,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (z->to_fd < 0)
		return system_fail(err, "make", z->temporary);
	return take_over(z, err);
}

enum gp_code
loggzip_begin(struct loggzip *z, int dir_fd, const struct logname *from,
	struct gp_error *err)
{
	struct logname name = *from;
	enum gp_code rc;

	*z = (struct loggzip){ .dir_fd = dir_fd, .from_fd = -1, .to_fd = -1 };
	name.state = LOG_ROTATED;
	logname_write(&name, z->from);
	name.state = LOG_PARTIAL;
	logname_write(&name, z->temporary);
	name.state = LOG_COMPRESSED;
	logname_write(&name, z->to);
	rc = open_files(z, err);
	if (rc != GP_OK) {
		loggzip_cancel(z);
		return rc;
	}
	z->room = malloc(2 * (size_t)LOGGZIP_ROOM);
	if (z->room == NULL)
		fatal(1, "memory");
	if (deflateInit2(&z->z, LEVEL, Z_DEFLATED, WINDOW_GZIP, MEMORY,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		fatalx(1, "zlib");
	return GP_OK;
}

static enum gp_code
write_all(struct loggzip *z, const unsigned char *p, size_t n,
	struct gp_error *err)
{
	while (n > 0) {
		const ssize_t wrote = write(z->to_fd, p, n);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return system_fail(err, "write", z->temporary);
		p += wrote;
		n -= (size_t)wrote;
		z->written_bytes += wrote;
	}
	return GP_OK;
}

static enum gp_code
squeeze(struct loggzip *z, size_t n, struct gp_error *err)
{
	unsigned char *const out = z->room + LOGGZIP_ROOM;
	enum gp_code rc = GP_OK;

	z->z.next_in = z->room;
	z->z.avail_in = (unsigned)n;
	do {
		z->z.next_out = out;
		z->z.avail_out = LOGGZIP_ROOM;
		(void)deflate(&z->z, n == 0 ? Z_FINISH : Z_NO_FLUSH);
		rc = write_all(z, out, LOGGZIP_ROOM - z->z.avail_out, err);
	} while (rc == GP_OK && z->z.avail_out == 0);
	return rc;
}

static enum gp_code
finish(struct loggzip *z, struct gp_error *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	if (fstat(z->from_fd, &st) == 0) {
		times[1] = st.st_mtim;
		(void)futimens(z->to_fd, times);
	}
	if (fsync(z->to_fd) != 0)
		return system_fail(err, "write", z->temporary);
	if (renameat(z->dir_fd, z->temporary, z->dir_fd, z->to) != 0)
		return system_fail(err, "rename", z->temporary);
	/* The new name has to be on the disk before the old one goes. */
	if (fsync(z->dir_fd) != 0)
		return system_fail(err, "write the directory of", z->to);
	if (unlinkat(z->dir_fd, z->from, 0) != 0)
		return system_fail(err, "remove", z->from);
	return GP_OK;
}

enum loggzip_result
loggzip_step(struct loggzip *z, int64_t bytes, struct gp_error *err)
{
	enum gp_code rc = GP_OK;
	ssize_t n = 1;

	for (int64_t done = 0; rc == GP_OK && n > 0 && done < bytes;
		done += n) {
		n = read(z->from_fd, z->room, LOGGZIP_ROOM);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n < 0)
			rc = system_fail(err, "read", z->from);
		else
			rc = squeeze(z, (size_t)n, err);
		z->read_bytes += MAX(n, 0);
	}
	if (rc == GP_OK && n > 0)
		return LOGGZIP_MORE;
	if (rc == GP_OK)
		rc = finish(z, err);
	if (rc != GP_OK) {
		loggzip_cancel(z);
		return LOGGZIP_FAILED;
	}
	close_all(z);
	return LOGGZIP_DONE;
}
