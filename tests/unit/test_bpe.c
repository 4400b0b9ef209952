/* SPDX-License-Identifier: MIT */
/* test_bpe.c - tokens by heap, windows and steps, beside the plainest way. */
#include "shared/count/bpe.h"

#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/count/split.h"
#include "shared/count/windows.h"
#include "tests/lib/t.h"
#include "tests/lib/vocab_make.h"

#define WORK_MAX 700

static struct buf file;
static struct vocab vocab;

static void
learn(uint64_t seed, struct span alphabet, uint32_t n)
{
	struct gp_error err;

	buf_fini(&file);
	buf_init(&file, SIZE_MAX);
	vocab_make_learned(&file, seed, alphabet, n);
	assert_ok(vocab_open(&vocab, buf_span(&file), &err), &err);
}

static int
setup(void **state)
{
	(void)state;
	buf_init(&file, SIZE_MAX);
	learn(1, SPAN("abc \n"), 400);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_fini(&file);
	return 0;
}

/* Merge the leftmost of the lowest pairs until there is none. */
static void
merge_plainly(struct span text, struct bpe_ids *ids)
{
	struct span *parts = calloc(text.n, sizeof(*parts));
	size_t n = text.n;

	assert_non_null(parts);
	for (size_t i = 0; i < n; i++)
		parts[i] = span_of(text.p + i, 1);
	for (;;) {
		uint32_t best = VOCAB_NONE;
		size_t at = 0;

		for (size_t i = 0; i + 1 < n; i++) {
			const uint32_t id = vocab_find(&vocab,
				span_of(parts[i].p,
					parts[i].n + parts[i + 1].n));

			if (id < best) {
				best = id;
				at = i;
			}
		}
		if (best == VOCAB_NONE)
			break;
		parts[at].n += parts[at + 1].n;
		memmove(&parts[at + 1], &parts[at + 2],
			(--n - at - 1) * sizeof(*parts));
	}
	for (size_t i = 0; i < n; i++) {
		const uint32_t id = vocab_find(&vocab, parts[i]);

		tokens_put(&(struct tokens){ .ids = ids }, &id, 1);
	}
	free(parts);
}

static void
encode_plainly(struct span text, struct bpe_ids *ids)
{
	struct span piece;
	struct split s;

	split_init(&s, text);
	while (split_next(&s, SIZE_MAX, &piece)) {
		const uint32_t id = vocab_find(&vocab, piece);

		if (id == VOCAB_NONE)
			merge_plainly(piece, ids);
		else
			tokens_put(&(struct tokens){ .ids = ids }, &id, 1);
	}
}

static void
assert_ids(const struct bpe_ids *got, const struct bpe_ids *want)
{
	assert_int_equal(got->n, want->n);
	for (size_t i = 0; i < want->n; i++)
		assert_int_equal(got->v[i], want->v[i]);
}

/* Bytes of the alphabet by chance; to be freed. */
static char *
make_text(uint64_t seed, struct span alphabet, size_t n)
{
	char *const text = malloc(n);

	assert_non_null(text);
	for (size_t i = 0; i < n; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695;
		text[i] = alphabet.p[(seed >> 33) % alphabet.n];
	}
	return text;
}

/* In steps of so much work; each keeps to it. */
static void
encode_in_steps(struct span text, size_t work, struct bpe_ids *ids)
{
	struct bpe_job *job = bpe_job_new(&vocab, ids);
	size_t left, steps = 0;

	bpe_job_text(job, text);
	do {
		left = work;
		assert_true(++steps < 1000 + 100 * text.n);
	} while (!bpe_job_step(job, &left));
	assert_int_equal(bpe_job_tokens(job), ids->n);
	bpe_job_free(&job);
	assert_null(job);
}

