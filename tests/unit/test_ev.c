/* SPDX-License-Identifier: MIT */
/* test_ev.c - the event loop. */
#include "tests/lib/t.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/sys/clock.h"
#include "shared/sys/ev.h"
#include "shared/sys/proc.h"

/* A watched end of a socket pair that notes what it was called with. */
struct end {
	struct ev_io io;
	unsigned what; /* all calls, or-ed */
	int calls;
	int peer;
	struct end *victim; /* stopped, closed and freed by the callback */
};

static void
close_end(struct end *e)
{
	const int fd = e->io.fd;

	ev_io_stop(&e->io);
	if (fd >= 0)
		assert_int_equal(close(fd), 0);
	if (e->peer >= 0)
		assert_int_equal(close(e->peer), 0);
	free(e);
}

static void
on_io(struct ev_io *io, unsigned what)
{
	struct end *const e = CONTAINER_OF(io, struct end, io);

	e->what |= what;
	e->calls++;
	if (e->victim != NULL)
		close_end(e->victim);
	e->victim = NULL;
}

static struct end *
new_end(struct ev *ev, unsigned want)
{
	struct end *const e = calloc(1, sizeof(*e));
	int fds[2];

	assert_non_null(e);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	ev_io_init(&e->io, ev, on_io);
	e->peer = fds[1];
	ev_io_start(&e->io, fds[0], want);
	return e;
}

static void
poke(const struct end *e)
{
	assert_int_equal(write(e->peer, "x", 1), 1);
}

static void
drain(const struct end *e)
{
	char c;

	assert_int_equal(read(e->io.fd, &c, 1), 1);
}

/* One turn that does not wait; what was reported in it. */
static unsigned
turn(struct ev *ev, struct end *e)
{
	e->what = 0;
	ev_turn(ev, 0);
	return e->what;
}

static void
test_reports_what_is_wanted(void **state)
{
	struct ev *ev = ev_new();
	struct end *const e = new_end(ev, EV_READ);

	(void)state;
	assert_int_equal(turn(ev, e), 0);
	poke(e);
	assert_int_equal(turn(ev, e), EV_READ);
	assert_int_equal(turn(ev, e), EV_READ); /* level-triggered */
	ev_io_want(&e->io, EV_READ | EV_WRITE);
	assert_int_equal(turn(ev, e), EV_READ | EV_WRITE);
	drain(e);
	assert_int_equal(turn(ev, e), EV_WRITE);
	ev_io_want(&e->io, 0);
	poke(e);
	assert_int_equal(turn(ev, e), 0);
	ev_io_want(&e->io, EV_READ);
	assert_int_equal(turn(ev, e), EV_READ);
	ev_io_stop(&e->io);
	assert_int_equal(turn(ev, e), 0);
	ev_io_stop(&e->io);
	close_end(e);
	ev_free(&ev);
	assert_null(ev);
}

static void
test_reports_a_hangup_unasked(void **state)
{
	struct ev *ev = ev_new();
	struct end *const e = new_end(ev, 0);

	(void)state;
	assert_int_equal(close(e->peer), 0);
	e->peer = -1;
	assert_int_equal(turn(ev, e), EV_HUP);
	/* Who wants to read is led to the read that explains it. */
	ev_io_want(&e->io, EV_READ);
	assert_int_equal(turn(ev, e), EV_READ | EV_HUP);
	close_end(e);
	ev_free(&ev);
}

static void
test_reports_a_half_close_when_asked(void **state)
{
	struct ev *ev = ev_new();
	struct end *const e = new_end(ev, 0);

	(void)state;
	assert_int_equal(shutdown(e->peer, SHUT_WR), 0);
	assert_int_equal(turn(ev, e), 0);
	ev_io_want(&e->io, EV_HUP);
	assert_int_equal(turn(ev, e), EV_HUP);
	ev_io_want(&e->io, EV_READ);
	assert_int_equal(turn(ev, e), EV_READ);
	close_end(e);
	ev_free(&ev);
}

static void
test_drops_the_event_of_a_freed_object(void **state)
{
	struct ev *ev = ev_new();
	struct end *const a = new_end(ev, EV_READ);
	struct end *const b = new_end(ev, EV_READ);

	(void)state;
	poke(a);
	poke(b);
	/* Whichever comes first ends the other one, freed memory included. */
	a->victim = b;
	b->victim = a;
	ev_turn(ev, 0);
	/* The survivor is the one whose callback ran: a, since epoll reports
	 * in order of readiness. */
	assert_int_equal(a->calls, 1);
	close_end(a);
	ev_free(&ev);
}

static struct end *taker; /* of the victim's descriptor */

