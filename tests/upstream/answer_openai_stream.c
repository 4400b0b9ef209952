/* SPDX-License-Identifier: MIT */
/* answer_openai_stream.c - answers of Chat Completions, streamed. */
#include "tests/upstream/answer.h"
#include "tests/upstream/text.h"

struct chunks {
	struct plan *p;
	struct frames *f;
	struct buf *out;
	struct span head;    /* what every chunk begins with */
	bool is_whole;       /* a call comes in one chunk */
	unsigned late_parts; /* QUIRK_LATE_NAME: fragments sent so far */
};

static void
make_head(struct chunks *c)
{
	struct plan *p = c->p;
	struct span id = SPAN_EMPTY;

	if (p->sc->noid <= 0)
		id = arena_printf(p->arena, "\"id\":\"%s\",", p->trace);
	c->head = arena_printf(p->arena,
		"data: {%.*s%s\"created\":%lld,\"model\":\"%.*s\","
		"\"choices\":[",
		SPAN_ARG(id),
		p->sc->object > 0 ? "\"object\":\"chat.completion.chunk\"," :
				    "",
		(long long)p->created_s,
		SPAN_ARG(text_escaped(p->arena, p->r->model_name)));
}

/* An open delta; the role is in every one. */
static void
delta_begin(struct chunks *c)
{
	buf_put(c->out, c->head);
	buf_puts(c->out, "{\"index\":0,\"delta\":{\"role\":\"assistant\",");
}

static void
delta_end(struct chunks *c)
{
	buf_puts(c->out, "}}]}\n\n");
	frame_end(c->p, c->f, FRAME_EVENT);
}

static void
put_blanks(struct chunks *c)
{
	static const char *const choices[] = { "",
		"{\"index\":0,\"delta\":{\"content\":null}}", "{\"index\":0}" };

	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		buf_put(c->out, c->head);
		buf_puts(c->out, choices[i]);
		buf_puts(c->out, "]}\n\n");
		frame_end(c->p, c->f, FRAME_EVENT);
	}
}

static void
put_usage_chunk(struct chunks *c, enum frame_kind kind)
{
	buf_put(c->out, c->head);
	buf_puts(c->out, "],");
	answer_openai_usage(c->p, c->out);
	buf_puts(c->out, "}\n\n");
	frame_end(c->p, c->f, kind);
}

static unsigned
index_of(const struct chunks *c, unsigned call)
{
	return c->p->quirk == QUIRK_SAME_INDEX ? 0 : call;
}

/* A call with its name; args: the inside of a JSON string. */
static void
put_call(struct chunks *c, unsigned i, struct span args)
{
	const struct call *call = &c->p->calls.v[i];

	buf_printf(c->out,
		"\"tool_calls\":[{\"id\":\"%s\",\"index\":%u,\"type\":"
		"\"function\",\"function\":{\"name\":\"%.*s\","
		"\"arguments\":\"",
		call->id, index_of(c, i), SPAN_ARG(call->name));
	buf_put(c->out, args);
	buf_puts(c->out, "\"}}]");
}

static void
put_args(struct chunks *c, const struct act *act)
{
	buf_printf(c->out,
		"\"tool_calls\":[{\"index\":%u,\"function\":{\"arguments\":\"",
		index_of(c, act->call));
	buf_put(c->out, act->text);
	buf_puts(c->out, "\"}}]");
}

/* Fragments first, then the name, then the rest without an id. */
static void
put_args_late(struct chunks *c, const struct act *act)
{
	const struct call *call = &c->p->calls.v[act->call];
	bool is_first = c->late_parts++ == 0;

	delta_begin(c);
	buf_puts(c->out, "\"tool_calls\":[{\"index\":0,\"id\":");
	text_put_string_or_null(
		c->out, is_first ? span_cstr(call->id) : SPAN_EMPTY);
	buf_puts(c->out,
		",\"type\":\"function\",\"function\":{\"arguments\":\"");
	buf_put(c->out, act->text);
	buf_puts(c->out, "\"}}]");
	delta_end(c);
	if (!is_first)
		return;
	delta_begin(c);
	buf_printf(c->out,
		"\"tool_calls\":[{\"index\":0,\"id\":null,\"function\":"
		"{\"name\":\"%.*s\"}}]",
		SPAN_ARG(call->name));
	delta_end(c);
}

static void
put_tool_act(struct chunks *c, const struct act *act)
{
	enum quirk quirk = c->p->quirk;

	if (quirk == QUIRK_WHOLE)
		return; /* with the finish */
	if (quirk == QUIRK_LATE_NAME) {
		if (act->kind == ACT_ARGS)
			put_args_late(c, act);
		return;
	}
	if (act->kind == ACT_ARGS && c->is_whole)
		return;
	delta_begin(c);
	if (act->kind == ACT_ARGS)
		put_args(c, act);
	else
		put_call(c, act->call,
			c->is_whole ? text_escaped(c->p->arena,
					      c->p->calls.v[act->call].args) :
				      SPAN_EMPTY);
	delta_end(c);
}

static void
put_act(struct chunks *c, const struct act *act)
{
	if (act->kind == ACT_CALL || act->kind == ACT_ARGS) {
		put_tool_act(c, act);
		return;
	}
	delta_begin(c);
	buf_puts(c->out,
		act->kind == ACT_TEXT ? "\"content\":\"" :
					"\"reasoning_content\":\"");
	buf_put(c->out, act->text);
	buf_putc(c->out, '"');
	delta_end(c);
	if (c->p->sc->blank > 0)
		put_blanks(c);
}

static void
put_finish(struct chunks *c, bool has_usage)
{
	struct plan *p = c->p;

	buf_put(c->out, c->head);
	buf_printf(c->out,
		"{\"index\":0,\"finish_reason\":%s,\"delta\":"
		"{\"role\":\"assistant\",\"content\":\"\"",
		answer_openai_finish(p->finish));
	if (p->quirk == QUIRK_WHOLE && p->calls.n > 0) {
		buf_putc(c->out, ',');
		put_call(c, 0, text_escaped(p->arena, p->calls.v[0].args));
	}
	buf_puts(c->out, "}}]");
	if (has_usage) {
		buf_putc(c->out, ',');
		answer_openai_usage(p, c->out);
	}
	buf_puts(c->out, "}\n\n");
	frame_end(p, c->f, FRAME_FINISH);
}

void
answer_openai_stream(struct plan *p, struct frames *f)
{
	struct chunks c = { .p = p, .f = f, .out = &f->bytes };
	struct span usage = p->sc->usage;
	bool both = span_eq(usage, SPAN("both"));

	c.is_whole = !p->r->wants_tool_stream && p->sc->frag < 0 &&
		p->quirk != QUIRK_INTERLEAVED;
	make_head(&c);
	if (p->sc->blank > 0)
		put_blanks(&c);
	for (size_t i = 0; i < p->acts.n; i++)
		put_act(&c, &p->acts.v[i]);
	if (span_eq(usage, SPAN("before")))
		put_usage_chunk(&c, FRAME_EVENT);
	if (p->finish != FINISH_NONE)
		put_finish(&c,
			both || usage.n == 0 || span_eq(usage, SPAN("finish")));
	if (both || span_eq(usage, SPAN("chunk")))
		put_usage_chunk(&c, FRAME_FINISH);
	buf_puts(c.out, "data: [DONE]\n\n");
	frame_end(p, f, FRAME_END);
}
