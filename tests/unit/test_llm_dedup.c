/* SPDX-License-Identifier: MIT */
/*
 * test_llm_dedup.c - repeated blocks of surroundings.
 *
 * Conversations are written as a line: turns between '|', each a letter for its
 * role (s, u, a) and its parts between '^':
 *
 *	t:TEXT (verbatim)   m:TEXT (made)   r:TEXT (result)   i: (image)
 */
#include "shared/translate/llm_dedup.h"

#include <stdlib.h>

#include "shared/translate/llm_env.h"
#include "tests/lib/t.h"

#define LINE_MAX (1u << 20)

#define OPEN     "<environment_details>"
#define CLOSE    "</environment_details>"
#define ENV(s)   OPEN "\\n" s "\\n" CLOSE

static struct arena arena;
static struct llm_req req;
static struct llm_dedup_report report;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* --- conversations as lines ----------------------------------------------- */

static void
read_part(struct llm_parts *parts, struct span s)
{
	const struct jesc text = { arena_dup(&arena, span_from(s, 2)) };

	switch (s.p[0]) {
	case 't':
		llm_add_verbatim(&req, parts, text);
		break;
	case 'm':
		llm_add_text(&req, parts, text);
		break;
	case 'r':
		llm_add_verbatim(&req,
			&llm_add_part(&req, parts, LLM_PART_RESULT)->parts,
			text);
		break;
	case 'i':
		(void)llm_add_part(&req, parts, LLM_PART_IMAGE);
		break;
	default:
		fail();
	}
}

static void
read_line(const char *line)
{
	struct span rest = span_cstr(line), turn, part;

	llm_req_init(&req, &arena, LLM_CHAT);
	while (span_split(&rest, '|', &turn)) {
		const char role = turn.p[0];
		struct llm_parts *const parts = &llm_add_turn(&req,
			role == 's'         ? LLM_SYSTEM :
				role == 'a' ? LLM_ASSISTANT :
					      LLM_USER,
			req.turns.n)
							 ->parts;

		turn = span_from(turn, 1);
		while (span_split(&turn, '^', &part))
			read_part(parts, part);
	}
}

static void
print_part(const struct llm_part *p, struct buf *out)
{
	switch (p->kind) {
	case LLM_PART_TEXT:
		buf_puts(out, p->is_verbatim ? "t:" : "m:");
		buf_put(out, p->text.s);
		break;
	case LLM_PART_RESULT:
		buf_puts(out, "r:");
		buf_put(out, p->parts.v[0].text.s);
		break;
	case LLM_PART_IMAGE:
		buf_puts(out, "i:");
		break;
	case LLM_PART_THINK:
	case LLM_PART_CALL:
		fail();
	}
}

static void
print_line(struct buf *out)
{
	buf_reset(out, LINE_MAX);
	for (size_t i = 0; i < req.turns.n; i++) {
		const struct llm_turn *const t = &req.turns.v[i];

		buf_puts(out, i > 0 ? "|" : "");
		buf_putc(out, "sua"[t->role]);
		for (size_t k = 0; k < t->parts.n; k++) {
			buf_puts(out, k > 0 ? "^" : "");
			print_part(&t->parts.v[k], out);
		}
	}
	assert_false(out->bad);
}

/* What comes of a line, and of that again: the same. */
static void
becomes(const char *line, const char *want, size_t blocks)
{
	struct llm_dedup_report again;
	struct buf out;

	buf_init(&out, LINE_MAX);
	read_line(line);
	llm_dedup(&req, &report);
	print_line(&out);
	assert_spans_eq(buf_span(&out), span_cstr(want));
	assert_int_equal(report.blocks, blocks);
	read_line(want);
	llm_dedup(&req, &again);
	print_line(&out);
	assert_spans_eq(buf_span(&out), span_cstr(want));
	assert_int_equal(again.blocks, 0);
	buf_fini(&out);
}

/* --- cases ---------------------------------------------------------------- */

