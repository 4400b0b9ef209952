/* SPDX-License-Identifier: MIT */
/* test_slots_threads.c - writers and readers of the shared memory at the same
 * time, as threads in place of processes so that the thread sanitizer sees
 * them. */
#include "tests/lib/t.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/sys/shm.h"

enum {
	WRITERS = 3,
	ROUNDS = 20000,
	LIVES = 50 /* of each writer: claimed and retired so often */
};

static struct shm *m;
static atomic_bool is_over;

static void
start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	assert_int_equal(pthread_create(t, NULL, fn, arg), 0);
}

static void
join(pthread_t t)
{
	assert_int_equal(pthread_join(t, NULL), 0);
}

/* A worker: counts, beats, says how many connections it has. */
static void *
work(void *arg)
{
	struct shm_slot *const slot = arg;

	for (int i = 0; i < ROUNDS / LIVES; i++) {
		metrics_add(&slot->metrics.requests_chat, 1);
		metrics_add(&slot->metrics.streams_live, 1);
		atomic_store(&slot->heartbeat_ms, i);
		atomic_store(&slot->connections, 1);
		metrics_sub(&slot->metrics.streams_live, 1);
	}
	return NULL;
}

/* Lookers-on: totals never shrink, and never grow past what was counted. */
static void *
look(void *arg)
{
	static _Thread_local struct metrics all;
	uint64_t last = 0;
	size_t *const wrong = arg;

	while (!atomic_load(&is_over)) {
		uint64_t now;

		shm_totals(m, &all);
		now = metrics_get(&all.requests_chat);
		if (now < last || now > (uint64_t)WRITERS * ROUNDS)
			(*wrong)++;
		last = now;
	}
	return NULL;
}

static void
test_totals_beside_deaths(void **state)
{
	pthread_t workers[WRITERS];
	pthread_t lookers[2];
	size_t wrong[2] = { 0, 0 };
	struct metrics all;

	(void)state;
	atomic_store(&is_over, false);
	for (size_t i = 0; i < ARRAY_LEN(lookers); i++)
		start(&lookers[i], look, &wrong[i]);
	for (uint32_t life = 0; life < LIVES; life++) {
		int slots[WRITERS];

		for (size_t i = 0; i < WRITERS; i++) {
			slots[i] = shm_claim(m, SHM_WORKER, life);
			assert_true(slots[i] >= 0);
			start(&workers[i], work, &m->slots[slots[i]]);
		}
		for (size_t i = 0; i < WRITERS; i++) {
			join(workers[i]);
			shm_retire(m, slots[i]);
		}
	}
	atomic_store(&is_over, true);
	for (size_t i = 0; i < ARRAY_LEN(lookers); i++) {
		join(lookers[i]);
		assert_int_equal(wrong[i], 0);
	}
	shm_totals(m, &all);
	assert_int_equal(metrics_get(&all.requests_chat), WRITERS * ROUNDS);
	assert_int_equal(metrics_get(&all.streams_live), 0);
}

/* All addresses of one publication have the same port; how many there are
 * follows from it. */
static void *
publish(void *arg)
{
	struct sock_addr addrs[SHM_ADDRS];

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		const size_t n = (size_t)i % SHM_ADDRS + 1;

		for (size_t k = 0; k < n; k++)
			if (!sock_addr_parse(
				    &addrs[k], SPAN("10.0.0.1"), (uint16_t)i))
				abort();
		shm_host_set(&m->hosts[0], addrs, n, i);
	}
	atomic_store(&is_over, true);
	return NULL;
}

static void *
read_addrs(void *arg)
{
	struct sock_addr addrs[SHM_ADDRS];
	size_t *const wrong = arg;

	while (!atomic_load(&is_over)) {
		const size_t n = shm_host_get(&m->hosts[0], addrs);
		const uint16_t port = n > 0 ? sock_addr_port(&addrs[0]) : 0;

		if (n > 0 && n != (size_t)port % SHM_ADDRS + 1)
			(*wrong)++;
		for (size_t i = 0; i < n; i++)
			if (sock_addr_port(&addrs[i]) != port)
				(*wrong)++;
	}
	return NULL;
}

