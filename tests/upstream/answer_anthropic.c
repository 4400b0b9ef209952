/* SPDX-License-Identifier: MIT */
/* answer_anthropic.c - answers of Messages. */
#include "tests/upstream/answer.h"
#include "tests/upstream/text.h"

#define SIGNATURE "c3RhbmRpbi1zaWduYXR1cmU="

static const char *
stop_reason(enum finish finish)
{
	switch (finish) {
	case FINISH_STOP:
		return "\"end_turn\"";
	case FINISH_TOOLS:
		return "\"tool_use\"";
	case FINISH_LENGTH:
		return "\"max_tokens\"";
	case FINISH_WORD:
		return "\"stop_sequence\"";
	case FINISH_FILTER:
	case FINISH_SENSITIVE:
		return "\"refusal\"";
	case FINISH_WINDOW:
		return "\"model_context_window_exceeded\"";
	case FINISH_UNKNOWN:
		return "\"because\"";
	case FINISH_NETWORK:
	case FINISH_NONE:
		break;
	}
	return "null";
}

static void
put_usage(const struct plan *p, struct buf *out)
{
	long long cached = p->cached_tokens, fresh = p->input_tokens - cached;

	buf_printf(out,
		"\"usage\":{\"input_tokens\":%lld,\"output_tokens\":%lld,"
		"\"cache_read_input_tokens\":%lld}",
		fresh, (long long)p->output_tokens, cached);
}

static void
put_stop(const struct plan *p, struct buf *out)
{
	buf_printf(out, "\"stop_reason\":%s,\"stop_sequence\":",
		stop_reason(p->finish));
	if (p->finish == FINISH_WORD)
		buf_printf(out, "\"%.*s\"", SPAN_ARG(p->stop_word));
	else
		buf_puts(out, "null");
}

static void
put_head(const struct plan *p, struct buf *out)
{
	buf_putc(out, '{');
	if (p->sc->noid <= 0)
		buf_printf(out, "\"id\":\"msg_%s\",", p->trace);
	buf_puts(out,
		"\"type\":\"message\",\"role\":\"assistant\","
		"\"model\":");
	text_put_string(out, p->r->model_name);
}

/* --- body -------------------------------------------------------------- */

static void
put_tool_block(const struct plan *p, const struct call *call, struct buf *out)
{
	bool is_empty = call->args.n == 0 || p->quirk == QUIRK_CUT_ARGS;

	buf_printf(out, "{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":\"",
		call->id);
	buf_put(out, call->name);
	buf_puts(out, "\",\"input\":");
	buf_put(out, is_empty ? SPAN("{}") : call->args);
	buf_putc(out, '}');
}

/* The block that begins with act i; returns the index behind it. */
static size_t
put_block(const struct plan *p, size_t i, struct buf *out)
{
	enum act_kind kind = p->acts.v[i].kind;
	bool is_text = kind == ACT_TEXT;

	if (kind == ACT_CALL || kind == ACT_ARGS) {
		put_tool_block(p, &p->calls.v[p->acts.v[i].call], out);
		for (i++; i < p->acts.n && p->acts.v[i].kind == ACT_ARGS;)
			i++;
		return i;
	}
	buf_puts(out,
		is_text ? "{\"type\":\"text\",\"text\":\"" :
			  "{\"type\":\"thinking\",\"thinking\":\"");
	for (; i < p->acts.n && p->acts.v[i].kind == kind; i++)
		buf_put(out, p->acts.v[i].text);
	buf_puts(out, is_text ? "\"}" : "\",\"signature\":\"" SIGNATURE "\"}");
	return i;
}

void
answer_anthropic_body(struct plan *p, struct buf *out)
{
	put_head(p, out);
	buf_puts(out, ",\"content\":[");
	for (size_t i = 0; i < p->acts.n;) {
		if (i > 0)
			buf_putc(out, ',');
		i = put_block(p, i, out);
	}
	buf_puts(out, "],");
	put_stop(p, out);
	buf_putc(out, ',');
	put_usage(p, out);
	buf_putc(out, '}');
}

/* --- stream ------------------------------------------------------------ */

struct blocks {
	struct plan *p;
	struct frames *f;
	struct buf *out;
	bool is_open;
	enum act_kind kind; /* of the open block; ACT_CALL for a tool's */
	unsigned index;
};