static void
on_io_take(struct ev_io *io, unsigned what)
{
	struct end *const e = CONTAINER_OF(io, struct end, io);
	const int number = taker->io.fd;
	int fds[2];

	(void)what;
	e->calls++;
	ev_io_stop(&taker->io);
	assert_int_equal(close(number), 0);
	assert_int_equal(close(taker->peer), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(fds[0], number);
	taker->peer = fds[1];
	ev_io_start(&taker->io, fds[0], EV_READ);
	ev_io_stop(io);
	assert_int_equal(close(e->peer), 0);
}

static void
test_drops_the_event_of_a_reused_descriptor(void **state)
{
	struct ev *ev = ev_new();
	struct end *const a = new_end(ev, EV_READ);
	int fd;

	(void)state;
	fd = a->io.fd;
	taker = new_end(ev, EV_READ);
	a->io.fn = on_io_take;
	poke(a);
	poke(taker);
	ev_turn(ev, 0);
	assert_int_equal(a->calls, 1);
	assert_int_equal(taker->calls, 0);
	poke(taker);
	assert_int_equal(turn(ev, taker), EV_READ);
	assert_int_equal(close(fd), 0);
	free(a);
	close_end(taker);
	ev_free(&ev);
}

static void
test_an_exclusive_object_is_changed(void **state)
{
	struct ev *ev = ev_new();
	struct end *const e = new_end(ev, EV_READ);
	const int fd = e->io.fd;

	(void)state;
	ev_io_stop(&e->io);
	e->io.is_exclusive = true;
	ev_io_start(&e->io, fd, EV_READ);
	poke(e);
	assert_int_equal(turn(ev, e), EV_READ);
	ev_io_want(&e->io, 0);
	assert_int_equal(turn(ev, e), 0);
	ev_io_want(&e->io, EV_READ);
	assert_int_equal(turn(ev, e), EV_READ);
	ev_io_want(&e->io, EV_READ | EV_WRITE);
	assert_int_equal(turn(ev, e), EV_READ | EV_WRITE);
	ev_io_want(&e->io, 0);
	close_end(e);
	ev_free(&ev);
}

static void
test_many_descriptors(void **state)
{
	enum {
		N = 300
	}; /* past the first size of the table and a turn */
	struct end *ends[N];
	struct ev *ev = ev_new();

	(void)state;
	for (int i = 0; i < N; i++) {
		ends[i] = new_end(ev, EV_READ);
		poke(ends[i]);
	}
	ev_turn(ev, 0);
	ev_turn(ev, 0);
	for (int i = 0; i < N; i++) {
		assert_true(ends[i]->calls > 0);
		close_end(ends[i]);
	}
	ev_free(&ev);
}

/* --- timers --------------------------------------------------------------- */

struct mark {
	struct ev_timer timer;
	struct ev_defer defer;
	struct ev *ev;
	char name;
	int left;           /* how often it starts itself again */
	struct mark *stops; /* another timer */
};

static char trace[64];

static void
note(char c)
{
	const size_t n = strlen(trace);

	assert_true(n + 1 < sizeof(trace));
	trace[n] = c;
	trace[n + 1] = '\0';
}

static void
on_timer(struct ev_timer *t)
{
	struct mark *const m = CONTAINER_OF(t, struct mark, timer);

	note(m->name);
	assert_false(ev_timer_is_armed(t));
	if (m->stops != NULL)
		ev_timer_stop(&m->stops->timer);
	if (m->left-- > 0)
		ev_timer_start(t, 0);
	else if (m->name == 'z')
		ev_stop(m->ev);
}

static void
init_mark(struct mark *m, struct ev *ev, char name)
{
	*m = (struct mark){ .ev = ev, .name = name };
	ev_timer_init(&m->timer, ev, on_timer);
}

static void
test_timers_run_in_order(void **state)
{
	struct ev *ev = ev_new();
	struct mark a;
	struct mark b;
	struct mark c;
	struct mark z;

	(void)state;
	trace[0] = '\0';
	init_mark(&a, ev, 'a');
	init_mark(&b, ev, 'b');
	init_mark(&c, ev, 'c');
	init_mark(&z, ev, 'z');
	ev_timer_start(&a.timer, 1000000);
	ev_timer_start(&b.timer, 4);
	ev_timer_start(&c.timer, 2);
	ev_timer_start(&z.timer, 6);
	ev_timer_start(&a.timer, 1); /* moved */
	c.stops = &b;
	assert_true(ev_timer_is_armed(&b.timer));
	ev_run(ev);
	assert_string_equal(trace, "acz");
	assert_false(ev_timer_is_armed(&b.timer));
	ev_free(&ev);
}

static void
test_timers_are_not_early(void **state)
{
	struct ev *ev = ev_new();
	const int64_t begin = ev_now_ms(ev);
	struct mark z;

	(void)state;
	trace[0] = '\0';
	init_mark(&z, ev, 'z');
	ev_timer_start(&z.timer, 20);
	ev_run(ev);
	assert_true(ev_now_ms(ev) - begin >= 20);
	ev_timer_start(&z.timer, INT64_MAX);
	ev_timer_start(&z.timer, -5);
	ev_run(ev);
	assert_string_equal(trace, "zz");
	ev_free(&ev);
}

static void
test_timers_are_put_off(void **state)
{
	struct ev *ev = ev_new();
	const int64_t begin = ev_now_ms(ev);
	struct mark a;
	struct mark b;
	struct mark c;
	struct mark d;
	struct mark z;

	(void)state;
	trace[0] = '\0';
	init_mark(&a, ev, 'a');
	init_mark(&b, ev, 'b');
	init_mark(&c, ev, 'c');
	init_mark(&d, ev, 'd');
	init_mark(&z, ev, 'z');
	ev_timer_start(&a.timer, 1);
	ev_timer_start(&a.timer, 14); /* behind b */
	ev_timer_start(&b.timer, 8);
	ev_timer_start(&c.timer, 2);
	ev_timer_start(&c.timer, 20);
	ev_timer_start(&c.timer, 4); /* and back again */
	ev_timer_start(&d.timer, 1);
	ev_timer_start(&d.timer, 3);
	ev_timer_stop(&d.timer);
	ev_timer_start(&z.timer, 0);
	ev_timer_start(&z.timer, 20);
	ev_run(ev);
	assert_string_equal(trace, "cbaz");
	assert_true(ev_now_ms(ev) - begin >= 20);
	ev_free(&ev);
}

static void
test_a_timer_that_restarts_itself_ends_the_turn(void **state)
{
	struct ev *ev = ev_new();
	struct mark a;

	(void)state;
	trace[0] = '\0';
	init_mark(&a, ev, 'a');
	a.left = 2;
	ev_timer_start(&a.timer, 0);
	ev_turn(ev, -1);
	assert_string_equal(trace, "a");
	ev_turn(ev, -1);
	ev_turn(ev, -1);
	assert_string_equal(trace, "aaa");
	assert_false(ev_timer_is_armed(&a.timer));
	ev_free(&ev);
}

/* --- deferred calls ------------------------------------------------------- */

static void
on_defer(struct ev_defer *d)
{
	struct mark *const m = CONTAINER_OF(d, struct mark, defer);

	note(m->name);
	if (m->stops != NULL)
		ev_defer_stop(&m->stops->defer);
	if (m->left-- > 0)
		ev_defer_start(m->ev, d);
}

static void
test_deferred_calls(void **state)
{
	struct ev *ev = ev_new();
	struct mark m[4];

	(void)state;
	trace[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		init_mark(&m[i], ev, (char)('a' + i));
		ev_defer_init(&m[i].defer, on_defer);
		ev_defer_start(ev, &m[i].defer);
	}
	ev_defer_start(ev, &m[0].defer); /* once, all the same */
	m[0].left = 1;
	m[1].stops = &m[2];
	ev_turn(ev, -1);
	assert_string_equal(trace, "abd");
	ev_turn(ev, -1);
	assert_string_equal(trace, "abda");
	ev_turn(ev, 0);
	assert_string_equal(trace, "abda");
	ev_free(&ev);
}

/* --- signals -------------------------------------------------------------- */

static void
test_a_signal_ends_the_wait(void **state)
{
	const int watched[] = { SIGUSR1 };
	struct ev *ev = ev_new();

	(void)state;
	proc_signals_watch(watched, 1);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_false(proc_signal_take(SIGUSR1)); /* blocked till the wait */
	ev_turn(ev, -1);
	assert_true(proc_signal_take(SIGUSR1));
	assert_false(proc_signal_take(SIGUSR1));
	proc_signals_reset();
	ev_free(&ev);
}

static void
test_a_busy_loop_hears_signals(void **state)
{
	const int watched[] = { SIGUSR1 };
	const int64_t deadline = clock_mono_ms() + 5000;
	struct ev *ev = ev_new();
	struct end *const e = new_end(ev, EV_READ);
	bool heard = false;

	(void)state;
	proc_signals_watch(watched, 1);
	poke(e); /* never drained: every wait returns at once */
	assert_int_equal(raise(SIGUSR1), 0);
	while (!heard && clock_mono_ms() < deadline) {
		ev_turn(ev, -1);
		heard = proc_signal_take(SIGUSR1);
	}
	assert_true(heard);
	proc_signals_reset();
	close_end(e);
	ev_free(&ev);
}

static void
test_misuse_is_a_bug(void **state)
{
	struct ev *ev = ev_new();
	struct end *const e = new_end(ev, 0);

	(void)state;
	assert_dies(ev_io_start(&e->io, 0, EV_READ));
	ev_io_stop(&e->io);
	assert_dies(ev_io_want(&e->io, EV_READ));
	close_end(e);
	ev_free(&ev);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports_what_is_wanted),
		cmocka_unit_test(test_reports_a_hangup_unasked),
		cmocka_unit_test(test_reports_a_half_close_when_asked),
		cmocka_unit_test(test_drops_the_event_of_a_freed_object),
		cmocka_unit_test(test_drops_the_event_of_a_reused_descriptor),
		cmocka_unit_test(test_an_exclusive_object_is_changed),
		cmocka_unit_test(test_many_descriptors),
		cmocka_unit_test(test_timers_run_in_order),
		cmocka_unit_test(test_timers_are_not_early),
		cmocka_unit_test(test_timers_are_put_off),
		cmocka_unit_test(
			test_a_timer_that_restarts_itself_ends_the_turn),
		cmocka_unit_test(test_deferred_calls),
		cmocka_unit_test(test_a_signal_ends_the_wait),
		cmocka_unit_test(test_a_busy_loop_hears_signals),
		cmocka_unit_test(test_misuse_is_a_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
