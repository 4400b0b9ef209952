/* SPDX-License-Identifier: MIT */
/* top_sample.c - samples of the shared memory, and their differences. */
#include "master/top_sample.h"

#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/sys/clock.h"

/* --- a sample ------------------------------------------------------------- */

struct top_sample *
top_sample_new(void)
{
	struct top_sample *const s = calloc(1, sizeof(*s));

	GP_ASSERT(s != NULL);
	return s;
}

static uint64_t
add_up(const _Atomic uint64_t *figures[], size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += metrics_get(figures[i]);
	return sum;
}

uint64_t
top_requests(const struct metrics *m)
{
	const _Atomic uint64_t *all[] = { &m->requests_chat, &m->requests_count,
		&m->requests_models, &m->requests_other };

	return add_up(all, ARRAY_LEN(all));
}

uint64_t
top_errors(const struct metrics *m)
{
	const _Atomic uint64_t *all[] = { &m->responses_4xx, &m->responses_5xx,
		&m->streams_broken };

	return add_up(all, ARRAY_LEN(all));
}

static const struct {
	const char *name;
	size_t offset;
} figures[] = {

#define METRIC(field, kind, name, labels, help)                                \
	{ name, offsetof(struct metrics, field) },
#include "shared/sys/metrics.def"
};

/* Whatever is lost has a figure whose name ends so. */
uint64_t
top_lost(const struct metrics *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		if (span_ends(span_cstr(figures[i].name), SPAN("_lost_total")))
			sum += metrics_get((const _Atomic uint64_t *)(const void
					*)((const char *)m +
				figures[i].offset));
	return sum;
}

static void
take_chats(struct top_sample *s, const struct live *table)
{
	const size_t n = live_rows(table);

	for (size_t i = 0; i < n; i++) {
		struct live_chat *const c = &s->chats[s->nchats];

		if (s->nchats == TOP_CHATS) {
			s->nunlisted++;
		} else if (live_get(table, i, c)) {
			s->phases[c->phase]++;
			s->nchats++;
		}
	}
	s->nunlisted += live_unlisted(table);
}

static void
take_worker(struct top_sample *s, struct shm *m, int at, int64_t now_ms)
{
	const struct shm_slot *const slot = &m->slots[at];
	struct top_worker *const w = &s->workers[s->nworkers++];
	const uint64_t before = s->nchats + s->nunlisted;

	take_chats(s, shm_live(m, at));
	*w = (struct top_worker){
		.slot = at,
		.pid = atomic_load(&slot->pid),
		.generation = atomic_load(&slot->generation),
		.state = atomic_load(&slot->state),
		.silent_ms = MAX(now_ms - atomic_load(&slot->heartbeat_ms), 0),
		.connections = atomic_load(&slot->connections),
		.requests = top_requests(&slot->metrics),
		.cpu_us = metrics_get(&slot->metrics.cpu_us),
		.chats = (uint32_t)(s->nchats + s->nunlisted - before),
		.ring_bytes = ring_waiting(shm_ring(m, at)),
	};
}

void
top_sample_take(struct top_sample *s, const struct shm *memory)
{
	/* Some functions take no pointer to const; nothing is written, which
	 * the mapping would not allow. */
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	struct shm *const m = (struct shm *)(uintptr_t)memory;

	s->at_us = clock_mono_us();
	s->at_wall_us = clock_wall_us();
	s->started_wall_us = atomic_load(&m->started_wall_us);
	s->counted_wall_us = atomic_load(&m->counted_wall_us);
	s->generation = atomic_load(&m->generation);
	s->restarts = atomic_load(&m->restarts);
	s->is_stopping = atomic_load(&m->draining) != 0;
	s->is_drained = atomic_load(&m->drained) != 0;
	s->has_admin = false;
	s->nworkers = s->nchats = 0;
	s->nunlisted = 0;
	memset(s->phases, 0, sizeof(s->phases));
	shm_totals(m, &s->totals);
	for (int i = 0; i < SHM_SLOTS; i++) {
		const uint32_t role = atomic_load(&m->slots[i].role);

		if (role == SHM_WORKER)
			take_worker(s, m, i, s->at_us / 1000);
		s->has_admin = s->has_admin || role == SHM_ADMIN;
	}
}

/* --- two samples ---------------------------------------------------------- */

/* Another memory begins at 0 again. */
static double
grown(uint64_t before, uint64_t now)
{
	return now >= before ? (double)(now - before) : 0;
}

static void
add_times(uint64_t sum[METRICS_BUCKETS], const struct metrics_times *before,
	const struct metrics_times *now)
{
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		const uint64_t was =
			before != NULL ? metrics_get(&before->buckets[i]) : 0;
		const uint64_t is = metrics_get(&now->buckets[i]);

		sum[i] += is >= was ? is - was : 0;
	}
}

static double
quantile_ms(const uint64_t buckets[METRICS_BUCKETS], unsigned permille)
{
	const int64_t us = metrics_quantile_us(buckets, permille);

	return us < 0 ? -1 : (double)us / 1000;
}

static struct top_times
times_of(const uint64_t buckets[METRICS_BUCKETS])
{
	return (struct top_times){ quantile_ms(buckets, 500),
		quantile_ms(buckets, 900), quantile_ms(buckets, 990) };
}

/* Of chats, streamed or not. */
static void
compare_times(const struct metrics *was, const struct metrics *is,
	struct top_rates *out)
{
	uint64_t first[METRICS_BUCKETS] = { 0 };
	uint64_t total[METRICS_BUCKETS] = { 0 };
	const bool has = was != NULL;

