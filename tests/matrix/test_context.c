/* SPDX-License-Identifier: MIT */
/*
 * test_context.c - what must hold when conversations are made shorter:
 * thousands of them by chance, in every dialect.
 *
 * Blocks of surroundings and sentences about them are strewn in, each with a
 * number of its own by which it is found again. Where a conversation is cut is
 * worked out anew, by trying every place.
 *
 * A failure prints the number of its conversation; with GLMPROXY_SEED=N in the
 * environment only that one is made.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shared/translate/dialect.h"
#include "shared/translate/llm_dedup.h"
#include "shared/translate/llm_estimate.h"
#include "shared/translate/llm_normal.h"
#include "shared/translate/llm_truncate.h"
#include "tests/lib/dump.h"
#include "tests/lib/gen.h"
#include "tests/lib/sound.h"
#include "tests/lib/t.h"

#define CASES     3000
#define BYTES_MAX (4u << 20)
#define LIMITS    4 /* tried with each conversation */

#define OPEN      "<environment_details>"
#define CLOSE     "</environment_details>"

/* What a copy says otherwise: system text in the middle is the user's, that in
 * front is one field. */
#define COPY_OTHERWISE                                                         \
	(DUMP_BIT(DUMP_IN_PLACE) | DUMP_BIT(DUMP_TURNS) |                      \
		DUMP_BIT(DUMP_PARTS) | DUMP_BIT(DUMP_CACHE))

static uint64_t only_seed; /* 0: all */

/* One conversation, as a client of the dialect sends it. */
struct run {
	uint64_t seed;
	const struct dialect *d;
	struct arena arena;
	struct gen gen;
	struct span bytes;
	struct jdoc doc;
	size_t nstrewn;
	bool is_wild;
};

static void
must(const struct run *run, bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "conversation %llu, %s: %s\n%.*s\n",
		(unsigned long long)run->seed, run->d->name, what,
		SPAN_ARG(run->bytes));
	fail();
}

/* --- making them ---------------------------------------------------------- */

/* A block, or what only looks like one. */
static struct jesc
strew(struct run *run)
{
	static const struct {
		const char *before, *after;
		bool is_block;
	} shapes[] = {
		{ OPEN "\\n", "\\n" CLOSE, true },
		{ "\\n\\n" OPEN "\\n", " \\u00e9\\n" CLOSE, true },
		{ "words\\n\\n" OPEN "\\n", CLOSE " \\n\\nmore", true },
		{ "\\u003cenvironment_details\\u003E",
			"<\\/environment_details>\\r\\n", true },
		{ "what is " OPEN, CLOSE "?", false },
		{ "a tag: " OPEN " ", "", false },
		{ "about ", ".\\n" CLOSE " and " OPEN, false },
		{ "```\\n" OPEN "\\n", "\\n" CLOSE "\\n```", false },
		{ "Context: ", "\\nDirectory: x", false },
		{ "  " OPEN "\\n", "\\n" CLOSE, false },
	};

	const size_t i = gen_below(&run->gen, ARRAY_LEN(shapes));

	return (struct jesc){ arena_printf(&run->arena, "%s%c%zu.%s",
		shapes[i].before, shapes[i].is_block ? 'b' : 'p',
		run->nstrewn++, shapes[i].after) };
}

static struct jesc
filler(struct run *run)
{
	const size_t n = 1 + gen_below(&run->gen, 2000);
	char *const p = arena_alloc(&run->arena, n);

	memset(p, 'x', n);
	return (struct jesc){ span_of(p, n) };
}

/* Into a turn, or into one of its results. */
static void
strew_into(struct run *run, struct llm_req *r, struct llm_turn *t)
{
	struct gen *const g = &run->gen;
	struct llm_parts *to = &t->parts;
	size_t n = gen_below(g, 3);

	for (size_t i = 0; i < t->parts.n; i++) {
		/* Calls come last. */
		if (t->parts.v[i].kind == LLM_PART_CALL)
			n = 0;
		if (t->parts.v[i].kind == LLM_PART_RESULT &&
			!t->parts.v[i].is_flat && gen_one_in(g, 3))
			to = &t->parts.v[i].parts;
	}
	for (size_t i = 0; i < n; i++)
		llm_add_text(
			r, to, gen_one_in(g, 4) ? filler(run) : strew(run));
}