static void
test_addresses_are_never_mixed(void **state)
{
	pthread_t readers[2];
	pthread_t writer;
	size_t wrong[2] = { 0, 0 };
	struct sock_addr last[SHM_ADDRS];

	(void)state;
	atomic_store(&is_over, false);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		start(&readers[i], read_addrs, &wrong[i]);
	start(&writer, publish, NULL);
	join(writer);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		join(readers[i]);
		assert_int_equal(wrong[i], 0);
	}
	assert_int_equal(
		shm_host_get(&m->hosts[0], last), (ROUNDS - 1) % SHM_ADDRS + 1);
}

/* Workers that use the same models at once, more than there are rows. */
enum {
	MODELS = USAGE_ROWS + 8
};

static void *
use(void *arg)
{
	const struct usage_sums one = { { 1, 20, 5, 3 } };
	char name[16];

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i % MODELS);
		usage_add(usage_row(&m->usage, SPAN("ann"), span_cstr(name)),
			&one);
	}
	return NULL;
}

/* A looker-on: no row shrinks, and each has the names that it had first. */
static void *
look_at_usage(void *arg)
{
	static struct usage_sums last[USAGE_ROWS + 1];
	size_t *const wrong = arg;

	while (!atomic_load(&is_over)) {
		for (size_t i = 0; i <= USAGE_ROWS; i++) {
			struct usage_names names;
			struct usage_sums now;

			if (!usage_get(&m->usage, i, &names, &now))
				continue;
			for (size_t k = 0; k < USAGE_FIGURES; k++)
				if (now.n[k] < last[i].n[k])
					(*wrong)++;
			last[i] = now;
			if (i < USAGE_ROWS && strcmp(names.client, "ann") != 0)
				(*wrong)++;
		}
	}
	return NULL;
}

static void
test_usage_of_all_workers(void **state)
{
	pthread_t workers[WRITERS];
	pthread_t looker;
	size_t wrong = 0;
	size_t rows = 0;
	struct usage_sums all = { { 0 } };

	(void)state;
	atomic_store(&is_over, false);
	start(&looker, look_at_usage, &wrong);
	for (size_t i = 0; i < WRITERS; i++)
		start(&workers[i], use, NULL);
	for (size_t i = 0; i < WRITERS; i++)
		join(workers[i]);
	atomic_store(&is_over, true);
	join(looker);
	assert_int_equal(wrong, 0);
	for (size_t i = 0; i <= USAGE_ROWS; i++) {
		struct usage_names names;
		struct usage_sums s;

		rows += usage_get(&m->usage, i, &names, &s);
		for (size_t k = 0; k < USAGE_FIGURES; k++)
			all.n[k] += s.n[k];
	}
	assert_int_equal(rows, USAGE_ROWS + 1);
	assert_int_equal(all.n[USAGE_REQUESTS], WRITERS * ROUNDS);
	assert_int_equal(all.n[USAGE_INPUT_TOKENS], 20 * WRITERS * ROUNDS);
	assert_int_equal(all.n[USAGE_CACHED_TOKENS], 5 * WRITERS * ROUNDS);
	assert_int_equal(all.n[USAGE_OUTPUT_TOKENS], 3 * WRITERS * ROUNDS);
}

/* A ring: all entries come out whole and in order, those that found no room
 * are known. */
static _Atomic uint64_t refused, written;

static void *
write_ring(void *arg)
{
	struct ring *const r = arg;
	char entry[600];
	uint64_t puts = 0;
	uint64_t i = 0;

	for (; puts < 2 * (uint64_t)ROUNDS; i++) {
		const size_t n = sizeof(i) + (size_t)(i * 37 % 500);

		memset(entry, (int)(i & 0xff), n);
		memcpy(entry, &i, sizeof(i));
		puts += ring_put(r, span_of(entry, n)) == RING_PUT;
	}
	atomic_store(&refused, i - puts);
	atomic_store(&written, i);
	atomic_store(&is_over, true);
	return NULL;
}

