/* SPDX-License-Identifier: MIT */
/*
 * test_llm_normal.c - conversations in order.
 *
 * Conversations are written as a line: turns between '|', each a letter for its
 * role (s, u, a) and its parts; '~' stands for a blank:
 *
 *	t=TEXT   h=THINKING   i (image)   c=ID (call)
 *	r=ID:TEXT (result)   e=ID:TEXT (error)   R=ID:TEXT (parts, with an
 *image)
 */
#include "shared/translate/llm_normal.h"

#include <stdio.h>

#include "tests/lib/t.h"

#define LINE_MAX 65536

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

/* --- conversations as lines --------------------------------------------- */

static struct jesc
with_blanks(struct span s)
{
	const struct span copy = arena_dup(&arena, s);
	char *const p = arena_alloc(&arena, s.n);

	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)(copy.p[i] == '~' ? ' ' : copy.p[i]);
	return (struct jesc){ span_of(p, s.n) };
}

static void
read_result(struct llm_parts *parts, char kind, struct span s)
{
	struct llm_part *const p = llm_add_part(&req, parts, LLM_PART_RESULT);
	struct span id;

	if (!span_split(&s, ':', &id))
		id = SPAN_EMPTY;
	p->id.s = arena_dup(&arena, id);
	p->is_error = kind == 'e';
	p->is_flat = kind != 'R';
	llm_add_text(&req, &p->parts, with_blanks(s));
	if (kind == 'R')
		(void)llm_add_part(&req, &p->parts, LLM_PART_IMAGE);
}

static void
read_part(struct llm_parts *parts, struct span s)
{
	const char kind = s.p[0];

	s = span_from(s, 2);
	switch (kind) {
	case 't':
		llm_add_part(&req, parts, LLM_PART_TEXT)->text = with_blanks(s);
		break;
	case 'h':
		llm_add_part(&req, parts, LLM_PART_THINK)->text =
			with_blanks(s);
		break;
	case 'i':
		(void)llm_add_part(&req, parts, LLM_PART_IMAGE);
		break;
	case 'c':
		llm_add_part(&req, parts, LLM_PART_CALL)->id.s =
			arena_dup(&arena, s);
		break;
	default:
		read_result(parts, kind, s);
		break;
	}
}

static void
read_line(struct span line)
{
	struct span turn, part;

	llm_req_init(&req, &arena, LLM_CHAT);
	while (span_split(&line, '|', &turn)) {
		const char role = turn.p[0];
		struct llm_turn *const t = llm_add_turn(&req,
			role == 's'         ? LLM_SYSTEM :
				role == 'u' ? LLM_USER :
					      LLM_ASSISTANT,
			req.turns.n);

		turn = span_from(turn, 2);
		while (span_split(&turn, ' ', &part))
			read_part(&t->parts, part);
	}
}

static void
write_text(struct buf *out, struct jesc text)
{
	for (size_t i = 0; i < text.s.n; i++)
		buf_putc(out, (char)(text.s.p[i] == ' ' ? '~' : text.s.p[i]));
}

static void
write_result(struct buf *out, const struct llm_part *p)
{
	bool is_plain = p->is_flat;

	for (size_t i = 0; i < p->parts.n; i++)
		is_plain = is_plain && p->parts.v[i].kind == LLM_PART_TEXT;
	buf_puts(out, !is_plain ? "R=" : p->is_error ? "e=" : "r=");
	buf_put(out, p->id.s);
	buf_putc(out, ':');
	for (size_t i = 0; i < p->parts.n; i++) {
		assert_int_not_equal(p->parts.v[i].kind, LLM_PART_RESULT);
		if (i > 0 && p->parts.v[i].kind == LLM_PART_TEXT)
			buf_putc(out, '+');
		write_text(out, p->parts.v[i].text);
	}
}

static void
write_part(struct buf *out, const struct llm_part *p)
{
	static const char *const kinds[] = {
		[LLM_PART_TEXT] = "t=",
		[LLM_PART_THINK] = "h=",
		[LLM_PART_IMAGE] = "i",
		[LLM_PART_CALL] = "c=",
	};

	buf_putc(out, ' ');
	if (p->kind == LLM_PART_RESULT) {
		write_result(out, p);
		return;
	}
	buf_puts(out, kinds[p->kind]);
	if (p->kind == LLM_PART_CALL)
		buf_put(out, p->id.s);
	else
		write_text(out, p->text);
}