static void
run_init(struct run *run, const struct dialect *d, uint64_t seed)
{
	static const unsigned kinds[] = { 0, GEN_PLAIN, GEN_WILD };
	const unsigned kind = kinds[seed % ARRAY_LEN(kinds)];
	const struct llm_wire wire = { .streams_usage = true };
	struct llm_req r;
	struct jout j;
	struct buf out;

	*run = (struct run){
		.seed = seed, .d = d, .is_wild = kind == GEN_WILD
	};
	arena_init(&run->arena);
	jdoc_init(&run->doc);
	gen_init(&run->gen, &run->arena, seed);
	gen_request(&run->gen, kind, &r);
	for (size_t i = 0; i < r.turns.n; i++)
		strew_into(run, &r, &r.turns.v[i]);
	buf_init(&out, BYTES_MAX);
	jout_init_whole(&j, &out);
	d->req_encode(&r, r.model.s, &wire, &j);
	assert_false(out.bad);
	run->bytes = arena_dup(&run->arena, buf_span(&out));
	buf_fini(&out);
}

static void
run_fini(struct run *run)
{
	jdoc_fini(&run->doc);
	arena_fini(&run->arena);
}

/* As often as is wanted; run->doc is of the last. */
static struct llm_req
decoded(struct run *run, struct span bytes)
{
	struct gp_error err;
	struct llm_req r;

	llm_req_init(&r, &run->arena, LLM_CHAT);
	must(run, jdoc_parse(&run->doc, bytes, &err) == GP_OK, "no JSON");
	must(run, run->d->req_decode(&run->doc, &r, &err) == GP_OK, err.text);
	return r;
}

/* --- looking at them ------------------------------------------------------ */

/* Has its number somewhere in the texts of a turn. */
static bool
parts_hold(const struct llm_parts *parts, struct span mark)
{
	for (size_t i = 0; i < parts->n; i++)
		if (span_find(parts->v[i].text.s, mark) < parts->v[i].text.s.n)
			return true;
	return false;
}

static bool
turn_holds(const struct llm_turn *t, struct span mark)
{
	if (parts_hold(&t->parts, mark))
		return true;
	for (size_t i = 0; i < t->parts.n; i++)
		if (parts_hold(&t->parts.v[i].parts, mark))
			return true;
	return false;
}

/* The turn that holds it, or the number of turns. */
static size_t
turn_of(const struct llm_req *r, struct span mark)
{
	size_t i = 0;

	while (i < r->turns.n && !turn_holds(&r->turns.v[i], mark))
		i++;
	return i;
}

static bool
agree(const struct llm_req *a, const struct llm_req *b, unsigned says)
{
	struct buf da, db;
	bool same;

	buf_init(&da, BYTES_MAX);
	buf_init(&db, BYTES_MAX);
	dump_request(a, says, says == DUMP_ALL, &da);
	dump_request(b, says, says == DUMP_ALL, &db);
	assert_false(da.bad || db.bad);
	same = span_eq(buf_span(&da), buf_span(&db));
	if (!same)
		(void)fprintf(stderr, "got:\n%.*s\nwanted:\n%.*s\n",
			SPAN_ARG(buf_span(&da)), SPAN_ARG(buf_span(&db)));
	buf_fini(&da);
	buf_fini(&db);
	return same;
}

static void
must_be_sound(const struct run *run, const struct llm_req *r)
{
	const char *const fault = sound_fault(r);

	must(run, fault == NULL, fault);
}

