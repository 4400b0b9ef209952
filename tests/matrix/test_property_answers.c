/* SPDX-License-Identifier: MIT */
/*
 * test_property_answers.c - what must hold for every answer: thousands of
 * event streams by chance, from every dialect to every dialect, streamed and
 * not on either side, all mean the same.
 *
 * A failure prints the number of its answer; with GLMPROXY_SEED=N in the
 * environment only that one is made.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shared/http/out.h"
#include "shared/translate/llm_guard.h"
#include "shared/translate/xlate.h"
#include "tests/lib/gen.h"
#include "tests/lib/t.h"

#define ANSWERS    1500
#define BLOCKS_MAX 6
#define OUT_MAX    (4u << 20)

#define MODEL      "glm-4.6"

/* --- what an answer means ------------------------------------------------- */

/* A body has one text, one reasoning and a list of calls: whatever the order
 * of the blocks, these must be the same. */
struct sum {
	struct llm_sink sink;
	struct buf text, think, calls;
	struct llm_usage usage;
	int stop; /* -1: none */
	bool failed;
	size_t call_bytes; /* of the open call's arguments */
};

static enum gp_code
sum_put(struct llm_sink *sink, const struct llm_event *e, struct gp_error *err)
{
	struct sum *const s = CONTAINER_OF(sink, struct sum, sink);

	(void)err;
	switch (e->kind) {
	case LLM_OPEN:
		s->call_bytes = 0;
		if (e->block == LLM_TOOL)
			buf_printf(&s->calls, "%.*s %.*s ", SPAN_ARG(e->id.s),
				SPAN_ARG(e->name.s));
		break;
	case LLM_DELTA:
		s->call_bytes += e->text.s.n;
		buf_put(e->block == LLM_TEXT          ? &s->text :
				e->block == LLM_THINK ? &s->think :
							&s->calls,
			e->text.s);
		break;
	case LLM_CLOSE:
		if (e->block == LLM_TOOL)
			buf_puts(&s->calls, s->call_bytes == 0 ? "{} " : " ");
		break;
	case LLM_USAGE:
		llm_usage_merge(&s->usage, &e->usage);
		break;
	case LLM_STOP:
		s->stop = (int)e->stop;
		break;
	case LLM_ERROR:
		s->failed = true;
		break;
	case LLM_START:
	case LLM_PING:
		break;
	}
	return GP_OK;
}

static struct llm_sink *
sum_init(struct sum *s)
{
	*s = (struct sum){
		.sink = { sum_put }, .usage = LLM_USAGE_NONE, .stop = -1
	};
	buf_init(&s->text, OUT_MAX);
	buf_init(&s->think, OUT_MAX);
	buf_init(&s->calls, OUT_MAX);
	return &s->sink;
}

/* All of it as text in the arena; the sum is over. */
static struct span
sum_text(struct sum *s, struct arena *a)
{
	struct buf out;
	struct span text, calls;

	buf_init(&out, OUT_MAX);
	buf_puts(&out, "think ");
	jtext_unescape((struct jesc){ buf_span(&s->think) }, &out);
	buf_puts(&out, "\ntext ");
	jtext_unescape((struct jesc){ buf_span(&s->text) }, &out);
	buf_puts(&out, "\ncalls ");
	/* The second time inside the JSON: its own escapes may be spelt
	 * otherwise on the way. */
	calls = jtext_unescape_dup(a, (struct jesc){ buf_span(&s->calls) });
	jtext_unescape((struct jesc){ calls }, &out);
	buf_printf(&out, "\nstop %d in %lld read %lld out %lld%s", s->stop,
		(long long)s->usage.input, (long long)s->usage.cache_read,
		(long long)s->usage.output, s->failed ? " failed" : "");
	text = arena_dup(a, buf_span(&out));
	buf_fini(&out);
	buf_fini(&s->text);
	buf_fini(&s->think);
	buf_fini(&s->calls);
	return text;
}

/* --- an answer by chance -------------------------------------------------- */

struct block {
	enum llm_block kind;
	struct jesc id, text;
};

struct answer {
	struct block blocks[BLOCKS_MAX];
	size_t n;
	enum llm_stop stop;
	struct llm_usage usage;
	uint64_t seed; /* of where the pieces are cut */
};

static void
make_answer(struct gen *g, struct answer *out)
{
	bool has_call = false;

	*out = (struct answer){ .n = gen_below(g, BLOCKS_MAX + 1) };
	for (size_t i = 0; i < out->n; i++) {
		struct block *const b = &out->blocks[i];

		b->kind = (enum llm_block)gen_below(g, LLM_TOOL + 1);
		b->id.s = arena_printf(g->arena, "call_%zu", i);
		b->text = b->kind == LLM_TOOL ?
			jtext_escape_dup(g->arena, gen_object(g).s) :
			gen_text(g);
		/* No arguments at all are an empty object. */
		if (b->kind == LLM_TOOL && gen_one_in(g, 6))
			b->text = JESC_EMPTY;
		has_call = has_call || b->kind == LLM_TOOL;
	}
	if (gen_one_in(g, 4))
		out->stop =
			gen_one_in(g, 2) ? LLM_STOP_LENGTH : LLM_STOP_REFUSAL;
	else
		out->stop = has_call ? LLM_STOP_TOOL : LLM_STOP_END;
	out->usage = LLM_USAGE_NONE;
	out->usage.input = (int64_t)gen_below(g, 100000);
	out->usage.cache_read = (int64_t)gen_below(g, 1000);
	out->usage.cache_write = 0;
	out->usage.output = 1 + (int64_t)gen_below(g, 1000);
	out->seed = gen_below(g, 1u << 30);
}

