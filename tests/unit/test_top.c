/* SPDX-License-Identifier: MIT */
/* test_top.c - what `glmproxy top` makes of the shared memory: differences,
 * pictures, text for terminals. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/top_draw.h"
#include "master/top_json.h"
#include "master/top_text.h"
#include "shared/json/jdoc.h"
#include "shared/sys/clock.h"
#include "tests/lib/t.h"

#define PICTURE_MAX (4u << 20)

struct fixture {
	struct shm *shm;
	int fd, slot;
	struct live_writer writer;
	struct metrics *m;
	struct top_sample *before, *now;
	struct top_rates rates;
	struct buf out;
};

static int
set_up(void **state)
{
	struct fixture *const f = calloc(1, sizeof(*f));
	struct gp_error err;

	assert_non_null(f);
	f->shm = shm_create(&f->fd, &err);
	assert_non_null(f->shm);
	f->slot = shm_claim(f->shm, SHM_WORKER, 1);
	assert_true(f->slot >= 0);
	atomic_store(&f->shm->slots[f->slot].pid, 42);
	atomic_store(&f->shm->slots[f->slot].state, SHM_READY);
	f->m = &f->shm->slots[f->slot].metrics;
	live_writer_init(&f->writer, shm_live_mut(f->shm, f->slot));
	assert_true(shm_claim(f->shm, SHM_ADMIN, 1) >= 0);
	f->before = top_sample_new();
	f->now = top_sample_new();
	buf_init(&f->out, PICTURE_MAX);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *const f = *state;

	buf_fini(&f->out);
	free(f->before);
	free(f->now);
	shm_detach(f->shm);
	(void)close(f->fd);
	free(f);
	return 0;
}

static struct live_row *
chat(struct fixture *f, const char *model, const char *client, int64_t age_s)
{
	const struct live_begin b = { .request = SPAN("req_1"),
		.client = span_cstr(client),
		.dialect = SPAN("openai"),
		.upstream = SPAN("anthropic"),
		.model = span_cstr(model),
		.begun_wall_us = clock_wall_us() - age_s * 1000000,
		.begun_us = clock_mono_us() - age_s * 1000000,
		.is_stream = true };

	return live_begin(&f->writer, &b);
}

/* Two samples, two seconds apart. */
static void
compare(struct fixture *f)
{
	f->before->at_us = f->now->at_us - 2000000;
	top_compare(f->before, f->now, &f->rates);
}

/* --- differences ---------------------------------------------------------- */

#define ABOUT(a, b) assert_true((a) > (b)-0.01 && (a) < (b) + 0.01)

static void
test_rates(void **state)
{
	struct fixture *const f = *state;
	struct live_row *row;

	metrics_add(&f->m->requests_chat, 1000);
	metrics_add(&f->m->tokens_in, 777);
	metrics_observe(&f->m->first_chat_stream, 400000000);
	row = chat(f, "m", "c", 1);
	live_set_progress(row, 30, 100);
	top_sample_take(f->before, f->shm);
	metrics_add(&f->m->requests_chat, 8);
	metrics_add(&f->m->requests_other, 2);
	metrics_add(&f->m->responses_4xx, 1);
	metrics_add(&f->m->responses_5xx, 2);
	metrics_add(&f->m->streams_broken, 3);
	metrics_add(&f->m->cancelled, 4);
	metrics_add(&f->m->tokens_in, 200);
	metrics_add(&f->m->tokens_cached, 150);
	metrics_add(&f->m->tokens_out, 20);
	metrics_add(&f->m->records_lost, 5);
	metrics_add(&f->m->cpu_us, 500000);
	for (int i = 0; i < 10; i++)
		metrics_observe(&f->m->first_chat_body, 2000);
	live_set_progress(row, 50, 100);
	top_sample_take(f->now, f->shm);
	compare(f);
	ABOUT(f->rates.seconds, 2);
	ABOUT(f->rates.requests, 5);
	ABOUT(f->rates.chats, 4);
	ABOUT(f->rates.errors, 3);
	ABOUT(f->rates.cancelled, 2);
	ABOUT(f->rates.tokens_in, 100);
	ABOUT(f->rates.hit_percent, 75);
	/* Those of the live chat included. */
	ABOUT(f->rates.tokens_out, 20);
	ABOUT(f->rates.lost, 2.5);
	/* Of the interval only, between 1 and 2.5 ms. */
	assert_true(f->rates.first.p50 > 1 && f->rates.first.p99 <= 2.5);
	ABOUT(f->rates.total.p50, -1);
	ABOUT(f->now->workers[0].requests_per_s, 5);
	ABOUT(f->now->workers[0].cpu_percent, 25);
}

