/* SPDX-License-Identifier: MIT */
/* test_llm_estimate.c - guessing tokens from bytes. */
#include "shared/translate/llm_estimate.h"

#include <stdlib.h>

#include "tests/lib/t.h"

static struct arena arena;
static struct llm_req req;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena);
	llm_req_init(&req, &arena, LLM_CHAT);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct llm_parts *
add_user(void)
{
	return &llm_add_turn(&req, LLM_USER, 0)->parts;
}

static struct jesc
repeated(const char *s, size_t n)
{
	char *const text = t_repeat(s, n);
	const struct span copy = arena_dup(&arena, span_cstr(text));

	free(text);
	return (struct jesc){ copy };
}

static void
test_never_nothing(void **state)
{
	(void)state;
	assert_int_equal(llm_estimate(&req), 1);
}

static void
test_text(void **state)
{
	static const struct {
		const char *s;
		size_t n;
		int64_t want; /* without the message */
	} cases[] = {
		{ "a", 36, 10 },
		{ "a", 37, 11 },
		{ "a", 1, 1 },
		{ "\\n", 36, 10 },
		{ "\\u0041", 36, 10 },
		{ "\\\"", 36, 10 },
		/* Three bytes each, however they are written. */
		{ "\xe4\xb8\xad", 25, 30 },
		{ "\\u4e2d", 25, 30 },
		{ "\\ud83d\\ude00", 25, 40 },
		{ "\xf0\x9f\x98\x80", 25, 40 },
		/* Two bytes each; as text, and escaped. */
		{ "\xd0\xb6\xd1\x83\xd0\xba ", 36, 70 },
		{ "\\u0436\\u0443\\u043a ", 36, 70 },
		{ "\xce\xb1", 25, 20 },
		{ "\\u03b1", 25, 20 },
		{ "\xd0\xb6\xd1\x83\xe4\xb8\xad", 25, 70 },
		/* 20 and 22 percent. */
		{ "aaaaaaaa\xc3\xa9", 36, 100 },
		{ "aaaaaaa\xc3\xa9", 25, 90 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		llm_req_init(&req, &arena, LLM_CHAT);
		llm_add_text(
			&req, add_user(), repeated(cases[i].s, cases[i].n));
		assert_int_equal(llm_estimate(&req), cases[i].want + 4);
	}
}

/* Long texts are sampled: what comes out is what the whole would give. */
static void
test_long_text(void **state)
{
	static const struct {
		const char *s;
		int64_t want; /* of 20,000 times s */
	} cases[] = {
		{ "Hello, world. ", 77778 },
		{ "a\\tb\\n", 22223 },
		{ "\xe4\xb8\xad", 24000 },
		{ "\xd0\xb6\xd1\x83\xd0\xba ", 38889 },
		{ "\\u0436\\u0443\\u043a ", 38889 },
		{ "\\\\", 5556 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got;

		llm_req_init(&req, &arena, LLM_CHAT);
		llm_add_text(&req, add_user(), repeated(cases[i].s, 20000));
		got = llm_estimate(&req);
		assert_in_range(got, cases[i].want * 95 / 100,
			cases[i].want * 105 / 100);
	}
}

static void
test_all_of_it(void **state)
{
	const struct jesc x = repeated("x", 36);
	const struct jraw raw = { repeated("{}", 18).s };
	struct llm_turn *t;
	struct llm_part *p;
	struct llm_tool *tool;

	(void)state;
	t = llm_add_turn(&req, LLM_SYSTEM, 0); /* 4 + 10 */
	llm_add_text(&req, &t->parts, x);
	t = llm_add_turn(&req, LLM_ASSISTANT, 1); /* 4 + 10 + 20 + 20 */
	llm_add_part(&req, &t->parts, LLM_PART_THINK)->text = x;
	p = llm_add_part(&req, &t->parts, LLM_PART_CALL);
	p->name = x;
	p->args.value = raw;
	p = llm_add_part(&req, &t->parts, LLM_PART_CALL);
	p->name = x;
	p->args.text = x;
	p->args.has_text = true;
	p->args.value = raw;                 /* the same again, not counted */
	t = llm_add_turn(&req, LLM_USER, 2); /* 4 + 10 + 1200 */
	p = llm_add_part(&req, &t->parts, LLM_PART_RESULT);
	llm_add_text(&req, &p->parts, x);
	(void)llm_add_part(&req, &p->parts, LLM_PART_IMAGE);
	tool = VEC_PUSH(&arena, &req.tools); /* 8 + 30 */
	tool->name = x;
	tool->description = x;
	tool->schema = raw;
	assert_int_equal(llm_estimate(&req), 14 + 54 + 1214 + 38);
}

static void
test_images(void **state)
{
	/* PNG heads of 1 x 1, 28 x 29 and 1000 x 700. */
	static const struct {
		const char *data;
		int64_t want;
	} cases[] = {
		{ "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB", 1 },
		{ "iVBORw0KGgoAAAANSUhEUgAAABwAAAAd", 2 },
		{ "iVBORw0KGgoAAAANSUhEUgAAA+gAAAK8", 36 * 25 },
		{ "Qk0=", 1200 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct llm_part *p;

		llm_req_init(&req, &arena, LLM_CHAT);
		p = llm_add_part(&req, add_user(), LLM_PART_IMAGE);
		p->image.data.s = span_cstr(cases[i].data);
		assert_int_equal(llm_estimate(&req), cases[i].want + 4);
		p->image.is_url = true;
		assert_int_equal(llm_estimate(&req), 1204);
	}
}

static void
test_bytes(void **state)
{
	(void)state;
	assert_int_equal(llm_estimate_bytes(0), 0);
	assert_int_equal(llm_estimate_bytes(1), 1);
	assert_int_equal(llm_estimate_bytes(360), 100);
	assert_int_equal(llm_estimate_bytes(361), 101);
}

/* A turn weighs the same whatever stands beside it; all of them and the tools
 * are the estimate. */
static void
test_weights(void **state)
{
	const struct jesc ascii = repeated("x", 7);
	const struct jesc other = repeated("\xe4\xb8\xad", 7);
	struct llm_tool *tool;
	int64_t first, sum;

	(void)state;
	llm_add_text(&req, add_user(), ascii);
	first = llm_weigh_turn(&req.turns.v[0]);
	assert_int_equal(first, 4 * LLM_WEIGHT + 7 * 250);
	assert_int_equal(llm_estimate(&req), 6); /* 5.94 */
	assert_int_equal(llm_weigh_tools(&req), 0);
	for (size_t i = 0; i < 9; i++)
		llm_add_text(&req, add_user(), other);
	assert_int_equal(llm_weigh_turn(&req.turns.v[0]), first);
	assert_int_equal(
		llm_weigh_turn(&req.turns.v[9]), 4 * LLM_WEIGHT + 21 * 360);
	tool = VEC_PUSH(&arena, &req.tools);
	*tool = (struct llm_tool){ ascii, other, JRAW("{}"), JRAW_NONE };
	assert_int_equal(
		llm_weigh_tools(&req), 8 * LLM_WEIGHT + (7 + 21 + 2) * 360);
	sum = llm_weigh_tools(&req);
	for (size_t i = 0; i < req.turns.n; i++)
		sum += llm_weigh_turn(&req.turns.v[i]);
	assert_int_equal(llm_weight_tokens(sum), llm_estimate(&req));
	assert_int_equal(llm_weight_tokens(0), 1);
	assert_int_equal(llm_weight_tokens(LLM_WEIGHT), 1);
	assert_int_equal(llm_weight_tokens(LLM_WEIGHT + 1), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_never_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_long_text, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_images, setup, teardown),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test_setup_teardown(test_weights, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
