/* SPDX-License-Identifier: MIT */
/*
 * test_properties.c - what must hold for every request: thousands of
 * conversations by chance, in every dialect and between any two.
 *
 * No dialect is named here. What one can say is found out first, with a small
 * request for each thing; then it has to say it in every request.
 *
 * A failure prints the number of its conversation; with GLMPROXY_SEED=N in the
 * environment only that one is made.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shared/translate/llm_normal.h"
#include "shared/translate/xlate.h"
#include "tests/lib/dump.h"
#include "tests/lib/gen.h"
#include "tests/lib/sound.h"
#include "tests/lib/t.h"

#define CASES     3000
#define BYTES_MAX (16u << 20)

/* Takes every knob as it is, and thinking with an effort. */
#define MODEL "glm-5.2"

static uint64_t only_seed; /* 0: all */

/* --- comparing ------------------------------------------------------------ */

/* Whole, with what would end it or drive a terminal made visible. */
static void
show(const char *what, struct span s)
{
	(void)fprintf(stderr, "%s:\n", what);
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];

		if ((c >= 0 && c < ' ' && c != '\n') || c == '\177')
			(void)fprintf(stderr, "\\x%02x", (unsigned)c);
		else
			(void)fputc(c, stderr);
	}
	(void)fputc('\n', stderr);
}

static void
must(bool holds, uint64_t seed, const char *what, struct span got,
	struct span want)
{
	if (holds)
		return;
	(void)fprintf(stderr, "conversation %llu: %s\n",
		(unsigned long long)seed, what);
	show("got", got);
	show("wanted", want);
	fail();
}

static void
must_work(enum gp_code rc, const struct gp_error *err, uint64_t seed,
	const char *what, struct span bytes)
{
	must(rc == GP_OK, seed, what, bytes,
		rc == GP_OK ? SPAN("") : span_cstr(err->text));
}

/* The meanings of two trees are the same. */
static bool
agree(const struct llm_req *a, const struct llm_req *b, unsigned says,
	bool exact, struct buf *da, struct buf *db)
{
	buf_reset(da, BYTES_MAX);
	buf_reset(db, BYTES_MAX);
	dump_request(a, says, exact, da);
	dump_request(b, says, exact, db);
	return span_eq(buf_span(da), buf_span(db));
}

static void
must_agree(const struct llm_req *got, const struct llm_req *want, unsigned says,
	bool exact, uint64_t seed, const char *what)
{
	struct buf g, w;
	bool same;

	buf_init(&g, BYTES_MAX);
	buf_init(&w, BYTES_MAX);
	same = agree(got, want, says, exact, &g, &w);
	must(same, seed, what, buf_span(&g), buf_span(&w));
	buf_fini(&g);
	buf_fini(&w);
}

static bool
agrees(const struct llm_req *a, const struct llm_req *b, unsigned says)
{
	struct buf da, db;
	bool same;

	buf_init(&da, BYTES_MAX);
	buf_init(&db, BYTES_MAX);
	same = agree(a, b, says, false, &da, &db);
	buf_fini(&da);
	buf_fini(&db);
	return same;
}

/* --- writing and reading -------------------------------------------------- */

/* Everything that one conversation needs. */
struct run {
	uint64_t seed;
	struct arena arena;
	struct jdoc doc;
	struct xlate_scratch scratch;
};

static void
run_init(struct run *run, uint64_t seed)
{
	run->seed = seed;
	arena_init(&run->arena);
	jdoc_init(&run->doc);
	xlate_scratch_init(&run->scratch);
}

static void
run_fini(struct run *run)
{
	xlate_scratch_fini(&run->scratch);
	jdoc_fini(&run->doc);
	arena_fini(&run->arena);
}

static struct span
written(struct run *run, const struct dialect *d, struct llm_req *r)
{
	const struct llm_wire wire = { .streams_usage = true };
	struct jout j;
	struct buf out;
	struct span s;

	buf_init(&out, BYTES_MAX);
	jout_init_whole(&j, &out);
	d->req_encode(r, r->model.s, &wire, &j);
	assert_false(out.bad);
	s = arena_dup(&run->arena, buf_span(&out));
	buf_fini(&out);
	return s;
}