/* What upstream gets is in order, and a copy means the same. Normalises r. */
static void
check_sent(struct run *run, struct llm_req *r)
{
	struct gp_error err;
	struct llm_req back;
	struct span bytes;
	struct buf out;

	if (run->d->req_copy == NULL) {
		llm_normalise(r);
		must_be_sound(run, r);
		return;
	}
	buf_init(&out, BYTES_MAX);
	must(run,
		run->d->req_copy(&run->doc, r, r->model.s, &out, &err) == GP_OK,
		"no copy");
	bytes = arena_dup(&run->arena, buf_span(&out));
	buf_fini(&out);
	back = decoded(run, bytes);
	llm_normalise(&back);
	llm_normalise(r);
	must_be_sound(run, r);
	must(run, agree(&back, r, DUMP_ALL & ~COPY_OTHERWISE), "the copy");
}

#define EACH_RUN(run)                                                          \
	for (size_t i_ = 0; i_ < ndialects; i_++)                              \
		for (uint64_t seed_ = only_seed > 0 ? only_seed : 1;           \
			seed_ <= (only_seed > 0 ? only_seed : CASES) &&        \
			(run_init(&(run), dialects[i_], seed_), true);         \
			seed_++, run_fini(&(run)))

/* --- repeated blocks ------------------------------------------------------ */

/* The last turn of the user's own words with a block; NO_TURN. */
#define NO_TURN SIZE_MAX

static size_t
newest(const struct run *run, const struct llm_req *r)
{
	size_t last = NO_TURN;

	for (size_t n = 0; n < run->nstrewn; n++) {
		const struct span mark = arena_printf(r->arena, "b%zu.", n);
		const size_t at = turn_of(r, mark);

		if (at < r->turns.n && r->turns.v[at].role == LLM_USER &&
			parts_hold(&r->turns.v[at].parts, mark) &&
			(last == NO_TURN || at > last))
			last = at;
	}
	return last;
}

/* The user's neighbours of a turn say something else than blocks. */
static bool
has_other_words(const struct llm_req *r, size_t at)
{
	while (at > 0 && r->turns.v[at - 1].role == LLM_USER)
		at--;
	for (; at < r->turns.n && r->turns.v[at].role == LLM_USER; at++)
		for (size_t i = 0; i < r->turns.v[at].parts.n; i++) {
			const struct llm_part *const p =
				&r->turns.v[at].parts.v[i];

			if (p->kind != LLM_PART_TEXT ||
				(!jesc_is_blank(p->text) &&
					span_find(p->text.s,
						SPAN("environment_details")) ==
						p->text.s.n))
				return true;
		}
	return false;
}

static void
check_marks(struct run *run, const struct llm_req *before,
	const struct llm_req *after)
{
	const size_t last = newest(run, before);

	for (size_t n = 0; n < run->nstrewn; n++) {
		const struct span p = arena_printf(&run->arena, "p%zu.", n);
		const struct span b = arena_printf(&run->arena, "b%zu.", n);
		const size_t at = turn_of(before, b);
		const struct llm_turn *const t = &before->turns.v[at];
		const bool is_left = turn_of(after, b) < after->turns.n;

		must(run,
			(turn_of(before, p) == before->turns.n) ==
				(turn_of(after, p) == after->turns.n),
			"prose is gone");
		if (at == before->turns.n)
			continue;
		if (at >= last || t->role != LLM_USER ||
			!parts_hold(&t->parts, b))
			must(run, is_left, "a block is gone");
		else if (has_other_words(before, at))
			must(run, !is_left, "a block has stayed");
	}
}

static void
test_dedup(void **state)
{
	size_t removed = 0, emptied = 0;
	struct run run;

	(void)state;
	EACH_RUN(run)
	{
		struct llm_req before = decoded(&run, run.bytes);
		struct llm_req once = decoded(&run, run.bytes);
		struct llm_req twice = decoded(&run, run.bytes);
		struct llm_dedup_report report, again;

		llm_dedup(&once, &report);
		llm_dedup(&twice, &report);
		llm_dedup(&twice, &again);
		must(&run, again.blocks == 0 && agree(&twice, &once, DUMP_ALL),
			"doing it again");
		must(&run, once.turns.n <= before.turns.n, "more turns");
		must(&run, (report.blocks > 0) == (once.cuts.n > 0), "cuts");
		check_marks(&run, &before, &once);
		removed += report.blocks;
		emptied += before.turns.n - once.turns.n;
		check_sent(&run, &once);
	}
	/* It was about something. */
	assert_true(only_seed > 0 || (removed > CASES / 2 && emptied > 20));
}