static void
test_known(void **state)
{
	/* "ab" before "bc", and "abc" of "ab" only. */
	struct span tokens[256 + 3];
	static char bytes[256];
	struct bpe_ids ids = { 0 };
	struct gp_error err;

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		bytes[i] = (char)i;
		tokens[i] = span_of(&bytes[i], 1);
	}
	tokens[256] = SPAN("bc");
	tokens[257] = SPAN("ab");
	tokens[258] = SPAN("abc");
	buf_reset(&file, 0);
	vocab_make(&file, tokens, ARRAY_LEN(tokens));
	assert_ok(vocab_open(&vocab, buf_span(&file), &err), &err);
	bpe_encode(&vocab, SPAN("abcab abcd\xff"), &ids);
	{
		static const uint32_t want[] = { 258, 257, ' ', 258, 'd',
			0xff };

		assert_int_equal(ids.n, ARRAY_LEN(want));
		for (size_t i = 0; i < ids.n; i++)
			assert_int_equal(ids.v[i], want[i]);
	}
	assert_int_equal(bpe_count(&vocab, SPAN_EMPTY), 0);
	bpe_ids_fini(&ids);
}

/* All lengths around the bounds where another way of merging begins. */
static void
test_as_the_plain_way(void **state)
{
	const struct span alphabet = SPAN("abcaab ");

	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		const size_t n = 1 + seed * 7;
		char *const text = make_text(seed, alphabet, n);
		struct bpe_ids want = { 0 }, got = { 0 };

		encode_plainly(span_of(text, n), &want);
		bpe_encode(&vocab, span_of(text, n), &got);
		assert_ids(&got, &want);
		assert_int_equal(bpe_count(&vocab, span_of(text, n)), want.n);
		bpe_ids_fini(&got);
		bpe_ids_fini(&want);
		free(text);
	}
}

static void
test_steps_of_every_size(void **state)
{
	const size_t n = 9000;
	char *const text = make_text(5, SPAN("aaaabbbc"), n);
	struct bpe_ids want = { 0 };

	(void)state;
	memset(text + 1000, ' ', 300);
	memset(text + 2000, '\n', 300);
	bpe_encode(&vocab, span_of(text, n), &want);
	for (size_t work = 1; work < WORK_MAX; work += 1 + work / 9) {
		struct bpe_ids got = { 0 };

		encode_in_steps(span_of(text, n), work, &got);
		assert_ids(&got, &want);
		bpe_ids_fini(&got);
	}
	bpe_ids_fini(&want);
	free(text);
}

/* A word without end, in windows as small as they may be. */
static void
check_windows(struct span text, struct bpe_ids *got, uint64_t *tries)
{
	struct tokens t = { .ids = got };
	struct windows w;
	size_t work;

	windows_init(&w, &vocab);
	windows_start(&w, text, 4 * VOCAB_TOKEN_MAX, 0);
	do
		work = 1000;
	while (!windows_step(&w, &t, &work));
	assert_int_equal(t.n, got->n);
	*tries = w.tries;
	windows_fini(&w);
}

static void
test_windows(void **state)
{
	static const char *const alphabets[] = { "ab", "aab", "abc", "abcd" };
	const size_t n = 5000;
	uint64_t tries, moved = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 24; seed++) {
		const struct span alphabet =
			span_cstr(alphabets[seed % ARRAY_LEN(alphabets)]);
		char *const text = make_text(seed, alphabet, n);
		struct bpe_ids want = { 0 }, got = { 0 };

		learn(seed, alphabet, 500);
		merge_plainly(span_of(text, n), &want);
		check_windows(span_of(text, n), &got, &tries);
		assert_ids(&got, &want);
		/* Each window gets on by more than a fourth of its size. */
		moved += tries - n / (4 * VOCAB_TOKEN_MAX);
		bpe_ids_fini(&got);
		bpe_ids_fini(&want);
		free(text);
	}
	assert_true(moved > 0);
}

/*
 * A chain in which each pair is merged before its left neighbour's, so that
 * everything depends on the last byte: no join holds, and windows grow.
 */