/* The tree of a request in this dialect, with the vendor's own fields. */
static struct llm_req
read_back(struct run *run, const struct dialect *d, struct span bytes)
{
	struct llm_req r;
	struct gp_error err;

	llm_req_init(&r, &run->arena, LLM_CHAT);
	must_work(jdoc_parse(&run->doc, bytes, &err), &err, run->seed,
		"is no JSON", bytes);
	must_work(d->req_decode(&run->doc, &r, &err), &err, run->seed,
		"is not accepted", bytes);
	must_work(profile_zai.adopt(&run->doc, &r, &err), &err, run->seed,
		"is not accepted by the vendor", bytes);
	return r;
}

/* The request of a client as upstream gets it. */
static struct span
carried(struct run *run, const struct dialect *client,
	const struct dialect *upstream, const struct model_info *model,
	struct span bytes)
{
	const struct xlate_env env = { .options = {
					       .default_max_tokens = 32768,
					       .force_thinking = -1,
					       .replay_reasoning = true,
				       } };
	const struct xlate_route route = {
		.upstream = upstream, .model = model->name, .info = model
	};
	struct buf out, up;
	struct gp_error err;
	struct xlate *const x = xlate_new(&run->arena, &run->scratch,
		&profile_zai, client, LLM_CHAT, &env, &out);
	struct span s;

	buf_init(&out, BYTES_MAX);
	buf_init(&up, BYTES_MAX);
	must_work(xlate_read(x, bytes, &err), &err, run->seed, "is refused",
		bytes);
	must_work(xlate_write(x, &route, &up, &err), &err, run->seed,
		"is not translated", bytes);
	s = arena_dup(&run->arena, buf_span(&up));
	xlate_fini(x);
	buf_fini(&out);
	buf_fini(&up);
	return s;
}

static const struct model_info *
model_of(const char *name)
{
	const struct model_info *const m =
		profile_model(&profile_zai, span_cstr(name));

	assert_non_null(m);
	return m;
}

/* --- what can be said ----------------------------------------------------- */

static struct llm_parts *
turn(struct llm_req *r, enum llm_role role)
{
	return &llm_add_turn(r, role, r->turns.n)->parts;
}

static void
say(struct llm_req *r, enum llm_role role, struct jesc text)
{
	llm_add_text(r, turn(r, role), text);
}

/* A call and its result, of which only one thing is peculiar. */
static void
probe_result(struct llm_req *r, unsigned bit)
{
	struct llm_part *p =
		llm_add_part(r, turn(r, LLM_ASSISTANT), LLM_PART_CALL);

	p->id = JESC("c1");
	p->name = JESC("look");
	p->args.value = JRAW("{}");
	p = llm_add_part(r, turn(r, LLM_USER), LLM_PART_RESULT);
	p->id = JESC("c1");
	p->is_flat = bit == DUMP_IS_ERROR;
	p->is_error = bit == DUMP_IS_ERROR;
	llm_add_text(r, &p->parts, JESC("3C"));
	if (bit == DUMP_RESULT_IMAGES)
		llm_add_part(r, &p->parts, LLM_PART_IMAGE)->image =
			(struct llm_image){ false, JESC("image/png"),
				JESC("iVBORw0K") };
}

static void
probe_turns(struct llm_req *r, unsigned bit)
{
	struct llm_part *p;

	if (bit == DUMP_CACHE) {
		r->turns.v[0].parts.v[0].cache_control =
			JRAW("{\"type\":\"ephemeral\"}");
	} else if (bit == DUMP_SIGNATURE) {
		p = llm_add_part(r, turn(r, LLM_ASSISTANT), LLM_PART_THINK);
		p->text = JESC("hm");
		p->signature = JESC("c2ln");
		llm_add_text(r, &r->turns.v[1].parts, JESC("yes"));
		say(r, LLM_USER, JESC("no"));
	} else if (bit == DUMP_TURNS) {
		r->turns.v[0].role = LLM_SYSTEM;
		say(r, LLM_SYSTEM, JESC("b"));
		say(r, LLM_USER, JESC("c"));
	} else if (bit == DUMP_PARTS || bit == DUMP_IN_PLACE) {
		llm_add_text(r, &r->turns.v[0].parts, JESC("b"));
		say(r, LLM_SYSTEM, JESC("c"));
		say(r, LLM_USER, JESC("d"));
		say(r, LLM_USER, JESC("e"));
	} else if (bit == DUMP_IS_ERROR || bit == DUMP_FLAT ||
		bit == DUMP_RESULT_IMAGES) {
		probe_result(r, bit);
	}
}

static void
probe_format(struct llm_req *r, unsigned bit)
{
	r->format = bit == DUMP_JSON ? LLM_FORMAT_JSON : LLM_FORMAT_SCHEMA;
	r->format_schema = JRAW("{\"type\":\"object\"}");
	r->format_name = JESC("shape");
}

