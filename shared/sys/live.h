/* SPDX-License-Identifier: MIT */
/*
 * live.h - the chats that a worker is at right now, for lookers-on.
 *
 * A table a worker in shared memory, written by that worker only: a row a chat,
 * from the choice of its route to its end. Where all rows are taken a chat is
 * counted, not listed. The table of a dead worker goes with its slot.
 *
 * What stands for a chat's whole life (names, times of its begin) is written
 * once, under the row's version; what changes are words of their own. Readers
 * copy a row, look whether its version is still the same, and believe nothing:
 * numbers are brought into their range, texts are plain text when they have
 * been read.
 */
#ifndef SYS_LIVE_H
#define SYS_LIVE_H

#include <stdatomic.h>

#include "shared/base/span.h"

#define LIVE_ROWS 256 /* a worker; what is over is counted */

enum live_phase {
	LIVE_WAITING,   /* for upstream's first byte */
	LIVE_QUEUED,    /* it was not sent yet: too many of its key are */
	LIVE_ANSWERING, /* upstream's answer is coming */
	LIVE_PHASES
};

/* Longer ones are cut, at the end of a character. */
struct live_names {
	char request[40];
	char client[72]; /* name of a listed one, or the tag of its key */
	char dialect[16];
	char upstream[16]; /* dialect */
	char model[96];    /* that upstream is asked for */
};

#define LIVE_WORDS (sizeof(struct live_names) / sizeof(uint64_t))

struct live_row {
	_Atomic uint32_t version; /* odd: being written */
	_Atomic uint32_t is_used;
	_Atomic uint64_t names[LIVE_WORDS]; /* a struct live_names */
	_Atomic int64_t begun_wall_us;
	_Atomic int64_t begun_us; /* clock_mono_us */
	_Atomic uint32_t is_stream;
	_Atomic uint32_t phase;
	_Atomic int64_t first_us; /* since the begin; -1: not yet */
	_Atomic int64_t tokens;
	_Atomic int64_t bytes;
} __attribute__((aligned(64)));

struct live {
	_Atomic uint32_t nrows; /* the first so many were ever used */
	_Atomic uint32_t nunlisted;
	struct live_row rows[LIVE_ROWS];
};

/* --- the worker's side ---------------------------------------------------- */

/* Which rows are free is the worker's own knowledge. */
struct live_writer {
	struct live *table;
	uint64_t used[LIVE_ROWS / 64];
};

struct live_begin {
	struct span request, client, dialect, upstream, model;
	int64_t begun_wall_us, begun_us;
	bool is_stream;
};

/* Master: a slot's table is to be another child's. Nothing is listed. */
void live_clear(struct live *table);

/* table: as live_clear has left it. */
void live_writer_init(struct live_writer *w, struct live *table);

/* A row for a chat, waiting; NULL when all are taken: then it is counted, and
 * the functions below do nothing. Cost: a copy of its names. */
struct live_row *live_begin(struct live_writer *w, const struct live_begin *b);
/* It is over. Once for each live_begin. */
void live_end(struct live_writer *w, struct live_row *row);

static inline void
live_set_phase(struct live_row *row, enum live_phase phase)
{
	if (row != NULL)
		atomic_store_explicit(
			&row->phase, (uint32_t)phase, memory_order_relaxed);
}

/* The client gets the first piece of its answer. */
static inline void
live_set_first(struct live_row *row, int64_t first_us)
{
	if (row != NULL)
		atomic_store_explicit(
			&row->first_us, first_us, memory_order_relaxed);
}

/* So much has come: tokens of output, and bytes of upstream's answer. Cost: two
 * stores. */
static inline void
live_set_progress(struct live_row *row, int64_t tokens, uint64_t bytes)
{
	if (row == NULL)
		return;
	atomic_store_explicit(&row->tokens, tokens, memory_order_relaxed);
	atomic_store_explicit(
		&row->bytes, (int64_t)bytes, memory_order_relaxed);
}

/* --- everybody's ---------------------------------------------------------- */

struct live_chat {
	struct live_names names; /* valid UTF-8, no control characters, NUL */
	int64_t begun_wall_us;   /* as all below at least 0 */
	int64_t begun_us;        /* clock_mono_us */
	int64_t first_us;        /* since the begin; -1: not yet */
	int64_t tokens;          /* of output, so far; a guess until its end */
	int64_t bytes;           /* of upstream's answer, so far */
	enum live_phase phase;
	bool is_stream;
};

/* Rows to be looked at, at most LIVE_ROWS. */
size_t live_rows(const struct live *table);
/* A copy of row `at` (below LIVE_ROWS); false if no chat is there. Never
 * waits: a row that is being written is none. */
bool live_get(
	const struct live *table, size_t at, struct live_chat *out) GP_WUR;
/* Chats that have no row. */
uint32_t live_unlisted(const struct live *table);
/* "waiting", "queued", "answering" */
const char *live_phase_word(enum live_phase phase);

#endif
