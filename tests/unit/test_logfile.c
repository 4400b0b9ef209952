/* SPDX-License-Identifier: MIT */
/* test_logfile.c - log files: names, what is to go, rotation, compression. */
#include "shared/sys/logfile.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "shared/sys/logdir.h"
#include "shared/sys/loggzip.h"
#include "tests/lib/t.h"

#define NOW 1793534400 /* 2026-11-01T12:00:00Z */
#define DAY 86400

static char path[64];
static int dir_fd;

static int
begin(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/glmproxy-logfile-XXXXXX");
	assert_non_null(mkdtemp(path));
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir_fd >= 0);
	return 0;
}

static int
end(void **state)
{
	struct logdir_list l;
	struct gp_error err;

	(void)state;
	assert_ok(logdir_scan(dir_fd, &l, &err), &err);
	for (size_t i = 0; i < l.n; i++)
		(void)unlinkat(dir_fd, l.v[i].name, 0);
	logdir_list_free(&l);
	(void)close(dir_fd);
	assert_int_equal(rmdir(path), 0);
	return 0;
}

static void
make(const char *name, struct span text)
{
	const int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	(void)close(fd);
}

static bool
is_there(const char *name)
{
	return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
assert_content(const char *name, struct span want)
{
	static char room[4u << 20];
	char file[160];
	gzFile f;
	int n;

	/* Reads what is not compressed, too. */
	(void)snprintf(file, sizeof(file), "%s/%s", path, name);
	f = gzopen(file, "rb");
	assert_non_null(f);
	n = gzread(f, room, sizeof(room));
	assert_int_equal(gzclose(f), Z_OK);
	assert_true(n >= 0);
	assert_spans_eq(span_of(room, (size_t)n), want);
}

static unsigned
mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir_fd, name, &st, 0), 0);
	return st.st_mode & 07777;
}

/* --- names ---------------------------------------------------------------- */

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		struct logname is;
	} good[] = {
		{ "upstream_requests.json",
			{ LOG_REQUESTS, LOG_CURRENT, 0, 0 } },
		{ "upstream_responses.20261101_120000.json",
			{ LOG_RESPONSES, LOG_ROTATED, NOW, 0 } },
		{ "performance_metrics.20261101_120000_01.json",
			{ LOG_PERFORMANCE, LOG_ROTATED, NOW, 1 } },
		{ "error_logs.20261101_120000_99.json.gz",
			{ LOG_ERRORS, LOG_COMPRESSED, NOW, 99 } },
		{ "error_logs.20261101_120000.json.gz.tmp",
			{ LOG_ERRORS, LOG_PARTIAL, NOW, 0 } },
		{ "server.log", { LOG_SERVER, LOG_CURRENT, 0, 0 } },
		{ "server.20261101_120000.log.gz",
			{ LOG_SERVER, LOG_COMPRESSED, NOW, 0 } },
	};

	static const char *const bad[] = { "", ".", "upstream_requests",
		"upstream_requests.json.gz", "upstream_requests.json.1",
		"upstream_requests.log", "server.json", "requests.json",
		"upstream_requests.20261101_120000.json.bak",
		"upstream_requests.20261101_120000.json.gz.gz",
		"upstream_requests.20261101_120000.log",
		"upstream_requests.20261101-120000.json",
		"upstream_requests.2026111_120000.json",
		"upstream_requests.20261301_120000.json",
		"upstream_requests.20260231_120000.json",
		"upstream_requests.20261101_250000.json",
		"upstream_requests.20261101_120000_00.json",
		"upstream_requests.20261101_120000_1.json",
		"upstream_requests.20261101_120000_100.json",
		"upstream_requests.00000101_000000.json",
		"upstream_requests.2026110+_120000.json",
		"upstream_requests..json", "xupstream_requests.json",
		"upstream_requests.jsonx", "Upstream_requests.json" };
	struct logname got;
	char again[LOGNAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(logname_read(good[i].name, &got));
		assert_int_equal(got.log, good[i].is.log);
		assert_int_equal(got.state, good[i].is.state);
		assert_int_equal(got.rotated_wall_s, good[i].is.rotated_wall_s);
		assert_int_equal(got.again, good[i].is.again);
		logname_write(&got, again);
		assert_string_equal(again, good[i].name);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (logname_read(bad[i], &got))
			fail_msg("%s is taken for one of ours", bad[i]);
}