static void
write_line(struct buf *out)
{
	for (size_t i = 0; i < req.turns.n; i++) {
		const struct llm_turn *const t = &req.turns.v[i];

		if (i > 0)
			buf_putc(out, '|');
		buf_putc(out, "sua"[t->role]);
		for (size_t k = 0; k < t->parts.n; k++)
			write_part(out, &t->parts.v[k]);
	}
}

/* --- rules, one by one -------------------------------------------------- */

#define MISSING "[no~result~was~provided~for~this~tool~call]"

static void
test_rules(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: unchanged */
		const char *notices;
	} cases[] = {
		/* In order already. */
		{ "u t=a", NULL, "" },
		{ "s t=a|u t=b", NULL, "" },
		{ "s t=a|s t=b|u t=c|s t=d|u t=e|a t=f|s t=g", NULL, "" },
		{ "u t=a|a h=b t=c c=1 c=2|u r=1:x r=2:y t=d i|a t=e", NULL,
			"" },
		{ "u t=a|a c=1 c=2|u r=2:y e=1:x", NULL, "" },
		{ "u t=a|a c=1|u R=1:x", NULL, "" },
		/* First and last turns. */
		{ "s t=a", "s t=a|u t=Continue.", "repaired:no_user_turn" },
		{ "", "u t=Continue.", "repaired:no_user_turn" },
		{ "a t=a|u t=b", "u t=(continued)|a t=a|u t=b",
			"repaired:first_turn" },
		{ "s t=s|a t=a", "s t=s|u t=(continued)|a t=a",
			"repaired:first_turn" },
		{ "u t=a|a t=The~answer~is~\\n\\u0020",
			"u t=a|a t=The~answer~is", "repaired:trailing_blanks" },
		{ "u t=a|a t=b\\\\n", NULL, "" },
		{ "u t=a|a t=b\\\\\\n", "u t=a|a t=b\\\\",
			"repaired:trailing_blanks" },
		{ "u t=a|a t=b\\\\u0020", NULL, "" },
		{ "u t=a|a t=b\\u00e9\\t", "u t=a|a t=b\\u00e9",
			"repaired:trailing_blanks" },
		{ "u t=a|a t=b~|u t=c", NULL, "" },
		{ "u t=a|a t=b~ h=c", NULL, "" },
		/* Neighbours. */
		{ "u t=a|u t=b|a t=c|a t=d", "u t=a t=b|a t=c t=d", "" },
		{ "u t=a|a t=b|a c=1|a c=2|u r=1:x|u r=2:y",
			"u t=a|a t=b c=1 c=2|u r=1:x r=2:y", "" },
		{ "u t=a|s t=b|u t=c", NULL, "" },
		/* Blank and empty. */
		{ "u t=a|a t=|u t=b", "u t=a t=b", "repaired:empty_message" },
		{ "u t=a|a|u t=b", "u t=a t=b", "repaired:empty_message" },
		{ "u t=a|a t=~\\n h=|u t=b|a t=c", "u t=a t=b|a t=c",
			"repaired:empty_message" },
		{ "u t=", "u t=(empty)", "repaired:empty_message" },
		{ "u", "u t=(empty)", "repaired:empty_message" },
		{ "u t=~~\\n", "u t=(empty)", "repaired:empty_message" },
		{ "u t= t=x", "u t=x", "" },
		{ "u t=~|u t=x", "u t=x", "" },
		{ "u t=~ i", "u i", "" },
		{ "u t=a|a t= c=1|u r=1:x t=~", "u t=a|a c=1|u r=1:x", "" },
		{ "s t=~|u t=a", "u t=a", "repaired:empty_message" },
		{ "u t=a|s t=|u t=b", "u t=a t=b", "repaired:empty_message" },
		/* Results: order. */
		{ "u t=a|a c=1|u t=b r=1:x", "u t=a|a c=1|u r=1:x t=b", "" },
		{ "u t=a|a c=1|u t=b|u r=1:x", "u t=a|a c=1|u r=1:x t=b", "" },
		{ "u t=a|a c=1 c=2|u r=1:x t=b r=2:y",
			"u t=a|a c=1 c=2|u r=1:x r=2:y t=b", "" },
		{ "u t=a|a c=1|s t=s|u r=1:x t=b",
			"u t=a|a c=1|u r=1:x|s t=s|u t=b",
			"repaired:result_order" },
		{ "u t=a|a c=1|s t=s|s t=r|u r=1:x|a t=c",
			"u t=a|a c=1|u r=1:x|s t=s|s t=r|a t=c",
			"repaired:result_order" },
		{ "u t=a|a c=1|u t=b|a t=c|u r=1:x t=d",
			"u t=a|a c=1|u r=1:x t=b|a t=c|u t=d",
			"repaired:result_order" },
		{ "u t=a|a c=1|u t=b|a t=c|u r=1:x",
			"u t=a|a c=1|u r=1:x t=b|a t=c|u t=(empty)",
			"repaired:result_order,repaired:empty_message" },
		{ "u t=a|a c=1|u t=b|s t=s|u r=1:x",
			"u t=a|a c=1|u r=1:x t=b|s t=s",
			"repaired:result_order" },
		{ "u t=a|a c=1|s t=s|a t=b|u r=1:x t=c",
			"u t=a|a c=1|u r=1:x|s t=s|a t=b|u t=c",
			"repaired:result_order" },
		/* Results: missing. */
		{ "u t=a|a c=1 c=2|u r=2:y",
			"u t=a|a c=1 c=2|u r=2:y e=1:" MISSING,
			"repaired:tool_result" },
		{ "u t=a|a c=1|u t=b", "u t=a|a c=1|u e=1:" MISSING " t=b",
			"repaired:tool_result" },
		{ "u t=a|a c=1", "u t=a|a c=1|u e=1:" MISSING,
			"repaired:tool_result" },
		{ "u t=a|a c=1|u t=~", "u t=a|a c=1|u e=1:" MISSING,
			"repaired:tool_result" },
		/* Results: too many. */
		{ "u t=a r=9:x t=b", "u t=a t=[tool~result~9]\\nx t=b",
			"repaired:orphan_result" },
		{ "u r=1:x|a c=1|u r=1:y",
			"u t=[tool~result~1]\\nx|a c=1|u r=1:y",
			"repaired:orphan_result" },
		{ "u t=a|a c=1|u r=1:x R=9:y t=b",
			"u t=a|a c=1|u r=1:x t=[tool~result~9]\\ny i t=b",
			"repaired:orphan_result" },
		{ "u t=a|a c=1|u r=1:x|a t=b|u r=1:y",
			"u t=a|a c=1|u r=1:x|a t=b|u t=[tool~result~1]\\ny",
			"repaired:orphan_result" },
		{ "u t=a|a c=1|u r=1:x r=1:y", "u t=a|a c=1|u r=1:x\\ny",
			"repaired:duplicate_result" },
		{ "u t=a|a c=1|u r=1:x t=b|u e=1:y",
			"u t=a|a c=1|u e=1:x\\ny t=b",
			"repaired:duplicate_result" },
		{ "u t=a|a c=1|u r=1:x R=1:y r=1:z",
			"u t=a|a c=1|u R=1:x\\ny\\nz",
			"repaired:duplicate_result" },
		/* Ids. */
		{ "u t=a|a c=f.0|u r=f.0:x", "u t=a|a c=f_0|u r=f_0:x",
			"repaired:tool_id" },
		{ "u t=a|a c=|u r=:x", "u t=a|a c=call|u r=call:x",
			"repaired:tool_id" },
		{ "u t=a|a c=1|u r=1:x|a c=1|u r=1:y|a c=1|u r=1:z",
			"u t=a|a c=1|u r=1:x|a c=1_2|u r=1_2:y|a c=1_3|"
			"u r=1_3:z",
			"repaired:tool_id" },
		{ "u t=a|a c=1|u t=b|a c=1|u r=1:y",
			"u t=a|a c=1|u e=1:" MISSING " t=b|a c=1_2|u r=1_2:y",
			"repaired:tool_id,repaired:tool_result" },
		/* A suffixed name that is taken already; one taken later. */
		{ "u t=a|a c=1 c=1_2|u r=1:x r=1_2:y|a c=1|u r=1:z",
			"u t=a|a c=1 c=1_2|u r=1:x r=1_2:y|a c=1_3|u r=1_3:z",
			"repaired:tool_id" },
		{ "u t=a|a c=1|u r=1:x|a c=1|u r=1:y|a c=1_2|u r=1_2:z",
			"u t=a|a c=1|u r=1:x|a c=1_2|u r=1_2:y|a c=1_2_2|"
			"u r=1_2_2:z",
			"repaired:tool_id" },
		/* Twice in one turn. */
		{ "u t=a|a c=1 c=1|u r=1:x r=1:y",
			"u t=a|a c=1 c=1_2|u r=1:x r=1_2:y",
			"repaired:tool_id" },
		{ "u t=a|a c=1 c=1|u r=1:x",
			"u t=a|a c=1 c=1_2|u r=1:x e=1_2:" MISSING,
			"repaired:tool_id,repaired:tool_result" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span in = span_cstr(cases[i].in);
		struct span want =
			cases[i].want == NULL ? in : span_cstr(cases[i].want);
		struct buf out;

		buf_init(&out, LINE_MAX);
		read_line(in);
		llm_normalise(&req);
		write_line(&out);
		assert_spans_eq(buf_span(&out), want);
		buf_reset(&out, LINE_MAX);
		notices_print(&req.notices, &out);
		assert_spans_eq(buf_span(&out), span_cstr(cases[i].notices));
		buf_fini(&out);
	}
}

