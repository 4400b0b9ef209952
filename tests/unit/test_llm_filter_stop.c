/* SPDX-License-Identifier: MIT */
/* test_llm_filter_stop.c - stop sequences, found wherever the text is cut. */
#include <stdlib.h>

#include "shared/translate/llm_filter.h"
#include "tests/lib/cut.h"
#include "tests/lib/ev.h"
#include "tests/lib/t.h"

#define GRIN    "\\ud83d\\ude00"
#define STOPS_N 4

static struct arena arena;
static struct llm_req req;
static struct ev_log logged;
static struct llm_sink *filter;
static bool matched;

/* A filter for these sequences, an empty log. */
static void
begin(const char *const *stops)
{
	arena_fini(&arena);
	ev_log_fini(&logged);
	llm_req_init(&req, &arena, LLM_CHAT);
	for (size_t i = 0; i < STOPS_N && stops[i] != NULL; i++)
		VEC_PUSH(&arena, &req.stop)->s = span_cstr(stops[i]);
	matched = false;
	filter = llm_filter_stop(&arena, &req, &matched, ev_log_init(&logged));
}

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena);
	(void)ev_log_init(&logged);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ev_log_fini(&logged);
	arena_fini(&arena);
	return 0;
}

struct stop_case {
	const char *stops[STOPS_N];
	const char *text;
	const char *want; /* what is left of the text */
	const char *stop; /* NULL: no match */
};

/* True if a cut at this place leaves no escape and no character in halves. */
static bool
may_end(struct span text)
{
	size_t at = 0;

	while (at < text.n) {
		const uint8_t c = (uint8_t)text.p[at];

		if (c == '\\' && at + 1 == text.n)
			return false;
		if (c == '\\')
			at += text.p[at + 1] == 'u' ? 6 : 2;
		else
			at += c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	}
	return at == text.n;
}

static void
check_pieces(void *ctx, const struct span *pieces, size_t n)
{
	const struct stop_case *const c = ctx;
	struct gp_error err;
	struct buf want;

	for (size_t i = 0; i < n; i++) {
		if (!may_end(pieces[i]))
			return;
	}
	begin(c->stops);
	buf_init(&want, 4096);
	assert_ok(ev_feed(filter, SPAN("start|text"), &err), &err);
	for (size_t i = 0; i < n; i++) {
		if (pieces[i].n > 0)
			assert_ok(ev_delta(filter, LLM_TEXT, pieces[i], &err),
				&err);
	}
	assert_ok(
		ev_feed(filter, SPAN("close|usage 3 4|stop end"), &err), &err);
	buf_puts(&want, "start|text");
	if (c->want[0] != '\0')
		buf_printf(&want, "|d %s", c->want);
	buf_puts(&want, "|close");
	if (c->stop == NULL)
		buf_puts(&want, "|usage 3 4|stop end");
	else
		buf_printf(&want, "|stop sequence %s", c->stop);
	assert_spans_eq(buf_span(&logged.out), buf_span(&want));
	assert_int_equal(matched, c->stop != NULL);
	buf_fini(&want);
}