/* The beginning of an event that names the block. */
static void
event_begin(struct blocks *b, const char *type)
{
	buf_puts(b->out, "event: ");
	buf_puts(b->out, type);
	buf_puts(b->out, "\ndata: {\"type\":\"");
	buf_puts(b->out, type);
	buf_puts(b->out, "\",\"index\":");
	buf_put_u64(b->out, b->index);
}

static void
event_end(struct blocks *b, enum frame_kind kind)
{
	buf_puts(b->out, "}\n\n");
	frame_end(b->p, b->f, kind);
}

static void
block_close(struct blocks *b)
{
	if (!b->is_open)
		return;
	if (b->kind == ACT_THINK) {
		event_begin(b, "content_block_delta");
		buf_puts(b->out,
			",\"delta\":{\"type\":\"signature_delta\","
			"\"signature\":\"" SIGNATURE "\"}");
		event_end(b, FRAME_EVENT);
	}
	event_begin(b, "content_block_stop");
	event_end(b, FRAME_EVENT);
	b->is_open = false;
	b->index++;
}

static void
block_open(struct blocks *b, const struct act *act)
{
	const struct call *call;

	block_close(b);
	b->is_open = true;
	b->kind = act->kind;
	event_begin(b, "content_block_start");
	buf_puts(b->out, ",\"content_block\":");
	if (act->kind == ACT_TEXT) {
		buf_puts(b->out, "{\"type\":\"text\",\"text\":\"\"}");
	} else if (act->kind == ACT_THINK) {
		buf_puts(b->out,
			"{\"type\":\"thinking\",\"thinking\":\"\","
			"\"signature\":\"\"}");
	} else {
		call = &b->p->calls.v[act->call];
		buf_printf(b->out,
			"{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":\"%.*s\""
			",\"input\":%.*s}",
			call->id, SPAN_ARG(call->name),
			SPAN_ARG(b->p->quirk == QUIRK_START_INPUT ?
					call->args :
					SPAN("{}")));
	}
	event_end(b, FRAME_EVENT);
}

static void
put_delta(struct blocks *b, const struct act *act)
{
	static const char *const heads[] = {
		[ACT_TEXT] = "{\"type\":\"text_delta\",\"text\":\"",
		[ACT_THINK] = "{\"type\":\"thinking_delta\",\"thinking\":\"",
		[ACT_ARGS] = "{\"type\":\"input_json_delta\","
			     "\"partial_json\":\"",
	};

	event_begin(b, "content_block_delta");
	buf_puts(b->out, ",\"delta\":");
	buf_puts(b->out, heads[act->kind]);
	buf_put(b->out, act->text);
	buf_puts(b->out, "\"}");
	event_end(b, FRAME_EVENT);
}

static void
put_act(struct blocks *b, const struct act *act)
{
	if (act->kind == ACT_CALL) {
		block_open(b, act);
		return;
	}
	if (act->kind == ACT_ARGS && b->p->quirk == QUIRK_START_INPUT)
		return;
	if (act->kind != ACT_ARGS && (!b->is_open || b->kind != act->kind))
		block_open(b, act);
	put_delta(b, act);
}

static void
put_start(struct plan *p, struct frames *f)
{
	struct buf *out = &f->bytes;

	buf_puts(out,
		"event: message_start\ndata: "
		"{\"type\":\"message_start\",\"message\":");
	put_head(p, out);
	buf_puts(out,
		",\"content\":[],\"stop_reason\":null,"
		"\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,"
		"\"output_tokens\":0}}}\n\n");
	frame_end(p, f, FRAME_EVENT);
	if (p->sc->ping == 0)
		return;
	buf_puts(out, "event: ping\ndata: {\"type\": \"ping\"}\n\n");
	frame_end(p, f, FRAME_EVENT);
}

void
answer_anthropic_stream(struct plan *p, struct frames *f)
{
	struct blocks b = { .p = p, .f = f, .out = &f->bytes };

	put_start(p, f);
	for (size_t i = 0; i < p->acts.n; i++)
		put_act(&b, &p->acts.v[i]);
	block_close(&b);
	if (p->finish == FINISH_NETWORK) {
		answer_failure_event(p, f);
		return;
	}
	buf_puts(b.out,
		"event: message_delta\ndata: "
		"{\"type\":\"message_delta\",\"delta\":{");
	put_stop(p, b.out);
	buf_puts(b.out, "},");
	put_usage(p, b.out);
	event_end(&b, FRAME_FINISH);
	buf_puts(b.out,
		"event: message_stop\ndata: "
		"{\"type\":\"message_stop\"");
	event_end(&b, FRAME_END);
}
