/* SPDX-License-Identifier: MIT */
/* test_turn.c - several workers' turns, in one process and one shared memory.
 */
#include "worker/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/sys/clock.h"
#include "tests/lib/t.h"

#define WORKERS 3
#define KEY     UINT64_C(0x1234567890abcdef)

struct place {
	struct conf conf;
	struct link link;
	struct turns *turns;
};

struct fixture {
	struct ev *ev;
	struct shm *shm;
	int fd;
	struct place workers[WORKERS];
};

struct one {
	struct turn turn;
	int number;
};

/* In which order they went. */
static int went[64];
static size_t nwent;

static void
on_go(struct turn *t)
{
	went[nwent++] = CONTAINER_OF(t, struct one, turn)->number;
}

static void
open_place(struct fixture *x, size_t i, int64_t most, int64_t places)
{
	struct place *const p = &x->workers[i];

	p->conf.key_concurrency = most;
	p->conf.key_queue = places;
	p->link.conf = &p->conf;
	p->link.shm = x->shm;
	p->link.slot = shm_claim(x->shm, SHM_WORKER, 1);
	assert_true(p->link.slot >= 0);
	p->turns = turns_new(x->ev, &p->link);
}

static struct fixture *
begin(int64_t most, int64_t places)
{
	struct fixture *const x = calloc(1, sizeof(*x));
	struct gp_error err;

	assert_non_null(x);
	x->ev = ev_new();
	x->shm = shm_create(&x->fd, &err);
	assert_non_null(x->shm);
	for (size_t i = 0; i < WORKERS; i++)
		open_place(x, i, most, places);
	nwent = 0;
	return x;
}

static void
end(struct fixture *x)
{
	for (size_t i = 0; i < WORKERS; i++)
		turns_free(&x->workers[i].turns);
	shm_detach(x->shm);
	close(x->fd);
	ev_free(&x->ev);
	free(x);
}

static enum turn_answer
ask(struct fixture *x, size_t worker, struct one *o, uint64_t key)
{
	return turn_ask(x->workers[worker].turns, &o->turn, key, on_go);
}

static void
give(struct fixture *x, size_t worker, struct one *o)
{
	turn_end(x->workers[worker].turns, &o->turn);
}

static void
beat(struct fixture *x, size_t worker, int64_t ago_ms)
{
	atomic_store(&link_slot(&x->workers[worker].link)->heartbeat_ms,
		clock_mono_ms() - ago_ms);
}

/* Until n have gone, or for some polls. */
static void
turn_until(struct fixture *x, size_t n)
{
	const int64_t until = clock_mono_ms() + (nwent < n ? 5000 : 0);

	do
		ev_turn(x->ev, TURN_POLL_MS);
	while (nwent < n && clock_mono_ms() < until);
	for (int i = 0; i < 3; i++)
		ev_turn(x->ev, TURN_POLL_MS);
	for (size_t i = 0; i < WORKERS; i++)
		beat(x, i, 0);
}

static void
test_limit_over_all(void **state)
{
	struct fixture *const x = begin(2, 64);
	struct one o[5] = { 0 };

	(void)state;
	assert_int_equal(ask(x, 0, &o[0], KEY), TURN_GO);
	assert_int_equal(ask(x, 1, &o[1], KEY), TURN_GO);
	assert_int_equal(ask(x, 2, &o[2], KEY), TURN_WAITS);
	assert_false(turn_try(x->workers[0].turns, &o[3].turn, KEY));
	/* Another key does not care. */
	assert_int_equal(ask(x, 2, &o[4], KEY + 1), TURN_GO);
	turn_until(x, 0);
	assert_int_equal(nwent, 0);
	give(x, 0, &o[0]);
	turn_until(x, 1);
	assert_int_equal(nwent, 1);
	for (size_t i = 1; i < 5; i++)
		give(x, i == 1 ? 1 : 2, &o[i]);
	end(x);
}

static void
test_order_of_arrival(void **state)
{
	static const size_t at[] = { 2, 0, 1, 1, 0, 2, 2, 1, 0 };
	struct fixture *const x = begin(1, 64);
	struct one first = { 0 };
	struct one o[ARRAY_LEN(at)] = { 0 };

	(void)state;
	assert_int_equal(ask(x, 0, &first, KEY), TURN_GO);
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		o[i].number = (int)i;
		assert_int_equal(ask(x, at[i], &o[i], KEY), TURN_WAITS);
	}
	give(x, 0, &first);
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		turn_until(x, i + 1);
		assert_int_equal(nwent, i + 1);
		assert_int_equal(went[i], i);
		/* While somebody waits nobody overtakes. */
		if (i + 1 < ARRAY_LEN(at)) {
			assert_false(turn_try(
				x->workers[0].turns, &first.turn, KEY));
		}
		give(x, at[i], &o[i]);
	}
	end(x);
}

