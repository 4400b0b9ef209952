/* SPDX-License-Identifier: MIT */
/*
 * test_matrix.c - every dialect to every dialect, streamed and not, cut at
 * every byte: what goes in must come out, whatever it was called in between.
 *
 * No dialect is named here. A scripted answer is written by the upstream
 * dialect's own encoder, carried through xlate to the client's dialect, and
 * read back by that dialect's decoder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/check.h"
#include "shared/http/out.h"
#include "shared/translate/llm_guard.h"
#include "shared/translate/xlate.h"
#include "tests/lib/cut.h"
#include "tests/lib/fold.h"
#include "tests/lib/t.h"

#define OUT_MAX (4u << 20)

/* --- scripts -------------------------------------------------------------- */

struct block {
	enum llm_block kind;
	const char *id, *name;
	const char *deltas[4];
};

struct script {
	const char *name;
	struct block blocks[4];
	size_t nblocks;
	enum llm_stop stop;
};

static const struct script scripts[] = {
	{ "text", { { LLM_TEXT, "", "", { "Hello", ", ", "world" } } }, 1,
		LLM_STOP_END },
	{ "empty", { { 0 } }, 0, LLM_STOP_END },
	{ "length", { { LLM_TEXT, "", "", { "cut" } } }, 1, LLM_STOP_LENGTH },
	{ "refusal", { { LLM_TEXT, "", "", { "no" } } }, 1, LLM_STOP_REFUSAL },
	{ "think",
		{ { LLM_THINK, "", "", { "h", "m" } },
			{ LLM_TEXT, "", "", { "Checking." } } },
		2, LLM_STOP_END },
	{ "tool",
		{ { LLM_TEXT, "", "", { "Let me see" } },
			{ LLM_TOOL, "call_1", "w",
				{ "{\\\"q\\\":", "\\\"Oslo\\\"}" } } },
		2, LLM_STOP_TOOL },
	{ "tools",
		{ { LLM_TOOL, "call_1", "w", { "{\\\"q\\\":1e400}" } },
			{ LLM_TOOL, "call_2", "v", { "{}" } } },
		2, LLM_STOP_TOOL },
	{ "all",
		{ { LLM_THINK, "", "", { "hm" } },
			{ LLM_TEXT, "", "", { "a" } },
			{ LLM_TOOL, "call_1", "w", { "{\\\"a\\\":[1,2]}" } },
			{ LLM_TOOL, "call_2", "w",
				{ "{\\\"b\\\"", ":\\\"\\\\n\\\"}" } } },
		4, LLM_STOP_TOOL },
	{ "escapes",
		{ { LLM_TEXT, "", "",
			{ "\\ud83d", "\\ude00 \xc3\xa6\xe2\x80\xa8",
				"\\n\\ndata: [DONE]\\u0000\\\\" } } },
		1, LLM_STOP_END },
};

static void
play(const struct script *s, struct llm_sink *to)
{
	struct gp_error err;
	struct llm_event e = { .kind = LLM_START,
		.id = JESC("x1"),
		.name = JESC("model-upstream") };
	struct llm_event usage = { .kind = LLM_USAGE,
		.usage = { 56, 64, 0, 30, -1, false } };

	e.usage = LLM_USAGE_NONE;
	assert_int_equal(llm_put(to, &e, &err), GP_OK);
	for (size_t i = 0; i < s->nblocks; i++) {
		const struct block *b = &s->blocks[i];
		struct llm_event x = { .kind = LLM_OPEN, .block = b->kind };

		x.id = (struct jesc){ span_cstr(b->id) };
		x.name = (struct jesc){ span_cstr(b->name) };
		assert_int_equal(llm_put(to, &x, &err), GP_OK);
		for (size_t k = 0; k < 4 && b->deltas[k] != NULL; k++) {
			x.kind = LLM_DELTA;
			x.text = (struct jesc){ span_cstr(b->deltas[k]) };
			assert_int_equal(llm_put(to, &x, &err), GP_OK);
		}
		x.kind = LLM_CLOSE;
		x.text = JESC_EMPTY;
		x.signature = JESC_EMPTY;
		assert_int_equal(llm_put(to, &x, &err), GP_OK);
	}
	assert_int_equal(llm_put(to, &usage, &err), GP_OK);
	e.kind = LLM_STOP;
	e.stop = s->stop;
	e.stop_text = JESC_EMPTY;
	assert_int_equal(llm_put(to, &e, &err), GP_OK);
}