/* --- what is to go -------------------------------------------------------- */

#define E(stamp) "error_logs." stamp ".json"

static const struct {
	const char *name;
	enum logdir_fate fate;
} crowd[] = {
	{ "error_logs.json", LOGDIR_KEEP },
	{ E("20261101_115959_02"), LOGDIR_COMPRESS },
	{ E("20261101_115959_01") ".gz", LOGDIR_KEEP },
	{ E("20261101_115959_01"), LOGDIR_LEFTOVER },
	{ E("20261101_115959"), LOGDIR_COMPRESS },
	{ E("20261030_000000") ".gz.tmp", LOGDIR_LEFTOVER },
	{ E("20261029_000000") ".gz", LOGDIR_TOO_MANY },
	{ E("20260901_000000") ".gz", LOGDIR_TOO_OLD },
	{ "server.log", LOGDIR_KEEP },
	{ "server.20261101_115930.log", LOGDIR_KEEP },
	{ "server.20261101_115900.log", LOGDIR_COMPRESS },
};

static void
test_judging(void **state)
{
	static const struct logdir_rules rules = { .compresses = true,
		.settle_s = 60,
		.retention_s = 30 * DAY,
		.backup_count = 3 };
	static const struct logdir_rules lax = { .compresses = false };
	struct logdir_list l;
	struct gp_error err;

	(void)state;
	/* Made in another order than they are to be found. */
	for (size_t i = ARRAY_LEN(crowd); i-- > 0;)
		make(crowd[i].name, SPAN("x\n"));
	make("error_logs.json.1", SPAN("not ours"));
	assert_int_equal(mkdirat(dir_fd, E("20200101_000000"), 0700), 0);
	assert_int_equal(
		symlinkat("/etc/passwd", dir_fd, E("20200102_000000")), 0);
	assert_ok(logdir_scan(dir_fd, &l, &err), &err);
	assert_int_equal(l.n, ARRAY_LEN(crowd));
	logdir_judge(&l, &rules, NOW);
	for (size_t i = 0; i < l.n; i++) {
		assert_string_equal(l.v[i].name, crowd[i].name);
		assert_int_equal(l.v[i].bytes, 2);
		if (l.v[i].fate != crowd[i].fate)
			fail_msg("%s: %s", l.v[i].name,
				logdir_fate_text(l.v[i].fate));
	}
	/* No limits, no compression: only what is left over goes. */
	logdir_judge(&l, &lax, NOW);
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(l.v[i].fate,
			crowd[i].fate == LOGDIR_LEFTOVER ? LOGDIR_LEFTOVER :
							   LOGDIR_KEEP);
	for (size_t i = 0; i < l.n; i++)
		assert_ok(logdir_remove(dir_fd, &l.v[i], &err), &err);
	assert_ok(logdir_remove(dir_fd, &l.v[0], &err), &err);
	logdir_list_free(&l);
	assert_true(is_there("error_logs.json.1"));
	assert_int_equal(unlinkat(dir_fd, "error_logs.json.1", 0), 0);
	assert_int_equal(unlinkat(dir_fd, E("20200102_000000"), 0), 0);
	assert_int_equal(
		unlinkat(dir_fd, E("20200101_000000"), AT_REMOVEDIR), 0);
}

/* A clock that was years ahead is right again. */
static void
test_future(void **state)
{
	static const struct logdir_rules rules = { .backup_count = 3 };

	static const struct {
		const char *name;
		enum logdir_fate fate;
	} want[] = {
		{ E("20360101_000001"), LOGDIR_KEEP },
		{ E("20360101_000000"), LOGDIR_TOO_MANY },
		/* Half a day ahead: one of the newest all the same. */
		{ E("20261102_000000"), LOGDIR_KEEP },
		{ E("20261101_115900"), LOGDIR_KEEP },
	};
	struct logdir_list l;
	struct gp_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		make(want[i].name, SPAN("{}\n"));
	assert_ok(logdir_scan(dir_fd, &l, &err), &err);
	logdir_judge(&l, &rules, NOW);
	assert_int_equal(l.n, ARRAY_LEN(want));
	for (size_t i = 0; i < l.n; i++) {
		assert_string_equal(l.v[i].name, want[i].name);
		assert_int_equal(l.v[i].fate, want[i].fate);
	}
	logdir_list_free(&l);
}