static uint64_t
read_ring(struct ring *r, uint64_t *next, size_t *wrong)
{
	static char room[RING_ENTRY_MAX];
	struct ring_reader k;
	struct span entry;
	uint64_t n = 0;

	ring_begin(&k, r);
	while (ring_next(&k, room, &entry)) {
		uint64_t i;

		memcpy(&i, entry.p, sizeof(i));
		*wrong += i < *next ||
			entry.n != sizeof(i) + (size_t)(i * 37 % 500);
		for (size_t b = sizeof(i); b < entry.n; b++)
			*wrong += (unsigned char)entry.p[b] != (i & 0xff);
		*next = i + 1;
		n++;
	}
	ring_end(&k);
	*wrong += k.nspoilt;
	return n;
}

static void
test_ring(void **state)
{
	struct ring *const r = shm_ring(m, 7);
	pthread_t writer;
	uint64_t got = 0, next = 0;
	size_t wrong = 0;

	(void)state;
	atomic_store(&is_over, false);
	start(&writer, write_ring, r);
	while (!atomic_load(&is_over))
		got += read_ring(r, &next, &wrong);
	got += read_ring(r, &next, &wrong);
	join(writer);
	assert_int_equal(wrong, 0);
	assert_int_equal(got, 2 * ROUNDS);
	assert_int_equal(got + atomic_load(&refused), atomic_load(&written));
	assert_true(atomic_load(&r->head) > 2 * (uint64_t)RING_BYTES);
	assert_true(ring_is_empty(r));
}

/* Chats come and go in a few rows: whoever sees one sees all of it. */
static void *
chat(void *arg)
{
	struct live_writer w;
	struct live_row *rows[4] = { NULL };
	char name[40];

	live_writer_init(&w, arg);
	for (int64_t i = 0; i < ROUNDS; i++) {
		const size_t at = (size_t)i % ARRAY_LEN(rows);
		const size_t n = (size_t)i % 30 + 1;
		struct live_begin b = { .begun_us = i, .begun_wall_us = i };

		memset(name, (int)('a' + i % 26), n);
		b.request = b.client = b.model = span_of(name, n);
		b.dialect = b.upstream = SPAN("x");
		if (rows[at] != NULL)
			live_end(&w, rows[at]);
		rows[at] = live_begin(&w, &b);
		live_set_phase(rows[at], LIVE_ANSWERING);
		live_set_progress(rows[at], i, (uint64_t)i);
	}
	atomic_store(&is_over, true);
	return NULL;
}

static bool
is_whole(const struct live_chat *c)
{
	const size_t n = (size_t)(c->begun_us % 30 + 1);
	const char letter = (char)('a' + c->begun_us % 26);
	bool ok = c->begun_us == c->begun_wall_us &&
		strlen(c->names.model) == n && strlen(c->names.client) == n &&
		strlen(c->names.request) == n;

	for (size_t i = 0; ok && i < n; i++)
		ok = c->names.model[i] == letter &&
			c->names.client[i] == letter &&
			c->names.request[i] == letter;
	return ok;
}

static void
test_live_chats(void **state)
{
	const struct live *const t = shm_live(m, 9);
	pthread_t writer;
	size_t seen = 0, wrong = 0;

	(void)state;
	live_clear(shm_live_mut(m, 9));
	atomic_store(&is_over, false);
	start(&writer, chat, shm_live_mut(m, 9));
	while (!atomic_load(&is_over) || seen == 0) {
		struct live_chat c;

		for (size_t i = 0; i < live_rows(t); i++) {
			if (!live_get(t, i, &c))
				continue;
			wrong += !is_whole(&c);
			seen++;
		}
	}
	join(writer);
	assert_int_equal(wrong, 0);
	assert_true(seen > 0);
	assert_true(live_rows(t) <= 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_totals_beside_deaths),
		cmocka_unit_test(test_addresses_are_never_mixed),
		cmocka_unit_test(test_usage_of_all_workers),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_live_chats),
	};
	struct gp_error err;
	int failed;
	int fd;

	m = shm_create(&fd, &err);
	if (m == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	shm_detach(m);
	(void)close(fd);
	return failed;
}
