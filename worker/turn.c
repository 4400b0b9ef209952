/* SPDX-License-Identifier: MIT */
/* turn.c - whose turn it is: requests in flight for a key. */
#include "worker/turn.h"

#include <stdlib.h>

#include "shared/base/check.h"

/* Keys that are looked at in one go. */
#define POLL_KEYS 64
/* A worker silent for so long is passed over. */
#define SILENT_MS 2000
/* How often two who take the last permit at once try once more, each having
 * given way. */
#define TRIES 3

/* Who waits here for one key. */
struct queue {
	struct list link;  /* turns->busy, while somebody waits */
	struct list turns; /* in the order of tickets */
};

struct turns {
	struct ev *ev;
	struct shm *shm;
	struct permits *own;
	struct metrics *metrics;
	int slot;
	uint32_t most, most_waiting; /* of the configuration */
	uint64_t nheld;
	size_t nbusy;
	struct list busy; /* queues; who was looked at goes to the end */
	struct ev_timer poll;
	struct ev_defer look;              /* a permit has come back */
	struct queue queues[PERMITS_ROWS]; /* as the rows of own */
};

static struct queue *
queue_of(struct turns *ts, const struct permits_row *row)
{
	return &ts->queues[row - ts->own->rows];
}

/* --- all workers ---------------------------------------------------------- */

static uint32_t
slots_of(const struct shm *m)
{
	return MIN(atomic_load(&m->slots_used), SHM_SLOTS);
}

/* Each worker's part, dead ones' being nothing. */
static struct permits_seen
seen_at(const struct turns *ts, uint32_t slot, uint64_t key)
{
	const struct shm_slot *const s = &ts->shm->slots[slot];

	if (atomic_load(&s->has_permits) == 0)
		return (struct permits_seen){ 0 };
	return permits_look(shm_permits(ts->shm, (int)slot), key);
}

static bool
is_silent(const struct turns *ts, uint32_t slot)
{
	const int64_t beat_ms = atomic_load(&ts->shm->slots[slot].heartbeat_ms);

	return (int)slot != ts->slot && ev_now_ms(ts->ev) - beat_ms > SILENT_MS;
}

static uint64_t
sum_held(const struct turns *ts, uint64_t key)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < slots_of(ts->shm); i++)
		n += seen_at(ts, i, key).held;
	return n;
}

/* Waiting, but for those of silent workers. */
static uint64_t
sum_waiting(const struct turns *ts, uint64_t key)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < slots_of(ts->shm); i++)
		if (!is_silent(ts, i))
			n += seen_at(ts, i, key).waiting;
	return n;
}

static bool
is_first(const struct turns *ts, uint64_t key, uint64_t ticket)
{
	for (uint32_t i = 0; i < slots_of(ts->shm); i++) {
		const uint64_t first = seen_at(ts, i, key).first;

		if (first != 0 && first < ticket && !is_silent(ts, i))
			return false;
	}
	return true;
}

/* --- permits -------------------------------------------------------------- */

/* First it is taken, then it is looked whether there was one. */
static bool
take(struct turns *ts, struct permits_row *row)
{
	const uint64_t key = atomic_load(&row->key);

	for (int i = 0; i < TRIES; i++) {
		uint64_t held;

		atomic_fetch_add(&row->held, 1);
		held = sum_held(ts, key);
		if (held <= ts->most) {
			ts->nheld++;
			return true;
		}
		atomic_fetch_sub(&row->held, 1);
		/* More than one too many: it is not only we who are in each
		 * other's way. */
		if (sum_held(ts, key) >= ts->most)
			return false;
	}
	return false;
}

/* --- the queue ------------------------------------------------------------ */

static struct turn *
first_of(const struct queue *q)
{
	return list_is_empty(&q->turns) ?
		NULL :
		CONTAINER_OF(q->turns.next, struct turn, link);
}

static void
show_first(struct queue *q, struct permits_row *row)
{
	const struct turn *const t = first_of(q);

	atomic_store(&row->first, t == NULL ? 0 : t->ticket);
}

static void
join(struct turns *ts, struct turn *t)
{
	struct queue *const q = queue_of(ts, t->row);
	struct list *at = q->turns.prev;

	/* Who comes back has an old ticket; others the newest. */
	while (at != &q->turns &&
		CONTAINER_OF(at, struct turn, link)->ticket > t->ticket)
		at = at->prev;
	list_push_back(at->next, &t->link);
	if (list_is_empty(&q->link)) {
		list_push_back(&ts->busy, &q->link);
		ts->nbusy++;
	}
	show_first(q, t->row);
	metrics_add(&ts->metrics->queued, 1);
	if (!ev_timer_is_armed(&ts->poll))
		ev_timer_start(&ts->poll, TURN_POLL_MS);
}

static void
part(struct turns *ts, struct turn *t)
{
	struct queue *const q = queue_of(ts, t->row);

	list_remove(&t->link);
	atomic_fetch_sub(&t->row->waiting, 1);
	show_first(q, t->row);
	if (list_is_empty(&q->turns)) {
		list_remove(&q->link);
		ts->nbusy--;
	}
	metrics_sub(&ts->metrics->queued, 1);
}