static void
test_escaped_ids(void **state)
{
	struct llm_part *call, *result;

	(void)state;
	read_line(SPAN("u t=a|a c=1|u r=1:x"));
	call = &req.turns.v[1].parts.v[0];
	result = &req.turns.v[2].parts.v[0];
	call->id = JESC("read\\u003a0");
	result->id = JESC("read:0");
	llm_normalise(&req);
	assert_span_eq(call->id.s, "read_0");
	assert_span_eq(result->id.s, "read_0");
}

/* What belongs to a part stays with it. */
static void
test_keeps_fields(void **state)
{
	const struct llm_part *p;

	(void)state;
	read_line(SPAN("u t=a|a c=1|u t=b R=1:x r=9:y"));
	req.turns.v[2].parts.v[1].cache_control = JRAW("{\"type\":\"e\"}");
	req.turns.v[2].parts.v[2].cache_control = JRAW("{\"type\":\"f\"}");
	llm_normalise(&req);
	p = req.turns.v[2].parts.v;
	assert_int_equal(p[0].kind, LLM_PART_RESULT);
	assert_span_eq(p[0].cache_control.s, "{\"type\":\"e\"}");
	assert_int_equal(p[0].parts.n, 2);
	assert_false(p[0].is_flat);
	assert_span_eq(p[2].text.s, "[tool result 9]\\ny");
	assert_span_eq(p[2].cache_control.s, "{\"type\":\"f\"}");
	assert_int_equal(req.turns.v[2].source, 2);
}