static void
test_memory_begins_anew(void **state)
{
	struct fixture *const f = *state;

	metrics_add(&f->m->requests_chat, 1000);
	top_sample_take(f->before, f->shm);
	top_sample_take(f->now, f->shm);
	/* Another one, with smaller figures. */
	f->before->counted_wall_us -= 1000000;
	f->now->counted_wall_us = f->now->at_wall_us - 10000000;
	compare(f);
	ABOUT(f->rates.seconds, 10);
	ABOUT(f->rates.requests, 100);
	ABOUT(f->now->workers[0].cpu_percent, -1);
	top_compare(NULL, f->now, &f->rates);
	ABOUT(f->rates.requests, 100);
	/* Figures that go back, for whatever reason. */
	f->before->counted_wall_us = f->now->counted_wall_us;
	metrics_add(&f->before->totals.requests_chat, 5);
	compare(f);
	ABOUT(f->rates.requests, 0);
}

static void
test_status(void **state)
{
	struct fixture *const f = *state;
	struct shm_slot *const slot = &f->shm->slots[f->slot];
	bool is_good;

	top_sample_take(f->now, f->shm);
	assert_string_equal(top_status(f->now, &is_good), "running");
	assert_true(is_good);
	atomic_store(&slot->heartbeat_ms,
		clock_mono_ms() - 2 * (int64_t)TOP_SILENT_MS);
	top_sample_take(f->now, f->shm);
	assert_string_equal(top_status(f->now, &is_good), "no worker serves");
	assert_false(is_good);
	/* Nonsense is a worker that is not ready. */
	atomic_store(&slot->heartbeat_ms, INT64_MAX);
	atomic_store(&slot->state, 99);
	top_sample_take(f->now, f->shm);
	assert_string_equal(top_status(f->now, &is_good), "no worker serves");
	atomic_store(&slot->state, SHM_READY);
	atomic_store(&f->shm->draining, 1);
	top_sample_take(f->now, f->shm);
	assert_string_equal(top_status(f->now, &is_good), "stopping");
	atomic_store(&f->shm->draining, 0);
	atomic_store(&f->shm->drained, 1);
	top_sample_take(f->now, f->shm);
	assert_string_equal(top_status(f->now, &is_good), "drained");
	assert_false(is_good);
	shm_retire(f->shm, f->slot);
	(void)chat(f, "m", "c", 1);
	top_sample_take(f->now, f->shm);
	assert_int_equal(f->now->nworkers, 0);
	/* Chats of the dead are none. */
	assert_int_equal(f->now->nchats, 0);
}

/* --- pictures ------------------------------------------------------------- */

static const char *
draw(struct fixture *f, const struct top_look *look)
{
	buf_reset(&f->out, PICTURE_MAX);
	top_sample_take(f->now, f->shm);
	top_compare(NULL, f->now, &f->rates);
	top_draw(f->now, &f->rates, look, &f->out);
	buf_putc(&f->out, '\0');
	assert_false(f->out.bad);
	return f->out.data;
}

/* A picture with ASCII only: so many lines of so many columns, and no other
 * escapes than those that draw. */
static void
check_picture(const char *p, int width, int height)
{
	int x = 0, y = 0;

	assert_int_equal(strncmp(p, "\x1b[H", 3), 0);
	for (p += 3; *p != '\0';) {
		if (strncmp(p, "\r\n", 2) == 0) {
			assert_int_equal(x, width);
			x = 0;
			y++;
			p += 2;
			continue;
		}
		if (*p == '\x1b') {
			assert_int_equal(p[1], '[');
			p += 2 + strspn(p + 2, "0123456789;");
			assert_int_equal(*p++, 'm');
			continue;
		}
		assert_true(*p >= ' ' && *p <= '~');
		p++;
		x++;
	}
	assert_int_equal(x, width);
	assert_int_equal(y + 1, height);
}

