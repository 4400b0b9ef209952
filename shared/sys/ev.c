/* SPDX-License-Identifier: MIT */
/* ev.c - the event loop on epoll. */
#include "shared/sys/ev.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"

#define EVENTS_PER_TURN 256
#define FIRST_FDS       256
/* How long a loop that never sleeps may keep signals waiting. */
#define SIGNAL_CHECK_MS 10

struct ev {
	int epoll_fd;
	bool is_stopped;
	uint32_t serial; /* of the last ev_io that was started */
	int64_t now_ms;
	int64_t signals_ms;   /* when signals were last let in */
	struct ev_io **by_fd; /* who watches a descriptor; NULL: nobody */
	size_t nfds;
	struct heap timers;
	struct list deferred;
	struct epoll_event events[EVENTS_PER_TURN];
};

struct ev *
ev_new(void)
{
	struct ev *ev = calloc(1, sizeof(*ev));

	if (ev == NULL)
		fatal(1, "event loop");
	ev->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (ev->epoll_fd < 0)
		fatal(1, "epoll_create1");
	heap_init(&ev->timers);
	list_init(&ev->deferred);
	ev->now_ms = clock_mono_ms();
	ev->signals_ms = ev->now_ms;
	return ev;
}

void
ev_free(struct ev **evp)
{
	struct ev *const ev = *evp;

	if (ev == NULL)
		return;
	*evp = NULL;
	/* Only closed, nothing taken out: after a fork the set is shared with
	 * the parent. */
	(void)close(ev->epoll_fd);
	heap_fini(&ev->timers);
	LIST_EACH (&ev->deferred, it, next)
		list_remove(it);
	free(ev->by_fd);
	free(ev);
}

int64_t
ev_now_ms(const struct ev *ev)
{
	return ev->now_ms;
}

/* --- descriptors ---------------------------------------------------------- */

static void
set_owner(struct ev *ev, int fd, struct ev_io *io)
{
	const size_t at = (size_t)fd;
	size_t n = MAX(ev->nfds, FIRST_FDS);
	struct ev_io **grown;

	if (at >= ev->nfds) {
		while (n <= at)
			n *= 2;
		grown = realloc(ev->by_fd, n * sizeof(struct ev_io *));
		if (grown == NULL)
			fatal(1, "event loop");
		memset(grown + ev->nfds, 0,
			(n - ev->nfds) * sizeof(struct ev_io *));
		ev->by_fd = grown;
		ev->nfds = n;
	}
	ev->by_fd[at] = io;
}

static struct epoll_event
asked(const struct ev_io *io)
{
	struct epoll_event e = { 0 };

	if (io->want & EV_READ)
		e.events |= EPOLLIN;
	if (io->want & EV_WRITE)
		e.events |= EPOLLOUT;
	if (io->is_exclusive)
		e.events |= EPOLLEXCLUSIVE;
	else if (io->want & EV_HUP)
		e.events |= EPOLLRDHUP;
	/* Not a pointer: its owner may be freed while the event waits. */
	e.data.u64 = (uint64_t)io->serial << 32 | (uint32_t)io->fd;
	return e;
}

static void
control(struct ev_io *io, int op)
{
	struct epoll_event e = asked(io);

	if (epoll_ctl(io->ev->epoll_fd, op, io->fd, &e) != 0)
		fatal(1, "epoll_ctl");
}

/* An exclusive object that asks for nothing is out of the epoll set, because
 * it could not be changed there. */
static bool
is_in_set(const struct ev_io *io)
{
	return !io->is_exclusive || io->want != 0;
}

void
ev_io_init(struct ev_io *io, struct ev *ev, ev_io_fn *fn)
{
	*io = (struct ev_io){ .ev = ev, .fn = fn, .fd = -1 };
}

void
ev_io_start(struct ev_io *io, int fd, unsigned want)
{
	GP_ASSERT(io->fd < 0 && fd >= 0);
	io->fd = fd;
	io->want = want;
	io->serial = ++io->ev->serial;
	set_owner(io->ev, fd, io);
	if (is_in_set(io))
		control(io, EPOLL_CTL_ADD);
}

void
ev_io_want(struct ev_io *io, unsigned want)
{
	GP_ASSERT(io->fd >= 0);
	if (want == io->want)
		return;
	if (!io->is_exclusive) {
		io->want = want;
		control(io, EPOLL_CTL_MOD);
		return;
	}
	/* EPOLL_CTL_MOD refuses EPOLLEXCLUSIVE. */
	if (is_in_set(io))
		control(io, EPOLL_CTL_DEL);
	io->want = want;
	if (is_in_set(io))
		control(io, EPOLL_CTL_ADD);
}

void
ev_io_stop(struct ev_io *io)
{
	struct epoll_event e = { 0 };

	if (io->fd < 0)
		return;
	/* Somebody else's object means that an owner closed before it stopped.
	 */
	GP_ASSERT(io->ev->by_fd[io->fd] == io);
	io->ev->by_fd[io->fd] = NULL;
	/* Fails, harmlessly, when the owner has closed already. */
	if (is_in_set(io))
		(void)epoll_ctl(io->ev->epoll_fd, EPOLL_CTL_DEL, io->fd, &e);
	io->fd = -1;
	io->want = 0;
}