/* Who comes back keeps the place that it had. */
static void
test_comes_back(void **state)
{
	struct fixture *const x = begin(1, 64);
	struct one first = { 0 },
		   o[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };

	(void)state;
	assert_int_equal(ask(x, 0, &first, KEY), TURN_GO);
	assert_int_equal(ask(x, 0, &o[0], KEY), TURN_WAITS);
	assert_int_equal(ask(x, 0, &o[1], KEY), TURN_WAITS);
	give(x, 0, &o[0]);
	assert_int_equal(ask(x, 0, &o[2], KEY), TURN_WAITS);
	assert_int_equal(ask(x, 0, &o[0], KEY), TURN_WAITS);
	give(x, 0, &first);
	turn_until(x, 1);
	assert_int_equal(went[0], 0);
	give(x, 0, &o[0]);
	turn_until(x, 2);
	assert_int_equal(went[1], 1);
	give(x, 0, &o[1]);
	turn_until(x, 3);
	give(x, 0, &o[2]);
	end(x);
}

static void
test_places(void **state)
{
	struct fixture *x = begin(1, 2);
	struct one o[5] = { 0 };

	(void)state;
	assert_int_equal(ask(x, 0, &o[0], KEY), TURN_GO);
	assert_int_equal(ask(x, 0, &o[1], KEY), TURN_WAITS);
	assert_int_equal(ask(x, 1, &o[2], KEY), TURN_WAITS);
	assert_int_equal(ask(x, 2, &o[3], KEY), TURN_FULL);
	give(x, 0, &o[1]);
	assert_int_equal(ask(x, 2, &o[3], KEY), TURN_WAITS);
	give(x, 1, &o[2]);
	give(x, 2, &o[3]);
	give(x, 0, &o[0]);
	end(x);
	x = begin(1, 0);
	assert_int_equal(ask(x, 0, &o[0], KEY), TURN_GO);
	assert_int_equal(ask(x, 1, &o[1], KEY), TURN_FULL);
	give(x, 0, &o[0]);
	assert_int_equal(ask(x, 1, &o[1], KEY), TURN_GO);
	give(x, 1, &o[1]);
	end(x);
}

/* Dead in the middle of taking, holding and waiting: the master has to know
 * nothing of it. */
static void
test_death(void **state)
{
	struct fixture *const x = begin(2, 64);
	const int dying = shm_claim(x->shm, SHM_WORKER, 1);
	struct one o[2] = { 0 };
	struct permits_row *row;

	(void)state;
	atomic_store(&x->shm->slots[dying].has_permits, 1);
	row = permits_row(shm_permits_mut(x->shm, dying), KEY);
	atomic_store(&row->held, 3); /* one of them not looked at yet */
	atomic_store(&row->waiting, 1);
	atomic_store(&row->first, 1);
	atomic_store(&x->shm->tickets, 1);
	assert_int_equal(ask(x, 1, &o[0], KEY), TURN_WAITS);
	turn_until(x, 0);
	assert_int_equal(nwent, 0);
	shm_retire(x->shm, dying);
	turn_until(x, 1);
	assert_int_equal(nwent, 1);
	assert_int_equal(ask(x, 2, &o[1], KEY), TURN_GO);
	assert_false(turn_try(x->workers[2].turns, &(struct turn){ 0 }, KEY));
	give(x, 1, &o[0]);
	give(x, 2, &o[1]);
	/* Whose slot it is next begins with nothing. */
	assert_int_equal(shm_claim(x->shm, SHM_WORKER, 1), dying);
	assert_int_equal(permits_look(shm_permits(x->shm, dying), KEY).held, 0);
	end(x);
}

/* The first of all is at a worker that hangs. */
static void
test_silent(void **state)
{
	struct fixture *const x = begin(1, 64);
	struct one o[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
	struct permits_row *row;

	(void)state;
	assert_int_equal(ask(x, 0, &o[0], KEY), TURN_GO);
	row = permits_row(
		shm_permits_mut(x->shm, x->workers[1].link.slot), KEY);
	/* A ticket older than all, by a worker that never turns. */
	atomic_store(&row->first, 1);
	atomic_store(&row->waiting, 1);
	atomic_store(&x->shm->tickets, 1);
	assert_int_equal(ask(x, 2, &o[2], KEY), TURN_WAITS);
	give(x, 0, &o[0]);
	turn_until(x, 0);
	assert_int_equal(nwent, 0);
	beat(x, 1, 5000);
	for (int i = 0; i < 50 && nwent == 0; i++)
		ev_turn(x->ev, TURN_POLL_MS);
	assert_int_equal(nwent, 1);
	give(x, 2, &o[2]);
	end(x);
}

static void
test_key(void **state)
{
	struct secret key;
	char tag[SECRET_TAG_LEN + 1], first[24];

	(void)state;
	memset(&key, 0, sizeof(key));
	assert_true(secret_set(&key, SPAN("a.key")));
	secret_tag(&key, tag);
	(void)snprintf(first, sizeof(first), "%016llx",
		(unsigned long long)turn_key_of(&key));
	first[SECRET_TAG_LEN] = '\0';
	assert_string_equal(first, tag);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_over_all),
		cmocka_unit_test(test_order_of_arrival),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_death),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