/* Let go whose turn it is. */
static void
serve(struct turns *ts, struct queue *q)
{
	struct permits_row *const row = &ts->own->rows[q - ts->queues];
	struct turn *t;

	while ((t = first_of(q)) != NULL &&
		is_first(ts, atomic_load(&row->key), t->ticket) &&
		take(ts, row)) {
		part(ts, t);
		t->go(t);
	}
}

static void
serve_all(struct turns *ts)
{
	const size_t n = MIN(ts->nbusy, POLL_KEYS);

	/* The next look begins with others. */
	for (size_t i = 0; i < n && !list_is_empty(&ts->busy); i++) {
		struct queue *const q =
			CONTAINER_OF(ts->busy.next, struct queue, link);

		list_remove(&q->link);
		list_push_back(&ts->busy, &q->link);
		serve(ts, q);
	}
}

static void
on_poll(struct ev_timer *timer)
{
	struct turns *const ts = CONTAINER_OF(timer, struct turns, poll);

	serve_all(ts);
	if (!list_is_empty(&ts->busy))
		ev_timer_start(&ts->poll, TURN_POLL_MS);
}

static void
on_look(struct ev_defer *d)
{
	serve_all(CONTAINER_OF(d, struct turns, look));
}

/* --- for requests --------------------------------------------------------- */

uint64_t
turn_key_of(const struct secret *key)
{
	unsigned char hash[32];
	uint64_t v = 0;

	secret_hash(key, hash);
	for (size_t i = 0; i < sizeof(v); i++)
		v = v << 8 | hash[i];
	return v == 0 ? 1 : v;
}

bool
turn_try(struct turns *ts, struct turn *t, uint64_t key)
{
	struct permits_row *const row = permits_row(ts->own, key);

	GP_ASSERT(t->row == NULL);
	if (row == NULL)
		return false;
	if (sum_waiting(ts, key) == 0 && take(ts, row)) {
		t->row = row;
		list_init(&t->link);
		return true;
	}
	permits_leave(row);
	return false;
}

enum turn_answer
turn_ask(struct turns *ts, struct turn *t, uint64_t key,
	void (*go)(struct turn *t))
{
	struct permits_row *row;

	if (turn_try(ts, t, key))
		return TURN_GO;
	row = permits_row(ts->own, key);
	if (row == NULL)
		return TURN_FULL;
	/* As with permits: first the place, then the look. */
	atomic_fetch_add(&row->waiting, 1);
	if (sum_waiting(ts, key) > ts->most_waiting) {
		atomic_fetch_sub(&row->waiting, 1);
		permits_leave(row);
		return TURN_FULL;
	}
	if (t->ticket == 0)
		t->ticket = atomic_fetch_add(&ts->shm->tickets, 1) + 1;
	t->row = row;
	t->go = go;
	list_init(&t->link);
	join(ts, t);
	return TURN_WAITS;
}

void
turn_end(struct turns *ts, struct turn *t)
{
	struct permits_row *const row = t->row;

	if (row == NULL)
		return;
	if (!list_is_empty(&t->link))
		part(ts, t);
	else {
		atomic_fetch_sub(&row->held, 1);
		ts->nheld--;
	}
	t->row = NULL;
	permits_leave(row);
	/* Not at once: who gives back is in the middle of something. */
	if (!list_is_empty(&ts->busy))
		ev_defer_start(ts->ev, &ts->look);
}

void
turn_move(struct turn *to, struct turn *from)
{
	GP_ASSERT(to->row == NULL && list_is_empty(&from->link));
	to->row = from->row;
	list_init(&to->link);
	from->row = NULL;
}

/* --- life ----------------------------------------------------------------- */

struct turns *
turns_new(struct ev *ev, const struct link *link)
{
	struct turns *const ts = calloc(1, sizeof(*ts));

	GP_ASSERT(ts != NULL);
	ts->ev = ev;
	ts->shm = link->shm;
	ts->slot = link->slot;
	ts->own = shm_permits_mut(link->shm, link->slot);
	ts->metrics = &link_slot(link)->metrics;
	ts->most = (uint32_t)link->conf->key_concurrency;
	ts->most_waiting = (uint32_t)link->conf->key_queue;
	list_init(&ts->busy);
	for (size_t i = 0; i < PERMITS_ROWS; i++) {
		list_init(&ts->queues[i].link);
		list_init(&ts->queues[i].turns);
	}
	ev_timer_init(&ts->poll, ev, on_poll);
	ev_defer_init(&ts->look, on_look);
	atomic_store(&link_slot(link)->has_permits, 1);
	return ts;
}

void
turns_free(struct turns **ts)
{
	if (*ts == NULL)
		return;
	GP_ASSERT((*ts)->nheld == 0 && list_is_empty(&(*ts)->busy));
	ev_timer_stop(&(*ts)->poll);
	ev_defer_stop(&(*ts)->look);
	free(*ts);
	*ts = NULL;
}
