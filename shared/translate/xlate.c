/* SPDX-License-Identifier: MIT */
/* xlate.c - one request's life, its failure, and what may be asked of it. */
#include "shared/translate/xlate.h"

#include "shared/base/check.h"
#include "shared/translate/llm_images.h"
#include "shared/translate/xlate_private.h"

/* Bytes; shorter keys would be found in any text. */
#define SECRET_LEAST 6

void
xlate_scratch_init(struct xlate_scratch *s)
{
	jdoc_init(&s->request);
	jdoc_init(&s->answer);
	buf_init(&s->repaired, XLATE_ANSWER_MAX);
}

void
xlate_scratch_fini(struct xlate_scratch *s)
{
	jdoc_fini(&s->request);
	jdoc_fini(&s->answer);
	buf_fini(&s->repaired);
}

void
xlate_make_id(const uint64_t random[XLATE_ID_WORDS], char out[XLATE_ID_LEN + 1])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
				     "fghijklmnopqrstuvwxyz";
	uint64_t r = 0;

	for (size_t i = 0; i < XLATE_ID_LEN; i++) {
		/* Eight digits leave bits to spare, so all are alike. */
		if (i % 8 == 0)
			r = random[i / 8];
		out[i] = digits[r % 62];
		r /= 62;
	}
	out[XLATE_ID_LEN] = '\0';
}

struct xlate *
xlate_new(struct arena *a, struct xlate_scratch *scratch,
	const struct profile *p, const struct dialect *client,
	enum llm_purpose purpose, const struct xlate_env *env, struct buf *out)
{
	struct xlate *x = arena_alloc(a, sizeof(*x));

	x->arena = a;
	x->scratch = scratch;
	x->profile = p;
	x->client = client;
	x->purpose = purpose;
	x->env = *env;
	x->out = out;
	x->out_start = buf_len(out);
	memcpy(x->request_id, "req_", 4);
	xlate_make_id(env->random, x->request_id + 4);
	arena_init(&x->tree);
	llm_req_init(&x->req, &x->tree, purpose);
	x->sent = SPAN_EMPTY;
	x->upstream_id = SPAN_EMPTY;
	x->tap.tally.usage = LLM_USAGE_NONE;
	buf_init(&x->collected, XLATE_ERROR_MAX);
	return x;
}

void
xlate_fini(struct xlate *x)
{
	arena_fini(&x->tree);
	buf_fini(&x->collected);
	if (x->has_sse)
		sse_fini(&x->sse);
	x->has_sse = false;
}

/* --- failures ------------------------------------------------------------- */

enum xlate_state
xlate_fail_now(struct xlate *x, const struct llm_failure *f)
{
	switch (x->state) {
	case XLATE_PENDING:
		x->failure = *f;
		buf_truncate(x->out, x->out_start);
		x->state = XLATE_FAILED;
		break;
	case XLATE_OPEN:
		x->failure = *f;
		if (x->env.tries_again && !x->has_begun) {
			x->state = XLATE_FAILED;
			break;
		}
		x->client->fail_encode(f, LLM_SSE, xlate_request_id(x), x->out);
		x->state = XLATE_BROKEN;
		break;
	case XLATE_DONE:
	case XLATE_FAILED:
	case XLATE_BROKEN:
		break;
	}
	return x->state;
}

enum xlate_state
xlate_break(struct xlate *x)
{
	GP_ASSERT(x->state == XLATE_FAILED);
	x->client->fail_encode(
		&x->failure, LLM_SSE, xlate_request_id(x), x->out);
	x->state = XLATE_BROKEN;
	return x->state;
}

bool
xlate_has_begun(const struct xlate *x)
{
	return x->has_begun;
}

enum xlate_state
xlate_fail_with(struct xlate *x, enum llm_fail kind, const char *message)
{
	struct llm_failure f = llm_failure_of(kind, span_cstr(message));

	f.trace = x->about.trace;
	return xlate_fail_now(x, &f);
}

enum xlate_state
xlate_fail_from(struct xlate *x, const struct gp_error *err)
{
	return xlate_fail_with(x, LLM_FAIL_UPSTREAM,
		arena_printf(x->arena, "the upstream's answer is unusable: %s",
			err->text)
			.p);
}

