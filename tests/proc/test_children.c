/* SPDX-License-Identifier: MIT */
/* test_children.c - real children: started, watched, killed, replaced. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/children.h"
#include "shared/base/check.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "tests/lib/t.h"

#define DEADLINE_MS 30000
#define LOG_MAX     65536

/* --- what a child does, fixed before the fork ----------------------------- */

enum behaviour {
	SERVE,      /* beats until TERM or until the master is gone */
	EXIT_EARLY, /* dies before it is ready */
	BAR,        /* asks never to be started again */
	HANG,       /* ready, then silent; cannot be aborted */
	NEVER_READY,
	PANIC,       /* ready, then a failed check */
	READY_EXIT,  /* ready, and gone at once */
	COUNT_FILES, /* panics when it holds more than it was given */
	ORDERS,      /* ready, then says this and that */
};

static enum behaviour behaviour;

static void
serve(const struct link *link)
{
	for (;;) {
		struct pollfd dead = { .fd = link->dead_fd, .events = POLLIN };

		link_beat(link, clock_mono_ms());
		if (poll(&dead, 1, 20) > 0)
			_exit(0);
	}
}

static void
count_files(const struct link *link)
{
	for (int fd = 3; fd < 256; fd++)
		if (fd != link->ready_fd && fd != link->dead_fd &&
			fcntl(fd, F_GETFD) >= 0)
			check_fail("a file too many", "child.c", fd);
	link_ready(link);
	serve(link);
}

static _Noreturn void
child_main(const struct link *link)
{
	switch (behaviour) {
	case EXIT_EARLY:
		_exit(1);
	case BAR:
		_exit(LOG_EXIT_BARRED);
	case HANG:
		(void)signal(SIGABRT, SIG_IGN);
		link_ready(link);
		break;
	case NEVER_READY:
		break;
	case PANIC:
		metrics_add(&link_slot(link)->metrics.requests_other, 5);
		link_ready(link);
		check_fail("sky == up", "weather.c", 12);
	case READY_EXIT:
		link_ready(link);
		_exit(0);
	case COUNT_FILES:
		count_files(link);
		break;
	case ORDERS:
		/* At once: the pipe of a worker is closed behind the R. */
		if (write(link->ready_fd, "RxDU", 4) != 4)
			check_fail("order", "child.c", 1);
		if (!link_order(link, LINK_DRAIN) && errno != EPIPE)
			check_fail("order", "child.c", 2);
		serve(link);
		break;
	case SERVE:
		metrics_add(&link_slot(link)->metrics.requests_chat, 3);
		link_ready(link);
		serve(link);
	}
	for (;;)
		(void)pause();
}

static const struct child_row row = { "worker", SHM_WORKER, LISTEN_PROXY, true,
	child_main, false };

static const struct child_row orderly = { "admin", SHM_ADMIN, LISTEN_ADMIN,
	false, child_main, true };

/* --- the master's part, turned by hand ------------------------------------ */

struct fixture {
	struct children c;
	struct generation gen;
	struct shm *shm;
	int shm_fd;
	int log_fd, stderr_fd;
	char log[LOG_MAX];
};

static int
setup(void **state)
{
	static struct fixture f;
	const struct conf_source nothing = { 0 };
	struct gp_error err;

	memset(&f, 0, sizeof(f));
	f.shm = shm_create(&f.shm_fd, &err);
	assert_non_null(f.shm);
	assert_ok(children_init(&f.c, f.shm, &err), &err);
	/* Longer than a busy machine lets a child wait; where the limits are
	 * to be reached, a test sets its own. */
	f.c.limits = (struct child_limits){
		.ready_ms = DEADLINE_MS,
		.stuck_ms = DEADLINE_MS,
		.abort_ms = DEADLINE_MS,
		.young_ms = 2 * DEADLINE_MS,
		.backoff_min_ms = 10,
		.backoff_max_ms = 40,
	};
	f.gen.conf = conf_load(&nothing, &err);
	assert_non_null(f.gen.conf);
	f.gen.number = 1;
	f.log_fd = memfd_create("log", 0);
	f.stderr_fd = dup(STDERR_FILENO);
	assert_true(f.log_fd >= 0 && f.stderr_fd >= 0);
	assert_true(dup2(f.log_fd, STDERR_FILENO) >= 0);
	*state = &f;
	return 0;
}