static void
test_lock(void **state)
{
	struct gp_error err;
	const int other = logdir_open(path, &err);

	(void)state;
	assert_true(other >= 0);
	assert_true(logdir_try_lock(dir_fd));
	assert_false(logdir_try_lock(other));
	logdir_unlock(dir_fd);
	assert_true(logdir_try_lock(other));
	(void)close(other);
	assert_true(logdir_try_lock(dir_fd));
	logdir_unlock(dir_fd);
	assert_int_equal(logdir_open("/nowhere", &err), -1);
	assert_fails(err.code, GP_E_SYSTEM, &err, "/nowhere");
}

/* --- writing -------------------------------------------------------------- */

static void
open_file(struct logfile *f, int64_t repaired)
{
	struct gp_error err;
	int64_t got;

	assert_ok(logfile_open(f, &got, &err), &err);
	assert_int_equal(got, repaired);
}

/* A crash leaves the last line cut anywhere. */
static void
test_half_lines(void **state)
{
	static const struct span whole = SPAN_INIT("{\"a\":1}\n{\"b\":22}\n");
	const size_t first = 8;
	struct logfile f;
	struct gp_error err;

	(void)state;
	for (size_t n = 0; n <= whole.n; n++) {
		const size_t kept = n == whole.n ? n : n < first ? 0 : first;

		make("error_logs.json", span_head(whole, n));
		logfile_init(&f, dir_fd, LOG_ERRORS, 0640);
		open_file(&f, (int64_t)(n - kept));
		assert_int_equal(f.bytes, kept);
		assert_ok(logfile_put(&f, SPAN("c\n"), &err), &err);
		logfile_close(&f);
		assert_int_equal(f.bytes, kept + 2);
		if (kept == 0)
			assert_content("error_logs.json", SPAN("c\n"));
		else if (kept == first)
			assert_content(
				"error_logs.json", SPAN("{\"a\":1}\nc\n"));
		else
			assert_content("error_logs.json",
				SPAN("{\"a\":1}\n{\"b\":22}\nc\n"));
	}
}

/* The half line is longer than what is read at once; zeros are none. */
static void
test_long_half_line(void **state)
{
	char *const long_line = t_repeat("0123456789", 1000);
	struct logfile f;
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	buf_puts(&b, "{}\n");
	buf_puts(&b, long_line);
	make("error_logs.json", buf_span(&b));
	logfile_init(&f, dir_fd, LOG_ERRORS, 0640);
	open_file(&f, 10000);
	logfile_close(&f);
	assert_content("error_logs.json", SPAN("{}\n"));
	make("error_logs.json", SPAN("{}\n\0\0\0"));
	open_file(&f, 3);
	logfile_close(&f);
	assert_content("error_logs.json", SPAN("{}\n"));
	buf_fini(&b);
	free(long_line);
}

static void
test_modes(void **state)
{
	struct logfile f;

	(void)state;
	(void)umask(022);
	logfile_init(&f, dir_fd, LOG_REQUESTS, 0640);
	open_file(&f, 0);
	assert_int_equal(mode_of("upstream_requests.json"), 0640);
	logfile_close(&f);
	/* Bodies are to be in it from now on. */
	f.mode = 0600;
	open_file(&f, 0);
	assert_int_equal(mode_of("upstream_requests.json"), 0600);
	logfile_close(&f);
	/* They are in it still. */
	f.mode = 0640;
	open_file(&f, 0);
	assert_int_equal(mode_of("upstream_requests.json"), 0600);
	logfile_close(&f);
}

/* What does not fit is taken back, so that no half line stays. */
static void
test_full_disk(void **state)
{
	struct rlimit was, limit;
	struct logfile f;
	struct gp_error err;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	logfile_init(&f, dir_fd, LOG_ERRORS, 0640);
	open_file(&f, 0);
	assert_ok(logfile_put(&f, SPAN("0123456\n"), &err), &err);
	limit = was;
	limit.rlim_cur = 12;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_fails(logfile_put(&f, SPAN("abcdefg\n"), &err), GP_E_SYSTEM,
		&err, "write error_logs.json");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_content("error_logs.json", SPAN("0123456\n"));
	assert_ok(logfile_put(&f, SPAN("abcdefg\n"), &err), &err);
	logfile_close(&f);
	assert_content("error_logs.json", SPAN("0123456\nabcdefg\n"));
}

