/* SPDX-License-Identifier: MIT */
/* test_live.c - the table of chats that are under way. */
#include "shared/sys/live.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/t.h"

struct fixture {
	struct live *table;
	struct live_writer writer;
};

static int
set_up(void **state)
{
	struct fixture *const f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->table = aligned_alloc(_Alignof(struct live), sizeof(*f->table));
	assert_non_null(f->table);
	/* As a dead worker may have left it. */
	memset(f->table, 0xff, sizeof(*f->table));
	live_clear(f->table);
	live_writer_init(&f->writer, f->table);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *const f = *state;

	free(f->table);
	free(f);
	return 0;
}

static struct live_begin
named(const char *model)
{
	return (struct live_begin){
		.request = SPAN("req_1"),
		.client = SPAN("ann"),
		.dialect = SPAN("openai"),
		.upstream = SPAN("anthropic"),
		.model = span_cstr(model),
		.begun_wall_us = 1700000000000000,
		.begun_us = 5000000,
		.is_stream = true,
	};
}

static size_t
shown(const struct live *t)
{
	struct live_chat c;
	size_t n = 0;

	for (size_t i = 0; i < live_rows(t); i++)
		n += live_get(t, i, &c);
	return n;
}

static void
test_a_chat(void **state)
{
	struct fixture *const f = *state;
	const struct live_begin b = named("glm-4.6");
	struct live_row *row;
	struct live_chat c;

	assert_int_equal(live_rows(f->table), 0);
	row = live_begin(&f->writer, &b);
	assert_non_null(row);
	assert_int_equal(live_rows(f->table), 1);
	assert_true(live_get(f->table, 0, &c));
	assert_string_equal(c.names.request, "req_1");
	assert_string_equal(c.names.client, "ann");
	assert_string_equal(c.names.dialect, "openai");
	assert_string_equal(c.names.upstream, "anthropic");
	assert_string_equal(c.names.model, "glm-4.6");
	assert_int_equal(c.begun_wall_us, 1700000000000000);
	assert_int_equal(c.begun_us, 5000000);
	assert_true(c.is_stream);
	assert_int_equal(c.phase, LIVE_WAITING);
	assert_int_equal(c.first_us, -1);
	assert_int_equal(c.tokens, 0);
	assert_int_equal(c.bytes, 0);
	live_set_phase(row, LIVE_ANSWERING);
	live_set_first(row, 250000);
	live_set_progress(row, 17, 4096);
	assert_true(live_get(f->table, 0, &c));
	assert_int_equal(c.phase, LIVE_ANSWERING);
	assert_int_equal(c.first_us, 250000);
	assert_int_equal(c.tokens, 17);
	assert_int_equal(c.bytes, 4096);
	live_end(&f->writer, row);
	assert_false(live_get(f->table, 0, &c));
	/* The next one begins anew. */
	assert_ptr_equal(live_begin(&f->writer, &b), row);
	assert_true(live_get(f->table, 0, &c));
	assert_int_equal(c.phase, LIVE_WAITING);
	assert_int_equal(c.first_us, -1);
	assert_int_equal(c.tokens, 0);
	assert_int_equal(c.bytes, 0);
}

static void
test_more_than_rows(void **state)
{
	struct fixture *const f = *state;
	const struct live_begin b = named("m");
	struct live_row *rows[LIVE_ROWS + 3];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rows[i] = live_begin(&f->writer, &b);
	for (size_t i = 0; i < LIVE_ROWS; i++)
		assert_non_null(rows[i]);
	assert_null(rows[LIVE_ROWS]);
	/* They are counted only. */
	live_set_phase(NULL, LIVE_ANSWERING);
	live_set_first(NULL, 1);
	live_set_progress(NULL, 1, 1);
	assert_int_equal(shown(f->table), LIVE_ROWS);
	assert_int_equal(live_unlisted(f->table), 3);
	live_end(&f->writer, NULL);
	assert_int_equal(live_unlisted(f->table), 2);
	live_end(&f->writer, rows[70]);
	assert_int_equal(shown(f->table), LIVE_ROWS - 1);
	assert_ptr_equal(live_begin(&f->writer, &b), rows[70]);
	for (size_t i = 0; i < LIVE_ROWS; i++)
		live_end(&f->writer, rows[i]);
	live_end(&f->writer, NULL);
	live_end(&f->writer, NULL);
	assert_int_equal(shown(f->table), 0);
	assert_int_equal(live_unlisted(f->table), 0);
	assert_ptr_equal(live_begin(&f->writer, &b), rows[0]);
}