/* --- the two ends --------------------------------------------------------- */

static struct llm_enc_env
encoder_env(struct arena *a, struct notices *n, enum llm_mode mode)
{
	struct llm_enc_env env = {
		.mode = mode,
		.now_wall_s = 1790000000,
		.fallback_id = "ABCDEFGHIJKLMNOPQRSTUVWX",
		.model = JESC("model-upstream"),
		.wants_usage = true,
		.estimated_input = 7,
		.arena = a,
		.notices = n,
	};

	notices_init(n, a);
	return env;
}

/* What an upstream of this dialect would send. */
static void
upstream_bytes(const struct dialect *d, const struct script *s,
	enum llm_mode mode, struct buf *out)
{
	struct arena a;
	struct notices n;
	struct llm_enc_env env;

	arena_init(&a);
	env = encoder_env(&a, &n, mode);
	play(s, d->enc_new(&a, &env, out));
	assert_false(out->bad);
	arena_fini(&a);
}

/* What a client of this dialect understands. */
static const char *
client_meaning(const struct dialect *d, enum llm_mode mode, struct span bytes,
	struct fold *f)
{
	struct arena a;
	struct notices n;
	struct llm_guard guard;
	struct jdoc doc;
	struct gp_error err;
	struct sse sse;
	struct sse_event ev;
	void *dec;
	size_t used;

	arena_init(&a);
	notices_init(&n, &a);
	jdoc_init(&doc);
	dec = arena_alloc(&a, d->dec_size);
	d->dec_init(dec, &a, &n, llm_guard_init(&guard, fold_init(f)));
	if (mode == LLM_BODY) {
		assert_int_equal(jdoc_parse(&doc, bytes, &err), GP_OK);
		assert_int_equal(d->dec_body(dec, &doc, &err), GP_OK);
	} else {
		sse_init(&sse);
		while (sse_feed(&sse, bytes, &used, &ev, &err) == SSE_EVENT) {
			assert_int_equal(
				d->dec_sse(dec, &doc, &ev, &err), GP_OK);
			bytes = span_from(bytes, used);
		}
		assert_int_equal(d->dec_end(dec, &err), GP_OK);
		sse_fini(&sse);
	}
	jdoc_fini(&doc);
	arena_fini(&a);
	return fold_line(f, true);
}

/* --- between them --------------------------------------------------------- */

struct path {
	const struct dialect *client, *upstream;
	enum llm_mode client_mode, upstream_mode;
	const struct script *script;
	const char *expected;
	struct buf request; /* in the client's dialect */
	const struct model_info *model;
	unsigned runs;
};

/* A request with thinking asked for, written by the client's own dialect. */
static void
write_request(struct path *p)
{
	struct arena a;
	struct llm_req r;
	struct jout out;
	struct llm_wire wire = { 0 };
	struct llm_turn *t;

	arena_init(&a);
	llm_req_init(&r, &a, LLM_CHAT);
	t = llm_add_turn(&r, LLM_USER, 0);
	llm_add_text(&r, &t->parts, JESC("hi"));
	r.stream = p->client_mode == LLM_SSE;
	r.wants_usage = true;
	r.max_tokens = 20000;
	r.think.mode = LLM_THINK_ON;
	r.think.effort = LLM_EFFORT_HIGH;
	r.think.budget_tokens = 2048;
	wire.streams_usage = true;
	jout_init(&out, &p->request);
	p->client->req_encode(&r, SPAN("glm-4.6"), &wire, &out);
	assert_false(p->request.bad);
	arena_fini(&a);
}

