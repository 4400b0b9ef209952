/* SPDX-License-Identifier: MIT */
/* live.c - the chats that a worker is at right now, for lookers-on. */
#include "shared/sys/live.h"

#include "shared/base/check.h"
#include "shared/base/utf8.h"

/* How often a reader looks again when the writer came between. */
#define READ_TRIES 4
#define NUMBER_MAX (INT64_C(1) << 60)

_Static_assert(sizeof(struct live_names) % sizeof(uint64_t) == 0,
	"names are copied as whole words");

/* --- the worker's side ---------------------------------------------------- */

void
live_clear(struct live *table)
{
	/* What stands in rows that are not counted is looked at by nobody, and
	 * pages that were never touched stay so. */
	atomic_store(&table->nrows, 0);
	atomic_store(&table->nunlisted, 0);
}

void
live_writer_init(struct live_writer *w, struct live *table)
{
	*w = (struct live_writer){ .table = table };
}

static void
put_name(char *to, size_t room, struct span s)
{
	size_t n = MIN(s.n, room - 1);

	if (n < s.n)
		while (n > 0 && ((uint8_t)s.p[n] & 0xc0) == 0x80)
			n--;
	memcpy(to, s.p, n);
}

/* The lowest one, so that few pages are touched and readers have little to look
 * at; LIVE_ROWS if there is none. */
static size_t
take_row(struct live_writer *w)
{
	for (size_t i = 0; i < ARRAY_LEN(w->used); i++) {
		unsigned bit;

		if (w->used[i] == UINT64_MAX)
			continue;
		bit = (unsigned)__builtin_ctzll(~w->used[i]);
		w->used[i] |= UINT64_C(1) << bit;
		return i * 64 + bit;
	}
	return LIVE_ROWS;
}

static void
store_names(struct live_row *row, const struct live_names *names)
{
	uint64_t words[LIVE_WORDS];

	memcpy(words, names, sizeof(words));
	/* Stores release and readers' loads acquire, so that the words stay
	 * between the two versions. */
	for (size_t i = 0; i < LIVE_WORDS; i++)
		atomic_store_explicit(
			&row->names[i], words[i], memory_order_release);
}

static void
fill_row(struct live_row *row, const struct live_begin *b)
{
	/* Odd already when an earlier worker died half-way. */
	const uint32_t odd = atomic_load(&row->version) | 1;
	struct live_names names;

	memset(&names, 0, sizeof(names));
	put_name(names.request, sizeof(names.request), b->request);
	put_name(names.client, sizeof(names.client), b->client);
	put_name(names.dialect, sizeof(names.dialect), b->dialect);
	put_name(names.upstream, sizeof(names.upstream), b->upstream);
	put_name(names.model, sizeof(names.model), b->model);
	atomic_store_explicit(&row->version, odd, memory_order_release);
	store_names(row, &names);
	atomic_store_explicit(
		&row->begun_wall_us, b->begun_wall_us, memory_order_release);
	atomic_store_explicit(
		&row->begun_us, b->begun_us, memory_order_release);
	atomic_store_explicit(
		&row->is_stream, b->is_stream, memory_order_release);
	atomic_store_explicit(&row->phase, LIVE_WAITING, memory_order_release);
	atomic_store_explicit(&row->first_us, -1, memory_order_release);
	atomic_store_explicit(&row->tokens, 0, memory_order_release);
	atomic_store_explicit(&row->bytes, 0, memory_order_release);
	atomic_store_explicit(&row->is_used, 1, memory_order_release);
	atomic_store_explicit(&row->version, odd + 1, memory_order_release);
}

static void
add_unlisted(struct live *t, uint32_t more)
{
	const uint32_t n =
		atomic_load_explicit(&t->nunlisted, memory_order_relaxed);

	atomic_store_explicit(&t->nunlisted, n + more, memory_order_relaxed);
}

