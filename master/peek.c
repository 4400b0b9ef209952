/* SPDX-License-Identifier: MIT */
/* peek.c - looking into the memory of a running service, read-only. */
#include "master/peek.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How the kernel calls what shm_create has made. */
static const char link_name[] = "/memfd:glmproxy";

static enum gp_code
refused(pid_t pid, int number, struct gp_error *err)
{
	char room[128];

	if (number == ENOENT || number == ESRCH)
		return gp_fail(
			err, GP_E_CLOSED, "process %ld has ended", (long)pid);
	if (number == EACCES || number == EPERM)
		return gp_fail(err, GP_E_STATE,
			geteuid() == 0 ?
				"root may look into the memory of the service "
				"(process %ld) only with CAP_SYS_PTRACE, which "
				"containers get with --cap-add SYS_PTRACE" :
				"only root may look into the memory of the "
				"service (process %ld): try with sudo",
			(long)pid);
	return gp_fail(err, GP_E_SYSTEM, "process %ld: %s", (long)pid,
		strerror_r(number, room, sizeof(room)));
}

/* 0, or why not; ENOKEY: it is something else. */
static int
look_at(const char *path)
{
	char target[sizeof(link_name) + 16];
	const ssize_t n = readlink(path, target, sizeof(target));
	const size_t name = sizeof(link_name) - 1;

	if (n < 0)
		return errno == EINVAL ? ENOKEY : errno;
	/* Behind the name stands " (deleted)". */
	if ((size_t)n < name || strncmp(target, link_name, name) != 0 ||
		((size_t)n > name && target[name] != ' '))
		return ENOKEY;
	return 0;
}

/* Into p->path. */
static enum gp_code
find_memory(struct peek *p, pid_t pid, struct gp_error *err)
{
	char dir[32];
	const struct dirent *e;
	int why = ENOKEY;
	DIR *d;

	(void)snprintf(dir, sizeof(dir), "/proc/%ld/fd", (long)pid);
	d = opendir(dir);
	if (d == NULL)
		return refused(pid, errno, err);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of its own. */
	while (why != 0 && (e = readdir(d)) != NULL) {
		int what;

		(void)snprintf(
			p->path, sizeof(p->path), "%s/%.20s", dir, e->d_name);
		what = look_at(p->path);
		if (what == 0 || what == EACCES || what == EPERM)
			why = what;
	}
	(void)closedir(d);
	if (why == ENOKEY)
		return gp_fail(err, GP_E_SCHEMA,
			"process %ld has no memory of glmproxy's", (long)pid);
	return why == 0 ? GP_OK : refused(pid, why, err);
}

/* What may be said of a memory that is not ours: whose program to use. */
static enum gp_code
another_version(pid_t pid, struct gp_error *err)
{
	char link[32];
	char program[PATH_MAX] = "";
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%ld/exe", (long)pid);
	n = readlink(link, program, sizeof(program) - 1);
	program[MAX(n, 0)] = '\0';
	return gp_fail(err, GP_E_SCHEMA,
		"the service is another version than this program, and keeps "
		"its figures differently: use %s, or `glmproxy upgrade`",
		n > 0 ? program : "its own program");
}

enum gp_code
peek_open(struct peek *p, pid_t pid, struct gp_error *err)
{
	struct stat st;
	enum gp_code rc;
	int fd;

	*p = (struct peek){ .shm = NULL };
	rc = find_memory(p, pid, err);
	if (rc != GP_OK)
		return rc;
	fd = open(p->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return refused(pid, errno, err);
	if (fstat(fd, &st) == 0) {
		p->dev = st.st_dev;
		p->ino = st.st_ino;
		p->shm = shm_peek(fd, err);
	}
	(void)close(fd);
	return p->shm != NULL ? GP_OK : another_version(pid, err);
}

bool
peek_is_current(const struct peek *p)
{
	struct stat st;

	return p->shm != NULL && stat(p->path, &st) == 0 &&
		st.st_dev == p->dev && st.st_ino == p->ino;
}

void
peek_close(struct peek *p)
{
	if (p->shm != NULL)
		shm_detach(p->shm);
	p->shm = NULL;
}