static void
test_newest_stays(void **state)
{
	static const struct {
		const char *line, *want;
		size_t blocks;
	} cases[] = {
		{ "ut:a", "ut:a", 0 },
		{ "ut:" ENV("1"), "ut:" ENV("1"), 0 },
		/* As editors send them: parts of their own, or one text. */
		{ "ut:do^t:" ENV("1") "|at:x|ut:b^t:" ENV("2"),
			"ut:do|at:x|ut:b^t:" ENV("2"), 1 },
		{ "ut:do^t:\\n\\n" ENV("1") "|at:x|ut:b^t:\\n\\n" ENV("2"),
			"ut:do|at:x|ut:b^t:\\n\\n" ENV("2"), 1 },
		{ "ut:do\\n\\n" ENV("1") "|at:x|ut:b\\n\\n" ENV("2"),
			"ut:do|at:x|ut:b\\n\\n" ENV("2"), 1 },
		{ "ur:x^t:" ENV("1") "|at:x|ur:y^t:" ENV("2") "|at:y|ut:" ENV(
			  "3"),
			"ur:x|at:x|ur:y|at:y|ut:" ENV("3"), 2 },
		{ "ut:" ENV("1") "^i:|at:x|ut:" ENV("2"),
			"ui:|at:x|ut:" ENV("2"), 1 },
		/* The last that has one is not the last. */
		{ "ut:a^t:" ENV("1") "|at:x|ut:b^t:" ENV("2") "|at:y|ut:c",
			"ut:a|at:x|ut:b^t:" ENV("2") "|at:y|ut:c", 1 },
		/* Two in the last one, two in an older one. */
		{ "ut:a|at:x|ut:" ENV("1") "\\n" ENV("2"),
			"ut:a|at:x|ut:" ENV("1") "\\n" ENV("2"), 0 },
		{ "ut:a\\n" ENV("1") "\\nb\\n" ENV("2") "\\nc|at:x|ut:" ENV(
			  "3"),
			"ut:a\\nb\\nc|at:x|ut:" ENV("3"), 2 },
		{ "ut:" ENV("1") "\\n\\n" ENV("2") "\\n \\n  c|at:x|ut:" ENV(
			  "3"),
			"ut:  c|at:x|ut:" ENV("3"), 2 },
		{ "ut:a \\r\\n\\r\\n" ENV("1") " \\t\\r\\n\\r\\nb|ut:" ENV("3"),
			"ut:a \\t\\r\\n\\r\\nb|ut:" ENV("3"), 1 },
		/* Escapes for whatever can be written so. */
		{ "ut:a\\u000a\\u003cenvironment_details\\u003E1\\u003C\\/"
		  "environment_details\\u003e\\u0020|at:x|ut:" ENV("2"),
			"ut:a\\u0020|at:x|ut:" ENV("2"), 1 },
		{ "ut:a^t:" ENV("1") "|at:x|ut:<environment_details>2<"
				     "\\u002fenvironment_details>",
			"ut:a|at:x|ut:<environment_details>2<"
			"\\u002fenvironment_details>",
			1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		becomes(cases[i].line, cases[i].want, cases[i].blocks);
}

/* Nothing but the user's own words. */
static void
test_others_stay(void **state)
{
	static const char *const lines[] = {
		"st:" ENV("1") "|ut:" ENV("2"),
		"ut:a|at:" ENV("1") "|ut:" ENV("2"),
		"ur:" ENV("1") "|at:x|ur:" ENV("2") "^t:" ENV("3"),
		"ut:a^m:" ENV("1") "|at:x|ut:" ENV("2"),
		/* Nor are they the newest. */
		"ut:a^t:" ENV("1") "|at:" ENV("2") "|ur:" ENV("3") "^m:" ENV(
			"4"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		becomes(lines[i], lines[i], 0);
}

/* Somebody writes about the tag. Beside the last message, which has a block,
 * each stands in a message of its own and in front of the newest. */
static void
test_prose_stays(void **state)
{
	static const char *const texts[] = {
		"what does " OPEN " mean?",
		"what does " OPEN "x" CLOSE " mean?",
		"a " ENV("1"),
		OPEN,
		CLOSE,
		CLOSE "\\n" OPEN,
		OPEN "\\nis never closed",
		OPEN "1" CLOSE " is what it looks like",
		OPEN "1" CLOSE ".",
		"  " ENV("indented"),
		"\\\\n" ENV("behind a backslash and an n"),
		"\\\\u000a" ENV("likewise"),
		ENV("1") "\\\\n",
		"\\\\u003cenvironment_details>1" CLOSE,
		"a\\n<environment_details >1" CLOSE,
		"a\\n<environment_details/>",
		"a\\n<Environment_Details>1</Environment_Details>",
		"a\\n<environment_detail>1</environment_detail>",
		"a\\n<my_environment_details>1</my_environment_details>",
		"environment_details",
		"_details environment_details",
		"environment_details>",
		"\\u000environment_details>" CLOSE,
		/* One in another, or half of one. */
		OPEN "\\n" ENV("1") "\\n" CLOSE,
		OPEN "\\n" ENV("1") "\\n" ENV("2") "\\n" CLOSE,
		ENV(OPEN),
		ENV("a " OPEN),
		ENV("a " CLOSE " b"),
		OPEN "\\n" OPEN "\\n" CLOSE,
		OPEN "\\nis open\\n" ENV("1"),
		/* An example. */
		"like\\n```\\n" ENV("1") "\\n```\\nthis",
		"like\\n  ````xml\\n" ENV("1") "\\n  ````",
		"\\u0060``\\n" ENV("1"),
		"```\\n```\\n```\\n" ENV("1"),
		/* Other tools, other habits. */
		"a\\nContext: b\\n\\n<environment>\\nc\\n</environment>",
		"Directory: x\\n\\n```environment\\ny\\n```",
	};
	struct buf line;

	(void)state;
	buf_init(&line, LINE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		buf_reset(&line, LINE_MAX);
		buf_puts(&line, "ut:x^t:");
		buf_puts(&line, texts[i]);
		buf_puts(&line, "|at:y|ut:x\\n");
		buf_puts(&line, texts[i]);
		buf_puts(&line, "|at:y|ut:" ENV("9"));
		buf_putc(&line, '\0');
		becomes(line.data, line.data, 0);
	}
	buf_fini(&line);
}

/* What is beside a block is no reason to keep it. */
static void
test_prose_beside(void **state)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "ut:the " OPEN " tag\\n" ENV("1") "|ut:" ENV("2"),
			"ut:the " OPEN " tag|ut:" ENV("2") },
		{ "ut:" OPEN "1" CLOSE " is one\\n" ENV("1") "|ut:" ENV("2"),
			"ut:" OPEN "1" CLOSE " is one|ut:" ENV("2") },
		{ "ut:```\\ncode\\n```\\n" ENV("```") "\\nb|ut:" ENV("2"),
			"ut:```\\ncode\\n```\\nb|ut:" ENV("2") },
		{ "ut:a ``` b `` ```\\n `` `\\n" ENV("1") "|ut:" ENV("2"),
			"ut:a ``` b `` ```\\n `` `|ut:" ENV("2") },
		{ "ut:" CLOSE "\\n" ENV("1") "\\n" OPEN "|ut:" ENV("2"),
			"ut:" CLOSE "\\n" OPEN "|ut:" ENV("2") },
		{ "ut:" ENV("1") "\\n\\u00e9" ENV("no") "|ut:" ENV("2"),
			"ut:\\u00e9" ENV("no") "|ut:" ENV("2") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		becomes(cases[i].line, cases[i].want, 1);
}

/* Neighbours of the user count as one message, which is never emptied. */
static void
test_nothing_is_emptied(void **state)
{
	static const struct {
		const char *line, *want;
		size_t blocks;
	} cases[] = {
		{ "ut:" ENV("1") "|at:x|ut:" ENV("2"),
			"ut:" ENV("1") "|at:x|ut:" ENV("2"), 0 },
		{ "ut: ^t:" ENV("1") "\\n|at:x|ut:" ENV("2"),
			"ut: ^t:" ENV("1") "\\n|at:x|ut:" ENV("2"), 0 },
		{ "ut:" ENV("1") "^t:" ENV("2") "|at:x|ut:" ENV("3"),
			"ut:" ENV("2") "|at:x|ut:" ENV("3"), 1 },
		{ "ut:" ENV("1") "\\n" ENV("2") "\\n|at:x|ut:" ENV("3"),
			"ut:" ENV("2") "\\n|at:x|ut:" ENV("3"), 1 },
		/* Results of tools are messages of their own in places. */
		{ "ut:a|at:y|ur:b|ut:" ENV("1") "|at:x|ur:c|ut:" ENV("2"),
			"ut:a|at:y|ur:b|at:x|ur:c|ut:" ENV("2"), 1 },
		{ "ut:" ENV("1") "|ut:" ENV("2") "|at:x|ut:" ENV("3"),
			"ut:" ENV("2") "|at:x|ut:" ENV("3"), 1 },
		{ "ut:" ENV("1") "|ut:" ENV("2"), "ut:" ENV("2"), 1 },
		{ "ut:" ENV("1") "|ut:" ENV("2") "|ut:c|at:x",
			"ut:" ENV("2") "|ut:c|at:x", 1 },
		/* System text parts them. */
		{ "ut:" ENV("1") "|st:s|ut:b|at:x|ut:" ENV("3"),
			"ut:" ENV("1") "|st:s|ut:b|at:x|ut:" ENV("3"), 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		becomes(cases[i].line, cases[i].want, cases[i].blocks);
}

/* A turn that never said anything is none of ours. */
static void
test_empty_turns_stay(void **state)
{
	(void)state;
	becomes("u|ut:a^t:" ENV("1") "|u|at:x|ut:" ENV("2") "|u",
		"u|ut:a|u|at:x|ut:" ENV("2") "|u", 1);
}

static void
test_report(void **state)
{
	(void)state;
	read_line("ut:a\\n\\n" OPEN "\\u00e9" CLOSE
		  "\\n|at:x|ut:\\n" ENV("2") "^i:|at:x|ut:" ENV("3"));
	llm_dedup(&req, &report);
	assert_int_equal(report.blocks, 2);
	/* Blanks in front, tags, two bytes; a blank in front, tags, "\n2\n". */
	assert_int_equal(report.bytes, 2 + 43 + 2 + 1 + 43 + 3);
	assert_int_equal(req.cuts.n, 2);
	assert_span_eq(req.cuts.v[0], "\\n\\n" OPEN "\\u00e9" CLOSE);
	assert_span_eq(req.cuts.v[1], "\\n" ENV("2"));
	read_line("ut:a|ut:" ENV("3"));
	llm_dedup(&req, &report);
	assert_int_equal(report.blocks + report.bytes + req.cuts.n, 0);
}

/* A conversation of n messages keeps what it sent, but for the block that was
 * the newest. */
static void
test_prefix_stays(void **state)
{
	struct buf line, before, after;

	(void)state;
	buf_init(&line, LINE_MAX);
	buf_init(&before, LINE_MAX);
	buf_init(&after, LINE_MAX);
	for (size_t n = 0; n < 20; n++) {
		struct span newest;

		buf_printf(&line, "%sut:question %zu\\n" ENV("%zu"),
			n > 0 ? "|at:answer|" : "", n, n);
		read_line(arena_dup(&arena, buf_span(&line)).p);
		llm_dedup(&req, &report);
		assert_int_equal(report.blocks, n);
		print_line(&after);
		newest = span_head(buf_span(&before),
			span_find(buf_span(&before), SPAN("\\n" OPEN)));
		assert_true(span_starts(buf_span(&after), newest));
		buf_reset(&before, LINE_MAX);
		buf_put(&before, buf_span(&after));
	}
	buf_fini(&line);
	buf_fini(&before);
	buf_fini(&after);
}

/* Every place of a cut and no read behind the end. */
static void
test_cut_anywhere(void **state)
{
	const struct span whole =
		SPAN("a\\n```\\n```\\n\\u003cenvironment_details>"
		     "\\u00e9\\n<\\/environment_details\\u003e "
		     "\\n\\\\" ENV("2") "\\n" ENV("3") "\\n\\n");

	(void)state;
	for (size_t n = 0; n <= whole.n; n++) {
		const struct span s = span_head(whole, n);
		struct llm_env_block b;
		struct llm_env e;
		size_t from = 0;
		char *exact;

		/* Not inside of an escape: that is no such text. */
		if (span_ends(s, SPAN("\\")) ||
			(n >= 2 &&
				span_find(span_from(s, n - MIN(n, 5)),
					SPAN("\\u")) < MIN(n, 5)))
			continue;
		exact = t_exact(s);
		llm_env_init(&e, (struct jesc){ span_of(exact, n) });
		while (llm_env_next(&e, &b)) {
			assert_true(from <= b.from && b.from < b.to);
			from = b.to;
			assert_in_range(b.to, b.from + 43, n);
		}
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest_stays),
		cmocka_unit_test(test_others_stay),
		cmocka_unit_test(test_prose_stays),
		cmocka_unit_test(test_prose_beside),
		cmocka_unit_test(test_nothing_is_emptied),
		cmocka_unit_test(test_empty_turns_stay),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_prefix_stays),
		cmocka_unit_test(test_cut_anywhere),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