static void
test_every_size(void **state)
{
	static const int sizes[][2] = { { 80, 24 }, { 120, 40 }, { 40, 15 },
		{ 20, 5 }, { 200, 60 }, { 132, 21 }, { 1, 1 }, { 3, 2 },
		{ 55, 20 }, { 1000, 3 } };
	struct fixture *const f = *state;
	struct top_look look = { .has_escapes = true, .interval_s = 1 };

	for (int i = 0; i < 60; i++)
		(void)chat(f, "some-model-of-some-length", "a client", i);
	for (int i = 0; i < 40; i++)
		assert_true(shm_claim(f->shm, SHM_WORKER, 2) >= 0);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		look.width = sizes[i][0];
		look.height = sizes[i][1];
		for (int how = 0; how < 8; how++) {
			look.has_color = (how & 1) != 0;
			look.shows_help = (how & 2) != 0;
			look.is_paused = (how & 4) != 0;
			look.skipped = (size_t)how * 10;
			check_picture(draw(f, &look), look.width, look.height);
		}
	}
}

static void
test_colors_only_if_wanted(void **state)
{
	struct fixture *const f = *state;
	struct top_look look = { .has_escapes = true,
		.width = 80,
		.height = 24,
		.has_color = true,
		.interval_s = 1 };

	/* Something to warn of. */
	atomic_store(&f->shm->draining, 1);
	assert_non_null(strstr(draw(f, &look), "\x1b[1;31mglmproxy"));
	look.has_color = false;
	assert_non_null(strstr(draw(f, &look), "\x1b[1mglmproxy"));
	assert_null(strstr(f->out.data, "\x1b[1;3"));
	look.has_escapes = false;
	assert_null(strstr(draw(f, &look), "\x1b"));
}

static void
test_hostile_names(void **state)
{
	static const char evil[] = "\x1b[2J\x1b]0;owned\x07\r\n\x9b"
				   "31m\xc2\x9b"
				   "1m\x7f";
	struct fixture *const f = *state;
	struct top_look look = { .has_escapes = true,
		.width = 120,
		.height = 30,
		.is_utf8 = true,
		.interval_s = 1 };

	(void)chat(f, evil, evil, 1);
	check_picture(draw(f, &look), 120, 30);
	assert_non_null(strstr(f->out.data, "?[2J?]0;owned???"));
	/* Also if it gets past the reader of the table. */
	top_sample_take(f->now, f->shm);
	memcpy(f->now->chats[0].names.model, evil, sizeof(evil));
	memcpy(f->now->chats[0].names.client, evil, sizeof(evil));
	buf_reset(&f->out, PICTURE_MAX);
	top_draw(f->now, &f->rates, &look, &f->out);
	buf_putc(&f->out, '\0');
	check_picture(f->out.data, 120, 30);
}

/* The first model in the picture. */
static void
check_first(struct fixture *f, struct top_look *look, enum top_sort sort,
	bool is_reversed, const char *model)
{
	const char *at;

	look->sort = sort;
	look->is_reversed = is_reversed;
	at = strstr(draw(f, look), "model-");
	assert_non_null(at);
	assert_int_equal(strncmp(at, model, strlen(model)), 0);
}

static void
test_order(void **state)
{
	struct fixture *const f = *state;
	struct top_look look = { .width = 120 };
	struct live_row *row;

	row = chat(f, "model-b", "z", 30);
	live_set_first(row, 1000000);
	live_set_progress(row, 290, 1);
	row = chat(f, "model-a", "y", 20);
	live_set_first(row, 1000000);
	live_set_progress(row, 500, 1);
	row = chat(f, "model-c", "x", 10);
	live_set_first(row, 9000000);
	live_set_progress(row, 100, 1);
	check_first(f, &look, TOP_BY_AGE, false, "model-b");
	check_first(f, &look, TOP_BY_AGE, true, "model-c");
	check_first(f, &look, TOP_BY_TOKENS, false, "model-a");
	check_first(f, &look, TOP_BY_TOKENS, true, "model-c");
	check_first(f, &look, TOP_BY_SPEED, false, "model-c");
	check_first(f, &look, TOP_BY_MODEL, false, "model-a");
	check_first(f, &look, TOP_BY_CLIENT, false, "model-c");
	look.skipped = 2;
	check_first(f, &look, TOP_BY_AGE, false, "model-c");
	look.skipped = 1000;
	assert_null(strstr(draw(f, &look), "model-"));
}