static struct xlate *
asked(struct path *p, struct arena *a, struct xlate_scratch *scratch,
	struct buf *out)
{
	struct xlate_env env = { .now_wall_s = 1790000000,
		.random = { 1, 2, 3 } };
	struct xlate_route route = { .upstream = p->upstream,
		.model = SPAN("glm-4.6"),
		.info = p->model };
	struct buf to;
	struct gp_error err;
	struct xlate *x;

	env.options.default_max_tokens = 32768;
	env.options.force_thinking = -1;
	env.options.replay_reasoning = true;
	x = xlate_new(a, scratch, &profile_zai, p->client, LLM_CHAT, &env, out);
	buf_init(&to, OUT_MAX);
	assert_int_equal(xlate_read(x, buf_span(&p->request), &err), GP_OK);
	assert_int_equal(xlate_write(x, &route, &to, &err), GP_OK);
	assert_int_equal(xlate_is_stream(x), p->client_mode == LLM_SSE);
	buf_fini(&to);
	return x;
}

static void
answer_head(struct path *p, struct xlate *x)
{
	struct http_msg *m = http_msg_new(HTTP_RESPONSE);
	struct gp_error err;
	struct buf head;
	size_t used;

	buf_init(&head, 4096);
	http_out_status(&head, 200);
	http_out_field_cstr(&head, "content-type",
		p->upstream_mode == LLM_SSE ? "text/event-stream" :
					      "application/json");
	http_out_end(&head);
	assert_int_equal(
		http_msg_feed(m, buf_span(&head), &used, &err), HTTP_HEAD);
	xlate_head(x, http_msg_head(m));
	http_msg_free(&m);
	buf_fini(&head);
}

static void
run_path(void *ctx, const struct span *pieces, size_t n)
{
	struct path *p = ctx;
	struct arena a;
	struct xlate_scratch scratch;
	struct buf out;
	struct xlate *x;
	struct fold f;

	arena_init(&a);
	xlate_scratch_init(&scratch);
	buf_init(&out, OUT_MAX);
	x = asked(p, &a, &scratch, &out);
	answer_head(p, x);
	for (size_t i = 0; i < n; i++)
		xlate_feed(x, pieces[i]);
	assert_int_equal(xlate_end(x), XLATE_DONE);
	assert_string_equal(
		client_meaning(p->client, p->client_mode, buf_span(&out), &f),
		p->expected);
	fold_fini(&f);
	xlate_fini(x);
	buf_fini(&out);
	xlate_scratch_fini(&scratch);
	arena_fini(&a);
	p->runs++;
}

static void
run_script(struct path *p)
{
	struct fold meant;
	struct buf bytes;

	/* The surrogate pair of a script is one character to a client. */
	play(p->script, fold_init(&meant));
	p->expected = fold_line(&meant, true);
	buf_init(&bytes, OUT_MAX);
	buf_init(&p->request, OUT_MAX);
	write_request(p);
	upstream_bytes(p->upstream, p->script, p->upstream_mode, &bytes);
	cut_every(buf_span(&bytes), run_path, p);
	buf_fini(&p->request);
	buf_fini(&bytes);
	fold_fini(&meant);
}

static void
test_every_way(void **state)
{
	static const enum llm_mode modes[] = { LLM_BODY, LLM_SSE };
	const struct model_info *model =
		profile_model(&profile_zai, SPAN("glm-4.6"));
	size_t ways = 0;

	(void)state;
	assert_non_null(model);
	for (size_t c = 0; c < ndialects; c++)
		for (size_t u = 0; u < ndialects; u++)
			for (size_t m = 0; m < 4; m++)
				for (size_t s = 0; s < ARRAY_LEN(scripts);
					s++) {
					struct path p = {
						.client = dialects[c],
						.upstream = dialects[u],
						.client_mode = modes[m / 2],
						.upstream_mode = modes[m % 2],
						.script = &scripts[s],
						.model = model,
					};

					run_script(&p);
					assert_true(p.runs > 3);
					ways++;
				}
	assert_int_equal(ways, ndialects * ndialects * 4 * ARRAY_LEN(scripts));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
