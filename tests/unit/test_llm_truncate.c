/* SPDX-License-Identifier: MIT */
/*
 * test_llm_truncate.c - cutting conversations.
 *
 * Conversations are written as turns between blanks: a letter for the role (s,
 * u, a; c is an assistant's call, r its result), for calls and results the id
 * and a colon, and the turn's weight in tokens. A turn behind '+' comes
 * from the same message as the one before.
 */
#include "shared/translate/llm_truncate.h"

#include <stdio.h>

#include "shared/translate/llm_estimate.h"
#include "shared/translate/llm_normal.h"
#include "tests/lib/sound.h"
#include "tests/lib/t.h"

#define LINE_MAX   65536
#define NUMBER_MAX 24

static struct arena arena;
static struct llm_req req;
static struct llm_cut cut;

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

/* So many tokens, all but the four of the turn in text. */
static struct jesc
text_of(uint64_t tokens)
{
	const size_t n = (size_t)(tokens - 4) * 18 / 5;
	char *const p = arena_alloc(&arena, n);

	memset(p, 'x', n);
	return (struct jesc){ span_of(p, n) };
}

static void
read_turn(struct span s, size_t source)
{
	const char kind = s.p[0];
	const bool is_pair = kind == 'c' || kind == 'r';
	const size_t colon = is_pair ? span_find_char(s, ':') : 0;
	const struct jesc id = { arena_dup(
		&arena, span_head(span_from(s, 1), MAX(colon, 1) - 1)) };
	struct llm_parts *parts = &llm_add_turn(&req,
		kind == 's'                        ? LLM_SYSTEM :
			kind == 'a' || kind == 'c' ? LLM_ASSISTANT :
						     LLM_USER,
		source)
					   ->parts;
	struct llm_part *p;
	uint64_t tokens;

	assert_true(span_u64(span_from(s, colon + 1), &tokens));
	if (kind == 'r') {
		p = llm_add_part(&req, parts, LLM_PART_RESULT);
		p->id = id;
		parts = &p->parts;
	}
	llm_add_text(&req, parts, text_of(tokens));
	if (kind == 'c') {
		p = llm_add_part(&req, parts, LLM_PART_CALL);
		p->id = id;
		p->args.value = JRAW_NONE;
	}
}

static void
read_line(const char *line)
{
	struct span rest = span_cstr(line), turn;
	size_t source = 0;

	llm_req_init(&req, &arena, LLM_CHAT);
	while (span_split(&rest, ' ', &turn)) {
		const bool is_same = turn.p[0] == '+';

		source += req.turns.n > 0 && !is_same;
		read_turn(span_from(turn, is_same ? 1 : 0), source);
	}
}

static char
kind_of(const struct llm_turn *t)
{
	for (size_t i = 0; i < t->parts.n; i++) {
		if (t->parts.v[i].kind == LLM_PART_CALL)
			return 'c';
		if (t->parts.v[i].kind == LLM_PART_RESULT)
			return 'r';
	}
	if (t->parts.n > 0 &&
		span_eq(t->parts.v[0].text.s, SPAN(LLM_TRUNCATED)))
		return '*';
	return "sua"[t->role];
}

/* What is left: kinds and sources. */
static struct span
left(void)
{
	struct span s = SPAN_EMPTY;

	for (size_t i = 0; i < req.turns.n; i++)
		s = arena_printf(&arena, "%.*s%s%c%zu", SPAN_ARG(s),
			i > 0 ? " " : "", kind_of(&req.turns.v[i]),
			req.turns.v[i].source);
	return s;
}

/* --- cases ---------------------------------------------------------------- */

#define NEVER NULL /* cannot be done */

