/* SPDX-License-Identifier: MIT */
/* test_proc.c - what a process does to itself. */
#include "tests/lib/t.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/sys/proc.h"

#define SELF_ENV "GLMPROXY_TEST_TITLE"

static char *program;

static const char *
self_env(void)
{
	return getenv(SELF_ENV); /* NOLINT(concurrency-mt-unsafe) */
}

/* Run fn in a child; its result is the exit code. */
static int
in_child(int (*fn)(void))
{
	int status;
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* --- title ---------------------------------------------------------------- */

static size_t
slurp(const char *path, char *out, size_t max)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;
	size_t all = 0;

	if (fd < 0)
		return 0;
	while (all < max && (n = read(fd, out + all, max - all)) > 0)
		all += (size_t)n;
	(void)close(fd);
	return all;
}

/* What the program does when it is started by test_title. The numbers say
 * which check failed. */
static int
title_child(int argc, char **argv)
{
	static char text[65536];
	struct span all;

	proc_title_init(argc, argv);
	/* Nobody need copy arguments or environment. */
	if (argc != 2 || strcmp(argv[1], "argument") != 0 || argv[2] != NULL)
		return 3;
	if (self_env() == NULL || strcmp(self_env(), "hidden") != 0)
		return 4;
	proc_title("glmproxy: worker %d of a long title %s", 3,
		"that is longer than the arguments were");
	all = span_of(text, slurp("/proc/self/cmdline", text, sizeof(text)));
	if (!span_starts(all, SPAN("glmproxy: worker 3 of a long title that")))
		return 5;
	proc_title("short");
	all = span_of(text, slurp("/proc/self/cmdline", text, sizeof(text)));
	if (!span_starts(all, SPAN("short\0")) ||
		span_find(all, SPAN("glmproxy")) < all.n)
		return 6;
	/* Keys in the environment must not stay readable there. */
	all = span_of(text, slurp("/proc/self/environ", text, sizeof(text)));
	return span_find(all, SPAN("hidden")) < all.n ? 7 : 0;
}

static int
exec_self(void)
{
	char argument[] = "argument";
	char hidden[] = SELF_ENV "=hidden";
	char other[] = "OTHER=a value that is long enough for the long title";
	char *const argv[] = { program, argument, NULL };
	char *const env[] = { hidden, other, NULL };

	(void)execve("/proc/self/exe", argv, env);
	return 2;
}

static void
test_title(void **state)
{
	(void)state;
	assert_int_equal(in_child(exec_self), 0);
}

/* --- limits and privileges ------------------------------------------------ */

static int
no_core(void)
{
	struct rlimit core;

	proc_no_core();
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0)
		return 1;
	return prctl(PR_GET_DUMPABLE) == 0 ? 0 : 2;
}

static int
max_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 1;
	files.rlim_cur = 20;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		return 2;
	if (proc_max_files() != files.rlim_max)
		return 3;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 4;
	return files.rlim_cur == files.rlim_max ? 0 : 5;
}

static void
test_limits(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_core), 0);
	assert_int_equal(in_child(max_files), 0);
}

static int
drop(void)
{
	struct gp_error err;
	gid_t groups[8];

	/* Of no effect, before and after. */
	if (proc_drop("", "", &err) != GP_OK || geteuid() != 0)
		return 1;
	if (proc_drop("no-such-user", "", &err) != GP_E_SYSTEM ||
		strstr(err.text, "no-such-user") == NULL)
		return 2;
	if (proc_drop("nobody", "no-such-group", &err) != GP_E_SYSTEM ||
		strstr(err.text, "no-such-group") == NULL)
		return 3;
	if (geteuid() != 0)
		return 4;
	if (proc_drop("nobody", "daemon", &err) != GP_OK)
		return 5;
	if (getuid() == 0 || geteuid() == 0 || getegid() == 0)
		return 6;
	if (getgroups(8, groups) != 0 || setuid(0) == 0)
		return 7;
	return proc_drop("root", "", &err) == GP_OK && geteuid() != 0 ? 0 : 8;
}

static void
test_drop(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(drop), 0);
}

static void
test_random(void **state)
{
	unsigned char a[512] = { 0 };
	unsigned char b[512] = { 0 };
	size_t zeros = 0;

	(void)state;
	proc_random(a, sizeof(a));
	proc_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		zeros += a[i] == 0;
	assert_true(zeros < 64); /* 2 are expected */
}

/* --- signals -------------------------------------------------------------- */

static void
let_in(void)
{
	sigset_t none;
	sigset_t before;

	assert_int_equal(sigemptyset(&none), 0);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &none, &before), 0);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

static void
test_signals(void **state)
{
	const int watched[] = { SIGUSR1, SIGTERM };
	struct sigaction sa;
	sigset_t mask;

	(void)state;
	proc_signals_watch(watched, 2);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_false(proc_signal_take(SIGUSR1));
	let_in();
	assert_false(proc_signal_take(SIGTERM));
	assert_true(proc_signal_take(SIGUSR1));
	assert_false(proc_signal_take(SIGUSR1));
	assert_int_equal(raise(SIGPIPE), 0); /* ignored */

	assert_int_equal(raise(SIGTERM), 0);
	let_in();
	proc_signals_reset();
	assert_false(proc_signal_take(SIGTERM));
	assert_int_equal(sigaction(SIGTERM, NULL, &sa), 0);
	assert_ptr_equal(sa.sa_handler, SIG_DFL);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_title),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_signals),
	};

	if (self_env() != NULL)
		return title_child(argc, argv);
	program = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
