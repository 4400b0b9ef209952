/* SPDX-License-Identifier: MIT */
/* test_llm_count.c - the tokens of a request tree, text by text. */
#include "shared/translate/llm_count.h"

#include <stdlib.h>

#include "shared/translate/llm_estimate.h"
#include "tests/lib/gen.h"
#include "tests/lib/t.h"
#include "tests/lib/vocab_make.h"

static struct buf file;
static struct vocab vocab;
static struct arena arena;
static struct llm_req req;

static int
setup(void **state)
{
	struct gp_error err;

	(void)state;
	buf_init(&file, SIZE_MAX);
	vocab_make_learned(&file, 3, SPAN("abcdeinorst {}\":"), 900);
	assert_ok(vocab_open(&vocab, buf_span(&file), &err), &err);
	arena_init(&arena);
	llm_req_init(&req, &arena, LLM_COUNT);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	buf_fini(&file);
	return 0;
}

static int64_t
count_in(size_t work)
{
	struct llm_count *c = llm_count_new(&vocab, &req);
	size_t steps = 0;
	int64_t n;

	assert_int_equal(llm_count_tokens(c), 1);
	while (!llm_count_step(c, work))
		assert_true(++steps < 1000000);
	assert_true(llm_count_step(c, work));
	n = llm_count_tokens(c);
	llm_count_free(&c);
	assert_null(c);
	return n;
}

static int64_t
tokens_of(struct span text)
{
	return (int64_t)bpe_count(&vocab, text);
}

static struct llm_parts *
add_user(void)
{
	return &llm_add_turn(&req, LLM_USER, 0)->parts;
}

static void
test_nothing(void **state)
{
	(void)state;
	assert_int_equal(count_in(SIZE_MAX), 1);
	(void)add_user();
	assert_int_equal(count_in(SIZE_MAX), LLM_MESSAGE_TOKENS);
}

