/* SPDX-License-Identifier: MIT */
/* answer.c - what both dialects' answers share, and the small routes. */
#include "tests/upstream/answer.h"

#include "tests/upstream/text.h"

void
frame_end(struct plan *p, struct frames *f, enum frame_kind kind)
{
	struct frame *frame = VEC_PUSH(p->arena, &f->list);

	frame->end = f->bytes.len;
	frame->kind = kind;
}

void
answer_join(const struct plan *p, enum act_kind kind, struct buf *out)
{
	for (size_t i = 0; i < p->acts.n; i++)
		if (p->acts.v[i].kind == kind)
			buf_put(out, p->acts.v[i].text);
}

void
answer_failure_event(struct plan *p, struct frames *f)
{
	if (p->r->side == SIDE_A)
		buf_puts(&f->bytes, "event: error\n");
	buf_puts(&f->bytes, "data: ");
	failure_put(&f->bytes, &p->failure, span_cstr(p->trace));
	buf_puts(&f->bytes, "\n\n");
	frame_end(p, f, FRAME_EVENT);
}

static void
put_tokenizer(const struct plan *p, struct buf *out)
{
	buf_printf(out,
		"{\"id\":\"%s\",\"created\":%lld,\"request_id\":\"%s\","
		"\"usage\":{\"prompt_tokens\":%lld,\"image_tokens\":0,"
		"\"video_tokens\":0,\"total_tokens\":%lld}}",
		p->trace, (long long)p->created_s, p->trace,
		(long long)p->input_tokens, (long long)p->input_tokens);
}

void
answer_body(struct plan *p, struct buf *out)
{
	if (p->is_failure || p->fails_first) {
		failure_put(out, &p->failure, span_cstr(p->trace));
		return;
	}
	switch (p->r->route) {
	case ROUTE_MESSAGES:
		answer_anthropic_body(p, out);
		return;
	case ROUTE_CHAT:
		answer_openai_body(p, out);
		return;
	case ROUTE_COUNT:
		buf_printf(out, "{\"input_tokens\":%lld}",
			(long long)p->input_tokens);
		return;
	case ROUTE_TOKENIZER:
		put_tokenizer(p, out);
		return;
	case ROUTE_MODELS:
		model_list(out);
		return;
	case ROUTE_NONE:
	case ROUTE_ELSEWHERE:
	case ROUTE_CONTROL:
		return;
	}
}

void
answer_stream(struct plan *p, struct frames *f)
{
	if (p->fails_first)
		answer_failure_event(p, f);
	else if (p->r->side == SIDE_A)
		answer_anthropic_stream(p, f);
	else
		answer_openai_stream(p, f);
}