static const char *
log_text(struct fixture *f)
{
	const ssize_t n = pread(f->log_fd, f->log, LOG_MAX - 1, 0);

	f->log[n > 0 ? n : 0] = '\0';
	return f->log;
}

static int
teardown(void **state)
{
	struct fixture *const f = *state;

	for (size_t i = 0; i < f->c.n; i++)
		if (f->c.v[i].pid != 0) {
			(void)kill(f->c.v[i].pid, SIGKILL);
			(void)waitpid(f->c.v[i].pid, NULL, 0);
		}
	(void)dup2(f->stderr_fd, STDERR_FILENO);
	/* What a failed assertion said went into the log, too. */
	if (strstr(log_text(f), __FILE__) != NULL)
		print_error("%s\n", f->log);
	(void)close(f->stderr_fd);
	(void)close(f->log_fd);
	(void)close(f->c.dead_pipe[0]);
	(void)close(f->c.dead_pipe[1]);
	(void)close(f->shm_fd);
	conf_free(&f->gen.conf);
	shm_detach(f->shm);
	return 0;
}

static void
add(struct fixture *f, unsigned n, enum behaviour b)
{
	behaviour = b;
	assert_true(children_add(&f->c, &f->gen, &row, n, clock_mono_ms()));
}

/* One turn of the loop; children that are started behave as set by now. */
static void
turn(struct fixture *f)
{
	const int64_t now_ms = clock_mono_ms();
	struct pollfd fds[SHM_SLOTS];
	int status;
	pid_t pid;

	children_read_ready(&f->c, now_ms);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		assert_true(children_died(&f->c, pid, status, now_ms));
	(void)children_turn(&f->c, now_ms);
	(void)poll(fds, children_poll(&f->c, fds), 2);
}

#define turn_until(f, condition)                                               \
	do {                                                                   \
		const int64_t until_ms = clock_mono_ms() + DEADLINE_MS;        \
		while (!(condition)) {                                         \
			if (clock_mono_ms() > until_ms)                        \
				fail_msg("never: %s\n%s", #condition,          \
					log_text(f));                          \
			turn(f);                                               \
		}                                                              \
	} while (0)

static struct children_count
count(const struct fixture *f)
{
	return children_count(&f->c, &f->gen, SHM_WORKER);
}

static uint32_t
restarts(const struct fixture *f)
{
	return atomic_load(&f->shm->restarts);
}

/* --- tests ---------------------------------------------------------------- */

static void
test_children_become_ready(void **state)
{
	struct fixture *const f = *state;

	add(f, 3, SERVE);
	turn_until(f, count(f).ready == 3);
	for (size_t i = 0; i < 3; i++) {
		const struct child *const ch = &f->c.v[i];

		assert_int_equal(ch->number, i);
		assert_int_equal(
			atomic_load(&f->shm->slots[ch->slot].pid), ch->pid);
		assert_int_equal(
			atomic_load(&f->shm->slots[ch->slot].role), SHM_WORKER);
	}
	assert_int_equal(restarts(f), 0);
	assert_string_equal(log_text(f), "");
}

static void
test_only_some_children_give_orders(void **state)
{
	struct fixture *const f = *state;

	add(f, 1, ORDERS);
	turn_until(f, count(f).ready == 1 && f->c.v[0].ready_fd < 0);
	assert_int_equal(f->c.order, LINK_READY);
	assert_true(children_add(&f->c, &f->gen, &orderly, 1, clock_mono_ms()));
	/* The last one counts. */
	turn_until(f, f->c.order == LINK_DRAIN);
	assert_true(f->c.v[1].ready_fd >= 0);
	assert_non_null(strstr(log_text(f), "says 0x78: ignored"));
	f->c.order = LINK_READY;
	assert_int_equal(kill(f->c.v[1].pid, SIGKILL), 0);
	turn_until(f, restarts(f) == 1);
	turn_until(f, f->c.order == LINK_DRAIN);
}