static void
test_escapes(void **state)
{
	static const struct {
		struct jesc text;
		struct span means;
	} cases[] = {
		{ { SPAN_INIT("is it\\nor \\\"not\\\"\\t?") },
			SPAN_INIT("is it\nor \"not\"\t?") },
		{ { SPAN_INIT("\\u4e2d\\u6587 \\ud83d\\ude00\\/") },
			SPAN_INIT("\xe4\xb8\xad\xe6\x96\x87 "
				  "\xf0\x9f\x98\x80/") },
		{ { SPAN_INIT("\\ud83d alone \\ude00\\ud83d") },
			SPAN_INIT("\xef\xbf\xbd alone "
				  "\xef\xbf\xbd\xef\xbf\xbd") },
		{ { SPAN_INIT("\\\\n is no line end") },
			SPAN_INIT("\\n is no line end") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		llm_req_init(&req, &arena, LLM_COUNT);
		llm_add_text(&req, add_user(), cases[i].text);
		for (size_t work = 1; work < 30; work++)
			assert_int_equal(count_in(work),
				LLM_MESSAGE_TOKENS + tokens_of(cases[i].means));
	}
}

/* The same arguments as text and as a value, and what is no JSON. */
static void
test_arguments(void **state)
{
	static const struct {
		struct llm_args args;
		struct span means;
	} cases[] = {
		{ { .value = { SPAN_INIT("{\"a\": \"b\\n\\u00e9\"}") } },
			SPAN_INIT("{\"a\": \"b\n\xc3\xa9\"}") },
		{ { .has_text = true,
			  .text = { SPAN_INIT("{\\\"a\\\": "
					      "\\\"b\\\\n\\\\u00e9\\\"}") } },
			SPAN_INIT("{\"a\": \"b\n\xc3\xa9\"}") },
		/* However it is laid out. */
		{ { .value = { SPAN_INIT("{\"a\":[1,2 , \"b, c:d \\\" \\\\\"],"
					 "\n\t\"e\" : {} }") } },
			SPAN_INIT("{\"a\": [1, 2, \"b, c:d \" \\\"], "
				  "\"e\": {}}") },
		{ { .has_text = true,
			  .text = { SPAN_INIT("{\\\"a\\\":1,\\n\\\"b\\\":"
					      "\\\"c,d\\\"}") } },
			SPAN_INIT("{\"a\": 1, \"b\": \"c,d\"}") },
		{ { .has_text = true, .text = { SPAN_INIT("a\\\\") } },
			SPAN_INIT("a\\") },
		{ { .has_text = true,
			  .text = { SPAN_INIT("\\\\u12\\\\uD83D"
					      "\\\\uDE0") } },
			SPAN_INIT("\\u12\xef\xbf\xbd\\uDE0") },
		{ { .has_text = true,
			  .text = { SPAN_INIT("\\\\ud83d\\\\udxyz"
					      "\\\\q") } },
			SPAN_INIT("\xef\xbf\xbd\\udxyz\\q") },
		{ { .has_text = true, .text = { SPAN_INIT("") } },
			SPAN_INIT("") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct llm_part *p;

		llm_req_init(&req, &arena, LLM_COUNT);
		p = llm_add_part(&req,
			&llm_add_turn(&req, LLM_ASSISTANT, 0)->parts,
			LLM_PART_CALL);
		p->name = JESC("rest");
		p->args = cases[i].args;
		for (size_t work = 1; work < 30; work++)
			assert_int_equal(count_in(work),
				LLM_MESSAGE_TOKENS + tokens_of(SPAN("rest")) +
					tokens_of(cases[i].means));
	}
}

/* Everything that a tree can hold, each part with a number of its own. */
static void
test_all_parts(void **state)
{
	const struct llm_image url = { .is_url = true,
		.data = JESC("https://example.com/a.png") };
	struct llm_part *result, *p;
	struct llm_tool *tool;
	int64_t want = 0;

	(void)state;
	llm_add_text(&req, &llm_add_turn(&req, LLM_SYSTEM, 0)->parts,
		JESC("be terse"));
	want += LLM_MESSAGE_TOKENS + tokens_of(SPAN("be terse"));
	p = llm_add_part(&req, &llm_add_turn(&req, LLM_ASSISTANT, 1)->parts,
		LLM_PART_THINK);
	p->text = JESC("on reason");
	want += LLM_MESSAGE_TOKENS + tokens_of(SPAN("on reason"));
	assert_int_equal(count_in(7), want);
	result = llm_add_part(&req, add_user(), LLM_PART_RESULT);
	llm_add_text(&req, &result->parts, JESC("drain"));
	p = llm_add_part(&req, &result->parts, LLM_PART_IMAGE);
	p->image = url;
	want += LLM_MESSAGE_TOKENS + tokens_of(SPAN("drain")) +
		(int64_t)llm_image_tokens(&url);
	assert_int_equal(count_in(7), want);
	for (unsigned i = 0; i < 2; i++) {
		tool = VEC_PUSH(&arena, &req.tools);
		*tool = (struct llm_tool){ .name = JESC("tear"),
			.description = JESC("tears"),
			.schema = JRAW("{}") };
		want += LLM_TOOL_TOKENS + tokens_of(SPAN("tear")) +
			tokens_of(SPAN("tears")) + tokens_of(SPAN("{}"));
	}
	for (size_t work = 1; work < 40; work++)
		assert_int_equal(count_in(work), want);
}

static void
test_long_text(void **state)
{
	char *const text = t_repeat("note \\n \\u00e9 \\\\ ", 20000);
	char *const means = t_repeat("note \n \xc3\xa9 \\ ", 20000);

	(void)state;
	llm_add_text(&req, add_user(), (struct jesc){ span_cstr(text) });
	assert_int_equal(count_in(BPE_STEP_WORK),
		LLM_MESSAGE_TOKENS + tokens_of(span_cstr(means)));
	free(text);
	free(means);
}

/* Conversations by chance: the steps make no difference. */
static void
test_steps(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct gen g;
		int64_t want;

		arena_reset(&arena);
		gen_init(&g, &arena, seed);
		gen_request(&g, seed % 2 == 0 ? GEN_WILD : 0, &req);
		want = count_in(SIZE_MAX);
		assert_int_equal(count_in(1), want);
		assert_int_equal(count_in(1 + seed * 3), want);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_escapes),
		TEST(test_arguments),
		TEST(test_all_parts),
		TEST(test_long_text),
		TEST(test_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