/* --- properties --------------------------------------------------------- */

static uint64_t
next_random(uint64_t *seed)
{
	/* xorshift64* */
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(0x2545f4914f6cdd1d) >> 33;
}

/* A conversation of any shape. */
static struct span
random_line(uint64_t *seed, char *out)
{
	static const char *const any[] = { "t=a", "t=", "t=~", "t=b~",
		"t=\\n" };
	static const char *const user[] = { "i", "r=1:x", "r=2:y", "e=1:z",
		"R=3:x", "r=1_2:w", "r=1.2:w", "r=9:", "r=:x" };
	static const char *const assistant[] = { "h=a", "h=", "c=1", "c=2",
		"c=3", "c=1_2", "c=1.2", "c=" };
	const size_t turns = next_random(seed) % 9;
	size_t n = 0;

	for (size_t i = 0; i < turns; i++) {
		const char role = "suuuaaa"[next_random(seed) % 7];
		const size_t parts = next_random(seed) % 5;

		n += (size_t)sprintf(out + n, "%s%c", i > 0 ? "|" : "", role);
		for (size_t k = 0; k < parts; k++) {
			const char *part =
				any[next_random(seed) % ARRAY_LEN(any)];

			if (role == 'u' && next_random(seed) % 4 > 0)
				part = user[next_random(seed) %
					ARRAY_LEN(user)];
			if (role == 'a' && next_random(seed) % 4 > 0)
				part = assistant[next_random(seed) %
					ARRAY_LEN(assistant)];
			n += (size_t)sprintf(out + n, " %s", part);
		}
	}
	return span_of(out, n);
}

