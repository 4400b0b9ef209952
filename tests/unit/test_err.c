/* SPDX-License-Identifier: MIT */
/* test_err.c - the error type and the last words. */
#include "tests/lib/t.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/base/utf8.h"

static void
test_fail(void **state)
{
	struct gp_error err;

	(void)state;
	memset(&err, 'x', sizeof(err));
	assert_int_equal(
		gp_fail(&err, GP_E_SCHEMA, "%s is %d", "n", 3), GP_E_SCHEMA);
	assert_int_equal(err.code, GP_E_SCHEMA);
	assert_string_equal(err.text, "n is 3");
	assert_string_equal(err.param, "");
	assert_null(err.reason);
	assert_int_equal(gp_fail_at(&err, GP_E_LIMIT, "messages[%d].role", 7),
		GP_E_SCHEMA);
	assert_string_equal(err.param, "messages[7].role");
	assert_string_equal(err.text, "n is 3");
	assert_int_equal(gp_fail(NULL, GP_E_PEER, "%s", "x"), GP_E_PEER);
	assert_int_equal(gp_fail_at(NULL, GP_E_PEER, "x"), GP_E_PEER);
}

/* What a peer chose must not reach logs and answers as it is. */
static void
test_text_is_presentable(void **state)
{
	struct gp_error err;

	(void)state;
	(void)gp_fail(&err, GP_E_SCHEMA, "a\nb\x1b[0m\xff\xc3\xa4\xc3");
	assert_string_equal(err.text, "a?b?[0m?\xc3\xa4?");
	(void)gp_fail_at(&err, GP_E_SCHEMA, "k\r\n\x80");
	assert_string_equal(err.param, "k???");
}

/* Long text is cut, never in the middle of a character. */
static void
test_cut(void **state)
{
	char *const euros = t_repeat("\xe2\x82\xac", 400);
	struct gp_error err;

	(void)state;
	for (int pad = 0; pad < 4; pad++) {
		size_t n;

		(void)gp_fail(&err, GP_E_SCHEMA, "%.*s%s", pad, "xxxx", euros);
		n = strlen(err.text);
		assert_in_range(
			n, GP_ERROR_TEXT_MAX - 3, GP_ERROR_TEXT_MAX - 1);
		assert_int_equal(utf8_valid_len(span_cstr(err.text)), n);
		(void)gp_fail_at(
			&err, GP_E_SCHEMA, "%.*s%s", pad, "xxxx", euros);
		n = strlen(err.param);
		assert_in_range(
			n, GP_ERROR_PARAM_MAX - 3, GP_ERROR_PARAM_MAX - 1);
		assert_int_equal(utf8_valid_len(span_cstr(err.param)), n);
	}
	free(euros);
}

static void
test_table(void **state)
{
	(void)state;
	assert_int_equal(gp_code_status(GP_OK), 200);
	assert_int_equal(gp_code_status(GP_E_SYNTAX), 400);
	assert_int_equal(gp_code_status(GP_E_LIMIT), 413);
	assert_int_equal(gp_code_status(GP_E_SYSTEM), 500);
	assert_string_equal(gp_code_name(GP_E_CLOSED), "GP_E_CLOSED");
	for (int c = 0; c < GP_CODE_COUNT; c++) {
		assert_true(strlen(gp_code_sentence((enum gp_code)c)) > 0);
		assert_in_range(gp_code_status((enum gp_code)c), 200, 599);
	}
	assert_dies(gp_code_name(GP_CODE_COUNT));
}

static int hook_fd;

static void
hook(const char *words)
{
	(void)!write(hook_fd, words, strlen(words));
	/* A second failure inside must end the process, not loop. */
	GP_ASSERT(words == NULL);
}

static void
test_last_words(void **state)
{
	char got[200] = "";
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		hook_fd = fds[1];
		check_set_hook(hook);
		GP_ASSERT(1 + 1 == 3);
		_exit(0);
	}
	(void)close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_true(read(fds[0], got, sizeof(got) - 1) > 0);
	(void)close(fds[0]);
	assert_non_null(strstr(got, "1 + 1 == 3"));
	assert_non_null(strstr(got, "test_err.c:"));
	assert_null(strstr(got, "words"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_text_is_presentable),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_last_words),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
