/* SPDX-License-Identifier: MIT */
/* xlate_answer.c - an answer's way back to the client. */
#include "shared/base/check.h"
#include "shared/http/date.h"
#include "shared/translate/xlate_private.h"

/* Without a type it is taken for what was asked. */
static bool
is_event_stream(const struct xlate *x, const struct http_head *head)
{
	struct span type = http_head_get(head, SPAN("content-type"));

	return type.n > 0 ? span_istarts(type, SPAN("text/event-stream")) :
			    x->req.stream;
}

enum xlate_state
xlate_head(struct xlate *x, const struct http_head *head)
{
	GP_ASSERT(x->upstream != NULL && x->reply == REPLY_NONE);
	x->about.status = head->status;
	x->about.retry_after =
		arena_dup(x->arena, http_head_get(head, SPAN("retry-after")));
	x->about.trace =
		arena_dup(x->arena, http_head_get(head, SPAN("x-request-id")));
	xlate_take_upstream_id(x, x->about.trace);
	if (!http_date(http_head_get(head, SPAN("date")), &x->about.now_wall_s))
		x->about.now_wall_s = x->env.now_wall_s;
	if (head->status / 100 == 3)
		return xlate_fail_with(x, LLM_FAIL_UPSTREAM,
			"the upstream answered with a redirect, which is never "
			"followed");
	if (x->purpose == LLM_COUNT) {
		x->reply = REPLY_COUNT;
		return x->state;
	}
	if (head->status / 100 != 2) {
		x->reply = REPLY_ERROR;
		return x->state;
	}
	x->reply = is_event_stream(x, head) ? REPLY_SSE : REPLY_BODY;
	/* A stream cannot be copied into a body, nor a body into a stream. */
	x->is_copy = x->is_copy && (x->reply == REPLY_SSE) == x->is_stream;
	xlate_chain_build(x);
	if (x->reply == REPLY_SSE) {
		sse_init(&x->sse);
		x->has_sse = true;
	} else
		x->collected.max = XLATE_ANSWER_MAX;
	return x->state;
}

static bool
is_over(const struct xlate *x)
{
	return x->state != XLATE_PENDING && x->state != XLATE_OPEN;
}

/* is_torn: it is the last one and lacks its end. */
static void
feed_event(struct xlate *x, struct sse_event *ev, bool is_torn,
	struct gp_error *err)
{
	struct jdoc *doc = &x->scratch->answer;
	enum gp_code rc;

	ev->data = xlate_mend_text(x, ev->data);
	rc = x->upstream->dec_sse(x->dec, doc, ev, err);
	if (rc == GP_E_SYNTAX && xlate_mend_frame(x, ev))
		rc = x->upstream->dec_sse(x->dec, doc, ev, err);
	/* It was cut before its own end: as if it had not begun. */
	if (rc == GP_E_SYNTAX && is_torn)
		return;
	if (rc != GP_OK) {
		xlate_fail_from(x, err);
		return;
	}
	if (x->is_copy && x->state != XLATE_FAILED && x->state != XLATE_BROKEN)
		x->client->ans_copy_sse(ev, doc, &x->enc_env, x->out);
}

static enum xlate_state
feed_sse(struct xlate *x, struct span bytes)
{
	struct sse_event ev;
	struct gp_error err;
	size_t used;

	while (!is_over(x)) {
		switch (sse_feed(&x->sse, bytes, &used, &ev, &err)) {
		case SSE_MORE:
			return x->state;
		case SSE_EVENT:
			feed_event(x, &ev, false, &err);
			break;
		case SSE_FAIL:
			return xlate_fail_from(x, &err);
		}
		bytes = span_from(bytes, used);
	}
	return x->state;
}

enum xlate_state
xlate_feed(struct xlate *x, struct span bytes)
{
	if (is_over(x))
		return x->state;
	switch (x->reply) {
	case REPLY_SSE:
		feed_sse(x, bytes);
		break;
	case REPLY_BODY:
		buf_put(&x->collected, bytes);
		if (x->collected.bad)
			xlate_fail_with(x, LLM_FAIL_UPSTREAM,
				"the upstream's answer is too large");
		break;
	case REPLY_ERROR:
	case REPLY_COUNT:
		/* The beginning tells what is wrong. */
		buf_put(&x->collected,
			span_head(bytes,
				XLATE_ERROR_MAX - buf_len(&x->collected)));
		break;
	case REPLY_NONE:
		GP_UNREACHED();
	}
	if (x->out->bad)
		xlate_fail_with(x, LLM_FAIL_UPSTREAM,
			"the answer is too large to be held");
	return x->state;
}

static void
end_body(struct xlate *x)
{
	struct jdoc *doc = &x->scratch->answer;
	struct span body = xlate_mend_text(x, buf_span(&x->collected));
	struct gp_error err;

	if (jdoc_parse(doc, body, &err) != GP_OK) {
		xlate_fail_upstream(x, body, false);
		return;
	}
	if (x->profile->is_failure(doc)) {
		xlate_fail_upstream(x, body, false);
		return;
	}
	if (x->upstream->dec_body(x->dec, doc, &err) != GP_OK) {
		xlate_fail_from(x, &err);
		return;
	}
	if (x->is_copy && x->state == XLATE_DONE)
		x->client->ans_copy_body(doc, &x->enc_env, x->out);
}

static void
end_sse(struct xlate *x)
{
	struct sse_event ev;
	struct gp_error err;

	if (sse_end(&x->sse, &ev) == SSE_EVENT)
		feed_event(x, &ev, true, &err);
	if (is_over(x))
		return;
	if (x->upstream->dec_end(x->dec, &err) != GP_OK)
		xlate_fail_from(x, &err);
	else if (x->is_copy && x->state == XLATE_DONE) {
		notice_add(&x->req.notices, "early_eof", SPAN_EMPTY);
		x->client->ans_copy_end(x->out);
	}
}

enum xlate_state
xlate_end(struct xlate *x)
{
	if (is_over(x))
		return x->state;
	switch (x->reply) {
	case REPLY_SSE:
		end_sse(x);
		break;
	case REPLY_BODY:
		end_body(x);
		break;
	case REPLY_ERROR:
		return xlate_fail_upstream(x, buf_span(&x->collected), false);
	case REPLY_COUNT:
		return xlate_count_end(x);
	case REPLY_NONE:
		return xlate_fail_with(
			x, LLM_FAIL_UPSTREAM, "the upstream gave no answer");
	}
	if (!is_over(x))
		return xlate_fail_with(x, LLM_FAIL_UPSTREAM,
			"the upstream's answer ended before it was complete");
	return x->state;
}

enum xlate_state
xlate_fail(struct xlate *x, const struct llm_failure *f)
{
	if (x->reply != REPLY_SSE || is_over(x))
		return xlate_fail_now(x, f);
	/* If upstream has said how its answer ends, nothing of it is lost. */
	x->cut = f;
	return xlate_end(x);
}

enum xlate_state
xlate_distrust(struct xlate *x, const struct llm_failure *f)
{
	return xlate_fail_now(x, f);
}

enum xlate_state
xlate_heartbeat(struct xlate *x)
{
	if (!x->is_stream || is_over(x))
		return x->state;
	/* What has waited for more goes out together with it. */
	if (x->gate.started)
		x->has_begun = true;
	x->client->heartbeat(
		buf_len(x->out) > x->out_start || x->gate.started, x->out);
	x->state = XLATE_OPEN;
	return x->state;
}