static void
check_parts(const struct llm_turn *t)
{
	assert_true(t->parts.n > 0);
	for (size_t i = 0; i < t->parts.n; i++) {
		const struct llm_part *const p = &t->parts.v[i];

		if (p->kind == LLM_PART_TEXT)
			assert_false(jesc_is_blank(p->text));
		if (p->kind == LLM_PART_CALL)
			assert_int_equal(t->role, LLM_ASSISTANT);
		if (p->kind == LLM_PART_RESULT) {
			assert_int_equal(t->role, LLM_USER);
			/* First in the turn. */
			assert_true(i == 0 || p[-1].kind == LLM_PART_RESULT);
		}
	}
}

static size_t
count_kind(const struct llm_turn *t, enum llm_part_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; t != NULL && i < t->parts.n; i++)
		n += t->parts.v[i].kind == kind;
	return n;
}

/* Every call of t has one result in the user turn next, and nothing else
 * has. */
static void
check_answers(const struct llm_turn *t, const struct llm_turn *next)
{
	size_t found = 0;

	assert_int_equal(count_kind(t, LLM_PART_CALL),
		count_kind(next, LLM_PART_RESULT));
	for (size_t i = 0; t != NULL && i < t->parts.n; i++) {
		const struct llm_part *const c = &t->parts.v[i];

		if (c->kind != LLM_PART_CALL)
			continue;
		assert_int_equal(next->role, LLM_USER);
		for (size_t k = 0; k < next->parts.n; k++) {
			const struct llm_part *const p = &next->parts.v[k];

			found += p->kind == LLM_PART_RESULT &&
				span_eq(p->id.s, c->id.s);
		}
	}
	assert_int_equal(found, count_kind(t, LLM_PART_CALL));
}

static void
check_ids(void)
{
	struct jesc seen[64];
	size_t n = 0;

	for (size_t i = 0; i < req.turns.n; i++) {
		const struct llm_turn *const t = &req.turns.v[i];

		for (size_t k = 0; k < t->parts.n; k++) {
			const struct llm_part *const p = &t->parts.v[k];

			if (p->kind != LLM_PART_CALL)
				continue;
			assert_true(p->id.s.n > 0);
			assert_ptr_equal(
				llm_clean_id(&arena, p->id).s.p, p->id.s.p);
			for (size_t s = 0; s < n; s++)
				assert_false(span_eq(seen[s].s, p->id.s));
			seen[n++] = p->id;
		}
	}
}

static void
check_order(void)
{
	const struct llm_turn *last = NULL;
	size_t users = 0;

	for (size_t i = 0; i < req.turns.n; i++) {
		const struct llm_turn *const t = &req.turns.v[i];

		check_parts(t);
		if (t->role != LLM_ASSISTANT ||
			count_kind(t, LLM_PART_CALL) == 0)
			assert_true(i + 1 == req.turns.n ||
				count_kind(t + 1, LLM_PART_RESULT) == 0);
		else
			check_answers(t, i + 1 < req.turns.n ? t + 1 : NULL);
		if (i > 0 && t->role != LLM_SYSTEM)
			assert_int_not_equal(t[-1].role, t->role);
		if (t->role == LLM_SYSTEM)
			continue;
		if (last == NULL)
			assert_int_equal(t->role, LLM_USER);
		last = t;
		users += t->role == LLM_USER;
	}
	assert_true(users > 0);
	assert_int_equal(count_kind(&req.turns.v[0], LLM_PART_RESULT), 0);
	check_ids();
}

