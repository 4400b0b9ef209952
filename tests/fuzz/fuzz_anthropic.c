/* SPDX-License-Identifier: MIT */
/*
 * fuzz_anthropic.c - the Messages dialect, every direction.
 *
 * The first byte chooses. Whatever comes in, what goes out is JSON that the
 * dialect itself reads again; copying a copied request changes nothing more.
 */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/translate/dialect_anthropic.h"
#include "shared/translate/llm_guard.h"
#include "shared/translate/llm_normal.h"

#define OUT_MAX (64u << 20)

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
decode(struct jdoc *doc, struct span text, struct llm_req *r, struct arena *a,
	enum llm_purpose purpose)
{
	struct gp_error err;

	llm_req_init(r, a, purpose);
	return jdoc_parse(doc, text, &err) == GP_OK &&
		jdoc_refuse_duplicates(doc, jdoc_root(doc), &err) == GP_OK &&
		dialect_anthropic.req_decode(doc, r, &err) == GP_OK;
}

static void
copy(struct jdoc *doc, struct llm_req *r, struct buf *out)
{
	struct gp_error err;

	buf_init(out, OUT_MAX);
	GP_ASSERT(dialect_anthropic.req_copy(doc, r, SPAN("glm"), out, &err) ==
		GP_OK);
}

/* Duplicate keys inside: one reader may see another one than the next. */
static bool
has_duplicates(const struct jdoc *d)
{
	for (jref r = 0; jdoc_type(d, r) != J_NONE; r++) {
		if (jdoc_refuse_duplicates(d, r, NULL) != GP_OK)
			return true;
	}
	return false;
}

static void
check_request(struct span in, enum llm_purpose purpose)
{
	const struct llm_wire wire = { .stops = LLM_STOPS_ALL };
	struct buf first, second;
	struct arena arena;
	struct llm_req r;
	struct jdoc doc;
	struct jout j;

	arena_init(&arena);
	jdoc_init(&doc);
	if (!decode(&doc, in, &r, &arena, purpose) || has_duplicates(&doc))
		goto out;
	copy(&doc, &r, &first);
	GP_ASSERT(decode(&doc, buf_span(&first), &r, &arena, purpose));
	copy(&doc, &r, &second);
	GP_ASSERT(span_eq(buf_span(&first), buf_span(&second)));
	buf_reset(&second, 0);
	llm_normalise(&r);
	jout_init(&j, &second);
	dialect_anthropic.req_encode(&r, SPAN("glm"), &wire, &j);
	/* A cache warm-up asks for no tokens; the tree cannot say so. */
	if (r.max_tokens > 0 || purpose == LLM_COUNT)
		GP_ASSERT(decode(&doc, buf_span(&second), &r, &arena, purpose));
	buf_fini(&first);
	buf_fini(&second);
out:
	jdoc_fini(&doc);
	arena_fini(&arena);
}

/* Forwards to an encoder and remembers how it ended. */
struct watch {
	struct llm_sink sink;
	struct llm_sink *next;
	bool has_stop, has_error;
};

static enum gp_code
watch_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct watch *const w = CONTAINER_OF(s, struct watch, sink);

	if (e->kind == LLM_ERROR) {
		w->has_error = true;
		return GP_OK;
	}
	w->has_stop = w->has_stop || e->kind == LLM_STOP;
	return w->next == NULL ? GP_OK : llm_put(w->next, e, err);
}

struct way {
	struct arena arena;
	struct notices notices;
	struct watch watch;
	struct llm_guard guard;
	struct llm_enc_env env;
	void *dec;
	struct jdoc doc;
};

static void
way_init(struct way *w, enum llm_mode mode, struct buf *out)
{
	arena_init(&w->arena);
	notices_init(&w->notices, &w->arena);
	jdoc_init(&w->doc);
	w->env = (struct llm_enc_env){ .mode = mode,
		.fallback_id = "abcdefghijklmnopqrstuvwx",
		.model = JESC("glm"),
		.estimated_input = 118,
		.arena = &w->arena,
		.notices = &w->notices };
	w->watch = (struct watch){ .sink = { watch_put } };
	if (out != NULL)
		w->watch.next =
			dialect_anthropic.enc_new(&w->arena, &w->env, out);
	w->dec = arena_alloc(&w->arena, dialect_anthropic.dec_size);
	dialect_anthropic.dec_init(w->dec, &w->arena, &w->notices,
		llm_guard_init(&w->guard, &w->watch.sink));
}