/* Upstream may repeat the key that it was asked with, which need not be the
 * client's own. */
static void
hide_secret(const struct xlate *x, struct llm_failure *f)
{
	const struct span key = x->env.secret;
	size_t at;

	while (key.n >= SECRET_LEAST &&
		(at = span_find(f->message, key)) < f->message.n)
		f->message = arena_printf(x->arena, "%.*s[cut]%.*s", (int)at,
			f->message.p,
			SPAN_ARG(span_from(f->message, at + key.n)));
}

enum xlate_state
xlate_fail_upstream(struct xlate *x, struct span body, bool is_in_stream)
{
	struct profile_reply about = x->about;
	struct profile_asked asked = {
		.estimated_input = xlate_input_tokens(x),
		.max_tokens = x->req.max_tokens,
		.limit_tokens = x->info->context_tokens,
		.model = x->model,
	};
	struct llm_failure f;

	about.is_in_stream = is_in_stream;
	x->profile->failure(&about, body, &asked, x->arena, &f);
	hide_secret(x, &f);
	return xlate_fail_now(x, &f);
}

/* --- what the caller may ask ---------------------------------------------- */

const struct llm_req *
xlate_request(const struct xlate *x)
{
	return &x->req;
}

size_t
xlate_images(const struct xlate *x)
{
	return x->images - x->images_left_out;
}

bool
xlate_needs_vision(const struct xlate *x)
{
	return x->env.images_of_last_turn ? llm_count_last_images(&x->req) > 0 :
					    x->images > 0;
}

int64_t
xlate_estimate(const struct xlate *x)
{
	return x->estimate;
}

void
xlate_know_input(struct xlate *x, const struct xlate_input *in)
{
	x->input = *in;
}

const struct llm_dedup_report *
xlate_dedup(const struct xlate *x)
{
	return &x->dedup;
}

enum xlate_state
xlate_state(const struct xlate *x)
{
	return x->state;
}

const struct llm_failure *
xlate_failure(const struct xlate *x)
{
	return &x->failure;
}

const struct llm_removed *
xlate_removed(const struct xlate *x)
{
	return &x->removed;
}

bool
xlate_is_vision(const struct xlate *x)
{
	return x->enc_env.context.is_vision;
}

const struct llm_tally *
xlate_tally(const struct xlate *x)
{
	return &x->tap.tally;
}

struct llm_usage
xlate_shown_usage(const struct xlate *x)
{
	/* Before the route is known there is no scale, and no usage. */
	return x->upstream == NULL ?
		LLM_USAGE_NONE :
		llm_scale_usage(&x->tap.tally.usage, x->enc_env.context.scale);
}

void
xlate_notices(const struct xlate *x, struct buf *to)
{
	notices_print(&x->req.notices, to);
}

void
xlate_notice(struct xlate *x, const char *verb, struct span name)
{
	notice_add(&x->req.notices, verb, name);
}

uint32_t
xlate_notice_count(const struct xlate *x)
{
	return x->req.notices.total;
}

const uint32_t *
xlate_notice_verbs(const struct xlate *x)
{
	return x->req.notices.by_verb;
}

bool
xlate_is_stream(const struct xlate *x)
{
	return x->is_stream;
}

bool
xlate_upstream_streams(const struct xlate *x)
{
	return x->req.stream;
}

bool
xlate_is_refused(const struct xlate *x)
{
	return x->reply == REPLY_ERROR;
}

void
xlate_images_field(const struct xlate *x, struct buf *to)
{
	if (x->images == 0)
		return;
	buf_puts(to,
		x->env.images_of_last_turn ? "scope=last_user_turn" :
					     "scope=any");
	buf_puts(to, "; images=");
	buf_put_u64(to, x->images);
	buf_puts(to, "; left_out=");
	buf_put_u64(to, x->images_left_out);
}

void
xlate_context_field(const struct xlate *x, struct buf *to)
{
	struct llm_fill fill = llm_fill_of(&x->tap.tally.usage);

	if (fill.input < 0)
		fill = (struct llm_fill){ xlate_input_tokens(x), -1, true };
	llm_context_put_field(to, &x->enc_env.context, &fill);
}

struct span
xlate_request_id(const struct xlate *x)
{
	return span_cstr(x->request_id);
}