	add_times(first, has ? &was->first_chat_stream : NULL,
		&is->first_chat_stream);
	add_times(first, has ? &was->first_chat_body : NULL,
		&is->first_chat_body);
	add_times(total, has ? &was->total_chat_stream : NULL,
		&is->total_chat_stream);
	add_times(total, has ? &was->total_chat_body : NULL,
		&is->total_chat_body);
	out->first = times_of(first);
	out->total = times_of(total);
}

/* With what live chats have been told so far: upstream's own numbers come at
 * their ends. */
static uint64_t
tokens_out(const struct top_sample *s)
{
	uint64_t n = metrics_get(&s->totals.tokens_out);

	for (size_t i = 0; i < s->nchats; i++)
		n += (uint64_t)s->chats[i].tokens;
	return n;
}

static const struct top_worker *
find_worker(const struct top_sample *s, const struct top_worker *w)
{
	for (size_t i = 0; s != NULL && i < s->nworkers; i++)
		if (s->workers[i].slot == w->slot &&
			s->workers[i].pid == w->pid)
			return &s->workers[i];
	return NULL;
}

static void
compare_workers(
	const struct top_sample *before, struct top_sample *now, double seconds)
{
	for (size_t i = 0; i < now->nworkers; i++) {
		struct top_worker *const w = &now->workers[i];
		const struct top_worker *const was = find_worker(before, w);

		w->requests_per_s = w->cpu_percent = -1;
		if (was == NULL)
			continue;
		w->requests_per_s = grown(was->requests, w->requests) / seconds;
		w->cpu_percent =
			grown(was->cpu_us, w->cpu_us) / seconds / 1e6 * 100;
	}
}

void
top_compare(const struct top_sample *before, struct top_sample *now,
	struct top_rates *out)
{
	const bool is_same = before != NULL &&
		before->counted_wall_us == now->counted_wall_us;
	const struct metrics *const was = is_same ? &before->totals : NULL;
	const struct metrics *const is = &now->totals;
	const int64_t us = is_same ? now->at_us - before->at_us :
				     now->at_wall_us - now->counted_wall_us;
	const double s = MAX((double)us / 1e6, 0.001);
#define GROWN(read) (grown(was != NULL ? (read(was)) : 0, (read(is))) / s)
#define FIELD(name)                                                            \
	(grown(was != NULL ? metrics_get(&was->name) : 0,                      \
		 metrics_get(&is->name)) /                                     \
		s)

	*out = (struct top_rates){
		.seconds = s,
		.requests = GROWN(top_requests),
		.errors = GROWN(top_errors),
		.lost = GROWN(top_lost),
		.chats = FIELD(requests_chat),
		.cancelled = FIELD(cancelled),
		.tokens_in = FIELD(tokens_in),
		.tokens_cached = FIELD(tokens_cached),
		.tokens_out = grown(is_same ? tokens_out(before) : 0,
				      tokens_out(now)) /
			s,
	};
#undef GROWN
#undef FIELD
	out->hit_percent = out->tokens_in > 0 ?
		MIN(out->tokens_cached / out->tokens_in, 1) * 100 :
		-1;
	compare_times(was, is, out);
	compare_workers(is_same ? before : NULL, now, s);
}

/* --- chats in order ------------------------------------------------------- */

double
top_age_ms(const struct top_sample *s, const struct live_chat *c)
{
	return (double)MAX(s->at_us - c->begun_us, 0) / 1000;
}

double
top_speed(const struct top_sample *s, const struct live_chat *c)
{
	const double ms = top_age_ms(s, c) - (double)c->first_us / 1000;

	return c->first_us < 0 || ms < 100 ? -1 : (double)c->tokens / ms * 1000;
}

/* qsort takes no argument; a command has one thread. */
static const struct top_sample *sorted;
static enum top_sort sorted_by;
static bool is_backwards;

static int
compare(const struct live_chat *a, const struct live_chat *b)
{
	const double x = top_speed(sorted, a);
	const double y = top_speed(sorted, b);

	switch (sorted_by) {
	case TOP_BY_TOKENS:
		return (a->tokens < b->tokens) - (a->tokens > b->tokens);
	case TOP_BY_SPEED:
		return (x < y) - (x > y);
	case TOP_BY_MODEL:
		return strcmp(a->names.model, b->names.model);
	case TOP_BY_CLIENT:
		return strcmp(a->names.client, b->names.client);
	case TOP_BY_AGE:
	case TOP_SORTS:
		break;
	}
	return 0;
}

/* Equal ones by age, so that they stay where they are. */
static int
order(const void *a, const void *b)
{
	const struct live_chat *const x = a;
	const struct live_chat *const y = b;
	int n = compare(x, y);

	if (n == 0)
		n = (x->begun_us > y->begun_us) - (x->begun_us < y->begun_us);
	if (n == 0)
		n = strcmp(x->names.request, y->names.request);
	return is_backwards ? -n : n;
}

void
top_sample_sort(struct top_sample *s, enum top_sort sort, bool is_reversed)
{
	sorted = s;
	sorted_by = sort;
	is_backwards = is_reversed;
	qsort(s->chats, s->nchats, sizeof(s->chats[0]), order);
}

/* --- the verdict ---------------------------------------------------------- */

const char *
top_status(const struct top_sample *s, bool *is_good)
{
	size_t ready = 0, silent = 0;

	for (size_t i = 0; i < s->nworkers; i++) {
		const bool is_silent = s->workers[i].silent_ms > TOP_SILENT_MS;

		silent += is_silent;
		ready += !is_silent && s->workers[i].state == SHM_READY;
	}
	*is_good = false;
	if (s->is_stopping)
		return "stopping";
	if (ready == 0)
		return "no worker serves";
	if (silent > 0)
		return "a worker is silent";
	if (!s->has_admin)
		return "no admin process";
	if (s->is_drained)
		return "drained";
	*is_good = true;
	return "running";
}