static void
test_killed_child_is_replaced_and_its_figures_stay(void **state)
{
	struct fixture *const f = *state;
	struct metrics totals;
	pid_t first;

	add(f, 1, SERVE);
	turn_until(f, count(f).ready == 1);
	first = f->c.v[0].pid;
	assert_int_equal(kill(first, SIGKILL), 0);
	turn_until(f, restarts(f) == 1);
	turn_until(f, count(f).ready == 1 && f->c.v[0].pid != first);
	shm_totals(f->shm, &totals);
	assert_int_equal(metrics_get(&totals.requests_chat), 6);
	assert_non_null(strstr(log_text(f), "died: signal 9"));
}

static void
test_early_deaths_back_off(void **state)
{
	struct fixture *const f = *state;

	add(f, 1, EXIT_EARLY);
	turn_until(f, restarts(f) == 4);
	assert_int_equal(f->c.v[0].state.backoff_ms, 40);
	assert_int_equal(count(f).failed, 1);
	assert_non_null(strstr(log_text(f), "worker 0 (pid "));
	assert_non_null(strstr(log_text(f), "died: exit code 1"));
	/* The place recovers with the first child that can serve. */
	behaviour = SERVE;
	turn_until(f, count(f).ready == 1);
}

static void
test_barred_child_is_not_started_again(void **state)
{
	struct fixture *const f = *state;

	add(f, 2, BAR);
	turn_until(f, count(f).barred == 2);
	for (int i = 0; i < 50; i++)
		turn(f);
	assert_int_equal(restarts(f), 2);
	assert_int_equal(count(f).alive, 0);
	assert_non_null(strstr(log_text(f), "not to be started again"));
}

static void
test_silent_child_is_killed(void **state)
{
	struct fixture *const f = *state;

	f->c.limits.stuck_ms = 300;
	f->c.limits.abort_ms = 50;
	add(f, 1, HANG);
	turn_until(f, restarts(f) == 1);
	assert_non_null(strstr(log_text(f), "does not answer: aborting it"));
	assert_non_null(strstr(log_text(f), "hangs: killing it"));
	assert_non_null(strstr(log_text(f), "died: signal 9"));
}

static void
test_child_that_never_is_ready_is_aborted(void **state)
{
	struct fixture *const f = *state;

	f->c.limits.ready_ms = 200;
	add(f, 1, NEVER_READY);
	turn_until(f, restarts(f) == 1);
	assert_non_null(strstr(
		log_text(f), "did not become ready in time: aborting it"));
	assert_non_null(strstr(log_text(f), "died: signal 6"));
	assert_int_equal(f->c.v[0].state.backoff_ms, 10);
}

static void
test_last_words_are_logged(void **state)
{
	struct fixture *const f = *state;
	struct metrics totals;

	add(f, 1, PANIC);
	turn_until(f, restarts(f) == 1);
	assert_non_null(strstr(log_text(f),
		"died: signal 6, weather.c:12: check failed: sky == up"));
	shm_totals(f->shm, &totals);
	assert_int_equal(metrics_get(&totals.requests_other), 5);
}

static void
test_ready_byte_of_a_dead_child_counts(void **state)
{
	struct fixture *const f = *state;

	/* Ready or not, a young death is a failure; but it had been ready. */
	add(f, 1, READY_EXIT);
	turn_until(f, restarts(f) == 1);
	assert_true(f->c.v[0].state.ready_ms > 0);
	assert_int_equal(count(f).failed, 1);
}

static void
test_children_hold_only_their_files(void **state)
{
	struct fixture *const f = *state;
	/* Neither are they close-on-exec, nor does the child exec. */
	const int a = open("/dev/null", O_RDONLY);
	const int b = fcntl(a, F_DUPFD, 100);

	add(f, 2, COUNT_FILES);
	turn_until(f, count(f).ready == 2);
	assert_int_equal(restarts(f), 0);
	(void)close(a);
	(void)close(b);
}