static void
way_fini(struct way *w)
{
	jdoc_fini(&w->doc);
	arena_fini(&w->arena);
}

/* Runs a stream through the decoder and copies it beside. */
static enum gp_code
run_stream(struct way *w, struct span in, struct buf *copied)
{
	enum gp_code rc = GP_OK;
	struct gp_error err;
	struct sse_event ev;
	struct sse sse;
	size_t used;

	sse_init(&sse);
	while (rc == GP_OK && !w->watch.has_error && !w->watch.has_stop &&
		sse_feed(&sse, in, &used, &ev, &err) == SSE_EVENT) {
		in = span_from(in, used);
		rc = dialect_anthropic.dec_sse(w->dec, &w->doc, &ev, &err);
		if (rc == GP_OK && !w->watch.has_error && copied != NULL)
			dialect_anthropic.ans_copy_sse(
				&ev, &w->doc, &w->env, copied);
	}
	if (rc == GP_OK && !w->watch.has_stop)
		rc = dialect_anthropic.dec_end(w->dec, &err);
	sse_fini(&sse);
	return rc;
}

/* A stream that was written here is whole. */
static void
check_stream(struct span text)
{
	struct way w;

	way_init(&w, LLM_SSE, NULL);
	GP_ASSERT(run_stream(&w, text, NULL) == GP_OK);
	GP_ASSERT(w.watch.has_stop && !w.watch.has_error);
	way_fini(&w);
}

static void
check_body(struct span text)
{
	struct gp_error err;
	struct way w;

	way_init(&w, LLM_SSE, NULL);
	GP_ASSERT(jdoc_parse(&w.doc, text, &err) == GP_OK);
	GP_ASSERT(dialect_anthropic.dec_body(w.dec, &w.doc, &err) == GP_OK);
	GP_ASSERT(w.watch.has_stop);
	way_fini(&w);
}

static void
check_answer(struct span in, bool is_stream, enum llm_mode mode)
{
	struct buf out, copied;
	struct gp_error err;
	struct way w;
	enum gp_code rc;

	buf_init(&out, OUT_MAX);
	buf_init(&copied, OUT_MAX);
	way_init(&w, mode, &out);
	if (is_stream) {
		rc = run_stream(&w, in, &copied);
	} else {
		rc = jdoc_parse(&w.doc, in, &err);
		if (rc == GP_OK)
			rc = dialect_anthropic.dec_body(w.dec, &w.doc, &err);
		if (rc == GP_OK)
			dialect_anthropic.ans_copy_body(
				&w.doc, &w.env, &copied);
	}
	if (rc == GP_OK && w.watch.has_stop) {
		if (mode == LLM_SSE)
			check_stream(buf_span(&out));
		else
			check_body(buf_span(&out));
		if (is_stream) {
			dialect_anthropic.ans_copy_end(&copied);
			check_stream(buf_span(&copied));
		} else {
			check_body(buf_span(&copied));
		}
	}
	way_fini(&w);
	buf_fini(&out);
	buf_fini(&copied);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in;
	char *copied;

	if (size == 0)
		return 0;
	copied = malloc(size);
	GP_ASSERT(copied != NULL);
	memcpy(copied, data, size);
	in = span_of(copied + 1, size - 1);
	switch (data[0] % 6) {
	case 0:
		check_request(in, LLM_CHAT);
		break;
	case 1:
		check_request(in, LLM_COUNT);
		break;
	case 2:
		check_answer(in, true, LLM_SSE);
		break;
	case 3:
		check_answer(in, true, LLM_BODY);
		break;
	case 4:
		check_answer(in, false, LLM_SSE);
		break;
	default:
		check_answer(in, false, LLM_BODY);
		break;
	}
	free(copied);
	return 0;
}