/* Length of the first character or escape; halves of a pair may part. */
static size_t
step(struct span s)
{
	size_t n = 1;

	if (s.p[0] == '\\')
		return s.p[1] == 'u' ? 6 : 2;
	while (n < s.n && ((uint8_t)s.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static void
put(struct llm_sink *to, const struct llm_event *e)
{
	struct gp_error err;
	const enum gp_code rc = llm_put(to, e, &err);

	assert_ok(rc, &err);
}

static void
play_block(const struct block *b, struct gen *g, struct llm_sink *to)
{
	struct llm_event e = llm_event_of(LLM_OPEN, b->kind);
	struct span rest = b->text.s;

	if (b->kind == LLM_TOOL) {
		e.id = b->id;
		e.name = JESC("look");
	}
	put(to, &e);
	while (rest.n > 0) {
		size_t n = step(rest);

		while (n < rest.n && !gen_one_in(g, 4))
			n += step(span_from(rest, n));
		e = llm_event_of(LLM_DELTA, b->kind);
		e.text.s = span_head(rest, n);
		put(to, &e);
		rest = span_from(rest, n);
		e = llm_event_of(LLM_PING, b->kind);
		if (gen_one_in(g, 8))
			put(to, &e);
	}
	e = llm_event_of(LLM_CLOSE, b->kind);
	put(to, &e);
}

static void
play(const struct answer *a, struct arena *arena, struct llm_sink *to)
{
	struct llm_event e = llm_event_of(LLM_START, LLM_TEXT);
	struct gen g;

	gen_init(&g, arena, a->seed);
	e.id = JESC("x1");
	e.name = JESC(MODEL);
	put(to, &e);
	for (size_t i = 0; i < a->n; i++)
		play_block(&a->blocks[i], &g, to);
	e = llm_event_of(LLM_USAGE, LLM_TEXT);
	e.usage = a->usage;
	put(to, &e);
	e = llm_event_of(LLM_STOP, LLM_TEXT);
	e.stop = a->stop;
	put(to, &e);
}

/* --- the two ends --------------------------------------------------------- */

/* What an upstream of this dialect would send. */
static void
upstream_bytes(const struct dialect *d, const struct answer *answer,
	enum llm_mode mode, struct arena *a, struct buf *out)
{
	struct notices n;
	const struct llm_enc_env env = {
		.mode = mode,
		.now_wall_s = 1790000000,
		.fallback_id = "ABCDEFGHIJKLMNOPQRSTUVWX",
		.model = JESC(MODEL),
		.wants_usage = true,
		.estimated_input = 7,
		.arena = a,
		.notices = &n,
	};

	notices_init(&n, a);
	play(answer, a, d->enc_new(a, &env, out));
	assert_false(out->bad);
}

static void
read_stream(
	const struct dialect *d, void *dec, struct jdoc *doc, struct span bytes)
{
	struct gp_error err;
	struct sse_event ev;
	struct sse sse;
	size_t used;

	sse_init(&sse);
	while (sse_feed(&sse, bytes, &used, &ev, &err) == SSE_EVENT) {
		const enum gp_code rc = d->dec_sse(dec, doc, &ev, &err);

		assert_ok(rc, &err);
		bytes = span_from(bytes, used);
	}
	assert_int_equal(d->dec_end(dec, &err), GP_OK);
	sse_fini(&sse);
}

/* What a client of this dialect understands. */
static struct span
meaning(const struct dialect *d, enum llm_mode mode, struct span bytes,
	struct arena *a)
{
	void *const dec = arena_alloc(a, d->dec_size);
	struct llm_guard guard;
	struct notices n;
	struct gp_error err;
	struct jdoc doc;
	struct sum sum;

	notices_init(&n, a);
	jdoc_init(&doc);
	d->dec_init(dec, a, &n, llm_guard_init(&guard, sum_init(&sum)));
	if (mode == LLM_BODY) {
		enum gp_code rc = jdoc_parse(&doc, bytes, &err);

		assert_ok(rc, &err);
		rc = d->dec_body(dec, &doc, &err);
		assert_ok(rc, &err);
	} else {
		read_stream(d, dec, &doc, bytes);
	}
	jdoc_fini(&doc);
	return sum_text(&sum, a);
}

/* --- between them --------------------------------------------------------- */

struct way {
	const struct dialect *client, *upstream;
	enum llm_mode client_mode, upstream_mode;
};

/* A request with thinking asked for, in the client's own dialect. */
static void
write_request(const struct way *w, struct arena *a, struct buf *out)
{
	const struct llm_wire wire = { .streams_usage = true };
	struct llm_req r;
	struct jout j;

	llm_req_init(&r, a, LLM_CHAT);
	llm_add_text(&r, &llm_add_turn(&r, LLM_USER, 0)->parts, JESC("hi"));
	r.stream = w->client_mode == LLM_SSE;
	r.max_tokens = 20000;
	r.think.mode = LLM_THINK_ON;
	r.think.effort = LLM_EFFORT_HIGH;
	r.think.budget_tokens = 2048;
	jout_init(&j, out);
	w->client->req_encode(&r, SPAN(MODEL), &wire, &j);
}

static struct xlate *
asked(const struct way *w, struct arena *a, struct xlate_scratch *scratch,
	struct buf *out)
{
	const struct xlate_env env = { .random = { 1, 2, 3 },
		.options = { .default_max_tokens = 32768,
			.force_thinking = -1,
			.replay_reasoning = true } };
	const struct xlate_route route = { .upstream = w->upstream,
		.model = SPAN(MODEL),
		.info = profile_model(&profile_zai, SPAN(MODEL)) };
	struct gp_error err;
	struct buf in, up;
	struct xlate *const x = xlate_new(
		a, scratch, &profile_zai, w->client, LLM_CHAT, &env, out);

	buf_init(&in, OUT_MAX);
	buf_init(&up, OUT_MAX);
	write_request(w, a, &in);
	assert_int_equal(xlate_read(x, buf_span(&in), &err), GP_OK);
	assert_int_equal(xlate_write(x, &route, &up, &err), GP_OK);
	buf_fini(&in);
	buf_fini(&up);
	return x;
}

static void
put_head(const struct way *w, struct xlate *x)
{
	struct http_msg *m = http_msg_new(HTTP_RESPONSE);
	struct gp_error err;
	struct buf head;
	size_t used;

	buf_init(&head, 4096);
	http_out_status(&head, 200);
	http_out_field_cstr(&head, "content-type",
		w->upstream_mode == LLM_SSE ? "text/event-stream" :
					      "application/json");
	http_out_end(&head);
	assert_int_equal(
		http_msg_feed(m, buf_span(&head), &used, &err), HTTP_HEAD);
	(void)xlate_head(x, http_msg_head(m));
	http_msg_free(&m);
	buf_fini(&head);
}

/* The answer as this way brings it to the client, in pieces by chance. */
static struct span
carried(const struct way *w, const struct answer *answer, struct arena *a)
{
	struct xlate_scratch scratch;
	struct buf bytes, out;
	struct xlate *x;
	struct span rest, got;
	struct gen g;

	xlate_scratch_init(&scratch);
	buf_init(&bytes, OUT_MAX);
	buf_init(&out, OUT_MAX);
	gen_init(&g, a, answer->seed);
	upstream_bytes(w->upstream, answer, w->upstream_mode, a, &bytes);
	x = asked(w, a, &scratch, &out);
	put_head(w, x);
	for (rest = buf_span(&bytes); rest.n > 0;) {
		const size_t n = MIN(1 + gen_below(&g, 300), rest.n);

		(void)xlate_feed(x, span_head(rest, n));
		rest = span_from(rest, n);
	}
	assert_int_equal(xlate_end(x), XLATE_DONE);
	got = meaning(w->client, w->client_mode, buf_span(&out), a);
	xlate_fini(x);
	buf_fini(&bytes);
	buf_fini(&out);
	xlate_scratch_fini(&scratch);
	return got;
}

static void
check_answer(uint64_t seed, const struct way *w)
{
	struct answer answer;
	struct arena arena;
	struct span got, want;
	struct gen g;
	struct sum sum;

	arena_init(&arena);
	gen_init(&g, &arena, seed);
	make_answer(&g, &answer);
	play(&answer, &arena, sum_init(&sum));
	want = sum_text(&sum, &arena);
	got = carried(w, &answer, &arena);
	if (!span_eq(got, want))
		(void)fprintf(stderr, "answer %llu, %s %d to %s %d\n",
			(unsigned long long)seed, w->upstream->name,
			(int)w->upstream_mode, w->client->name,
			(int)w->client_mode);
	assert_spans_eq(got, want);
	arena_fini(&arena);
}

static void
test_answers_mean_the_same(void **state)
{
	static const enum llm_mode modes[] = { LLM_BODY, LLM_SSE };

	const uint64_t only = *(const uint64_t *)*state;
	const uint64_t last = only > 0 ? only : ANSWERS;

	for (size_t c = 0; c < ndialects; c++)
		for (size_t u = 0; u < ndialects; u++)
			for (size_t m = 0; m < 4; m++) {
				const struct way w = { dialects[c], dialects[u],
					modes[m / 2], modes[m % 2] };

				for (uint64_t s = MAX(only, 1); s <= last; s++)
					check_answer(s, &w);
			}
}

int
main(void)
{
	static uint64_t only; /* 0: all */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_answers_mean_the_same, &only),
	};
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	const char *const seed = getenv("GLMPROXY_SEED");

	if (seed != NULL && !span_u64(span_cstr(seed), &only))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