/* --- cuts ----------------------------------------------------------------- */

/* A call before `at` has a result behind it. */
static bool
parts_pair(const struct llm_req *r, size_t at)
{
	for (size_t j = at; j < r->turns.n; j++) {
		for (size_t k = 0; k < r->turns.v[j].parts.n; k++) {
			const struct llm_part *const p =
				&r->turns.v[j].parts.v[k];
			const struct jesc id = llm_clean_id(r->arena, p->id);

			if (p->kind != LLM_PART_RESULT)
				continue;
			/* The latest call of that id. */
			for (size_t i = j; i-- > 0;) {
				const struct llm_parts *const c =
					&r->turns.v[i].parts;
				bool has = false;

				for (size_t m = 0; m < c->n; m++)
					has |= c->v[m].kind == LLM_PART_CALL &&
						jesc_cmp(llm_clean_id(r->arena,
								 c->v[m].id),
							id) == 0;
				if (has && i < at)
					return true;
				if (has)
					break;
			}
		}
	}
	return false;
}

/* What stays is of the turns that there were, in order, without any between. */
static void
check_suffix(const struct run *run, const struct llm_req *before,
	const struct llm_req *after, size_t at)
{
	size_t k = 0;

	for (size_t i = 0; i < before->turns.n; i++) {
		const struct llm_turn *const t = &before->turns.v[i];

		if (i == at && !jesc_is_empty(after->instead)) {
			must(run, after->turns.v[k].role == LLM_USER,
				"instead");
			k++;
		}
		if (i < at && t->role != LLM_SYSTEM)
			continue;
		must(run,
			k < after->turns.n &&
				after->turns.v[k].role == t->role &&
				after->turns.v[k].source == t->source &&
				after->turns.v[k].parts.n == t->parts.n,
			"not a suffix");
		k++;
	}
	must(run, k == after->turns.n, "not a suffix");
	must(run, after->tools.n == before->tools.n, "tools");
}

/* Weight of what stays with a cut there, or -1 if there can be none. */
static int64_t
rest_of(const struct llm_req *r, size_t at)
{
	int64_t rest = llm_weigh_tools(r);
	size_t before = NO_TURN;

	for (size_t i = 0; i < r->turns.n; i++) {
		if (i >= at || r->turns.v[i].role == LLM_SYSTEM)
			rest += llm_weigh_turn(&r->turns.v[i]);
		else
			before = i;
	}
	if (before == NO_TURN || r->turns.v[at].role == LLM_SYSTEM ||
		r->turns.v[at].role == r->turns.v[before].role ||
		r->turns.v[at].source == r->turns.v[before].source ||
		parts_pair(r, at))
		return -1;
	return rest;
}

static void
check_cut(struct run *run, int64_t limit)
{
	struct llm_req before = decoded(run, run->bytes);
	struct llm_req r = decoded(run, run->bytes);
	const int64_t estimate = llm_estimate(&before);
	const struct llm_turn *first;
	struct llm_cut cut;
	size_t at = 0;

	if (!llm_truncate(&r, limit, &cut)) {
		must(run, agree(&r, &before, DUMP_ALL), "a failure cuts");
		must(run, estimate > limit, "it did fit");
		/* No question stands anywhere that could begin it. */
		for (size_t i = 0; i < r.turns.n; i++)
			must(run,
				r.turns.v[i].role != LLM_USER ||
					r.turns.v[i].parts.n == 0 ||
					r.turns.v[i].parts.v[0].kind ==
						LLM_PART_RESULT ||
					i + 1 < r.turns.n ||
					rest_of(&r, i) < 0 ||
					rest_of(&r, i) > limit * LLM_WEIGHT,
				"it could have been cut");
		return;
	}
	must(run, cut.tokens_before == estimate, "tokens before");
	must(run, cut.tokens_after == llm_estimate(&r), "tokens after");
	must(run, cut.tokens_after <= MAX(limit, 1), "does not fit");
	must(run, (cut.messages > 0) == (estimate > limit), "cut for nothing");
	if (cut.messages == 0)
		return;
	while (before.turns.v[at].role == LLM_SYSTEM ||
		before.turns.v[at].source < r.kept_from)
		at++;
	must(run, rest_of(&before, at) >= 0, "a cut that is not allowed");
	check_suffix(run, &before, &r, at);
	first = r.turns.v;
	while (first->role == LLM_SYSTEM)
		first++;
	must(run, first->role == LLM_USER, "the user is not the first");
	for (size_t i = 0; i < first->parts.n; i++)
		must(run, first->parts.v[i].kind != LLM_PART_RESULT, "orphan");
	check_sent(run, &r);
}

