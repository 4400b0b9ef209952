/* SPDX-License-Identifier: MIT */
/* conf_files.c - small files in a directory of the test's own. */
#include "tests/lib/conf_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/t.h"

static char dir[] = "/tmp/glmproxy-conf-XXXXXX";

int
conf_files_begin(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

int
conf_files_end(void **state)
{
	(void)state;
	return rmdir(dir);
}

const char *
conf_file_path(const char *name)
{
	static char paths[8][128];
	static size_t next;
	char *const path = paths[next++ % ARRAY_LEN(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

const char *
conf_file_make(const char *name, struct span text, mode_t mode)
{
	const char *const path = conf_file_path(name);
	const int fd =
		open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
	return path;
}

void
conf_file_remove(const char *name)
{
	assert_int_equal(unlink(conf_file_path(name)), 0);
}
