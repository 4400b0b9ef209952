/* SPDX-License-Identifier: MIT */
/* gen.c - conversations by chance. */
#include "tests/lib/gen.h"

#define PICK(g, list) ((list)[gen_below((g), ARRAY_LEN(list))])

#define ROUNDS_MAX    5 /* question and answer */
#define TOOLS_MAX     4
#define CALLS_MAX     4 /* of one turn */

/* --- chance --------------------------------------------------------------- */

void
gen_init(struct gen *g, struct arena *a, uint64_t seed)
{
	*g = (struct gen){ seed * 0x9e3779b97f4a7c15u + 1, a };
}

/* splitmix64 */
static uint64_t
next(struct gen *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

size_t
gen_below(struct gen *g, size_t n)
{
	return (size_t)(next(g) % n);
}

bool
gen_one_in(struct gen *g, size_t n)
{
	return gen_below(g, n) == 0;
}

/* --- text and JSON -------------------------------------------------------- */

struct jesc
gen_text(struct gen *g)
{
	static const struct span words[] = {
		SPAN_INIT("Oslo"),
		SPAN_INIT("a"),
		SPAN_INIT("\\u00e9"),
		SPAN_INIT("\xc3\xa6\xc3\xb8"),
		SPAN_INIT("\xe4\xbd\xa0\xe5\xa5\xbd"),
		SPAN_INIT("\xf0\x9f\x8e\x89"),
		SPAN_INIT("\\ud83d\\ude00"),
		SPAN_INIT("\\\\"),
		SPAN_INIT("\\\""),
		SPAN_INIT("\\/"),
		SPAN_INIT("\\u0000"),
		SPAN_INIT("\\u001b[1m"),
		SPAN_INIT("\\u2028"),
		SPAN_INIT("\xe2\x80\xa9"),
		SPAN_INIT("\\b\\f"),
		SPAN_INIT("data: [DONE]"),
		SPAN_INIT("{\\\"type\\\":\\\"text\\\"}"),
		SPAN_INIT("<think>"),
	};
	static const struct span gaps[] = {
		SPAN_INIT(""),
		SPAN_INIT(" "),
		SPAN_INIT("\\n"),
		SPAN_INIT("\\r\\n\\r\\n"),
		SPAN_INIT("\\t"),
	};
	const size_t n = 1 + gen_below(g, 6);
	struct span s = PICK(g, words);

	for (size_t i = 1; i < n; i++) {
		const struct span gap = PICK(g, gaps), word = PICK(g, words);

		s = arena_printf(g->arena, "%.*s%.*s%.*s", SPAN_ARG(s),
			SPAN_ARG(gap), SPAN_ARG(word));
	}
	return (struct jesc){ s };
}

struct jraw
gen_object(struct gen *g)
{
	static const struct span values[] = {
		SPAN_INIT("1"),
		SPAN_INIT("-0"),
		SPAN_INIT("1e400"),
		SPAN_INIT("12345678901234567890"),
		SPAN_INIT("0.10"),
		SPAN_INIT("true"),
		SPAN_INIT("null"),
		SPAN_INIT("[]"),
		SPAN_INIT("[ 1 , {\"b\":[{}]}]"),
		SPAN_INIT("{ }"),
		SPAN_INIT("{\"q\":{\"q\":{\"q\":\"\"}}}"),
	};
	const size_t n = gen_below(g, 4);
	struct span s = SPAN("{");

	for (size_t i = 0; i < n; i++) {
		const struct span value = PICK(g, values);
		const struct span comma = i > 0 ? SPAN(",") : SPAN("");

		const struct jesc text = gen_text(g);

		if (gen_one_in(g, 2))
			s = arena_printf(g->arena, "%.*s%.*s\"k%zu\": %.*s",
				SPAN_ARG(s), SPAN_ARG(comma), i,
				SPAN_ARG(value));
		else
			s = arena_printf(g->arena, "%.*s%.*s\"k%zu\":\"%.*s\"",
				SPAN_ARG(s), SPAN_ARG(comma), i,
				SPAN_ARG(text.s));
	}
	return (struct jraw){ arena_printf(g->arena, "%.*s}", SPAN_ARG(s)) };
}

static struct jraw
schema(struct gen *g)
{
	const struct jraw more = gen_object(g);

	if (gen_one_in(g, 4))
		return JRAW_NONE;
	return (struct jraw){ arena_printf(g->arena,
		"{\"type\":\"object\",\"properties\":%.*s}",
		SPAN_ARG(more.s)) };
}

static struct jraw
cache_control(struct gen *g)
{
	return gen_one_in(g, 4) ? JRAW("{\"type\":\"ephemeral\"}") : JRAW_NONE;
}

/* --- parts ---------------------------------------------------------------- */

/* A conversation that is being made. */
struct talk {
	struct gen *g;
	struct llm_req *r;
	unsigned kind;
	size_t ncalls; /* of the whole conversation */
	/* Calls that wait for their results. */
	struct jesc open[CALLS_MAX * ROUNDS_MAX];
	size_t nopen;
};

static bool
is_kind(const struct talk *t, unsigned kind)
{
	return (t->kind & kind) != 0;
}

static struct llm_parts *
new_turn(struct talk *t, enum llm_role role)
{
	return &llm_add_turn(t->r, role, t->r->turns.n)->parts;
}

static void
add_text(struct talk *t, struct llm_parts *to)
{
	static const struct jesc blanks[] = { { SPAN_INIT(" ") },
		{ SPAN_INIT("\\n\\t") }, { SPAN_INIT("\\u0020") } };
	const bool is_blank = is_kind(t, GEN_WILD) && gen_one_in(t->g, 8);

	llm_add_text(t->r, to, is_blank ? PICK(t->g, blanks) : gen_text(t->g));
	to->v[to->n - 1].cache_control = cache_control(t->g);
}

static void
add_texts(struct talk *t, struct llm_parts *to)
{
	size_t n = 1 + gen_below(t->g, is_kind(t, GEN_PLAIN) ? 1 : 3);

	while (n-- > 0)
		add_text(t, to);
}

static void
add_image(struct talk *t, struct llm_parts *to)
{
	static const struct llm_image images[] = {
		{ false, { SPAN_INIT("image/png") },
			{ SPAN_INIT("iVBORw0K") } },
		{ false, { SPAN_INIT("image/webp") },
			{ SPAN_INIT("UklGRg==") } },
		{ true, { SPAN_INIT("") },
			{ SPAN_INIT("https://host/a.png?b=c&d=%20") } },
	};

	llm_add_part(t->r, to, LLM_PART_IMAGE)->image = PICK(t->g, images);
}

static struct jesc
call_id(struct talk *t)
{
	static const struct jesc odd[] = { { SPAN_INIT("call_1") },
		{ SPAN_INIT("functions.read:0") }, { SPAN_INIT("\\u00e9") },
		{ SPAN_INIT("call_1_2") } };

	t->ncalls++;
	if (is_kind(t, GEN_WILD) && gen_one_in(t->g, 3))
		return PICK(t->g, odd);
	return (struct jesc){ arena_printf(
		t->g->arena, "toolu_%zu", t->ncalls) };
}

static void
add_args(struct talk *t, struct llm_args *args)
{
	static const struct jesc texts[] = { { SPAN_INIT("") },
		{ SPAN_INIT("null") }, { SPAN_INIT("{}") },
		{ SPAN_INIT("{\\\"a\\\":") }, { SPAN_INIT("[1]") },
		{ SPAN_INIT("\\\"x\\\"") }, { SPAN_INIT("<arg_key>") } };

	if (gen_one_in(t->g, 2)) {
		args->value = gen_object(t->g);
		return;
	}
	args->has_text = true;
	args->text = gen_one_in(t->g, 3) ?
		PICK(t->g, texts) :
		jtext_escape_dup(t->g->arena, gen_object(t->g).s);
}

static void
add_call(struct talk *t, struct llm_parts *to)
{
	struct llm_part *const call = llm_add_part(t->r, to, LLM_PART_CALL);
	const size_t ntools = t->r->tools.n;

	call->id = call_id(t);
	call->name = ntools > 0 ? t->r->tools.v[gen_below(t->g, ntools)].name :
				  JESC("gone");
	call->cache_control = cache_control(t->g);
	add_args(t, &call->args);
	if (t->nopen < ARRAY_LEN(t->open))
		t->open[t->nopen++] = call->id;
}

static void
add_result(struct talk *t, struct llm_parts *to, struct jesc id)
{
	struct llm_part *const result = llm_add_part(t->r, to, LLM_PART_RESULT);

	result->id = id;
	result->is_error = gen_one_in(t->g, 5);
	result->is_flat = gen_one_in(t->g, 2);
	result->cache_control = cache_control(t->g);
	if (gen_one_in(t->g, 6))
		return;
	if (result->is_flat) {
		llm_add_text(t->r, &result->parts, gen_text(t->g));
		return;
	}
	add_texts(t, &result->parts);
	if (!is_kind(t, GEN_PLAIN) && gen_one_in(t->g, 3))
		add_image(t, &result->parts);
}

/* --- turns ---------------------------------------------------------------- */

static void
add_user(struct talk *t)
{
	struct llm_parts *const to = new_turn(t, LLM_USER);

	if (is_kind(t, GEN_WILD) && gen_one_in(t->g, 8))
		return;
	add_texts(t, to);
	if (is_kind(t, GEN_PLAIN) || !gen_one_in(t->g, 4))
		return;
	add_image(t, to);
	if (gen_one_in(t->g, 2))
		add_text(t, to);
}

static void
add_thinking(struct talk *t, struct llm_parts *to)
{
	struct llm_part *const p = llm_add_part(t->r, to, LLM_PART_THINK);

	p->text = gen_text(t->g);
	p->signature = JESC("c2lnbmF0dXJl");
}

static void
add_assistant(struct talk *t)
{
	struct llm_parts *const to = new_turn(t, LLM_ASSISTANT);
	size_t calls = gen_one_in(t->g, 2) ? 1 + gen_below(t->g, CALLS_MAX) : 0;

	/* Beside something: thoughts alone are no turn everywhere. */
	if (gen_one_in(t->g, 3) && (calls > 0 || !is_kind(t, GEN_WILD)))
		add_thinking(t, to);
	if (calls == 0 || gen_one_in(t->g, 2))
		add_texts(t, to);
	if ((t->kind & (GEN_PLAIN | GEN_WILD)) == 0 && gen_one_in(t->g, 6)) {
		add_thinking(t, to);
		add_text(t, to);
	}
	while (calls-- > 0)
		add_call(t, to);
}

/* The results of the calls that wait, in any order. */
static void
add_results(struct talk *t)
{
	struct llm_parts *to;

	if (t->nopen == 0)
		return;
	to = new_turn(t, LLM_USER);
	while (t->nopen > 0) {
		const size_t i = gen_below(t->g, t->nopen);
		const struct jesc id = t->open[i];

		t->open[i] = t->open[--t->nopen];
		/* Missing for good; or left for a later turn. */
		if (is_kind(t, GEN_WILD) && gen_one_in(t->g, 5))
			continue;
		add_result(t, to, id);
		if (!is_kind(t, GEN_WILD))
			continue;
		if (gen_one_in(t->g, 6))
			add_result(t, to, id);
		if (gen_one_in(t->g, 8))
			add_result(t, to, JESC("nobody's"));
		if (gen_one_in(t->g, 6))
			break;
	}
	if (gen_one_in(t->g, 4))
		add_text(t, to);
}

static void
add_system(struct talk *t)
{
	add_texts(t, new_turn(t, LLM_SYSTEM));
}

static enum llm_role
last_role(const struct talk *t)
{
	return t->r->turns.v[t->r->turns.n - 1].role;
}

static void
add_turns(struct talk *t)
{
	const size_t rounds = 1 + gen_below(t->g, ROUNDS_MAX);
	const bool is_plain = is_kind(t, GEN_PLAIN);
	const bool is_wild = is_kind(t, GEN_WILD);

	if (gen_one_in(t->g, 2))
		add_system(t);
	if (!is_plain && gen_one_in(t->g, 4))
		add_system(t);
	for (size_t i = 0; i < rounds; i++) {
		if (!is_wild || !gen_one_in(t->g, 8))
			add_user(t);
		if (!is_plain && gen_one_in(t->g, 5))
			add_system(t);
		if (i + 1 == rounds && !gen_one_in(t->g, 6))
			break;
		add_assistant(t);
		if (is_wild && gen_one_in(t->g, 6))
			add_user(t);
		add_results(t);
		/* An answer to the results, so that no two turns of a user
		 * meet. */
		if (is_plain && last_role(t) == LLM_USER)
			add_text(t, new_turn(t, LLM_ASSISTANT));
	}
	add_results(t);
	/* Some dialects do not count system text. */
	if (t->r->turns.n == 0 || last_role(t) == LLM_SYSTEM)
		add_texts(t, new_turn(t, LLM_USER));
}

/* --- knobs ---------------------------------------------------------------- */

static void
add_tools(struct talk *t)
{
	static const struct jesc names[TOOLS_MAX] = { { SPAN_INIT("look") },
		{ SPAN_INIT("mcp__find-it") }, { SPAN_INIT("R2_d2") },
		{ SPAN_INIT("x") } };
	const size_t n = gen_below(t->g, TOOLS_MAX + 1);

	for (size_t i = 0; i < n; i++)
		*VEC_PUSH(t->g->arena, &t->r->tools) = (struct llm_tool){
			.name = names[i],
			.description = gen_one_in(t->g, 3) ? JESC_EMPTY :
							     gen_text(t->g),
			.schema = schema(t->g),
			.cache_control = cache_control(t->g),
		};
}

static void
choose(struct talk *t)
{
	struct llm_req *const r = t->r;

	if (r->tools.n == 0)
		return;
	r->choice = (enum llm_choice)gen_below(t->g,
		is_kind(t, GEN_MILD) ? LLM_CHOICE_AUTO + 1 :
				       LLM_CHOICE_NAMED + 1);
	if (r->choice == LLM_CHOICE_NAMED)
		r->choice_name = r->tools.v[gen_below(t->g, r->tools.n)].name;
	r->single_call = r->choice != LLM_CHOICE_NONE && gen_one_in(t->g, 4);
}

static void
sample(struct talk *t)
{
	static const struct llm_number mild[] = { { { SPAN_INIT("0.7") }, 0.7 },
		{ { SPAN_INIT("1") }, 1 }, { { SPAN_INIT("0") }, 0 },
		{ { SPAN_INIT("0.25") }, 0.25 }, { { SPAN_INIT("1.0") }, 1 } };
	static const struct llm_number odd[] = {
		{ { SPAN_INIT("0.123456") }, 0.123456 },
		{ { SPAN_INIT("7e-1") }, 0.7 }, { { SPAN_INIT("1e-9") }, 1e-9 }
	};
	struct llm_req *const r = t->r;
	const bool is_mild = is_kind(t, GEN_MILD);

	r->max_tokens = 4096 + (int64_t)gen_below(t->g, 60000);
	if (gen_one_in(t->g, 3))
		r->temperature = PICK(t->g, mild);
	if (gen_one_in(t->g, 4))
		r->top_p = mild[gen_below(t->g, 2)];
	if (!is_mild && gen_one_in(t->g, 4))
		r->temperature = r->top_p = PICK(t->g, odd);
	if (gen_one_in(t->g, 4))
		r->top_k = 1 + (int64_t)gen_below(t->g, 100);
	for (size_t n = is_mild ? 0 : gen_below(t->g, 5); n > 0; n--)
		*VEC_PUSH(t->g->arena, &r->stop) = gen_text(t->g);
}

static void
think(struct talk *t)
{
	struct llm_think *const think = &t->r->think;
	const bool is_mild = is_kind(t, GEN_MILD);

	think->mode = (enum llm_think_mode)gen_below(t->g, LLM_THINK_ON + 1);
	if (think->mode == LLM_THINK_ON)
		think->budget_tokens = 1024 + (int64_t)gen_below(t->g, 3000);
	if (think->mode == LLM_THINK_ON || (!is_mild && gen_one_in(t->g, 3)))
		think->effort =
			(enum llm_effort)gen_below(t->g, LLM_EFFORT_MAX + 1);
	/* Off and an effort, on and none: nobody says that. */
	if (think->mode == LLM_THINK_ON &&
		(think->effort == LLM_EFFORT_NONE ||
			think->effort == LLM_EFFORT_MINIMAL))
		think->effort = LLM_EFFORT_UNSET;
}

static void
shape_answer(struct talk *t)
{
	struct llm_req *const r = t->r;

	if (is_kind(t, GEN_MILD))
		return;
	r->format = (enum llm_format)gen_below(t->g, LLM_FORMAT_SCHEMA + 1);
	if (r->format != LLM_FORMAT_SCHEMA)
		return;
	r->format_schema = gen_object(t->g);
	r->format_name = JESC("shape");
}

void
gen_request(struct gen *g, unsigned kind, struct llm_req *out)
{
	struct talk t = { .g = g, .r = out, .kind = kind };

	llm_req_init(out, g->arena, LLM_CHAT);
	out->model = JESC("glm-5.2");
	out->stream = gen_one_in(g, 2);
	if (gen_one_in(g, 3))
		out->user_id = JESC("user_of_\\u00e9");
	add_tools(&t);
	add_turns(&t);
	choose(&t);
	sample(&t);
	think(&t);
	shape_answer(&t);
}