static void
test_invariants(void **state)
{
	uint64_t seed = 0x1234567;
	char text[1024];
	struct buf once, twice;

	(void)state;
	buf_init(&once, LINE_MAX);
	buf_init(&twice, LINE_MAX);
	for (unsigned i = 0; i < 20000; i++) {
		const struct span line = random_line(&seed, text);
		uint32_t repairs;

		arena_reset(&arena);
		read_line(line);
		llm_normalise(&req);
		write_line(&once);
		check_order();
		repairs = req.notices.total;
		llm_normalise(&req);
		write_line(&twice);
		assert_spans_eq(buf_span(&twice), buf_span(&once));
		assert_int_equal(req.notices.total, repairs);
		buf_reset(&once, LINE_MAX);
		buf_reset(&twice, LINE_MAX);
	}
	buf_fini(&once);
	buf_fini(&twice);
}

/* One more question and answer. Results come in the turn behind their call, if
 * they come at all: a later one would belong further up. Returns where the
 * question ends. */
static size_t
add_exchange(uint64_t *seed, char *out, size_t *n, char *calls)
{
	size_t end;

	*n += (size_t)sprintf(out + *n, "u t=q");
	for (size_t k = strlen(calls) + 1; k-- > 0;) {
		const char id = calls[k] == '\0' ? '9' : calls[k];

		if (next_random(seed) % 4 > 0)
			*n += (size_t)sprintf(out + *n, " r=%c:x", id);
	}
	if (next_random(seed) % 4 == 0)
		*n += (size_t)sprintf(out + *n, "|s t=r|u t=~");
	end = *n;
	*n += (size_t)sprintf(out + *n, "|a t=b");
	memset(calls, 0, 4);
	for (size_t k = next_random(seed) % 4; k-- > 0;) {
		calls[k] = (char)('0' + next_random(seed) % 4);
		*n += (size_t)sprintf(out + *n, " c=%c", calls[k]);
	}
	*n += (size_t)sprintf(out + *n, "|");
	return end;
}

/* A conversation grows: what was sent before stays as it was. */
static void
test_prefix(void **state)
{
	uint64_t seed = 0x7654321;
	struct buf whole, part;

	(void)state;
	buf_init(&whole, LINE_MAX);
	buf_init(&part, LINE_MAX);
	for (unsigned i = 0; i < 5000; i++) {
		char text[2048] = "s t=s|", calls[5] = "";
		size_t n = 6, ends[6];

		arena_reset(&arena);
		for (size_t k = 0; k < ARRAY_LEN(ends); k++)
			ends[k] = add_exchange(&seed, text, &n, calls);
		read_line(span_of(text, n));
		llm_normalise(&req);
		write_line(&whole);
		for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
			read_line(span_of(text, ends[k]));
			llm_normalise(&req);
			write_line(&part);
			assert_spans_eq(
				span_head(buf_span(&whole), buf_len(&part)),
				buf_span(&part));
			buf_reset(&part, LINE_MAX);
		}
		buf_reset(&whole, LINE_MAX);
	}
	buf_fini(&whole);
	buf_fini(&part);
}

/* Many parts of the same and of different ids, in both directions. */
static void
test_many(void **state)
{
	const size_t n = 50000;
	struct llm_turn *t;

	(void)state;
	(void)llm_add_turn(&req, LLM_USER, 0);
	t = llm_add_turn(&req, LLM_ASSISTANT, 1);
	for (size_t i = 0; i < n; i++) {
		llm_add_part(&req, &t->parts, LLM_PART_CALL)->id.s =
			arena_printf(&arena, "id%zu", i);
		llm_add_part(&req, &t->parts, LLM_PART_CALL)->id = JESC("x");
	}
	for (size_t i = n; i-- > 0;) {
		t = llm_add_turn(&req, LLM_USER, 2);
		llm_add_part(&req, &t->parts, LLM_PART_RESULT)->id.s =
			arena_printf(&arena, "id%zu", i);
		/* All but the first n are joined with the last. */
		for (size_t k = 0; k < 3; k++)
			llm_add_part(&req, &t->parts, LLM_PART_RESULT)->id =
				JESC("x");
	}
	llm_normalise(&req);
	assert_int_equal(req.turns.n, 3);
	assert_int_equal(req.turns.v[2].parts.n, 2 * n);
	assert_span_eq(req.turns.v[2].parts.v[0].id.s, "id49999");
	assert_span_eq(req.turns.v[1].parts.v[2 * n - 1].id.s, "x_50000");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_escaped_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_keeps_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_invariants, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
