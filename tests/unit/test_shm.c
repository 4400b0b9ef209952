/* SPDX-License-Identifier: MIT */
/* test_shm.c - the shared memory: mapping, slots, addresses; and the child's
 * link, which lives in it. */
#include "tests/lib/t.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/clock.h"
#include "shared/sys/link.h"
#include "shared/sys/shm.h"

static struct shm *
fresh(int *fd)
{
	struct gp_error err;
	struct shm *const m = shm_create(fd, &err);

	assert_non_null(m);
	return m;
}

/* --- the mapping ---------------------------------------------------------- */

static void
test_create_and_attach(void **state)
{
	const int64_t before_us = clock_wall_us();
	struct gp_error err;
	const struct shm *look;
	struct shm *again;
	const int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct shm *m;
	int fd;

	(void)state;
	assert_true(zero >= 0);
	m = fresh(&fd);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true(atomic_load(&m->started_wall_us) >= before_us);
	assert_int_equal((uintptr_t)&m->slots[1] % 128, 0);
	again = shm_attach(fd, &err);
	assert_non_null(again);
	assert_ptr_not_equal(again, m);
	atomic_store(&m->generation, 7);
	assert_int_equal(atomic_load(&again->generation), 7);
	look = shm_peek(fd, &err);
	assert_non_null(look);
	assert_int_equal(atomic_load(&look->generation), 7);
	/* The kernel says EFAULT where we would get a SIGSEGV.
	 * NOLINTNEXTLINE(performance-no-int-to-ptr) */
	assert_int_equal(read(zero, (void *)(uintptr_t)look, 1), -1);
	assert_int_equal(errno, EFAULT);
	/* Its size is fixed for good: a cut would be a SIGBUS elsewhere. */
	assert_int_equal(ftruncate(fd, 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(close(zero), 0);
	shm_detach(look);
	shm_detach(again);
	shm_detach(m);
	assert_int_equal(close(fd), 0);
}

static int
file_of(size_t n, int seals)
{
	const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void
test_refuses_what_is_not_ours(void **state)
{
	const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct gp_error err;
	struct shm *m;
	struct stat st;
	size_t size;
	int fds[5];

	(void)state;
	m = fresh(&fds[4]);
	assert_int_equal(fstat(fds[4], &st), 0);
	size = (size_t)st.st_size;
	fds[0] = file_of(size - 1, all);
	fds[1] = file_of(size, 0);
	fds[2] = file_of(size, all); /* no magic */
	fds[3] = open("/dev/null", O_RDWR | O_CLOEXEC);
	m->layout ^= 1;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		assert_null(shm_attach(fds[i], &err));
		assert_int_equal(err.code, GP_E_SCHEMA);
		assert_int_equal(close(fds[i]), 0);
	}
	assert_null(shm_attach(-1, &err));
	shm_detach(m);
}

/* --- slots ---------------------------------------------------------------- */

static void
test_slots_are_claimed_and_retired(void **state)
{
	struct metrics all;
	struct shm *m;
	int slot;
	int fd;

	(void)state;
	m = fresh(&fd);
	for (int i = 0; i < SHM_SLOTS; i++)
		assert_int_equal(shm_claim(m, SHM_WORKER, 3), i);
	assert_int_equal(shm_claim(m, SHM_WORKER, 3), -1);
	assert_int_equal(atomic_load(&m->slots[9].generation), 3);
	assert_int_equal(atomic_load(&m->slots[9].state), SHM_STARTING);
	assert_true(atomic_load(&m->slots[9].heartbeat_ms) > 0);

	atomic_store(&m->slots[9].pid, 4711);
	atomic_store(&m->slots[9].state, SHM_READY);
	atomic_store(&m->slots[9].connections, 5);
	metrics_add(&m->slots[9].metrics.cancelled, 2);
	metrics_add(&m->slots[9].metrics.streams_live, 2);
	metrics_add(&m->slots[8].metrics.cancelled, 1);
	metrics_add(&m->slots[8].metrics.streams_live, 1);
	shm_totals(m, &all);
	assert_int_equal(metrics_get(&all.cancelled), 3);
	assert_int_equal(metrics_get(&all.streams_live), 3);

	shm_retire(m, 9);
	shm_retire(m, 9); /* counted once */
	shm_totals(m, &all);
	assert_int_equal(metrics_get(&all.cancelled), 3);
	assert_int_equal(metrics_get(&all.streams_live), 1);

	slot = shm_claim(m, SHM_ADMIN, 4);
	assert_int_equal(slot, 9);
	assert_int_equal(atomic_load(&m->slots[9].pid), 0);
	assert_int_equal(atomic_load(&m->slots[9].connections), 0);
	assert_int_equal(atomic_load(&m->slots[9].state), SHM_STARTING);
	assert_int_equal(metrics_get(&m->slots[9].metrics.cancelled), 0);
	metrics_add(&m->slots[9].metrics.cancelled, 10);
	shm_totals(m, &all);
	assert_int_equal(metrics_get(&all.cancelled), 13);
	assert_dies(shm_retire(m, SHM_SLOTS));
	shm_detach(m);
	assert_int_equal(close(fd), 0);
}

/* A slot's ring outlives its child, and what is in it too. */
static void
test_rings_are_passed_on(void **state)
{
	char room[RING_ENTRY_MAX];
	struct ring_reader k;
	struct span entry;
	struct shm *m;
	int slot;
	int fd;

	(void)state;
	m = fresh(&fd);
	assert_int_equal((uintptr_t)shm_ring(m, 1) % 4096, 0);
	slot = shm_claim(m, SHM_WORKER, 1);
	assert_int_equal(slot, 0);
	assert_int_equal(ring_put(shm_ring(m, slot), SPAN("one")), RING_PUT);
	shm_retire(m, slot);
	/* What was read to its end comes first, */
	assert_int_equal(shm_claim(m, SHM_WORKER, 2), 1);
	for (int i = 2; i < SHM_SLOTS; i++)
		assert_int_equal(shm_claim(m, SHM_WORKER, 2), i);
	/* but nobody waits for it. */
	assert_int_equal(shm_claim(m, SHM_WORKER, 2), 0);
	assert_int_equal(shm_claim(m, SHM_WORKER, 2), -1);
	assert_int_equal(ring_put(shm_ring(m, 0), SPAN("two")), RING_PUT);
	ring_begin(&k, shm_ring(m, 0));
	assert_true(ring_next(&k, room, &entry));
	assert_span_eq(entry, "one");
	assert_true(ring_next(&k, room, &entry));
	assert_span_eq(entry, "two");
	assert_false(ring_next(&k, room, &entry));
	ring_end(&k);
	assert_int_equal(k.nspoilt, 0);
	/* A child has left nonsense. */
	atomic_store(&shm_ring(m, 0)->head, 3);
	shm_retire(m, 0);
	assert_int_equal(shm_claim(m, SHM_WORKER, 3), 0);
	assert_int_equal(ring_put(shm_ring(m, 0), SPAN("three")), RING_PUT);
	ring_begin(&k, shm_ring(m, 0));
	assert_true(ring_next(&k, room, &entry));
	assert_span_eq(entry, "three");
	shm_detach(m);
	assert_int_equal(close(fd), 0);
}

static void
test_last_words_reach_the_parent(void **state)
{
	struct shm *m;
	int slot;
	int status;
	pid_t pid;
	int fd;

	(void)state;
	m = fresh(&fd);
	slot = shm_claim(m, SHM_WORKER, 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		shm_catch_panic(&m->slots[slot]);
		check_fail("a < b", "x.c", 12);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_non_null(strstr(m->slots[slot].panic, "x.c:12"));
	assert_non_null(strstr(m->slots[slot].panic, "a < b"));
	shm_retire(m, slot);
	assert_int_equal(m->slots[slot].panic[0], '\0');
	shm_detach(m);
	assert_int_equal(close(fd), 0);
}

/* --- after a dead master ------------------------------------------------- */

static void
test_succession(void **state)
{
	static struct metrics all;
	struct gp_error err;
	struct shm *m;
	struct shm *heir;
	int fd;

	(void)state;
	m = fresh(&fd);
	assert_int_equal(shm_claim(m, SHM_WORKER, 1), 0);
	assert_int_equal(shm_claim(m, SHM_ADMIN, 1), 1);
	metrics_add(&m->slots[0].metrics.cancelled, 2);
	metrics_add(&m->slots[0].metrics.streams_live, 2);
	assert_int_equal(ring_put(shm_ring(m, 0), SPAN("one")), RING_PUT);
	atomic_store(&m->generation, 7);
	atomic_store(&m->drained, 1);
	atomic_store(&m->started_wall_us, 1);

	heir = shm_succeed(fd, &err);
	assert_non_null(heir);
	for (int i = 0; i < SHM_SLOTS; i++)
		assert_int_equal(atomic_load(&heir->slots[i].role), SHM_FREE);
	shm_totals(heir, &all);
	assert_int_equal(metrics_get(&all.cancelled), 2);
	assert_int_equal(metrics_get(&all.streams_live), 0);
	assert_false(ring_is_empty(shm_ring(heir, 0)));
	assert_int_equal(atomic_load(&heir->generation), 7);
	assert_int_equal(atomic_load(&heir->drained), 1);
	assert_true(atomic_load(&heir->started_wall_us) > 1);
	shm_detach(heir);

	/* After an end that was asked for. */
	atomic_store(&m->draining, 1);
	heir = shm_succeed(fd, &err);
	assert_non_null(heir);
	assert_int_equal(atomic_load(&heir->draining), 0);
	assert_int_equal(atomic_load(&heir->drained), 0);
	shm_detach(heir);
	shm_detach(m);
	assert_int_equal(close(fd), 0);
}

/* One master dies between counting a child and forgetting it, and there are
 * others before it. */
static void
test_succession_counts_once(void **state)
{
	static struct shm_slot half;
	static struct metrics all;
	struct gp_error err;
	struct shm *m;
	struct shm *heir;
	int fd;

	(void)state;
	m = fresh(&fd);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shm_claim(m, SHM_WORKER, 1), i);
		metrics_add(&m->slots[i].metrics.cancelled, 1);
	}
	memcpy(&half, &m->slots[1], sizeof(half));
	shm_retire(m, 1);
	memcpy(&m->slots[1], &half, sizeof(half));
	heir = shm_succeed(fd, &err);
	assert_non_null(heir);
	shm_totals(heir, &all);
	assert_int_equal(metrics_get(&all.cancelled), 3);
	shm_detach(heir);
	shm_detach(m);
	assert_int_equal(close(fd), 0);
}

static void
test_succession_ends(void **state)
{
	struct gp_error err;
	struct shm *m;
	struct shm *heir;
	int fd;

	(void)state;
	m = fresh(&fd);
	for (int lives = 0; lives < 2; lives++) {
		for (int i = 0; i < 3; i++) {
			heir = shm_succeed(fd, &err);
			assert_non_null(heir);
			shm_detach(heir);
		}
		assert_null(shm_succeed(fd, &err));
		assert_string_equal(err.text,
			"shared memory: the last 3 starts with it failed");
		/* One was up. */
		atomic_store(&m->heirs, 0);
	}
	m->magic++;
	assert_null(shm_succeed(fd, &err));
	assert_int_equal(err.code, GP_E_SCHEMA);
	shm_detach(m);
	assert_int_equal(close(fd), 0);
}

/* --- addresses ------------------------------------------------------------ */

static void
test_hosts(void **state)
{
	struct sock_addr in[SHM_ADDRS + 1];
	struct sock_addr out[SHM_ADDRS];
	struct shm_host *h;
	struct shm *m;
	int fd;

	(void)state;
	m = fresh(&fd);
	h = &m->hosts[2];
	assert_int_equal(shm_host_get(h, out), 0);
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		assert_true(sock_addr_parse(&in[i], SPAN("::1"), (uint16_t)i));
	shm_host_set(h, in, 2, 99);
	assert_int_equal(shm_host_get(h, out), 2);
	assert_int_equal(sock_addr_port(&out[1]), 1);
	assert_int_equal(out[1].len, in[1].len);
	assert_int_equal(atomic_load(&h->resolved_ms), 99);
	/* More than fit are cut. */
	shm_host_set(h, in, ARRAY_LEN(in), 100);
	assert_int_equal(shm_host_get(h, out), SHM_ADDRS);
	assert_int_equal(sock_addr_port(&out[SHM_ADDRS - 1]), SHM_ADDRS - 1);

	/* A writer died half-way: readers see nothing, the next one heals. */
	atomic_fetch_add(&h->version, 1);
	assert_int_equal(shm_host_get(h, out), 0);
	shm_host_set(h, in, 1, 101);
	assert_int_equal(shm_host_get(h, out), 1);

	/* Readers trust nothing. */
	atomic_store(&h->count, SHM_ADDRS + 1);
	assert_int_equal(shm_host_get(h, out), 0);
	atomic_store(&h->count, 1);
	h->addrs[0].len = sizeof(h->addrs[0].ss) + 1;
	assert_int_equal(shm_host_get(h, out), 0);
	shm_detach(m);
	assert_int_equal(close(fd), 0);
}

/* --- link ----------------------------------------------------------------- */

static void
test_link(void **state)
{
	struct link link = { .dead_fd = -1 };
	int fds[2];
	char c = 0;
	int fd;

	(void)state;
	link.shm = fresh(&fd);
	link.slot = shm_claim(link.shm, SHM_WORKER, 1);
	assert_int_equal(pipe(fds), 0);
	link.ready_fd = fds[1];
	link_ready(&link);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(atomic_load(&link_slot(&link)->state), SHM_READY);
	link_beat(&link, 123456);
	assert_int_equal(atomic_load(&link_slot(&link)->heartbeat_ms), 123456);
	assert_ptr_equal(link_slot(&link), &link.shm->slots[0]);
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(close(fds[1]), 0);
	shm_detach(link.shm);
	assert_int_equal(close(fd), 0);
}

/* A master that buries one child after the other; each has counted one. How
 * many they have been stands in restarts. */
static _Noreturn void
bury_for_ever(struct shm *m)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		const int slot = shm_claim(m, SHM_WORKER, 1);

		if (slot < 0)
			_exit(1);
		atomic_fetch_add(&m->restarts, 1);
		metrics_add(&m->slots[slot].metrics.cancelled, 1);
		shm_retire(m, slot);
	}
}