/* A bit that no probe has. */
#define NOTHING DUMP_COUNT

/* Between two endpoints the vendor has its own idea of what saying nothing
 * means. */
#define VENDORS (DUMP_BIT(DUMP_NO_THINKING) | DUMP_BIT(DUMP_NO_EFFORT))

/* A small request in which this thing is said. */
static void
probe(struct llm_req *r, struct arena *a, unsigned bit)
{
	llm_req_init(r, a, LLM_CHAT);
	r->model = JESC(MODEL);
	r->max_tokens = 4096;
	say(r, LLM_USER, JESC("hi"));
	*VEC_PUSH(a, &r->tools) = (struct llm_tool){ .name = JESC("look"),
		.description = JESC_EMPTY,
		.schema = JRAW_NONE,
		.cache_control = JRAW_NONE };
	probe_turns(r, bit);
	if (bit == DUMP_THINKS || bit == DUMP_BUDGET || bit == DUMP_EFFORT)
		r->think = (struct llm_think){ .mode = LLM_THINK_ON,
			.budget_tokens = 2048 };
	if (bit == DUMP_NO_THINKING)
		r->think.mode = LLM_THINK_OFF;
	if (bit == DUMP_EFFORT)
		r->think.effort = LLM_EFFORT_HIGH;
	if (bit == DUMP_NO_EFFORT)
		r->think.effort = LLM_EFFORT_NONE;
	if (bit == DUMP_TOP_K)
		r->top_k = 7;
	if (bit == DUMP_USER)
		r->user_id = JESC("somebody");
	r->single_call = bit == DUMP_SINGLE;
	if (bit == DUMP_JSON || bit == DUMP_SCHEMA || bit == DUMP_SCHEMA_NAME)
		probe_format(r, bit);
}

/* What has to be looked at to see the thing. */
static unsigned
view(unsigned bit)
{
	return DUMP_BIT(bit) | (bit == DUMP_CACHE ? DUMP_BIT(DUMP_PARTS) : 0);
}

/* A request of this dialect, read and written, still says it. */
static bool
keeps_alone(const struct dialect *d, unsigned probed, unsigned bit)
{
	struct run run;
	struct llm_req r, back;
	bool same;

	run_init(&run, 0);
	probe(&r, &run.arena, probed);
	llm_normalise(&r);
	back = read_back(&run, d, written(&run, d, &r));
	llm_normalise(&back);
	same = agrees(&r, &back, view(bit));
	run_fini(&run);
	return same;
}

/* It can be said, and be left unsaid. */
static unsigned
says_alone(const struct dialect *d)
{
	unsigned says = 0;

	for (unsigned bit = 0; bit < DUMP_COUNT; bit++) {
		if (keeps_alone(d, bit, bit) && keeps_alone(d, NOTHING, bit))
			says |= DUMP_BIT(bit);
	}
	return says;
}

/* From the client to the upstream and back again. */
static struct llm_req
there_and_back(struct run *run, const struct dialect *client,
	const struct dialect *upstream, struct span bytes)
{
	const struct model_info *const m = model_of(MODEL);
	const struct span there = carried(run, client, upstream, m, bytes);

	return read_back(run, client, carried(run, upstream, client, m, there));
}

static bool
keeps_by_way_of(const struct dialect *client, const struct dialect *upstream,
	unsigned probed, unsigned bit)
{
	struct run run;
	struct llm_req r, first, last;
	struct span bytes;
	bool same;

	run_init(&run, 0);
	probe(&r, &run.arena, probed);
	bytes = written(&run, client, &r);
	first = read_back(&run, client, bytes);
	last = there_and_back(&run, client, upstream, bytes);
	llm_normalise(&first);
	llm_normalise(&last);
	same = agrees(&first, &last, view(bit));
	run_fini(&run);
	return same;
}

static unsigned
says_by_way_of(const struct dialect *client, const struct dialect *upstream)
{
	unsigned says = says_alone(client) & says_alone(upstream) & ~VENDORS;

	for (unsigned bit = 0; bit < DUMP_COUNT; bit++) {
		if (keeps_by_way_of(client, upstream, bit, bit) &&
			keeps_by_way_of(client, upstream, NOTHING, bit))
			says |= DUMP_BIT(bit);
	}
	return says;
}

/* --- the properties ------------------------------------------------------- */