static void
test_more_chats_than_are_listed(void **state)
{
	struct fixture *const f = *state;
	const struct top_look look = { .width = 100 };

	for (int i = 0; i < LIVE_ROWS + 7; i++)
		(void)chat(f, "m", "c", 1);
	assert_non_null(strstr(draw(f, &look), "and 7 more"));
	assert_non_null(strstr(f->out.data, "live 263"));
}

static void
test_json(void **state)
{
	struct fixture *const f = *state;
	struct gp_error err;
	struct jdoc doc;

	(void)chat(f, "\"\\\x1b<script>", "c", 1);
	top_sample_take(f->now, f->shm);
	top_compare(NULL, f->now, &f->rates);
	top_json(f->now, &f->rates, 7, &f->out);
	jdoc_init(&doc);
	assert_int_equal(jdoc_parse(&doc, buf_span(&f->out), &err), GP_OK);
	assert_int_equal(
		jdoc_count(
			&doc, jdoc_get(&doc, jdoc_root(&doc), SPAN("chats"))),
		1);
	jdoc_fini(&doc);
}

/* --- text ----------------------------------------------------------------- */

static void
test_cells(void **state)
{
	static const struct {
		const char *text, *ascii, *utf8;
		int width;
		bool is_right;
	} rows[] = {
		{ "abc", "abc  ", "abc  ", 5, false },
		{ "abc", "  abc", "  abc", 5, true },
		{ "abcdef", "abcd~", "abcd~", 5, false },
		{ "abcdef", "~", "~", 1, true },
		{ "abcdef", "", "", 0, false },
		{ "\xc3\xbc", "?    ", "\xc3\xbc    ", 5, false },
		{ "\xe4\xb8\xad\xe6\x96\x87", "?? ", "\xe4\xb8\xad~", 3,
			false },
		{ "\xe4\xb8\xad\xe6\x96\x87", "??", "~ ", 2, false },
		{ "\xe4\xb8\xad\xe6\x96\x87", "??", "~ ", 2, true },
		{ "a\xe2\x80\xae"
		  "b",
			"a?b", "ab ", 3, false },
		{ "\x1b[1m\xff", "?[1m?", "?[1m?", 5, false },
		{ "a\xc2\x9b"
		  "b",
			"a?b", "a?b", 3, false },
	};

	(void)state;
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int is_utf8 = 0; is_utf8 < 2; is_utf8++) {
			struct buf out;

			buf_init(&out, 100);
			top_text_cell(&out, span_cstr(rows[i].text),
				rows[i].width, rows[i].is_right, is_utf8 != 0);
			assert_spans_eq(buf_span(&out),
				span_cstr(is_utf8 ? rows[i].utf8 :
						    rows[i].ascii));
			buf_fini(&out);
		}
}

static void
test_numbers(void **state)
{
	static const struct {
		double n;
		const char *count, *time, *bytes;
	} rows[] = {
		{ -1, "-", "-", "0B" },
		{ 0, "0", "0 ms", "0B" },
		{ 0.26, "0.3", "0 ms", "0B" },
		{ 12.4, "12", "12 ms", "12B" },
		{ 999, "999", "999 ms", "999B" },
		{ 1000, "1000", "1.0 s", "1000B" },
		{ 4200, "4200", "4.2 s", "4.1K" },
		{ 200000, "200k", "3m20s", "195K" },
		{ 7500000, "7.5M", "2h05m", "7.2M" },
		{ 273600000, "274M", "3d04h", "261M" },
		{ 1e300, "99999T", "0 ms", "99999T" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[TOP_TEXT_SHORT];

		top_text_count(text, rows[i].n);
		assert_string_equal(text, rows[i].count);
		top_text_bytes(text, rows[i].n);
		assert_string_equal(text, rows[i].bytes);
		if (rows[i].n > 1e200)
			continue;
		top_text_time(text, rows[i].n);
		assert_string_equal(text, rows[i].time);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_rates),
		TEST(test_memory_begins_anew),
		TEST(test_status),
		TEST(test_every_size),
		TEST(test_colors_only_if_wanted),
		TEST(test_hostile_names),
		TEST(test_order),
		TEST(test_more_chats_than_are_listed),
		TEST(test_json),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