static void
test_what_depends_on_the_end(void **state)
{
	enum {
		LENGTH = 2400,
		LETTERS = 49
	};
	struct span tokens[256 + LETTERS * LETTERS];
	static char bytes[256], pairs[LETTERS * LETTERS][2], text[LENGTH];
	bool used[LETTERS][LETTERS] = { { false } };
	struct bpe_ids want = { 0 }, got = { 0 };
	uint32_t n = 256;
	struct gp_error err;
	uint64_t tries;

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		bytes[i] = (char)i;
		tokens[i] = span_of(&bytes[i], 1);
	}
	/* A walk over pairs of letters that takes none twice. */
	text[0] = 'A';
	for (size_t i = 1; i < LENGTH; i++) {
		const size_t from = (size_t)(text[i - 1] - 'A');
		size_t to = LETTERS - 1;

		while (to > 0 && used[from][to])
			to--;
		used[from][to] = true;
		text[i] = (char)('A' + to);
	}
	/* Pairs near the end have the lower ranks. */
	memset(used, 0, sizeof(used));
	for (size_t i = LENGTH - 1; i > 0; i--) {
		bool *const is_used = &used[text[i - 1] - 'A'][text[i] - 'A'];

		if (*is_used)
			continue;
		*is_used = true;
		memcpy(pairs[n - 256], &text[i - 1], 2);
		tokens[n] = span_of(pairs[n - 256], 2);
		n++;
	}
	buf_reset(&file, 0);
	vocab_make(&file, tokens, n);
	assert_ok(vocab_open(&vocab, buf_span(&file), &err), &err);
	/* With the last letter or without it: all borders move by one. */
	for (size_t length = LENGTH - 1; length <= LENGTH; length++) {
		merge_plainly(span_of(text, length), &want);
		check_windows(span_of(text, length), &got, &tries);
		assert_ids(&got, &want);
		want.n = 0;
		got.n = 0;
	}
	assert_true(tries > WINDOWS_HELD);
	bpe_ids_fini(&got);
	bpe_ids_fini(&want);
}

/* Steps are work, and work is time: ten times the text, about ten times as
 * many. */
static void
test_linear(void **state)
{
	static const char *const units[] = { "a", "ab", "abc", " ", "a ", "\n",
		"\xff", "aB1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t steps[2] = { 0, 0 }, work;

		for (size_t k = 0; k < 2; k++) {
			char *const text =
				t_repeat(units[i], k == 0 ? 20000 : 200000);
			struct bpe_job *job = bpe_job_new(&vocab, NULL);

			bpe_job_text(job, span_cstr(text));
			do {
				steps[k]++;
				work = BPE_STEP_WORK;
			} while (!bpe_job_step(job, &work));
			bpe_job_free(&job);
			free(text);
		}
		assert_in_range(steps[1], 9 * steps[0], 12 * steps[0]);
	}
}

static void
test_several_texts(void **state)
{
	struct bpe_job *job = bpe_job_new(&vocab, NULL);
	const struct span a = SPAN("abc abc"), b = SPAN("cab\n\n");
	size_t work = SIZE_MAX;

	(void)state;
	bpe_job_text(job, a);
	assert_true(bpe_job_step(job, &work));
	bpe_job_text(job, b);
	work = 0;
	assert_false(bpe_job_step(job, &work));
	assert_dies(bpe_job_text(job, a));
	work = SIZE_MAX;
	assert_true(bpe_job_step(job, &work));
	assert_true(bpe_job_step(job, &work));
	assert_int_equal(bpe_job_tokens(job),
		bpe_count(&vocab, a) + bpe_count(&vocab, b));
	bpe_job_free(&job);
	bpe_job_free(&job);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_known),
		TEST(test_as_the_plain_way),
		TEST(test_steps_of_every_size),
		TEST(test_windows),
		TEST(test_what_depends_on_the_end),
		TEST(test_linear),
		TEST(test_several_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
