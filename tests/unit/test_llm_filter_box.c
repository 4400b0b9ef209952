/* SPDX-License-Identifier: MIT */
/* test_llm_filter_box.c - thinking and boxes that stand in the text. */
#include <stdlib.h>

#include "shared/translate/llm_filter.h"
#include "tests/lib/cut.h"
#include "tests/lib/ev.h"
#include "tests/lib/t.h"

static struct arena arena;
static struct ev_log logged;

static struct llm_sink *
begin(void)
{
	arena_init(&arena);
	return llm_filter_box(&arena, ev_log_init(&logged));
}

static void
end(void)
{
	ev_log_fini(&logged);
	arena_fini(&arena);
}

static void
feed_pieces(void *ctx, const struct span *pieces, size_t n)
{
	const char *const want = ctx;
	struct llm_sink *const f = begin();
	const struct llm_event close = llm_event_of(LLM_CLOSE, LLM_TEXT);
	struct gp_error err;

	assert_ok(ev_feed(f, SPAN("start|text"), &err), &err);
	if (ev_deltas(f, LLM_TEXT, pieces, n)) {
		assert_ok(llm_put(f, &close, &err), &err);
		assert_ok(ev_feed(f, SPAN("stop end"), &err), &err);
		assert_spans_eq(buf_span(&logged.out), span_cstr(want));
	}
	end();
}

#define AROUND(line) "start|" line "stop end"
#define TEXT(text)   AROUND("text|d " text "|close|")

static void
test_row_121_every_cut(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "<|begin_of_box|>42<|end_of_box|>", TEXT("42") },
		{ "a <|begin_of_box|>b<|end_of_box|> c", TEXT("a b c") },
		{ "\\u003c\\u007Cbegin_of_b\\u006fx|\\u003E42<|end_of_box|>",
			TEXT("42") },
		{ "<|begin_of_box|>", AROUND("text|close|") },
		{ "<|begin_of_bo", TEXT("<|begin_of_bo") },
		{ "<|begin_of_box|", TEXT("<|begin_of_box|") },
		{ "<<|end_of_box|><|end_of_bax|>", TEXT("<<|end_of_bax|>") },
		{ "<|<|end_of_box|>", TEXT("<|") },
		{ "\\\\u003c|end_of_box|>", TEXT("\\\\u003c|end_of_box|>") },
		{ "\xef\xbc\x9c|end_of_box|>",
			TEXT("\xef\xbc\x9c|end_of_box|>") },
		{ "\\u013c|end_of_box|>", TEXT("\\u013c|end_of_box|>") },
		{ "\\ud83d\\ude00<|end_of_box|>\\ud83d\\ude00",
			TEXT("\\ud83d\\ude00\\ud83d\\ude00") },
		/* Thinking in front. */
		{ "<think>hm</think>\\n<|begin_of_box|>42<|end_of_box|>",
			AROUND("think|d hm|close|text|d 42|close|") },
		{ " \\n\\u003cthink>h\\u003c\\/m<\\/think\\u003e \\n\\nx <",
			AROUND("think|d h\\u003c\\/m|close|text|d x <|"
			       "close|") },
		{ "<think></think>x", AROUND("think|close|text|d x|close|") },
		{ "<think>hm</think>", AROUND("think|d hm|close|") },
		{ "<think>hm</think>\\n", AROUND("think|d hm|close|") },
		{ "<think>hm</thin", AROUND("think|d hm</thin|close|") },
		{ "<think>", AROUND("think|close|") },
		{ "<think><|end_of_box|></think>x",
			AROUND("think|d <|end_of_box|>|close|"
			       "text|d x|close|") },
		/* Not in front, or something else. */
		{ "", AROUND("text|close|") },
		{ " \\n", TEXT(" \\n") },
		{ " <thin", TEXT(" <thin") },
		{ " <thing>x</thing>", TEXT(" <thing>x</thing>") },
		{ "a<think>hm</think>", TEXT("a<think>hm</think>") },
		{ "</think>a", TEXT("</think>a") },
		{ "\\u0001<think>hm</think>",
			TEXT("\\u0001<think>hm</think>") },
		{ "<think>a</think>b<think>c</think>",
			AROUND("think|d a|close|text|d b<think>c</think>|"
			       "close|") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char want[256];

		(void)strcpy(want, cases[i].want);
		cut_every(span_cstr(cases[i].text), feed_pieces, want);
		cut_pairs(span_cstr(cases[i].text), feed_pieces, want);
	}
}

static void
test_answers(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		/* Other blocks are not looked at. */
		{ "start|think|d <think>|close s|tool 1 f|d <|close|stop tool",
			"start|think|d <think>|close s|tool 1 f|d <|close|"
			"stop tool" },
		/* Only the first text begins with thinking. */
		{ "start|text|d a|close|text|d <think>b</think>|close|stop end",
			"start|text|d a|close|text|d <think>b</think>|close|"
			"stop end" },
		{ "start|text|close|text|d <think>|close|stop end",
			"start|text|close|text|d <think>|close|stop end" },
		/* Signs of life pass at any time, nothing is held for long. */
		{ "start|text|ping|d <thi|ping|d nk>a|ping|d </think>|ping|"
		  "d b<|ping|close|usage 1 1|stop end",
			"start|ping|ping|think|d a|ping|close|ping|text|d b|"
			"ping|d <|close|usage 1 1|stop end" },
		{ "start|text|d <think>a|error", "start|think|d a|error" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct llm_sink *const f = begin();
		struct gp_error err;

		assert_ok(ev_feed(f, span_cstr(cases[i].in), &err), &err);
		assert_spans_eq(
			buf_span(&logged.out), span_cstr(cases[i].want));
		end();
	}
}

/* Blanks without end do not wait for a section of thinking. */
static void
test_many_blanks(void **state)
{
	struct llm_sink *const f = begin();
	struct gp_error err;

	(void)state;
	assert_ok(ev_feed(f, SPAN("start|text"), &err), &err);
	for (size_t i = 0; i < 100; i++)
		assert_ok(ev_delta(f, LLM_TEXT, SPAN("\\n"), &err), &err);
	assert_true(logged.deltas > 30);
	assert_ok(ev_delta(f, LLM_TEXT, SPAN("<think>"), &err), &err);
	assert_true(span_ends(buf_span(&logged.out), SPAN("<think>")));
	end();
}

/* What is held is some bytes, however much has passed. */
static void
test_memory(void **state)
{
	struct llm_sink *const f = begin();
	struct gp_error err;

	(void)state;
	assert_ok(ev_feed(f, SPAN("start|text|d a"), &err), &err);
	for (size_t i = 0; i < 100000; i++)
		assert_ok(ev_delta(f, LLM_TEXT, SPAN("<|begin<|end_of_box"),
				  &err),
			&err);
	assert_true(arena.used_bytes < 4096);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row_121_every_cut),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_many_blanks),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