static void
dispatch(struct ev *ev, const struct epoll_event *e)
{
	const size_t fd = (uint32_t)e->data.u64;
	struct ev_io *const io = fd < ev->nfds ? ev->by_fd[fd] : NULL;
	const unsigned both = EV_READ | EV_WRITE;
	unsigned what = 0;

	if (io == NULL || io->serial != (uint32_t)(e->data.u64 >> 32))
		return;
	if (e->events & EPOLLIN)
		what |= EV_READ;
	if (e->events & EPOLLOUT)
		what |= EV_WRITE;
	/* Whoever reads or writes now learns why the peer is gone. */
	if (e->events & (EPOLLHUP | EPOLLERR))
		what |= both | EV_HUP;
	if (e->events & EPOLLRDHUP)
		what |= EV_HUP;
	/* An earlier callback of this turn may have asked for less. */
	what &= (io->want & both) | EV_HUP;
	if (what != 0)
		io->fn(io, what);
}

/* --- timers and deferred calls -------------------------------------------- */

void
ev_timer_init(struct ev_timer *t, struct ev *ev, ev_timer_fn *fn)
{
	*t = (struct ev_timer){ .ev = ev, .fn = fn };
}

/* A limit that is put off again and again, with each byte of a stream, stays
 * where it is in the heap: that it is not due yet shows when its turn comes. */
void
ev_timer_start(struct ev_timer *t, int64_t after_ms)
{
	const int64_t now = t->ev->now_ms;

	after_ms = MAX(after_ms, 0);
	t->due_ms = after_ms > INT64_MAX - now ? INT64_MAX : now + after_ms;
	if (heap_has(&t->node) && t->node.key <= t->due_ms)
		return;
	heap_remove(&t->ev->timers, &t->node);
	heap_push(&t->ev->timers, &t->node, t->due_ms);
}

void
ev_timer_stop(struct ev_timer *t)
{
	heap_remove(&t->ev->timers, &t->node);
}

bool
ev_timer_is_armed(const struct ev_timer *t)
{
	return heap_has(&t->node);
}

/* The first timer that is due, NULL if there is none; taken out. */
static struct ev_timer *
take_due(struct ev *ev)
{
	for (;;) {
		struct heap_node *const min = heap_min(&ev->timers);
		struct ev_timer *t;

		if (min == NULL || min->key > ev->now_ms)
			return NULL;
		t = CONTAINER_OF(min, struct ev_timer, node);
		heap_remove(&ev->timers, min);
		if (t->due_ms == min->key)
			return t;
		heap_push(&ev->timers, min, t->due_ms);
	}
}

static void
run_timers(struct ev *ev)
{
	/* Counted, so that one that arms itself with 0 ends the turn too. */
	for (size_t n = ev->timers.n; n > 0; n--) {
		struct ev_timer *const t = take_due(ev);

		if (t == NULL)
			break;
		t->fn(t);
	}
}

void
ev_defer_init(struct ev_defer *d, ev_defer_fn *fn)
{
	list_init(&d->link);
	d->fn = fn;
}

void
ev_defer_start(struct ev *ev, struct ev_defer *d)
{
	if (list_is_empty(&d->link))
		list_push_back(&ev->deferred, &d->link);
}

void
ev_defer_stop(struct ev_defer *d)
{
	list_remove(&d->link);
}

static void
run_deferred(struct ev *ev)
{
	struct list mine;

	if (list_is_empty(&ev->deferred))
		return;
	/* Those that are started from here on belong to the next turn. */
	list_init(&mine);
	list_push_back(&ev->deferred, &mine);
	list_remove(&ev->deferred);
	while (!list_is_empty(&mine)) {
		struct ev_defer *const d =
			CONTAINER_OF(mine.next, struct ev_defer, link);

		list_remove(&d->link);
		d->fn(d);
	}
}

/* --- turns ---------------------------------------------------------------- */

static int
wait_limit(const struct ev *ev, int wait_ms)
{
	const struct heap_node *const min = heap_min(&ev->timers);
	int64_t left;

	if (!list_is_empty(&ev->deferred))
		return 0;
	if (min == NULL)
		return wait_ms;
	left = min->key - clock_mono_ms();
	left = MIN(MAX(left, 0), INT_MAX);
	return wait_ms < 0 || left < wait_ms ? (int)left : wait_ms;
}

/* epoll_pwait lets signals in only when it really sleeps: a loop that always
 * finds events would never hear a TERM. */
static void
let_signals_in(struct ev *ev)
{
	sigset_t none;
	sigset_t before;

	if (ev->now_ms - ev->signals_ms < SIGNAL_CHECK_MS)
		return;
	ev->signals_ms = ev->now_ms;
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, &before);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void
ev_turn(struct ev *ev, int wait_ms)
{
	sigset_t none;
	int n;

	(void)sigemptyset(&none);
	n = epoll_pwait(ev->epoll_fd, ev->events, EVENTS_PER_TURN,
		wait_limit(ev, wait_ms), &none);
	if (n < 0 && errno != EINTR)
		fatal(1, "epoll_pwait");
	ev->now_ms = clock_mono_ms();
	let_signals_in(ev);
	for (int i = 0; i < n; i++)
		dispatch(ev, &ev->events[i]);
	run_timers(ev);
	run_deferred(ev);
}

void
ev_run(struct ev *ev)
{
	while (!ev->is_stopped)
		ev_turn(ev, -1);
	ev->is_stopped = false;
}

void
ev_stop(struct ev *ev)
{
	ev->is_stopped = true;
}