struct live_row *
live_begin(struct live_writer *w, const struct live_begin *b)
{
	const size_t at = take_row(w);
	struct live *const t = w->table;

	if (at == LIVE_ROWS) {
		add_unlisted(t, 1);
		return NULL;
	}
	fill_row(&t->rows[at], b);
	if (atomic_load_explicit(&t->nrows, memory_order_relaxed) <= at)
		atomic_store_explicit(
			&t->nrows, (uint32_t)at + 1, memory_order_release);
	return &t->rows[at];
}

void
live_end(struct live_writer *w, struct live_row *row)
{
	size_t at;

	if (row == NULL) {
		add_unlisted(w->table, UINT32_MAX);
		return;
	}
	at = (size_t)(row - w->table->rows);
	GP_ASSERT(at < LIVE_ROWS);
	atomic_store_explicit(&row->is_used, 0, memory_order_release);
	w->used[at / 64] &= ~(UINT64_C(1) << at % 64);
}

/* --- everybody's ---------------------------------------------------------- */

size_t
live_rows(const struct live *table)
{
	return MIN(atomic_load(&table->nrows), LIVE_ROWS);
}

uint32_t
live_unlisted(const struct live *table)
{
	return atomic_load(&table->nunlisted);
}

/* Characters U+0080 to U+009F are control characters as well: terminals take
 * some of them for the begin of a sequence. */
static bool
is_plain(const char *p, size_t n)
{
	if (n == 1)
		return *p >= ' ' && *p <= '~';
	return n != 2 || (uint8_t)p[0] != 0xc2 || (uint8_t)p[1] >= 0xa0;
}

static void
clean(char *text, size_t room)
{
	const char *end;

	text[room - 1] = '\0';
	end = text + strlen(text);
	while (text < end) {
		const size_t n = MAX(utf8_seq_len(text, end), 1);

		if (!is_plain(text, n))
			memset(text, '?', n);
		text += n;
	}
}

static int64_t
number(const _Atomic int64_t *at, int64_t least)
{
	const int64_t n = atomic_load_explicit(at, memory_order_acquire);

	return MIN(MAX(n, least), NUMBER_MAX);
}

static void
load_row(const struct live_row *row, struct live_chat *out)
{
	uint64_t words[LIVE_WORDS] = { 0 };
	uint32_t phase;

	for (size_t i = 0; i < LIVE_WORDS; i++)
		words[i] = atomic_load_explicit(
			&row->names[i], memory_order_acquire);
	memcpy(&out->names, words, sizeof(words));
	out->begun_wall_us = number(&row->begun_wall_us, 0);
	out->begun_us = number(&row->begun_us, 0);
	out->first_us = number(&row->first_us, -1);
	out->tokens = number(&row->tokens, 0);
	out->bytes = number(&row->bytes, 0);
	out->is_stream = atomic_load_explicit(
				 &row->is_stream, memory_order_acquire) != 0;
	phase = atomic_load_explicit(&row->phase, memory_order_acquire);
	out->phase =
		phase < LIVE_PHASES ? (enum live_phase)phase : LIVE_WAITING;
}

static void
clean_names(struct live_names *n)
{
	clean(n->request, sizeof(n->request));
	clean(n->client, sizeof(n->client));
	clean(n->dialect, sizeof(n->dialect));
	clean(n->upstream, sizeof(n->upstream));
	clean(n->model, sizeof(n->model));
}

bool
live_get(const struct live *table, size_t at, struct live_chat *out)
{
	const struct live_row *const row = &table->rows[at];

	GP_ASSERT(at < LIVE_ROWS);
	for (int i = 0; i < READ_TRIES; i++) {
		const uint32_t before = atomic_load(&row->version);

		if (atomic_load(&row->is_used) == 0)
			return false;
		load_row(row, out);
		if (before % 2 != 0 || before != atomic_load(&row->version))
			continue;
		clean_names(&out->names);
		return true;
	}
	return false;
}

const char *
live_phase_word(enum live_phase phase)
{
	static const char *const words[LIVE_PHASES] = {
		[LIVE_WAITING] = "waiting",
		[LIVE_QUEUED] = "queued",
		[LIVE_ANSWERING] = "answering",
	};

	return words[phase];
}