static void
test_children_leave_with_the_master(void **state)
{
	struct fixture *const f = *state;

	add(f, 2, SERVE);
	turn_until(f, count(f).ready == 2);
	f->gen.number = 0;
	for (size_t i = 0; i < f->c.n; i++)
		child_state_leave(&f->c.v[i].state, INT64_MAX);
	(void)close(f->c.dead_pipe[1]);
	f->c.dead_pipe[1] = -1;
	turn_until(f, f->c.n == 0);
	assert_string_equal(log_text(f), "");
}

static void
test_told_children_go_quietly(void **state)
{
	struct fixture *const f = *state;

	add(f, 2, SERVE);
	turn_until(f, count(f).ready == 2);
	children_tell(&f->c.v[0], SIGTERM, clock_mono_ms() + DEADLINE_MS);
	children_tell(&f->c.v[1], SIGTERM, clock_mono_ms() + DEADLINE_MS);
	assert_int_equal(count(f).places, 0);
	turn_until(f, f->c.n == 0);
	assert_int_equal(restarts(f), 0);
	assert_string_equal(log_text(f), "");
	for (size_t i = 0; i < SHM_SLOTS; i++)
		assert_int_equal(atomic_load(&f->shm->slots[i].role), SHM_FREE);
}

static void
test_child_that_will_not_leave_is_killed(void **state)
{
	struct fixture *const f = *state;

	add(f, 1, HANG);
	turn_until(f, count(f).ready == 1);
	children_tell(&f->c.v[0], SIGWINCH, clock_mono_ms() + 20);
	turn_until(f, f->c.n == 0);
	assert_non_null(strstr(log_text(f), "has not left in time"));
	assert_null(strstr(log_text(f), "died"));
}

static void
test_crashes_do_not_stop_a_healthy_service(void **state)
{
	struct fixture *const f = *state;

	f->c.limits.young_ms = 50;
	f->c.limits.backoff_max_ms = 60000;
	add(f, 2, SERVE);
	turn_until(f, f->c.was_healthy);
	f->c.limits.young_ms = 60000;
	/* Every place has died often and would wait for a minute. */
	for (size_t i = 0; i < 2; i++) {
		f->c.v[i].state.backoff_ms = 60000;
		assert_int_equal(kill(f->c.v[i].pid, SIGKILL), 0);
	}
	turn_until(f, restarts(f) == 2);
	turn_until(f, count(f).ready == 1);
	assert_int_equal(count(f).failed, 1);
}

static void
test_no_room_adds_nothing(void **state)
{
	struct fixture *const f = *state;

	assert_false(children_add(&f->c, &f->gen, &row, SHM_SLOTS + 1, 1));
	for (int i = 0; i < SHM_SLOTS - 2; i++)
		assert_true(shm_claim(f->shm, SHM_WORKER, 1) >= 0);
	assert_false(children_add(&f->c, &f->gen, &row, 3, 1));
	assert_int_equal(f->c.n, 0);
	assert_true(children_add(&f->c, &f->gen, &row, 2, INT64_MAX / 2));
}

static void
test_stranger_is_not_ours(void **state)
{
	struct fixture *const f = *state;

	assert_false(children_died(&f->c, 1, 0, clock_mono_ms()));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_children_become_ready),
		CASE(test_only_some_children_give_orders),
		CASE(test_killed_child_is_replaced_and_its_figures_stay),
		CASE(test_early_deaths_back_off),
		CASE(test_barred_child_is_not_started_again),
		CASE(test_silent_child_is_killed),
		CASE(test_child_that_never_is_ready_is_aborted),
		CASE(test_last_words_are_logged),
		CASE(test_ready_byte_of_a_dead_child_counts),
		CASE(test_children_hold_only_their_files),
		CASE(test_children_leave_with_the_master),
		CASE(test_told_children_go_quietly),
		CASE(test_child_that_will_not_leave_is_killed),
		CASE(test_crashes_do_not_stop_a_healthy_service),
		CASE(test_no_room_adds_nothing),
		CASE(test_stranger_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
