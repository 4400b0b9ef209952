/* SPDX-License-Identifier: MIT */
/*
 * records.c - what recording costs a worker, and records for an admin process.
 *
 *	records cost                    ns for each part, of the median round
 *	records feed MEMORY RATE S      as a worker would, into a running
 *service
 *
 * MEMORY is the master's descriptor below /proc. The records go into the ring
 * of a slot that no child has had yet; nobody may be started meanwhile.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "shared/sys/clock.h"
#include "shared/sys/record.h"
#include "shared/sys/shm.h"

enum {
	ROUNDS = 51,
	TIMES = 5000, /* so many records fit into a ring */
	CHUNKS = 200, /* of an answer, for what a live chat is told */
	NAMES = 6,
	TICK_MS = 5
};

static _Noreturn void
give_up(const char *what)
{
	(void)fprintf(stderr, "records: %s\n", what);
	exit(1);
}

/* As a chat of an agent leaves it. */
static void
fill(struct record *r, uint64_t n, char id[40], char model[16], char client[16])
{
	record_init(r);
	r->time_us = clock_wall_us();
	r->streamed = n % 2 == 0;
	r->status = n % 50 == 0 ? 429 : 200;
	r->code = n % 50 == 0 ? 1302 : 0;
	r->input = 20000 + (int64_t)(n % 1000);
	r->cached = 18000;
	r->output = 300;
	r->shown_input = 12800;
	r->shown_cached = 11520;
	r->shown_output = 192;
	r->head_us = 400000;
	r->body_us = 400100;
	r->first_us = 500000;
	r->total_us = 4000000 + (int64_t)(n % 977) * 1000;
	r->bytes_in = 90000;
	r->bytes_sent = 91000;
	r->bytes_received = 40000;
	r->bytes_out = 42000;
	(void)snprintf(id, 40, "req_%024" PRIu64, n);
	(void)snprintf(model, 16, "glm-4.%" PRIu64, n % NAMES);
	(void)snprintf(client, 16, "team-%" PRIu64, n / NAMES % NAMES);
	r->request = span_cstr(id);
	r->client = span_cstr(client);
	r->dialect = SPAN("openai");
	r->upstream = SPAN("anthropic");
	r->asked = r->model = span_cstr(model);
	r->error = n % 50 == 0 ? SPAN("rate") : SPAN_EMPTY;
}

