/* SPDX-License-Identifier: MIT */
/* test_log.c - log lines, read back from a file in stderr's place. */
#include "tests/lib/t.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/sys/log.h"

static int file = -1;
static int kept_stderr = -1;
static char got[2 * LOG_LINE_MAX];

static void
capture(void)
{
	file = memfd_create("stderr", MFD_CLOEXEC);
	kept_stderr = dup(STDERR_FILENO);
	assert_true(file >= 0 && kept_stderr >= 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
}

/* What was written since capture. */
static const char *
captured(void)
{
	ssize_t n;

	assert_int_equal(dup2(kept_stderr, STDERR_FILENO), STDERR_FILENO);
	n = pread(file, got, sizeof(got) - 1, 0);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_int_equal(close(kept_stderr), 0);
	assert_int_equal(close(file), 0);
	return got;
}

/* The part behind the time, which must have its form. */
static const char *
without_time(const char *line)
{
	static const char form[] = "0000-00-00T00:00:00.000Z ";
	size_t i;

	for (i = 0; form[i] != '\0'; i++) {
		if (form[i] == '0')
			assert_true(line[i] >= '0' && line[i] <= '9');
		else
			assert_int_equal(line[i], form[i]);
	}
	return line + i;
}

static void
assert_line(const char *line, const char *level, const char *rest)
{
	char want[LOG_LINE_MAX + 64];

	(void)snprintf(want, sizeof(want), "%s unit[%ld]%s\n", level,
		(long)getpid(), rest);
	assert_string_equal(without_time(line), want);
}

static void
test_the_levels(void **state)
{
	static const struct {
		void (*fn)(const char *fmt, ...) GP_PRINTF(1, 2);
		const char *level, *rest;
		enum log_level at; /* shown from this level on */
	} cases[] = {
		{ log_debug, "debug", ": n=1", LOG_LEVEL_DEBUG },
		{ log_info, "info", ": n=1", LOG_LEVEL_INFO },
		{ log_warnx, "warn", ": n=1", LOG_LEVEL_WARN },
		{ log_warn, "warn", ": n=1: No such file or directory",
			LOG_LEVEL_WARN },
		{ log_errx, "err", ": n=1", LOG_LEVEL_ERR },
		{ log_err, "err", ": n=1: No such file or directory",
			LOG_LEVEL_ERR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		log_open("unit", cases[i].at, false);
		capture();
		errno = ENOENT;
		cases[i].fn("n=%d", 1);
		assert_int_equal(errno, ENOENT);
		assert_line(captured(), cases[i].level, cases[i].rest);
		if (cases[i].at == LOG_LEVEL_ERR)
			continue;
		log_set_level((enum log_level)(cases[i].at - 1), false);
		capture();
		cases[i].fn("n=%d", 1);
		assert_string_equal(captured(), "");
	}
	log_set_level(LOG_LEVEL_DEBUG, false);
	assert_true(log_is_debug());
	log_set_level(LOG_LEVEL_INFO, false);
	assert_false(log_is_debug());
}

static void
test_the_context(void **state)
{
	(void)state;
	log_open("unit", LOG_LEVEL_INFO, false);
	capture();
	log_context("req=5f");
	log_info("a");
	log_context(NULL);
	assert_line(captured(), "info", " req=5f: a");
	capture();
	log_info("b");
	assert_line(captured(), "info", ": b");
}

static void
test_what_could_drive_a_terminal_is_replaced(void **state)
{
	(void)state;
	log_open("unit", LOG_LEVEL_INFO, false);
	capture();
	log_info("%s",
		"a\nb\r\t\x1b[1m\x7f \xc3\xa4 \xe2\x82\xac "
		"\xf0\x9f\x98\x80 \xc2\x9b \xff \xe2\x82");
	assert_line(captured(), "info",
		": a?b???[1m? \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"
		" ?? ? ??");
}

static void
test_json(void **state)
{
	char want[256];
	const char *line;

	(void)state;
	log_open("unit", LOG_LEVEL_INFO, true);
	capture();
	log_context("a\"b");
	log_warnx("say \"x\\\" \n\xff");
	log_context(NULL);
	line = captured();
	assert_memory_equal(line, "{\"time\":\"", 9);
	(void)without_time("2026-01-01T00:00:00.000Z ");
	(void)snprintf(want, sizeof(want),
		"\",\"level\":\"warn\",\"process\":\"unit\",\"pid\":%ld,"
		"\"context\":\"a\\\"b\",\"message\":"
		"\"say \\\"x\\\\\\\" ??\"}\n",
		(long)getpid());
	assert_string_equal(line + 9 + 24, want);
}

static void
test_a_long_line_is_cut(void **state)
{
	char *const quotes = t_repeat("\"", 3000);
	char *const euros = t_repeat("\xe2\x82\xac", 1000);

	(void)state;
	for (int as_json = 0; as_json < 2; as_json++) {
		const char *line;
		size_t n;

		log_open("unit", LOG_LEVEL_INFO, as_json);
		capture();
		log_info("%s", quotes);
		line = captured();
		n = strlen(line);
		assert_true(n <= LOG_LINE_MAX && n > LOG_LINE_MAX - 16);
		assert_int_equal(line[n - 1], '\n');
		/* Still an object, and no escape is torn. */
		if (as_json)
			assert_string_equal(line + n - 5, "\\\"\"}\n");
		capture();
		log_info("%s", euros);
		line = captured();
		n = strlen(line);
		assert_true(n <= LOG_LINE_MAX && n > LOG_LINE_MAX - 16);
		assert_memory_equal(
			line + n - (as_json ? 6 : 4), "\xe2\x82\xac", 3);
	}
	free(quotes);
	free(euros);
}

static void
test_fatal_logs_and_exits(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	log_open("unit", LOG_LEVEL_INFO, false);
	capture();
	pid = fork();
	if (pid == 0) {
		errno = EACCES;
		fatal(LOG_EXIT_BARRED, "it %s", "ends");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), LOG_EXIT_BARRED);
	assert_non_null(strstr(captured(), "]: it ends: Permission denied\n"));
	capture();
	pid = fork();
	if (pid == 0)
		fatalx(7, "it ends");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_non_null(strstr(captured(), "]: it ends\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_levels),
		cmocka_unit_test(test_the_context),
		cmocka_unit_test(test_what_could_drive_a_terminal_is_replaced),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_a_long_line_is_cut),
		cmocka_unit_test(test_fatal_logs_and_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
