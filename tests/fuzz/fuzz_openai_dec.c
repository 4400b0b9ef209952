/* SPDX-License-Identifier: MIT */
/*
 * fuzz_openai_dec.c - Chat Completions answers: one event's data a line.
 *
 * The decoder must keep to the grammar of events whatever comes, and what the
 * encoder makes of the events must be read again as the same answer.
 */
#include "shared/base/check.h"
#include "shared/translate/dialect_openai.h"
#include "shared/translate/llm_guard.h"

#define OUT_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends with the encoder, unless the answer is an error. */
struct end {
	struct llm_sink sink;
	struct llm_sink *encoder;
	bool is_stopped, is_error;
};

static enum gp_code
end_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct end *const end = CONTAINER_OF(s, struct end, sink);

	end->is_stopped = end->is_stopped || e->kind == LLM_STOP;
	end->is_error = end->is_error || e->kind == LLM_ERROR;
	return e->kind == LLM_ERROR ? GP_OK : llm_put(end->encoder, e, err);
}

struct answer {
	struct arena arena;
	struct notices notices;
	struct llm_guard guard;
	struct end end;
	struct jdoc doc;
	void *dec;
};

static void
begin(struct answer *x, enum llm_mode mode, struct buf *out)
{
	struct llm_enc_env env = {
		.mode = mode,
		.now_wall_s = 1,
		.fallback_id = "abcdefghijklmnopqrstuvwx",
		.model = JESC("m"),
		.wants_usage = true,
	};

	*x = (struct answer){ .end = { .sink = { end_put } } };
	arena_init(&x->arena);
	notices_init(&x->notices, &x->arena);
	jdoc_init(&x->doc);
	env.arena = &x->arena;
	env.notices = &x->notices;
	x->end.encoder = dialect_openai.enc_new(&x->arena, &env, out);
	x->dec = arena_alloc(&x->arena, dialect_openai.dec_size);
	dialect_openai.dec_init(x->dec, &x->arena, &x->notices,
		llm_guard_init(&x->guard, &x->end.sink));
}

static void
end(struct answer *x)
{
	jdoc_fini(&x->doc);
	arena_fini(&x->arena);
}

/* frames: data of events, each behind `lead`; others are skipped. True if the
 * answer is complete. */
static bool
carry(struct span frames, struct span lead, enum llm_mode mode, struct buf *out)
{
	struct answer x;
	struct gp_error err = { .code = GP_OK };
	struct span frame;
	enum gp_code rc = GP_OK;
	bool is_complete;

	begin(&x, mode, out);
	while (rc == GP_OK && span_split(&frames, '\n', &frame)) {
		struct sse_event ev = { SPAN_EMPTY, SPAN_EMPTY };

		if (!span_starts(frame, lead))
			continue;
		ev.data = span_from(frame, lead.n);
		rc = dialect_openai.dec_sse(x.dec, &x.doc, &ev, &err);
	}
	if (rc == GP_OK)
		rc = dialect_openai.dec_end(x.dec, &err);
	GP_ASSERT(rc == GP_OK || (rc == err.code && rc != GP_E_STATE));
	/* Every answer has one end. */
	GP_ASSERT(rc != GP_OK || x.end.is_stopped != x.end.is_error);
	is_complete = rc == GP_OK && x.end.is_stopped;
	end(&x);
	return is_complete;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span frames = span_of((const char *)data, size);
	struct buf stream, body, again;
	struct jdoc doc;

	buf_init(&stream, OUT_MAX);
	buf_init(&body, OUT_MAX);
	buf_init(&again, OUT_MAX);
	jdoc_init(&doc);
	if (carry(frames, SPAN_EMPTY, LLM_SSE, &stream)) {
		/* Through a stream or at once: the same body. */
		GP_ASSERT(carry(frames, SPAN_EMPTY, LLM_BODY, &body));
		GP_ASSERT(carry(
			buf_span(&stream), SPAN("data: "), LLM_BODY, &again));
		GP_ASSERT(jdoc_parse(&doc, buf_span(&body), NULL) == GP_OK);
		GP_ASSERT(span_eq(buf_span(&body), buf_span(&again)));
	}
	jdoc_fini(&doc);
	buf_fini(&stream);
	buf_fini(&body);
	buf_fini(&again);
	return 0;
}
