/* SPDX-License-Identifier: MIT */
/* test_master.c - the whole master over workers that do as they are told. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/commands.h"
#include "master/master.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "shared/sys/proc.h"
#include "tests/lib/t.h"

#define DEADLINE_MS 30000
#define LOG_MAX     65536

/* --- the children: what they do stands in memory that the test shares ----- */

enum behaviour {
	SERVE,
	BAR,
	DIE_EARLY,
	STAY
};

struct orders {
	_Atomic int worker, admin; /* enum behaviour of the next to start */
	_Atomic int workers_ready; /* ready ones so far */
};

static struct orders *orders;

static _Noreturn void
obey(const struct link *link, enum behaviour b)
{
	static const int signals[] = { SIGTERM, SIGQUIT, SIGWINCH };

	if (b == BAR)
		_exit(LOG_EXIT_BARRED);
	if (b == DIE_EARLY)
		_exit(1);
	/* Blocked until poll: a signal that comes in between is not lost. */
	proc_signals_watch(signals, ARRAY_LEN(signals));
	link_ready(link);
	for (;;) {
		struct pollfd dead = { .fd = link->dead_fd, .events = POLLIN };
		const struct timespec beat = { .tv_nsec = 50000000 };
		sigset_t none;

		link_beat(link, clock_mono_ms());
		(void)sigemptyset(&none);
		if (ppoll(&dead, 1, &beat, &none) > 0 ||
			proc_signal_take(SIGQUIT))
			_exit(0);
		if ((proc_signal_take(SIGTERM) || proc_signal_take(SIGWINCH)) &&
			b != STAY)
			_exit(0);
	}
}

_Noreturn void
worker_main(const struct link *link)
{
	const int b = atomic_load(&orders->worker);

	if (b == SERVE || b == STAY)
		atomic_fetch_add(&orders->workers_ready, 1);
	obey(link, (enum behaviour)b);
}

_Noreturn void
admin_main(const struct link *link)
{
	obey(link, (enum behaviour)atomic_load(&orders->admin));
}

/* --- a master in a process of its own ------------------------------------- */

struct fixture {
	char dir[64];
	char conf[128];
	char log_path[128];
	char log[LOG_MAX];
	pid_t pid;
};

static void
write_conf(struct fixture *f, const char *workers)
{
	FILE *const file = fopen(f->conf, "w");

	assert_non_null(file);
	(void)fprintf(file,
		"listen = 127.0.0.1:0\nadmin_listen = 127.0.0.1:0\n"
		"workers = %s\nupstream_base = http://127.0.0.1:1/a\n"
		"openai_upstream_base = http://127.0.0.1:1/o\n"
		"stop_timeout_s = 1\ndrain_timeout_s = 0\n"
		"state_dir = %s/state\nlog_dir = %s/log\npid_file = %s/pid\n",
		workers, f->dir, f->dir, f->dir);
	assert_int_equal(fclose(file), 0);
}

static int
setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	(void)snprintf(f.dir, sizeof(f.dir), "/tmp/glmproxy-master-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	(void)snprintf(f.conf, sizeof(f.conf), "%s/conf", f.dir);
	(void)snprintf(f.log_path, sizeof(f.log_path), "%s/log.txt", f.dir);
	orders = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(orders != MAP_FAILED);
	write_conf(&f, "2");
	*state = &f;
	return 0;
}

static _Noreturn void
be_master(const struct fixture *f)
{
	static struct sources sources;
	const struct master_options options = {
		.sources = &sources,
		.program = "/nonexistent",
		.started_fd = -1,
	};
	const int fd = open(f->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(99);
	sources_init(&sources);
	sources_set_file(&sources, f->conf);
	_exit(master_run(&options));
}

static void
start(struct fixture *f)
{
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0)
		be_master(f);
}

static const char *
log_text(struct fixture *f)
{
	const int fd = open(f->log_path, O_RDONLY);
	const ssize_t n = fd < 0 ? 0 : read(fd, f->log, LOG_MAX - 1);

	if (fd >= 0)
		(void)close(fd);
	f->log[n > 0 ? n : 0] = '\0';
	return f->log;
}

#define wait_for(f, condition)                                                 \
	do {                                                                   \
		const int64_t until_ms = clock_mono_ms() + DEADLINE_MS;        \
		while (!(condition)) {                                         \
			if (clock_mono_ms() > until_ms)                        \
				fail_msg("never: %s\n%s", #condition,          \
					log_text(f));                          \
			(void)poll(NULL, 0, 2);                                \
		}                                                              \
	} while (0)