static void
test_every_cut(void **state)
{
	static const struct stop_case cases[] = {
		{ { "\\n\\nHuman:", "X" }, "abcX", "abc", "X" },
		{ { "END" }, "abc", "abc", NULL },
		{ { "END" }, "END", "", "END" },
		{ { "END" }, "abENDcd", "ab", "END" },
		{ { "END" }, "EENDENDEND", "E", "END" },
		{ { "END" }, "EN", "EN", NULL },
		{ { "END" }, "ENENEENN", "ENENEENN", NULL },
		/* Repeating itself. */
		{ { "aab" }, "aaaab", "aa", "aab" },
		{ { "abab" }, "abaabab", "aba", "abab" },
		{ { "aaa" }, "aabaaaa", "aab", "aaa" },
		/* The earliest beginning wins, not the earliest end. */
		{ { "b", "abc" }, "xabcx", "x", "abc" },
		{ { "b", "abc" }, "xabdx", "xa", "b" },
		{ { "b", "abc" }, "xab", "xa", "b" },
		{ { "c", "bcd", "abcde" }, "abcdf", "a", "bcd" },
		{ { "c", "bcd", "abcde" }, "abcf", "ab", "c" },
		{ { "c", "bcd", "abcde" }, "abcde", "", "abcde" },
		/* Of those that begin together, the first of the list. */
		{ { "ab", "abc" }, "xabc", "x", "ab" },
		{ { "abc", "ab" }, "xabc", "x", "abc" },
		{ { "abc", "ab" }, "xabd", "x", "ab" },
		{ { "abc", "ab" }, "xab", "x", "ab" },
		{ { "a", "a" }, "a", "", "a" },
		/* An ending of one is the beginning of the other. */
		{ { "abcx", "cde" }, "abcde", "ab", "cde" },
		{ { "abab", "bb" }, "ababb", "", "abab" },
		/* Written in other ways. */
		{ { "A" }, "x\\u0041y", "x", "A" },
		{ { "\\u0041B" }, "xA\\u0042y", "x", "\\u0041B" },
		{ { "\\n\\n" }, "a\\nb\\n\\u000ac", "a\\nb", "\\n\\n" },
		{ { "/" }, "a\\/b", "a", "/" },
		{ { "\\\"" }, "a\\\\\\\"b", "a\\\\", "\\\"" },
		{ { "\\\\n" }, "a\\nb\\\\nc", "a\\nb", "\\\\n" },
		{ { "n" }, "\\n\\\\n", "\\n\\\\", "n" },
		{ { "u0041" }, "\\u0041u0041", "\\u0041", "u0041" },
		/* Several bytes. */
		{ { "\xc3\xa9" }, "\xc3\xa8\xc3\xa9", "\xc3\xa8", "\xc3\xa9" },
		{ { "\xc3\xa9" }, "\xc3\xa8\\u00e9", "\xc3\xa8", "\xc3\xa9" },
		{ { "\xe4\xb8\xad\xe6"
		    "\x96\x87" },
			"\xe4\xb8\xad\xe4\xb8\xad\xe6\x96\x87", "\xe4\xb8\xad",
			"\xe4\xb8\xad\xe6\x96\x87" },
		{ { "\xe4\xb8\xad\xe6\x96\x87" }, "\xe4\xb8\xad\xe6\x96\x88",
			"\xe4\xb8\xad\xe6\x96\x88", NULL },
		/* Pairs, also in halves, and halves without a partner. */
		{ { "\xf0\x9f\x98\x80" }, "a" GRIN "b", "a",
			"\xf0\x9f\x98\x80" },
		{ { GRIN }, "a\xf0\x9f\x98\x80", "a", GRIN },
		{ { "\xf0\x9f\x98\x81" }, "a" GRIN "b", "a" GRIN "b", NULL },
		{ { "b" }, "a\\ud83db", "a\\ud83d", "b" },
		{ { "b" }, "a\\ud83d", "a\\ud83d", NULL },
		{ { "\xef\xbf\xbd" }, "a\\ud83db", "a", "\xef\xbf\xbd" },
		{ { "\xef\xbf\xbd" }, "a\\ud83d", "a", "\xef\xbf\xbd" },
		{ { "\xef\xbf\xbd" }, "a" GRIN "\\ude00", "a" GRIN,
			"\xef\xbf\xbd" },
		{ { GRIN GRIN "x" }, GRIN GRIN GRIN "x", GRIN, GRIN GRIN "x" },
		{ { "x\xf0\x9f\x98\x81" }, "x" GRIN, "x" GRIN, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stop_case c = cases[i];

		cut_every(span_cstr(c.text), check_pieces, &c);
		cut_pairs(span_cstr(c.text), check_pieces, &c);
	}
}

/* Only what may become a match is held back. */
static void
test_holds_little(void **state)
{
	static const char *const stops[STOPS_N] = { "END", "\\n\\nX" };

	static const struct {
		const char *delta, *out; /* all that was passed on until then */
	} steps[] = {
		{ "abc", "abc" },
		{ "dE", "abcd" },
		{ "N", "abcd" },
		{ "E", "abcdEN" },
		{ "x", "abcdENEx" },
		{ "\\n", "abcdENEx" },
		{ "\\n", "abcdENEx" },
		{ "\\n", "abcdENEx\\n" },
		{ "\\u0058y", "abcdENEx\\n" },
	};
	struct gp_error err;

	(void)state;
	begin(stops);
	assert_ok(ev_feed(filter, SPAN("start|text"), &err), &err);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		const struct span prefix = SPAN("start|text|d ");
		struct span out;

		assert_ok(ev_delta(filter, LLM_TEXT, span_cstr(steps[i].delta),
				  &err),
			&err);
		out = span_from(buf_span(&logged.out), prefix.n);
		assert_spans_eq(span_head(out, strlen(steps[i].out)),
			span_cstr(steps[i].out));
		if (!matched)
			assert_int_equal(out.n, strlen(steps[i].out));
	}
	assert_true(matched);
	assert_buf_eq(&logged.out,
		"start|text|d abcdENEx\\n|close|stop sequence \\n\\nX");
}