/* Another child gets the slot of one that died in the middle. */
static void
test_heir(void **state)
{
	struct fixture *const f = *state;
	const struct live_begin b = named("m");
	struct live_row *row;
	struct live_chat c;

	row = live_begin(&f->writer, &b);
	assert_non_null(live_begin(&f->writer, &b));
	atomic_fetch_add(&row->version, 1);
	live_clear(f->table);
	assert_int_equal(shown(f->table), 0);
	live_writer_init(&f->writer, f->table);
	assert_ptr_equal(live_begin(&f->writer, &b), row);
	assert_true(live_get(f->table, 0, &c));
	assert_int_equal(shown(f->table), 1);
}

static void
test_hostile_names(void **state)
{
	static const struct {
		struct span name;
		const char *is;
	} rows[] = {
		{ SPAN_INIT(""), "" },
		{ SPAN_INIT("\x1b[2J\x1b]0;x\x07"), "?[2J?]0;x?" },
		{ SPAN_INIT("a\nb\r\t\x7f"), "a?b???" },
		{ SPAN_INIT("nul\0l"), "nul" },
		{ SPAN_INIT("csi \xc2\x9b"
			    "31m"),
			"csi ??31m" },
		{ SPAN_INIT("\xc2\xa0\xc2\x85"), "\xc2\xa0??" },
		{ SPAN_INIT("gr\xc3\xbcn \xe4\xb8\xad \xf0\x9f\x98\x80"),
			"gr\xc3\xbcn \xe4\xb8\xad \xf0\x9f\x98\x80" },
		{ SPAN_INIT("\xff\xc0\xaf\xed\xa0\x80"), "??????" },
		{ SPAN_INIT("cut \xe4\xb8"), "cut ??" },
	};
	struct fixture *const f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *const text = t_exact(rows[i].name);
		struct live_begin b = named("");
		struct live_row *row;
		struct live_chat c;

		b.model = b.client = b.request = b.dialect =
			span_of(text, rows[i].name.n);
		row = live_begin(&f->writer, &b);
		assert_true(live_get(f->table, 0, &c));
		assert_string_equal(c.names.model, rows[i].is);
		assert_string_equal(c.names.client, rows[i].is);
		assert_string_equal(c.names.request, rows[i].is);
		assert_string_equal(c.names.dialect, rows[i].is);
		live_end(&f->writer, row);
		free(text);
	}
}

/* Cut to the room, at a whole character. */
static void
test_long_names(void **state)
{
	struct fixture *const f = *state;
	char *const x = t_repeat("x", 100000);
	char *const wide = t_repeat("\xe4\xb8\xad", 1000);
	struct live_begin b = named(x);
	struct live_chat c;

	b.client = span_cstr(wide);
	assert_non_null(live_begin(&f->writer, &b));
	assert_true(live_get(f->table, 0, &c));
	assert_int_equal(strlen(c.names.model), sizeof(c.names.model) - 1);
	/* 71 bytes of room are 23 characters and two bytes. */
	assert_int_equal(strlen(c.names.client), 69);
	assert_null(strchr(c.names.client, '?'));
	free(x);
	free(wide);
}

/* What stands in the memory may be anything. */
static void
test_nonsense_in_memory(void **state)
{
	struct fixture *const f = *state;
	const struct live_begin b = named("m");
	struct live_row *const row = live_begin(&f->writer, &b);
	struct live_chat c;

	atomic_store(&f->table->nrows, UINT32_MAX);
	assert_int_equal(live_rows(f->table), LIVE_ROWS);
	for (size_t i = 0; i < LIVE_WORDS; i++)
		atomic_store(&row->names[i], UINT64_MAX);
	atomic_store(&row->begun_us, INT64_MIN);
	atomic_store(&row->begun_wall_us, INT64_MAX);
	atomic_store(&row->phase, 77);
	atomic_store(&row->tokens, -5);
	atomic_store(&row->bytes, INT64_MIN);
	atomic_store(&row->first_us, INT64_MIN);
	assert_true(live_get(f->table, 0, &c));
	assert_int_equal(strlen(c.names.model), sizeof(c.names.model) - 1);
	assert_int_equal(c.names.model[0], '?');
	assert_int_equal(c.begun_us, 0);
	assert_true(c.begun_wall_us > 0);
	assert_int_equal(c.phase, LIVE_WAITING);
	assert_int_equal(c.tokens, 0);
	assert_int_equal(c.bytes, 0);
	assert_int_equal(c.first_us, -1);
	/* A writer that died half-way: nobody waits for it. */
	atomic_store(&row->version, 1);
	assert_false(live_get(f->table, 0, &c));
}

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(live_phase_word(LIVE_WAITING), "waiting");
	assert_string_equal(live_phase_word(LIVE_QUEUED), "queued");
	assert_string_equal(live_phase_word(LIVE_ANSWERING), "answering");
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_chat),
		TEST(test_more_than_rows),
		TEST(test_heir),
		TEST(test_hostile_names),
		TEST(test_long_names),
		TEST(test_nonsense_in_memory),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
