/* SPDX-License-Identifier: MIT */
/* test_llm_images.c - which images of a conversation count. */
#include "shared/translate/llm_images.h"

#include "tests/lib/t.h"

static struct arena arena;

/* Two turns of the user with `first` and `last` images, of which each second
 * one is in a tool result; between and behind them the model's. */
static void
make(struct llm_req *r, size_t first, size_t last)
{
	const size_t images[] = { first, last };

	llm_req_init(r, &arena, LLM_CHAT);
	for (size_t i = 0; i < 2; i++) {
		struct llm_turn *const t = llm_add_turn(r, LLM_USER, 2 * i);
		struct llm_part *result;

		llm_add_text(r, &t->parts, JESC("look"));
		result = llm_add_part(r, &t->parts, LLM_PART_RESULT);
		llm_add_text(r, &result->parts, JESC("seen"));
		for (size_t k = 0; k < images[i]; k++) {
			/* The list may have moved. */
			result = &t->parts.v[1];
			(void)llm_add_part(r,
				k % 2 == 0 ? &t->parts : &result->parts,
				LLM_PART_IMAGE);
		}
		llm_add_text(r,
			&llm_add_turn(r, LLM_ASSISTANT, 2 * i + 1)->parts,
			JESC("yes"));
	}
}

static void
test_counts(void **state)
{
	struct llm_req r;

	(void)state;
	make(&r, 0, 0);
	assert_int_equal(llm_count_images(&r), 0);
	assert_int_equal(llm_count_last_images(&r), 0);
	make(&r, 3, 0);
	assert_int_equal(llm_count_images(&r), 3);
	assert_int_equal(llm_count_last_images(&r), 0);
	make(&r, 3, 2);
	assert_int_equal(llm_count_images(&r), 5);
	assert_int_equal(llm_count_last_images(&r), 2);
	llm_req_init(&r, &arena, LLM_CHAT);
	assert_int_equal(llm_count_last_images(&r), 0);
}

/* A task goes on: what was shown at its beginning is still in question. */
static void
test_results_are_no_words(void **state)
{
	struct llm_req r;
	struct llm_turn *t;

	(void)state;
	make(&r, 3, 2);
	t = llm_add_turn(&r, LLM_USER, 4);
	(void)llm_add_part(&r, &t->parts, LLM_PART_RESULT);
	assert_int_equal(llm_count_last_images(&r), 2);
	(void)llm_add_part(&r, &t->parts.v[0].parts, LLM_PART_IMAGE);
	assert_int_equal(llm_count_last_images(&r), 3);
	llm_add_text(&r, &t->parts, JESC("now this"));
	assert_int_equal(llm_count_last_images(&r), 1);
}

static void
test_leaves_out(void **state)
{
	struct llm_req r;

	(void)state;
	make(&r, 3, 2);
	assert_int_equal(llm_leave_out_images(&r), 5);
	assert_int_equal(llm_count_images(&r), 0);
	assert_int_equal(llm_leave_out_images(&r), 0);
	assert_int_equal(r.turns.v[0].parts.n, 4);
	assert_int_equal(r.turns.v[0].parts.v[2].kind, LLM_PART_TEXT);
	assert_span_eq(r.turns.v[0].parts.v[2].text.s, "[image left out]");
	assert_span_eq(r.turns.v[0].parts.v[0].text.s, "look");
}

static int
set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_results_are_no_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_leaves_out, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
