/* SPDX-License-Identifier: MIT */
/* answer_openai.c - answers of Chat Completions that are not streamed. */
#include "tests/upstream/answer.h"
#include "tests/upstream/text.h"

const char *
answer_openai_finish(enum finish finish)
{
	switch (finish) {
	case FINISH_STOP:
	case FINISH_WORD:
		return "\"stop\"";
	case FINISH_TOOLS:
		return "\"tool_calls\"";
	case FINISH_LENGTH:
		return "\"length\"";
	case FINISH_FILTER:
		return "\"content_filter\"";
	case FINISH_SENSITIVE:
		return "\"sensitive\"";
	case FINISH_NETWORK:
		return "\"network_error\"";
	case FINISH_WINDOW:
		return "\"model_context_window_exceeded\"";
	case FINISH_UNKNOWN:
		return "\"because\"";
	case FINISH_NONE:
		break;
	}
	return "null";
}

void
answer_openai_usage(const struct plan *p, struct buf *out)
{
	long long input = p->input_tokens, output = p->output_tokens;

	buf_printf(out,
		"\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
		"\"total_tokens\":%lld,\"prompt_tokens_details\":"
		"{\"cached_tokens\":%lld}}",
		input, output, input + output, (long long)p->cached_tokens);
}

static bool
has_act(const struct plan *p, enum act_kind kind)
{
	for (size_t i = 0; i < p->acts.n; i++)
		if (p->acts.v[i].kind == kind)
			return true;
	return false;
}

static void
put_calls(const struct plan *p, struct buf *out)
{
	buf_puts(out, ",\"tool_calls\":[");
	for (size_t i = 0; i < p->calls.n; i++) {
		const struct call *call = &p->calls.v[i];

		buf_printf(out,
			"%s{\"id\":\"%s\",\"index\":%zu,\"type\":\"function\","
			"\"function\":{\"name\":\"%.*s\",\"arguments\":",
			i == 0 ? "" : ",", call->id, i, SPAN_ARG(call->name));
		text_put_string(out, call->args);
		buf_puts(out, "}}");
	}
	buf_putc(out, ']');
}

void
answer_openai_body(struct plan *p, struct buf *out)
{
	buf_putc(out, '{');
	if (p->sc->noid <= 0)
		buf_printf(out, "\"id\":\"%s\",", p->trace);
	if (p->sc->object > 0)
		buf_puts(out, "\"object\":\"chat.completion\",");
	buf_printf(out,
		"\"request_id\":\"%s\",\"created\":%lld,\"model\":", p->trace,
		(long long)p->created_s);
	text_put_string(out, p->r->model_name);
	buf_printf(out, ",\"choices\":[{\"index\":0,\"finish_reason\":%s,",
		answer_openai_finish(p->finish));
	buf_puts(out, "\"message\":{\"role\":\"assistant\",\"content\":\"");
	answer_join(p, ACT_TEXT, out);
	buf_putc(out, '"');
	if (has_act(p, ACT_THINK)) {
		buf_puts(out, ",\"reasoning_content\":\"");
		answer_join(p, ACT_THINK, out);
		buf_putc(out, '"');
	}
	if (p->calls.n > 0)
		put_calls(p, out);
	buf_puts(out, "}}],");
	answer_openai_usage(p, out);
	buf_putc(out, '}');
}