/* --- what it costs -------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a;
	const int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void
drain(struct ring *r)
{
	static char room[RING_ENTRY_MAX];
	struct ring_reader k;
	struct span entry;

	ring_begin(&k, r);
	while (ring_next(&k, room, &entry))
		;
	ring_end(&k);
}

static int64_t
record_round(struct ring *ring, uint64_t *lost)
{
	char id[40], model[16], client[16], bytes[RECORD_MAX];
	struct record r;
	int64_t begun;

	fill(&r, 1, id, model, client);
	begun = now_ns();
	for (int i = 0; i < TIMES; i++) {
		const size_t n = record_write(&r, bytes);

		r.total_us++;
		*lost += ring_put(ring, span_of(bytes, n)) != RING_PUT;
	}
	return (now_ns() - begun) / TIMES;
}

static int64_t
live_round(struct live_writer *w)
{
	const struct live_begin b = { .request = SPAN("req_0123456789abcdef"),
		.client = SPAN("team-1"),
		.dialect = SPAN("openai"),
		.upstream = SPAN("anthropic"),
		.model = SPAN("glm-4.6"),
		.begun_wall_us = 1,
		.begun_us = 1,
		.is_stream = true };
	const int64_t begun = now_ns();

	for (int i = 0; i < TIMES; i++) {
		struct live_row *const row = live_begin(w, &b);

		live_set_phase(row, LIVE_ANSWERING);
		live_set_first(row, i);
		live_set_progress(row, i, 100);
		live_end(w, row);
	}
	return (now_ns() - begun) / TIMES;
}

static int64_t
chunk_round(struct live_row *row)
{
	const int64_t begun = now_ns();

	for (int i = 0; i < TIMES * CHUNKS / 100; i++) {
		live_set_phase(row, LIVE_ANSWERING);
		live_set_progress(row, i, (uint64_t)i);
	}
	return (now_ns() - begun) * 1000 / (TIMES * CHUNKS / 100);
}

static int
cost(void)
{
	int64_t record[ROUNDS], live[ROUNDS], chunk[ROUNDS];
	struct live_writer w;
	struct live_row *row;
	struct gp_error err;
	uint64_t lost = 0;
	struct shm *m;
	int fd;

	m = shm_create(&fd, &err);
	if (m == NULL)
		give_up(err.text);
	live_writer_init(&w, shm_live_mut(m, 0));
	row = live_begin(&w, &(struct live_begin){ .model = SPAN("m") });
	for (int i = 0; i < ROUNDS; i++) {
		record[i] = record_round(shm_ring(m, 0), &lost);
		drain(shm_ring(m, 0));
		live[i] = live_round(&w);
		chunk[i] = chunk_round(row);
	}
	if (lost > 0)
		give_up("the ring was full");
	qsort(record, ROUNDS, sizeof(record[0]), compare);
	qsort(live, ROUNDS, sizeof(live[0]), compare);
	qsort(chunk, ROUNDS, sizeof(chunk[0]), compare);
	(void)printf("record_ns=%" PRId64 " live_ns=%" PRId64
		     " chunk_ps=%" PRId64 "\n",
		record[ROUNDS / 2], live[ROUNDS / 2], chunk[ROUNDS / 2]);
	return 0;
}

/* --- feeding -------------------------------------------------------------- */

static void
feed_ring(struct ring *ring, uint64_t rate, uint64_t seconds)
{
	const int64_t begun_ms = clock_mono_ms();
	const uint64_t all = rate * seconds;
	const struct timespec tick = { .tv_nsec = TICK_MS * 1000000L };
	uint64_t n = 0, lost = 0;

	while (n < all) {
		const uint64_t due = MIN(all,
			(uint64_t)(clock_mono_ms() - begun_ms) * rate / 1000);

		for (; n < due; n++) {
			char id[40], model[16], client[16], bytes[RECORD_MAX];
			struct record r;

			fill(&r, n, id, model, client);
			lost += ring_put(ring,
					span_of(bytes,
						record_write(&r, bytes))) ==
				RING_FULL;
		}
		(void)nanosleep(&tick, NULL);
	}
	(void)printf("put=%" PRIu64 " lost=%" PRIu64 " ms=%" PRId64 "\n",
		n - lost, lost, clock_mono_ms() - begun_ms);
}

static int
feed(const char *memory, const char *rate, const char *seconds)
{
	const int fd = open(memory, O_RDWR | O_CLOEXEC);
	struct gp_error err;
	uint64_t r, s;
	struct shm *m;
	uint32_t slot;

	if (fd < 0 || !span_u64(span_cstr(rate), &r) ||
		!span_u64(span_cstr(seconds), &s))
		give_up("no such memory, or no number");
	m = shm_attach(fd, &err);
	if (m == NULL)
		give_up(err.text);
	slot = atomic_load(&m->slots_used);
	if (slot >= SHM_SLOTS)
		give_up("all slots have been used");
	ring_resume(shm_ring(m, (int)slot));
	/* Admin reads the rings of slots that were ever claimed. */
	atomic_store(&m->slots_used, slot + 1);
	feed_ring(shm_ring(m, (int)slot), r, s);
	shm_detach(m);
	(void)close(fd);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "cost") == 0)
		return cost();
	if (argc == 5 && strcmp(argv[1], "feed") == 0)
		return feed(argv[2], argv[3], argv[4]);
	give_up("usage: records cost | records feed MEMORY RATE SECONDS");
}
