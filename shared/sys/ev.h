/* SPDX-License-Identifier: MIT */
/*
 * ev.h - the event loop: epoll, timers, deferred calls. One a process.
 *
 * Objects are embedded in their owners; the loop allocates nothing for them.
 * A callback may stop or close any object, also its own and also one whose
 * event is waiting in the same turn: the stale event is dropped.
 * Level-triggered.
 */
#ifndef SYS_EV_H
#define SYS_EV_H

#include "shared/base/heap.h"
#include "shared/base/list.h"

enum {
	EV_READ = 1,
	EV_WRITE = 2,
	EV_HUP = 4
};

struct ev;
struct ev_io;
struct ev_timer;
struct ev_defer;

/* what: EV_READ | EV_WRITE as far as asked for; EV_HUP when the peer is gone
 * (reported even if nothing was asked for, and turn by turn until the object is
 * stopped; reading or writing then tells why). Whoever asks for EV_HUP gets it
 * for the peer's half-close (FIN) too. */
typedef void ev_io_fn(struct ev_io *io, unsigned what);
typedef void ev_timer_fn(struct ev_timer *t);
typedef void ev_defer_fn(struct ev_defer *d);

struct ev_io {
	struct ev *ev;
	ev_io_fn *fn;
	int fd;            /* -1: not registered */
	unsigned want;     /* EV_READ | EV_WRITE | EV_HUP */
	bool is_exclusive; /* EPOLLEXCLUSIVE: shared listening sockets */
	uint32_t serial;   /* tells a stale event from a live one */
};

struct ev_timer {
	struct heap_node node; /* its key is at most due_ms */
	int64_t due_ms;
	struct ev *ev;
	ev_timer_fn *fn;
};

struct ev_defer {
	struct list link;
	ev_defer_fn *fn;
};

/* Ends the process when epoll cannot be made. */
struct ev *ev_new(void);
void ev_free(struct ev **ev);

/* One turn: wait for the first event, timer or signal, at most wait_ms (-1:
 * no limit), then run what is due. Signals are blocked except while waiting
 * (epoll_pwait), so a flag set by a handler ends the wait and none is lost.
 */
void ev_turn(struct ev *ev, int wait_ms);
/* Run turns until ev_stop was called from a callback. */
void ev_run(struct ev *ev);
void ev_stop(struct ev *ev);

/* Monotonic milliseconds, read once a turn: cheap, at most a turn old. */
int64_t ev_now_ms(const struct ev *ev);

void ev_io_init(struct ev_io *io, struct ev *ev, ev_io_fn *fn);
/* Begin watching fd for `want`. The loop never closes fd. */
void ev_io_start(struct ev_io *io, int fd, unsigned want);
/* Change what is asked for; no system call when nothing changes. */
void ev_io_want(struct ev_io *io, unsigned want);
/* Stop watching; before the owner closes fd. May be called twice. */
void ev_io_stop(struct ev_io *io);

void ev_timer_init(struct ev_timer *t, struct ev *ev, ev_timer_fn *fn);
/* Run once, after_ms from now; an armed timer is moved. O(log n), O(1) when it
 * is put off. */
void ev_timer_start(struct ev_timer *t, int64_t after_ms);
void ev_timer_stop(struct ev_timer *t);
bool ev_timer_is_armed(const struct ev_timer *t);

/* Run fn once, after the events of this turn. */
void ev_defer_init(struct ev_defer *d, ev_defer_fn *fn);
void ev_defer_start(struct ev *ev, struct ev_defer *d);
void ev_defer_stop(struct ev_defer *d);

#endif
