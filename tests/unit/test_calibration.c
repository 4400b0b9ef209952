/* SPDX-License-Identifier: MIT */
/* test_calibration.c - learned ratios are saved beside the loop. */
#include "admin/calibration.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/sys/clock.h"
#include "tests/lib/t.h"

#define LONG_MS 20000

static char dir[64];
static struct conf conf;
static struct shm *shm;
static const struct link *admin;
static _Atomic bool hangs;
static _Atomic unsigned syncs;

/* Instead of the system's: a disk that does not come back. */
int
fsync(int fd)
{
	(void)fd;
	atomic_fetch_add(&syncs, 1);
	while (hangs)
		(void)poll(NULL, 0, 1);
	return 0;
}

static int
begin(void **state)
{
	static struct link link;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/glmproxy-calibration-XXXXXX");
	assert_non_null(mkdtemp(dir));
	shm = calloc(1, sizeof(*shm));
	assert_non_null(shm);
	conf.state_dir = span_cstr(dir);
	link = (struct link){ .conf = &conf, .shm = shm, .slot = 3 };
	admin = &link;
	hangs = false;
	syncs = 0;
	return 0;
}

static int
end(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/calibration", dir);
	(void)unlink(path);
	free(shm);
	return rmdir(dir);
}

static void
learn(const char *name, uint32_t ratio)
{
	calib_restore(calib_row(&shm->calib, span_cstr(name)), CALIB_QUICK,
		(struct calib_ratio){ ratio, 9 });
}

static void
wait_syncs(unsigned n)
{
	const int64_t until_ms = clock_mono_ms() + LONG_MS;

	while (syncs < n) {
		assert_true(clock_mono_ms() < until_ms);
		(void)poll(NULL, 0, 1);
	}
}

static bool
file_says(const char *name)
{
	char text[4096];
	char path[128];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/calibration", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return strstr(text, name) != NULL;
}

static void
test_saves(void **state)
{
	struct calibration k;

	(void)state;
	calibration_open(&k, admin);
	learn("openai/first", 70000);
	wait_syncs(1);
	/* Too soon for the next time, but it is the end. */
	learn("openai/second", 70000);
	assert_true(calibration_close(&k));
	assert_int_equal(syncs, 2);
	assert_true(file_says("openai/first"));
	assert_true(file_says("openai/second"));
	assert_false(k.has_warned);
	/* Nothing new: the file is left alone. */
	calibration_open(&k, admin);
	assert_true(calibration_close(&k));
	assert_int_equal(syncs, 2);
}

static void
test_disk_that_hangs(void **state)
{
	/* It stays in use. */
	static struct calibration k;
	int64_t begun_ms;

	(void)state;
	hangs = true;
	calibration_open(&k, admin);
	learn("openai/first", 70000);
	wait_syncs(1);
	/* Here the loop goes on. */
	begun_ms = clock_mono_ms();
	assert_false(calibration_close(&k));
	assert_in_range(clock_mono_ms() - begun_ms, 500, LONG_MS / 2);
	assert_false(file_says("openai/first"));
	hangs = false;
	assert_int_equal(pthread_join(k.thread, NULL), 0);
	assert_true(file_says("openai/first"));
	buf_fini(&k.saved);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_saves, begin, end),
		cmocka_unit_test_setup_teardown(
			test_disk_that_hangs, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