static void
test_where(void **state)
{
	/* The limit is 800: steps of 100, at most 600 stay. */
	static const struct {
		const char *line, *want;
		size_t messages;
	} cases[] = {
		/* It fits. */
		{ "u800", "u0", 0 },
		{ "u399 a400", "u0 a1", 0 },
		/* 900 goes down to 600, to the last token; 905 to 505. */
		{ "u154 a149 u204 a199 u194", "u2 a3 u4", 2 },
		{ "u154 a144 u204 a199 u199", "*3 a3 u4", 3 },
		{ "u154 a149 u204 a199 u199", "*3 a3 u4", 3 },
		/* System turns stay where they are. */
		{ "s100 u100 a150 s50 u110 a100 s50 u100 a100 u100",
			"s0 s3 s6 u7 a8 u9", 4 },
		/* A question asked long ago, then nothing but calls. */
		{ "u110 c1:100 r1:100 c2:110 r2:90 c3:100 r3:100 c4:90 r4:90",
			"*3 c3 r4 c5 r6 c7 r8", 3 },
		/* A question a little later is worth waiting for, one later
		 * than that is not. */
		{ "u110 c1:100 r1:100 c2:30 r2:30 a10 u100 c3:100 r3:100 "
		  "c4:100 r4:100",
			"u6 c7 r8 c9 r10", 6 },
		{ "u110 c1:100 r1:100 c2:50 r2:50 a10 u80 c3:100 r3:100 c4:90 "
		  "r4:90",
			"*3 c3 r4 a5 u6 c7 r8 c9 r10", 3 },
		{ "u110 c1:100 r1:200 c2:100 r2:200 c3:100 r3:100 u100",
			"*5 c5 r6 u7", 5 },
		/* Not between a call and a late result of it. */
		{ "u100 c1:300 u110 a100 r1:100 a110 u100 a100", "*5 a5 u6 a7",
			5 },
		{ "u100 c1:300 u100 a100 r1:100 u100 a110 u100", "*6 a6 u7",
			6 },
		{ "u300 a100 u200 c1:50 r1:50 u50 a50 u50", "u2 c3 r4 u5 a6 u7",
			2 },
		/* Nor before a result, though it be of no call. */
		{ "u300 a100 r9:200 a100 u100 a50", "*3 a3 u4 a5", 3 },
		/* Neighbours of one role are one turn. */
		{ "u300 a50 a100 u50 u200 a100 u50", "u3 u4 a5 u6", 3 },
		{ "u100 c1:300 c2:100 a100 r2:100 c3:100 r3:100 u50",
			"*5 c5 r6 u7", 5 },
		/* Not inside of what was one message. */
		{ "u100 a200 +u200 +a200 u110 a50", "u2 a3", 2 },
		/* Calls that are never answered begin nothing. */
		{ "u350 c1:100 u100 c2:100 r2:100 u150", "u2 c3 r4 u5", 2 },
		/* Less than should go, for want of a better place. */
		{ "u100 a100 u700", "u2", 2 },
		{ "s600 u100 a100 u100", "s0 u3", 2 },
		{ "u100 c1:100 r1:700", NEVER, 0 },
		{ "u100 a100 u801", NEVER, 0 },
		{ "s801 u100 a100 u100", NEVER, 0 },
		{ "u900", NEVER, 0 },
		{ "a900", NEVER, 0 },
		/* The beginning of an answer needs its question. */
		{ "u700 a200", NEVER, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const want = cases[i].want;
		struct span before;
		bool ok;

		read_line(cases[i].line);
		before = left();
		ok = llm_truncate(&req, 800, &cut);
		if (ok != (want != NEVER))
			print_message("%s\n", cases[i].line);
		assert_int_equal(ok, want != NEVER);
		assert_spans_eq(
			left(), want == NEVER ? before : span_cstr(want));
		assert_int_equal(cut.messages, cases[i].messages);
		assert_int_equal(cut.tokens_after, llm_estimate(&req));
	}
}

static void
test_report(void **state)
{
	(void)state;
	read_line("s104 u204 a304 s54 u104 a54");
	assert_true(llm_truncate(&req, 800, &cut));
	assert_int_equal(cut.tokens_before, 824);
	assert_int_equal(cut.tokens_after, 316);
	assert_int_equal(cut.messages, 2);
	assert_int_equal(req.kept_from, 4);
	assert_true(jesc_is_empty(req.instead));

	read_line("u204 c1:204 r1:204 c2:104 r2:154");
	assert_true(llm_truncate(&req, 800, &cut));
	assert_int_equal(cut.messages, 3);
	assert_int_equal(req.kept_from, 3);
	assert_span_eq(req.instead.s, LLM_TRUNCATED);
	assert_int_equal(req.turns.v[0].role, LLM_USER);
	assert_span_eq(req.turns.v[0].parts.v[0].text.s, LLM_TRUNCATED);

	read_line("u700 a200");
	assert_false(llm_truncate(&req, 800, &cut));
	assert_int_equal(cut.tokens_before, cut.tokens_after);
	assert_int_equal(req.kept_from, 0);
	assert_true(jesc_is_empty(req.instead));
}

static void
test_limits(void **state)
{
	static const struct {
		int64_t limit;
		bool fits;
	} cases[] = {
		{ INT64_MIN, false },
		{ -1, false },
		{ 0, false },
		{ 1, false },
		{ 7, false },
		{ 38, false },
		{ 39, true },
		{ INT64_MAX, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		read_line("u100 a100 u39");
		assert_int_equal(llm_truncate(&req, cases[i].limit, &cut),
			cases[i].fits);
	}
	llm_req_init(&req, &arena, LLM_CHAT);
	assert_true(llm_truncate(&req, 0, &cut));
}

/* A session of hundreds of rounds, with a new question now and then: the cut
 * moves in steps, forwards only, and what is left is of the promised size. */
static void
check_growth(size_t rounds, size_t question_every, int64_t fixed)
{
	const int64_t limit = 4000, room = limit - fixed;
	const int64_t step = MIN(limit / 8, room / 4);
	const int64_t kept = MAX(limit * 3 / 4, fixed + room / 2);
	size_t last = 0, moves = 0, requests = 0;
	struct buf line;

	buf_init(&line, 1u << 20);
	buf_printf(&line, "s%d u50", (int)fixed);
	for (size_t i = 0; i < rounds; i++) {
		buf_printf(&line, " c%zu:%zu r%zu:%zu", i, 20 + i * 7 % 60, i,
			15 + i * 13 % 90);
		if (question_every > 0 && i % question_every == 0)
			buf_printf(&line, " a20 u%zu", 30 + i % 17);
		arena_reset(&arena);
		read_line(arena_dup(&arena, buf_span(&line)).p);
		assert_true(llm_truncate(&req, limit, &cut));
		if (cut.messages == 0)
			continue;
		requests++;
		assert_true(req.kept_from >= last);
		moves += req.kept_from > last;
		last = req.kept_from;
		/* What LLM_TRUNCATED weighs; a step that is waited for, and a
		 * turn that is in the way. */
		assert_in_range(
			cut.tokens_after, kept - 2 * step - 110, kept + 25);
		llm_normalise(&req);
		assert_null(sound_fault(&req));
		assert_int_equal(req.notices.total, 0);
	}
	assert_true(requests > 300);
	/* What was added since the first cut, in steps. */
	assert_in_range(
		moves, 2, (size_t)((cut.tokens_before - limit) / step) + 2);
	buf_fini(&line);
}

static void
test_cut_stays(void **state)
{
	(void)state;
	check_growth(400, 0, 54);
	check_growth(400, 3, 54);
	check_growth(400, 40, 54);
	check_growth(400, 40, 1804);
	check_growth(400, 5, 2204);
	check_growth(400, 23, 2604);
	check_growth(400, 23, 3204);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cut_stays),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
