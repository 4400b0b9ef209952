/* SPDX-License-Identifier: MIT */
/* accept.c - taking connections, in fair shares. */
#include "worker/accept.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/log.h"
#include "shared/sys/sock.h"
#include "worker/client.h"

#define ACCEPTS_PER_EVENT 8
/* While another worker is to catch up: soon, then less and less often, since a
 * client that just stays should wake nobody two hundred times a second. */
#define LOOK_AGAIN_MS     5
#define LOOK_AGAIN_MAX_MS 80
#define SHORT_OF_FDS_MS   200
#define WARN_AGAIN_MS     10000

struct listener {
	struct ev_io io;
	struct acceptor *acceptor;
};

struct acceptor {
	struct worker *worker;
	struct ev_timer again;
	struct listener listeners[LINK_LISTENERS_MAX];
	size_t n;
	int64_t look_ms; /* until the next look */
	int64_t warned_ms;
	bool is_armed;
};

/* The fewest connections that any worker of our generation holds. */
static uint32_t
least_load(const struct worker *w)
{
	const struct shm *m = w->link->shm;
	uint32_t ours = atomic_load_explicit(
		&w->slot->generation, memory_order_relaxed);
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < SHM_SLOTS; i++) {
		const struct shm_slot *s = &m->slots[i];

		if (atomic_load_explicit(&s->role, memory_order_relaxed) ==
				SHM_WORKER &&
			atomic_load_explicit(&s->state, memory_order_relaxed) ==
				SHM_READY &&
			atomic_load_explicit(
				&s->generation, memory_order_relaxed) == ours)
			least = MIN(least,
				atomic_load_explicit(
					&s->connections, memory_order_relaxed));
	}
	return least;
}

static bool
has_more_than_its_share(const struct worker *w)
{
	uint32_t least = least_load(w);

	return least != UINT32_MAX && w->nclients > least + least / 8;
}

static void
disarm(struct acceptor *a, int64_t for_ms)
{
	for (size_t i = 0; i < a->n; i++)
		ev_io_stop(&a->listeners[i].io);
	a->is_armed = false;
	ev_timer_start(&a->again, for_ms);
}

static void
arm(struct acceptor *a)
{
	for (size_t i = 0; i < a->n; i++)
		ev_io_start(&a->listeners[i].io, a->worker->link->listeners[i],
			EV_READ);
	a->is_armed = true;
}

/* Full or ahead of the others: look away. */
static bool
must_wait(struct acceptor *a)
{
	struct worker *w = a->worker;

	if (w->nclients >= (size_t)w->conf->max_connections ||
		has_more_than_its_share(w)) {
		a->look_ms = LOOK_AGAIN_MS;
		disarm(a, a->look_ms);
		return true;
	}
	return false;
}

static void
short_of_descriptors(struct acceptor *a)
{
	int64_t now = ev_now_ms(a->worker->ev);

	if (a->warned_ms == 0 || now - a->warned_ms >= WARN_AGAIN_MS) {
		log_warn("accepting pauses");
		a->warned_ms = now;
	}
	disarm(a, SHORT_OF_FDS_MS);
}

/* False when there was nothing to take. */
static bool
take_one(struct acceptor *a, int listener)
{
	struct sock_addr peer;
	int fd = sock_accept(listener, &peer);

	if (fd >= 0) {
		client_open(a->worker, fd);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		errno == ENOMEM)
		short_of_descriptors(a);
	return false;
}

/* Nobody else was woken for the first one: it is ours, whatever our share. */
static void
on_listener(struct ev_io *io, unsigned what)
{
	struct acceptor *a = CONTAINER_OF(io, struct listener, io)->acceptor;
	int i = 0;

	(void)what;
	while (i++ < ACCEPTS_PER_EVENT && take_one(a, io->fd))
		if (must_wait(a))
			return;
}

/* What is still there now was left by the others too: without this it would
 * wait until the next one comes and wakes somebody. */
static bool
take_leftovers(struct acceptor *a)
{
	bool has_taken = false;

	for (size_t i = 0; i < a->n; i++)
		if (take_one(a, a->worker->link->listeners[i]))
			has_taken = true;
	return has_taken;
}

static void
on_again(struct ev_timer *t)
{
	struct acceptor *a = CONTAINER_OF(t, struct acceptor, again);
	struct worker *w = a->worker;
	bool is_full = w->nclients >= (size_t)w->conf->max_connections;

	if (a->is_armed)
		return;
	if (!is_full && !has_more_than_its_share(w)) {
		arm(a);
		return;
	}
	if (is_full || take_leftovers(a))
		a->look_ms = LOOK_AGAIN_MS;
	else
		a->look_ms = MIN(2 * a->look_ms, LOOK_AGAIN_MAX_MS);
	if (!ev_timer_is_armed(&a->again))
		ev_timer_start(&a->again, a->look_ms);
}

struct acceptor *
acceptor_new(struct worker *w)
{
	struct acceptor *a = calloc(1, sizeof(*a));

	GP_ASSERT(a != NULL);
	a->worker = w;
	a->n = w->link->nlisteners;
	a->look_ms = LOOK_AGAIN_MS;
	ev_timer_init(&a->again, w->ev, on_again);
	for (size_t i = 0; i < a->n; i++) {
		struct listener *l = &a->listeners[i];

		ev_io_init(&l->io, w->ev, on_listener);
		l->io.is_exclusive = true;
		l->acceptor = a;
	}
	arm(a);
	return a;
}

void
acceptor_stop(struct acceptor *a)
{
	for (size_t i = 0; i < a->n; i++) {
		ev_io_stop(&a->listeners[i].io);
		/* With the last copy of a descriptor new connections are
		 * refused, where they would wait for a process that leaves. */
		(void)close(a->worker->link->listeners[i]);
	}
	a->n = 0;
	a->is_armed = true; /* on_again finds nothing to do */
	ev_timer_stop(&a->again);
}

void
acceptor_free(struct acceptor **a)
{
	if (*a == NULL)
		return;
	acceptor_stop(*a);
	free(*a);
	*a = NULL;
}