static void
test_no_file(void **state)
{
	struct logfile f;
	struct gp_error err;
	int64_t repaired;

	(void)state;
	logfile_init(&f, dir_fd, LOG_ERRORS, 0640);
	assert_int_equal(symlinkat("elsewhere", dir_fd, "error_logs.json"), 0);
	assert_fails(logfile_open(&f, &repaired, &err), GP_E_SYSTEM, &err,
		"open error_logs.json");
	assert_int_equal(unlinkat(dir_fd, "error_logs.json", 0), 0);
	assert_int_equal(mkfifoat(dir_fd, "error_logs.json", 0600), 0);
	assert_fails(logfile_open(&f, &repaired, &err), GP_E_SYSTEM, &err,
		"not a regular file");
	assert_int_equal(f.fd, -1);
	assert_int_equal(unlinkat(dir_fd, "error_logs.json", 0), 0);
}

/* --- rotation ------------------------------------------------------------- */

static void
put_and_rotate(struct logfile *f, const char *text, const char *want)
{
	char name[LOGNAME_MAX];
	struct gp_error err;

	open_file(f, 0);
	assert_ok(logfile_put(f, span_cstr(text), &err), &err);
	assert_true(logfile_is_at_its_name(f));
	assert_ok(logfile_rotate(f, NOW, name, &err), &err);
	assert_string_equal(name, want);
	assert_content(want, span_cstr(text));
	assert_false(is_there("error_logs.json"));
}

static void
test_rotation(void **state)
{
	struct logfile f;
	struct gp_error err;
	char name[LOGNAME_MAX];

	(void)state;
	logfile_init(&f, dir_fd, LOG_ERRORS, 0640);
	put_and_rotate(&f, "1\n", E("20261101_120000"));
	put_and_rotate(&f, "2\n", E("20261101_120000_01"));
	/* A name is not given again, compressed or gone as it may be. */
	assert_int_equal(renameat(dir_fd, E("20261101_120000_01"), dir_fd,
				 E("20261101_120000_01") ".gz"),
		0);
	assert_int_equal(unlinkat(dir_fd, E("20261101_120000"), 0), 0);
	put_and_rotate(&f, "3\n", E("20261101_120000_02"));
	make(E("20261101_120000_98") ".gz.tmp", SPAN(""));
	put_and_rotate(&f, "4\n", E("20261101_120000_99"));
	open_file(&f, 0);
	assert_fails(logfile_rotate(&f, NOW, name, &err), GP_E_LIMIT, &err,
		"too often");
	assert_ok(logfile_rotate(&f, NOW + 1, name, &err), &err);
	assert_string_equal(name, E("20261101_120001"));
}

static void
test_moved_away(void **state)
{
	struct logfile f;

	(void)state;
	logfile_init(&f, dir_fd, LOG_ERRORS, 0640);
	open_file(&f, 0);
	assert_true(logfile_is_at_its_name(&f));
	assert_int_equal(renameat(dir_fd, "error_logs.json", dir_fd,
				 E("20261101_120000")),
		0);
	assert_false(logfile_is_at_its_name(&f));
	make("error_logs.json", SPAN("other\n"));
	assert_false(logfile_is_at_its_name(&f));
	logfile_close(&f);
}

/* --- compression ---------------------------------------------------------- */

static const struct logname rotated = { LOG_ERRORS, LOG_ROTATED, NOW, 0 };

static char *
many_lines(size_t n)
{
	char *const all = malloc(n * 32 + 1);
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(all + at, 32, "{\"n\":%zu}\n", i * 7919);
	return all;
}