/* Wherever it stands still, all has been counted once. */
static void
test_totals_of_a_master_that_stands_still(void **state)
{
	static struct metrics all;
	uint64_t last = 0;
	struct gp_error err;
	struct shm *heir;
	struct shm *m;
	pid_t pid;
	int fd;

	(void)state;
	m = fresh(&fd);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		bury_for_ever(m);
	for (int i = 0; i < 600; i++) {
		int status;
		uint64_t n, sum;

		while (atomic_load(&m->restarts) <= last)
			;
		assert_int_equal(kill(pid, SIGSTOP), 0);
		assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
		assert_true(WIFSTOPPED(status));
		n = atomic_load(&m->restarts);
		shm_totals(m, &all);
		sum = metrics_get(&all.cancelled);
		assert_true(sum == n || sum == n - 1);
		last = n;
		if (i % 10 != 0) {
			assert_int_equal(kill(pid, SIGCONT), 0);
			continue;
		}
		/* Whoever comes after it buries the same ones. */
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		heir = shm_succeed(fd, &err);
		assert_non_null(heir);
		atomic_store(&heir->heirs, 0);
		shm_totals(heir, &all);
		assert_int_equal(metrics_get(&all.cancelled), sum);
		/* The one it was about to count. */
		if (sum < n)
			metrics_add(
				&heir->retired[heir->retirement & 1].cancelled,
				1);
		shm_detach(heir);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			bury_for_ever(m);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	shm_detach(m);
	assert_int_equal(close(fd), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_and_attach),
		cmocka_unit_test(test_refuses_what_is_not_ours),
		cmocka_unit_test(test_slots_are_claimed_and_retired),
		cmocka_unit_test(test_totals_of_a_master_that_stands_still),
		cmocka_unit_test(test_rings_are_passed_on),
		cmocka_unit_test(test_succession),
		cmocka_unit_test(test_succession_counts_once),
		cmocka_unit_test(test_succession_ends),
		cmocka_unit_test(test_last_words_reach_the_parent),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