static void
test_cuts(void **state)
{
	struct run run;

	(void)state;
	EACH_RUN(run)
	{
		struct llm_req r = decoded(&run, run.bytes);
		const size_t estimate = (size_t)llm_estimate(&r);

		check_cut(&run, (int64_t)estimate);
		for (size_t i = 0; i < LIMITS; i++)
			check_cut(&run, (int64_t)gen_below(&run.gen, estimate));
	}
}

/* What the rule says of a conversation. */
struct rule {
	int64_t least, step;
	int64_t gone; /* with the cut that was made */
};

static struct rule
rule_of(const struct llm_req *r, int64_t limit, size_t kept_from)
{
	const int64_t l = limit * LLM_WEIGHT;
	int64_t total = llm_weigh_tools(r), fixed = total;
	struct rule rule = { 0 };

	for (size_t i = 0; i < r->turns.n; i++) {
		const int64_t w = llm_weigh_turn(&r->turns.v[i]);

		total += w;
		if (r->turns.v[i].role == LLM_SYSTEM)
			fixed += w;
		else if (r->turns.v[i].source < kept_from)
			rule.gone += w;
	}
	rule.step = MAX(MIN(l / 8, (l - fixed) / 4), 1);
	while (total - rule.least > MAX(l / 4 * 3, fixed + (l - fixed) / 2))
		rule.least += rule.step;
	return rule;
}

/* Turn by turn the cut never goes back, and it stays until more has to go. */
static void
check_growth(struct run *run, size_t *cuts)
{
	const struct llm_req whole = decoded(run, run->bytes);
	const int64_t limit = llm_estimate(&whole) / 2;
	struct rule last_rule = { 0 };
	size_t last = 0;

	/* Beside the words that stand for what is gone. */
	if (limit < 200)
		return;
	for (size_t n = 1; n <= whole.turns.n; n++) {
		struct llm_req r = decoded(run, run->bytes);
		struct llm_req full;
		struct rule rule;
		struct llm_cut cut;

		r.turns.n = n;
		full = decoded(run, run->bytes);
		full.turns.n = n;
		if (!llm_truncate(&r, limit, &cut) || cut.messages == 0)
			continue;
		rule = rule_of(&full, limit, r.kept_from);
		/* More system text makes smaller steps; and where there was no
		 * good place any new one is better. */
		if (rule.step != last_rule.step ||
			last_rule.gone < last_rule.least)
			last = 0;
		must(run, r.kept_from >= last, "the cut goes back");
		must(run,
			last == 0 || r.kept_from == last ||
				rule.least != last_rule.least,
			"the cut moves");
		last_rule = rule;
		last = r.kept_from;
		++*cuts;
	}
}

static void
test_growth(void **state)
{
	size_t cuts = 0;
	struct run run;

	(void)state;
	EACH_RUN(run)
	{
		/* Late results take back what was allowed. */
		if (!run.is_wild)
			check_growth(&run, &cuts);
	}
	assert_true(only_seed > 0 || cuts > CASES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dedup),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_growth),
	};
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	const char *const seed = getenv("GLMPROXY_SEED");

	if (seed != NULL && !span_u64(span_cstr(seed), &only_seed))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
