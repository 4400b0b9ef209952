/* SPDX-License-Identifier: MIT */
/* datafile.c - files that belong to the program, mapped and read-only. */
#include "shared/sys/datafile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the kernel puts behind the path of a program that was replaced. */
#define DELETED    " (deleted)"
#define REASON_MAX 128

/* Folder of the running program, without a slash at its end; false if it cannot
 * be told. */
static bool
own_folder(char folder[PATH_MAX])
{
	const ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
	struct span path;
	char *slash;

	if (n <= 0)
		return false;
	path = span_of(folder, (size_t)n);
	if (span_ends(path, SPAN(DELETED)))
		path.n -= sizeof(DELETED) - 1;
	folder[path.n] = '\0';
	slash = strrchr(folder, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

static enum gp_code
refused(const struct datafile *f, struct gp_error *err)
{
	char reason[REASON_MAX];

	return gp_fail(err, GP_E_SYSTEM, "%s: %s", f->path,
		strerror_r(errno, reason, sizeof(reason)));
}

static enum gp_code
map_fd(struct datafile *f, int fd, size_t max_bytes, struct gp_error *err)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) != 0)
		return refused(f, err);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 ||
		(uint64_t)st.st_size > max_bytes)
		return gp_fail(err, GP_E_LIMIT,
			"%s: no file, or not of the right size", f->path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return refused(f, err);
	f->bytes = span_of(p, (size_t)st.st_size);
	return GP_OK;
}

/* GP_E_SYSTEM also when there is nothing at that path. */
static enum gp_code
map_path(struct datafile *f, size_t max_bytes, struct gp_error *err)
{
	/* A fifo in that place is not waited for. */
	const int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum gp_code rc;

	if (fd < 0)
		return refused(f, err);
	rc = map_fd(f, fd, max_bytes, err);
	(void)close(fd);
	return rc;
}

enum gp_code
datafile_map(struct datafile *f, const char *name, size_t max_bytes,
	struct gp_error *err)
{
	static const char *const beside[] = { "", "../share/glmproxy/" };
	char folder[PATH_MAX];

	f->bytes = SPAN_EMPTY;
	for (size_t i = 0; i < ARRAY_LEN(beside) && own_folder(folder); i++) {
		const int n = snprintf(f->path, sizeof(f->path), "%s/%s%s",
			folder, beside[i], name);

		if (n > 0 && (size_t)n < sizeof(f->path) &&
			access(f->path, F_OK) == 0)
			return map_path(f, max_bytes, err);
	}
	(void)snprintf(f->path, sizeof(f->path), "%s/%s", DATAFILE_DIR, name);
	return map_path(f, max_bytes, err);
}

void
datafile_rest(const struct datafile *f)
{
	union {
		const char *from;
		void *to;
	} p = { .from = f->bytes.p };

	if (f->bytes.n > 0)
		(void)madvise(p.to, f->bytes.n, MADV_DONTNEED);
}

void
datafile_unmap(struct datafile *f)
{
	union {
		const char *from;
		void *to;
	} p = { .from = f->bytes.p };

	if (f->bytes.n > 0)
		(void)munmap(p.to, f->bytes.n);
	f->bytes = SPAN_EMPTY;
}