/* Its exit code. */
static int
ended(struct fixture *f)
{
	int status = 0;

	wait_for(f, waitpid(f->pid, &status, WNOHANG) == f->pid);
	f->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

static int
teardown(void **state)
{
	struct fixture *const f = *state;
	static const char *const names[] = { "conf", "log.txt", "pid", "state",
		"log" };
	char path[192];

	if (f->pid != 0) {
		(void)kill(f->pid, SIGKILL);
		(void)waitpid(f->pid, NULL, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		(void)remove(path);
	}
	(void)rmdir(f->dir);
	(void)munmap(orders, sizeof(*orders));
	return 0;
}

static bool
says(struct fixture *f, const char *text)
{
	return strstr(log_text(f), text) != NULL;
}

/* --- tests ---------------------------------------------------------------- */

static void
test_serves_and_stops(void **state)
{
	struct fixture *const f = *state;

	start(f);
	wait_for(f, says(f, "ready: 2 workers, generation 1"));
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	assert_int_equal(ended(f), EXIT_DONE);
	assert_true(says(f, "stopped"));
	assert_false(says(f, " err "));
}

static void
test_all_barred_is_exit_2(void **state)
{
	struct fixture *const f = *state;

	atomic_store(&orders->worker, BAR);
	start(f);
	assert_int_equal(ended(f), EXIT_BARRED);
	assert_true(says(f, "no worker can run"));
}

static void
test_failed_admin_does_not_hold_the_service_up(void **state)
{
	struct fixture *const f = *state;

	atomic_store(&orders->admin, BAR);
	start(f);
	wait_for(f, says(f, "ready: 2 workers, generation 1"));
	wait_for(f, says(f, "admin"));
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	assert_int_equal(ended(f), EXIT_DONE);
}

static void
reload_that_fails(struct fixture *f, enum behaviour b)
{
	start(f);
	wait_for(f, says(f, "generation 1"));
	atomic_store(&orders->worker, b);
	write_conf(f, "3");
	assert_int_equal(kill(f->pid, SIGHUP), 0);
	wait_for(f, says(f, "reload refused, the old configuration stays"));
	/* The next one that can run is taken. */
	atomic_store(&orders->worker, SERVE);
	assert_int_equal(kill(f->pid, SIGHUP), 0);
	wait_for(f, says(f, "ready: 3 workers"));
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	assert_int_equal(ended(f), EXIT_DONE);
	assert_false(says(f, "no worker can run"));
}

static void
test_reload_whose_workers_die(void **state)
{
	reload_that_fails(*state, DIE_EARLY);
}

static void
test_reload_whose_workers_are_barred(void **state)
{
	reload_that_fails(*state, BAR);
}

static void
test_workers_that_stay_are_killed(void **state)
{
	struct fixture *const f = *state;

	atomic_store(&orders->worker, STAY);
	start(f);
	wait_for(f, says(f, "generation 1"));
	assert_int_equal(kill(f->pid, SIGHUP), 0);
	wait_for(f, says(f, "ready: 2 workers, generation 2"));
	/* The drain time is over at once. */
	wait_for(f, says(f, "has not left in time"));
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	assert_int_equal(ended(f), EXIT_DONE);
}

static void
test_early_deaths_are_tried_again(void **state)
{
	struct fixture *const f = *state;

	atomic_store(&orders->worker, DIE_EARLY);
	start(f);
	wait_for(f, says(f, "died: exit code 1"));
	atomic_store(&orders->worker, SERVE);
	wait_for(f, says(f, "ready: 2 workers, generation 1"));
	assert_int_equal(atomic_load(&orders->workers_ready), 2);
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	assert_int_equal(ended(f), EXIT_DONE);
}

static void
test_stops_while_nothing_is_up(void **state)
{
	struct fixture *const f = *state;

	atomic_store(&orders->worker, DIE_EARLY);
	start(f);
	wait_for(f, says(f, "died: exit code 1"));
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	assert_int_equal(ended(f), EXIT_DONE);
}

static void
test_upgrade_to_nothing_is_refused(void **state)
{
	struct fixture *const f = *state;

	start(f);
	wait_for(f, says(f, "generation 1"));
	assert_int_equal(kill(f->pid, SIGUSR2), 0);
	wait_for(f, says(f, "upgrade refused, the running program stays"));
	assert_int_equal(kill(f->pid, SIGHUP), 0);
	wait_for(f, says(f, "ready: 2 workers, generation 2"));
	assert_int_equal(kill(f->pid, SIGQUIT), 0);
	assert_int_equal(ended(f), EXIT_DONE);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_serves_and_stops),
		CASE(test_all_barred_is_exit_2),
		CASE(test_failed_admin_does_not_hold_the_service_up),
		CASE(test_reload_whose_workers_die),
		CASE(test_reload_whose_workers_are_barred),
		CASE(test_workers_that_stay_are_killed),
		CASE(test_early_deaths_are_tried_again),
		CASE(test_stops_while_nothing_is_up),
		CASE(test_upgrade_to_nothing_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
