/* SPDX-License-Identifier: MIT */
/* test_turns_threads.c - workers that take permits at the same time, as threads
 * so that the thread sanitizer sees them: never more than the limit, nobody is
 * forgotten. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/sys/clock.h"
#include "tests/lib/t.h"
#include "worker/turn.h"

#define WORKERS 4
#define ROUNDS  300
#define ASKERS  6 /* of each worker, at the same time */
#define LIMIT   3
#define KEY     UINT64_C(0xfeedbeef12345678)

struct worker_thread;

struct asker {
	struct turn turn;
	struct worker_thread *w;
	bool holds;
};

struct worker_thread {
	struct conf conf;
	struct link link;
	struct ev *ev;
	struct turns *turns;
	struct asker askers[ASKERS];
	size_t served;
};

static struct shm *m;
static atomic_int inside; /* permits held, as upstream would count */
static atomic_int most;

static void
enter(struct asker *a)
{
	const int now = atomic_fetch_add(&inside, 1) + 1;
	int seen = atomic_load(&most);

	while (seen < now && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	a->holds = true;
	a->w->served++;
}

static void
on_go(struct turn *t)
{
	enter(CONTAINER_OF(t, struct asker, turn));
}

static void
leave(struct asker *a)
{
	a->holds = false;
	a->turn.ticket = 0;
	atomic_fetch_sub(&inside, 1);
	turn_end(a->w->turns, &a->turn);
}

/* Every asker that is idle asks, every one that holds gives back. */
static void
step(struct worker_thread *w)
{
	for (size_t i = 0; i < ASKERS; i++) {
		struct asker *const a = &w->askers[i];

		if (a->holds)
			leave(a);
		else if (a->turn.row == NULL &&
			turn_ask(w->turns, &a->turn, KEY, on_go) == TURN_GO)
			enter(a);
	}
}

static void *
work(void *arg)
{
	struct worker_thread *const w = arg;
	const int64_t until_ms = clock_mono_ms() + 60000;

	while (w->served < ROUNDS && clock_mono_ms() < until_ms) {
		atomic_store(
			&link_slot(&w->link)->heartbeat_ms, clock_mono_ms());
		step(w);
		ev_turn(w->ev, 1);
	}
	for (size_t i = 0; i < ASKERS; i++) {
		struct asker *const a = &w->askers[i];

		if (a->holds)
			leave(a);
		turn_end(w->turns, &a->turn);
	}
	return NULL;
}

static void
open_thread(struct worker_thread *w)
{
	w->conf.key_concurrency = LIMIT;
	w->conf.key_queue = (int64_t)WORKERS * ASKERS;
	w->link.conf = &w->conf;
	w->link.shm = m;
	w->link.slot = shm_claim(m, SHM_WORKER, 1);
	assert_true(w->link.slot >= 0);
	w->ev = ev_new();
	w->turns = turns_new(w->ev, &w->link);
	for (size_t i = 0; i < ASKERS; i++)
		w->askers[i].w = w;
}

static void
test_never_more(void **state)
{
	static struct worker_thread workers[WORKERS];
	pthread_t threads[WORKERS];
	struct gp_error err;
	int fd;

	(void)state;
	m = shm_create(&fd, &err);
	assert_non_null(m);
	for (size_t i = 0; i < WORKERS; i++)
		open_thread(&workers[i]);
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, work, &workers[i]),
			0);
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&inside), 0);
	assert_int_equal(atomic_load(&most), LIMIT);
	for (size_t i = 0; i < WORKERS; i++) {
		assert_true(workers[i].served >= ROUNDS);
		assert_int_equal(
			permits_look(shm_permits(m, workers[i].link.slot), KEY)
				.held,
			0);
		turns_free(&workers[i].turns);
		ev_free(&workers[i].ev);
	}
	shm_detach(m);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