static void
test_gzip(void **state)
{
	char *const lines = many_lines(50000);
	enum loggzip_result r = LOGGZIP_MORE;
	struct loggzip z;
	struct gp_error err;
	struct stat was, is;
	int steps = 0;

	(void)state;
	make(E("20261101_120000"), span_cstr(lines));
	assert_int_equal(fchmodat(dir_fd, E("20261101_120000"), 0600, 0), 0);
	assert_int_equal(fstatat(dir_fd, E("20261101_120000"), &was, 0), 0);
	/* Half of one that was broken off. */
	make(E("20261101_120000") ".gz.tmp", SPAN("junk"));
	assert_ok(loggzip_begin(&z, dir_fd, &rotated, &err), &err);
	while (r == LOGGZIP_MORE) {
		/* Until the end nothing has the final name. */
		assert_false(is_there(E("20261101_120000") ".gz"));
		assert_true(is_there(E("20261101_120000")));
		r = loggzip_step(&z, 100000, &err);
		steps++;
	}
	assert_int_equal(r, LOGGZIP_DONE);
	assert_true(steps > 3);
	assert_int_equal(z.read_bytes, strlen(lines));
	assert_true(z.written_bytes < z.read_bytes / 2);
	assert_false(is_there(E("20261101_120000")));
	assert_false(is_there(E("20261101_120000") ".gz.tmp"));
	assert_content(E("20261101_120000") ".gz", span_cstr(lines));
	assert_int_equal(fstatat(dir_fd, z.to, &is, 0), 0);
	assert_int_equal(is.st_size, z.written_bytes);
	assert_int_equal(is.st_mode & 07777, 0600);
	assert_int_equal(is.st_mtime, was.st_mtime);
	free(lines);
}

static void
test_gzip_of_nothing(void **state)
{
	struct loggzip z;
	struct gp_error err;

	(void)state;
	make(E("20261101_120000"), SPAN(""));
	assert_ok(loggzip_begin(&z, dir_fd, &rotated, &err), &err);
	assert_int_equal(loggzip_step(&z, 1, &err), LOGGZIP_DONE);
	assert_content(E("20261101_120000") ".gz", SPAN(""));
}

static void
test_gzip_of_a_pipe(void **state)
{
	struct loggzip z;
	struct gp_error err;

	(void)state;
	assert_int_equal(mkfifoat(dir_fd, E("20261101_120000"), 0600), 0);
	(void)alarm(20);
	assert_fails(loggzip_begin(&z, dir_fd, &rotated, &err), GP_E_SYSTEM,
		&err, "not a regular file");
	(void)alarm(0);
	assert_int_equal(unlinkat(dir_fd, E("20261101_120000"), 0), 0);
	assert_false(is_there(E("20261101_120000") ".gz.tmp"));
}

static void
test_gzip_broken_off(void **state)
{
	char *const lines = many_lines(50000);
	struct loggzip z;
	struct gp_error err;

	(void)state;
	assert_fails(loggzip_begin(&z, dir_fd, &rotated, &err), GP_E_SYSTEM,
		&err, "open error_logs");
	make(E("20261101_120000"), span_cstr(lines));
	assert_ok(loggzip_begin(&z, dir_fd, &rotated, &err), &err);
	assert_int_equal(loggzip_step(&z, 100000, &err), LOGGZIP_MORE);
	assert_true(is_there(z.temporary));
	loggzip_cancel(&z);
	assert_false(is_there(z.temporary));
	assert_content(E("20261101_120000"), span_cstr(lines));
	free(lines);
}

static void
test_gzip_full_disk(void **state)
{
	char *const lines = many_lines(50000);
	enum loggzip_result r = LOGGZIP_MORE;
	struct rlimit was, limit;
	struct loggzip z;
	struct gp_error err;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	make(E("20261101_120000"), span_cstr(lines));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = was;
	limit.rlim_cur = 20000;
	assert_ok(loggzip_begin(&z, dir_fd, &rotated, &err), &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (r == LOGGZIP_MORE)
		r = loggzip_step(&z, 100000, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(r, LOGGZIP_FAILED);
	assert_fails(err.code, GP_E_SYSTEM, &err, "write error_logs");
	assert_false(is_there(z.temporary));
	assert_false(is_there(z.to));
	assert_content(E("20261101_120000"), span_cstr(lines));
	free(lines);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		T(test_judging),
		T(test_future),
		T(test_lock),
		T(test_half_lines),
		T(test_long_half_line),
		T(test_modes),
		T(test_full_disk),
		T(test_no_file),
		T(test_rotation),
		T(test_moved_away),
		T(test_gzip),
		T(test_gzip_of_nothing),
		T(test_gzip_of_a_pipe),
		T(test_gzip_broken_off),
		T(test_gzip_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
