/* SPDX-License-Identifier: MIT */
/*
 * top_sample.h - what `glmproxy top` knows: a sample of the shared memory, and
 * what has happened between two of them.
 *
 * All texts come from live_get and are plain text; all numbers may be anything.
 */
#ifndef MASTER_TOP_SAMPLE_H
#define MASTER_TOP_SAMPLE_H

#include "shared/sys/shm.h"

/* Chats that are listed; the others are counted. */
#define TOP_CHATS 4096
/* A worker that has been silent for so long is told of. */
#define TOP_SILENT_MS 5000

struct top_worker {
	int slot;
	int32_t pid;
	uint32_t generation, state; /* enum shm_state, or anything */
	int64_t silent_ms;          /* since its last heartbeat */
	uint32_t connections;
	uint64_t requests, cpu_us;
	uint32_t chats; /* listed and not */
	uint32_t ring_bytes;
	double requests_per_s, cpu_percent; /* -1: it is new */
};

struct top_sample {
	int64_t at_us; /* clock_mono_us */
	int64_t at_wall_us;
	int64_t started_wall_us, counted_wall_us;
	uint32_t generation, restarts;
	bool is_stopping, is_drained, has_admin;
	struct metrics totals;
	struct top_worker workers[SHM_SLOTS];
	size_t nworkers;
	struct live_chat chats[TOP_CHATS];
	size_t nchats;
	uint64_t nunlisted;
	uint64_t phases[LIVE_PHASES]; /* of listed chats */
};

/* Out of memory ends the process. */
struct top_sample *top_sample_new(void);
/* About 10 us and 200 ns a chat. */
void top_sample_take(struct top_sample *s, const struct shm *m);

/* Milliseconds; -1: there was nothing. */
struct top_times {
	double p50, p90, p99;
};

/* What has happened in `seconds`, a second. */
struct top_rates {
	double seconds;
	double requests, chats, errors, cancelled;
	double tokens_in, tokens_cached, tokens_out;
	double lost;
	double hit_percent; /* of tokens_in; -1: there were none */
	struct top_times first, total;
};

/* Also fills in what workers have done. before may be NULL, or of another
 * memory: then it is since the begin of the memory. */
void top_compare(const struct top_sample *before, struct top_sample *now,
	struct top_rates *out);

/* Records and lines that were lost, ever. */
uint64_t top_lost(const struct metrics *m);
/* Answers with 4xx and 5xx, and streams that broke, ever. */
uint64_t top_errors(const struct metrics *m);
uint64_t top_requests(const struct metrics *m);

enum top_sort {
	TOP_BY_AGE,
	TOP_BY_TOKENS,
	TOP_BY_SPEED,
	TOP_BY_MODEL,
	TOP_BY_CLIENT,
	TOP_SORTS
};

/* The highest first, or the first by name; equal ones by age. */
void top_sample_sort(
	struct top_sample *s, enum top_sort sort, bool is_reversed);

double top_age_ms(const struct top_sample *s, const struct live_chat *c);
/* Tokens a second, since the first one; -1: not yet known. */
double top_speed(const struct top_sample *s, const struct live_chat *c);

/* In a few words, and whether all is well. */
const char *top_status(const struct top_sample *s, bool *is_good);

#endif