static void
test_passes_views(void **state)
{
	static const char *const stops[STOPS_N] = { "END" };
	char *const text = t_repeat("no such thing \\n ", 100);
	struct gp_error err;

	(void)state;
	begin(stops);
	assert_ok(ev_feed(filter, SPAN("start|text"), &err), &err);
	assert_ok(ev_delta(filter, LLM_TEXT, span_cstr(text), &err), &err);
	/* In one piece, and nothing was stored. */
	assert_int_equal(logged.deltas, 1);
	free(text);
}

static void
test_blocks(void **state)
{
	static const char *const stops[STOPS_N] = { "ab", "\xef\xbf\xbd" };

	static const struct {
		const char *in, *want;
	} cases[] = {
		/* Each block by itself; reasoning and arguments are not
		 * text. */
		{ "start|text|d a|close|text|d b|close|think|d ab|close|"
		  "tool 1 f|d ab|close|usage 1 2|stop tool",
			"start|text|d a|close|text|d b|close|think|d ab|close|"
			"tool 1 f|d ab|close|usage 1 2|stop tool" },
		/* What upstream says after a match is gone, usage included. */
		{ "start|usage 9 1|text|d a|ping|d b|error",
			"start|usage 9 1|text|ping|close|usage 9 1|"
			"stop sequence ab" },
		{ "start|text|d xab|d y|close|text|d z|close|usage 1 2|"
		  "stop end",
			"start|text|d x|close|stop sequence ab" },
		{ "start|text|d x\\ud83d|close|stop end",
			"start|text|d x|close|stop sequence \xef\xbf\xbd" },
		/* A failure before: nothing more of the text. */
		{ "start|text|d xa|error", "start|text|d x|error" },
		{ "error", "error" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gp_error err;

		begin(stops);
		assert_ok(ev_feed(filter, span_cstr(cases[i].in), &err), &err);
		assert_spans_eq(
			buf_span(&logged.out), span_cstr(cases[i].want));
	}
}

/* A match that an earlier one might still beat counts when upstream fails. */
static void
test_failure_while_undecided(void **state)
{
	static const char *const stops[STOPS_N] = { "b", "abc" };
	struct gp_error err;

	(void)state;
	begin(stops);
	assert_ok(ev_feed(filter, SPAN("start|text|d xab|error"), &err), &err);
	assert_buf_eq(&logged.out, "start|text|d xa|close|stop sequence b");
	assert_true(matched);
}

static void
test_failure_of_next(void **state)
{
	static const char *const stops[STOPS_N] = { "ab" };
	struct gp_error err;

	(void)state;
	begin(stops);
	/* The log refuses text outside of a block. */
	assert_fails(ev_delta(filter, LLM_TEXT, SPAN("x"), &err), GP_E_STATE,
		&err, "");
}

/* Long sequences that repeat themselves against a text that does. */
static void
test_is_linear(void **state)
{
	const size_t n = 200000;
	char *const stop = t_repeat("a", n + 1), *const text = t_repeat("a", n);
	const char *stops[STOPS_N] = { stop };
	struct gp_error err;

	(void)state;
	stop[n] = 'b';
	begin(stops);
	assert_ok(ev_feed(filter, SPAN("start|text"), &err), &err);
	for (size_t i = 0; i < n; i++)
		assert_ok(
			ev_delta(filter, LLM_TEXT, span_of(text + i, 1), &err),
			&err);
	assert_buf_eq(&logged.out, "start|text");
	assert_ok(ev_delta(filter, LLM_TEXT, SPAN("aab"), &err), &err);
	assert_true(span_starts(buf_span(&logged.out),
		SPAN("start|text|d aa|close|stop sequence aaa")));
	free(stop);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_every_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_holds_little, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_passes_views, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_failure_while_undecided, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_failure_of_next, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_is_linear, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