#define EACH_SEED(seed)                                                        \
	for (uint64_t seed = only_seed > 0 ? only_seed : 1;                    \
		seed <= (only_seed > 0 ? only_seed : CASES); seed++)

/* What a dialect writes it reads again: all that it can say, and what it has
 * read once stays as it is to the last blank. */
static void
check_alone(
	struct run *run, const struct dialect *d, unsigned says, unsigned kind)
{
	const bool exact = (kind & (GEN_PLAIN | GEN_WILD)) == GEN_PLAIN;
	struct gen g;
	struct llm_req r, once, twice;

	gen_init(&g, &run->arena, run->seed);
	gen_request(&g, kind, &r);
	llm_normalise(&r);
	once = read_back(run, d, written(run, d, &r));
	llm_normalise(&once);
	must_agree(&once, &r, says, exact, run->seed, d->name);
	twice = read_back(run, d, written(run, d, &once));
	llm_normalise(&twice);
	must_agree(&twice, &once, DUMP_ALL & ~DUMP_BIT(DUMP_USER), true,
		run->seed, "read and written twice");
}

static void
test_what_is_written_is_read(void **state)
{
	unsigned all = 0;

	(void)state;
	for (size_t i = 0; i < ndialects; i++) {
		const unsigned says = says_alone(dialects[i]);

		all |= says;
		EACH_SEED(seed)
		{
			struct run run;

			run_init(&run, seed);
			check_alone(&run, dialects[i], says,
				(unsigned)seed % (2 * GEN_WILD));
			run_fini(&run);
		}
	}
	/* There is nothing in the tree that nobody can say. */
	assert_int_equal(all, DUMP_ALL);
}

/* What both sides can say comes back from the other side. */
static void
check_way(struct run *run, const struct dialect *client,
	const struct dialect *upstream, unsigned says)
{
	const unsigned kind = GEN_MILD | (run->seed % 2 ? GEN_PLAIN : 0);
	struct gen g;
	struct llm_req r, first, last;
	struct span bytes;

	gen_init(&g, &run->arena, run->seed);
	gen_request(&g, kind, &r);
	bytes = written(run, client, &r);
	first = read_back(run, client, bytes);
	last = there_and_back(run, client, upstream, bytes);
	llm_normalise(&first);
	llm_normalise(&last);
	must_agree(&last, &first, says, (kind & GEN_PLAIN) != 0, run->seed,
		upstream->name);
}

static void
test_there_and_back(void **state)
{
	size_t ways = 0;

	(void)state;
	for (size_t c = 0; c < ndialects; c++)
		for (size_t u = 0; u < ndialects; u++) {
			const unsigned says =
				says_by_way_of(dialects[c], dialects[u]);

			assert_true((says & DUMP_BIT(DUMP_USER)) != 0);
			assert_true((says & DUMP_BIT(DUMP_THINKS)) != 0);
			EACH_SEED(seed)
			{
				struct run run;

				run_init(&run, seed);
				check_way(&run, dialects[c], dialects[u], says);
				run_fini(&run);
			}
			ways++;
		}
	assert_int_equal(ways, ndialects * ndialects);
}

/* Whatever a client sends, for whatever model: upstream gets JSON that it
 * accepts, and unless it was copied a conversation in order. */
static void
check_wild(struct run *run, const struct dialect *client,
	const struct dialect *upstream)
{
	struct gen g;
	struct llm_req r, got;
	struct span bytes, up;
	const struct model_info *m;
	const char *fault;

	gen_init(&g, &run->arena, run->seed);
	gen_request(&g, GEN_WILD, &r);
	m = &profile_zai.models[gen_below(&g, profile_zai.nmodels)];
	bytes = written(run, client, &r);
	up = carried(run, client, upstream, m, bytes);
	got = read_back(run, upstream, up);
	if (client == upstream && client->req_copy != NULL)
		return;
	fault = sound_fault(&got);
	must(fault == NULL, run->seed, fault, up, bytes);
}

static void
test_upstream_accepts(void **state)
{
	(void)state;
	for (size_t c = 0; c < ndialects; c++)
		for (size_t u = 0; u < ndialects; u++)
			EACH_SEED(seed)
			{
				struct run run;

				run_init(&run, seed);
				check_wild(&run, dialects[c], dialects[u]);
				run_fini(&run);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_upstream_accepts),
	};
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	const char *const seed = getenv("GLMPROXY_SEED");

	if (seed != NULL && !span_u64(span_cstr(seed), &only_seed))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
