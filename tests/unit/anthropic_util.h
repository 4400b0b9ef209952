/* SPDX-License-Identifier: MIT */
/*
 * anthropic_util.h - trees and events of the Messages dialect as one text, so
 * that a test is a table of two strings.
 */
#ifndef TESTS_UNIT_ANTHROPIC_UTIL_H
#define TESTS_UNIT_ANTHROPIC_UTIL_H

#include <stdio.h>
#include <stdlib.h>

#include "shared/translate/dialect_anthropic.h"
#include "shared/translate/llm_guard.h"
#include "tests/lib/t.h"

#define OUT_MAX (1u << 20)

/* One request, parsed and decoded. */
struct asked {
	struct arena arena;
	struct jdoc doc;
	struct llm_req r;
	struct gp_error err;
	enum gp_code rc;
};

static inline void
ask(struct asked *a, const char *json, enum llm_purpose purpose)
{
	arena_init(&a->arena);
	jdoc_init(&a->doc);
	llm_req_init(&a->r, &a->arena, purpose);
	assert_ok(jdoc_parse(&a->doc, span_cstr(json), &a->err), &a->err);
	a->err.text[0] = '\0';
	a->rc = dialect_anthropic.req_decode(&a->doc, &a->r, &a->err);
}

static inline void
ask_end(struct asked *a)
{
	jdoc_fini(&a->doc);
	arena_fini(&a->arena);
}

/* --- trees ---------------------------------------------------------------- */

static inline void
show_jesc(struct buf *b, const char *label, struct jesc s)
{
	if (jesc_is_empty(s))
		return;
	buf_printf(b, " %s=%.*s", label, SPAN_ARG(s.s));
}

static inline void
show_part(struct buf *b, struct arena *a, const struct llm_part *p)
{
	switch (p->kind) {
	case LLM_PART_TEXT:
		buf_printf(b, " text(%.*s)", SPAN_ARG(p->text.s));
		break;
	case LLM_PART_THINK:
		buf_printf(b, " think(%.*s|%.*s)", SPAN_ARG(p->text.s),
			SPAN_ARG(p->signature.s));
		break;
	case LLM_PART_IMAGE:
		buf_printf(b, " image(%s%.*s|%.*s)",
			p->image.is_url ? "url" : "",
			SPAN_ARG(p->image.media_type.s),
			SPAN_ARG(p->image.data.s));
		break;
	case LLM_PART_CALL:
		buf_printf(b, " call(%.*s|%.*s|%.*s)", SPAN_ARG(p->id.s),
			SPAN_ARG(p->name.s),
			SPAN_ARG(llm_args_value(a, &p->args).s));
		break;
	case LLM_PART_RESULT:
		buf_printf(b, " result(%.*s|%s%s", SPAN_ARG(p->id.s),
			p->is_flat ? "flat" : "blocks",
			p->is_error ? "|error" : "");
		for (size_t i = 0; i < p->parts.n; i++) {
			const struct llm_part *const q = &p->parts.v[i];

			if (q->kind == LLM_PART_TEXT)
				buf_printf(
					b, " text(%.*s)", SPAN_ARG(q->text.s));
			else
				buf_printf(b, " image(%.*s)",
					SPAN_ARG(q->image.data.s));
		}
		buf_puts(b, ")");
		break;
	}
	if (!jraw_is_none(p->cache_control))
		buf_printf(b, "@%.*s", SPAN_ARG(p->cache_control.s));
}

static inline void
show_knobs(struct buf *b, const struct llm_req *r)
{
	static const char *const choices[] = { "unset", "auto", "any", "none",
		"named" };

	show_jesc(b, "model", r->model);
	if (r->max_tokens != 0)
		buf_printf(b, " max=%lld", (long long)r->max_tokens);
	if (r->stream)
		buf_puts(b, " stream");
	show_jesc(b, "temp", (struct jesc){ r->temperature.raw.s });
	show_jesc(b, "top_p", (struct jesc){ r->top_p.raw.s });
	if (r->top_k != 0)
		buf_printf(b, " top_k=%lld", (long long)r->top_k);
	for (size_t i = 0; i < r->stop.n; i++)
		show_jesc(b, "stop", r->stop.v[i]);
	if (r->choice != LLM_CHOICE_UNSET)
		buf_printf(b, " choice=%s", choices[r->choice]);
	show_jesc(b, "named", r->choice_name);
	if (r->single_call)
		buf_puts(b, " single");
	if (r->think.mode != LLM_THINK_UNSET)
		buf_printf(b, " think=%s",
			r->think.mode == LLM_THINK_ON ? "on" : "off");
	if (r->think.budget_tokens != 0)
		buf_printf(
			b, " budget=%lld", (long long)r->think.budget_tokens);
	if (r->think.effort != LLM_EFFORT_UNSET)
		buf_printf(b, " effort=%d", (int)r->think.effort);
	if (r->think.keep_all)
		buf_puts(b, " keep_all");
	show_jesc(b, "schema", (struct jesc){ r->format_schema.s });
	show_jesc(b, "user", r->user_id);
}

/* Everything that a request may set, a line for the knobs, for each turn, tool
 * and extra, and for the notices. */
static inline void
show_req(struct buf *b, const struct llm_req *r)
{
	static const char *const roles[] = { "system", "user", "assistant" };

	show_knobs(b, r);
	for (size_t i = 0; i < r->turns.n; i++) {
		const struct llm_turn *const t = &r->turns.v[i];

		buf_printf(b, "\n%s %zu:", roles[t->role], t->source);
		for (size_t k = 0; k < t->parts.n; k++)
			show_part(b, r->arena, &t->parts.v[k]);
	}
	for (size_t i = 0; i < r->tools.n; i++) {
		const struct llm_tool *const t = &r->tools.v[i];

		buf_puts(b, "\ntool");
		show_jesc(b, "name", t->name);
		show_jesc(b, "about", t->description);
		show_jesc(b, "schema", (struct jesc){ t->schema.s });
		show_jesc(b, "cache", (struct jesc){ t->cache_control.s });
	}
	for (size_t i = 0; i < r->extra.n; i++) {
		const struct llm_extra *const x = &r->extra.v[i];

		buf_printf(b, "\nextra%s %.*s=%.*s",
			x->is_minor ? " minor" : "", SPAN_ARG(x->key.s),
			SPAN_ARG(x->value.s));
	}
	if (r->notices.n > 0) {
		buf_puts(b, "\nnotices ");
		notices_print(&r->notices, b);
	}
}

/* --- events --------------------------------------------------------------- */

/* A sink that writes each event as a line. */
struct recorder {
	struct llm_sink sink;
	struct buf *out;
};

static inline void
show_count(struct buf *b, const char *label, int64_t n)
{
	if (n >= 0)
		buf_printf(b, " %s=%lld", label, (long long)n);
}

static inline enum gp_code
record(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	static const char *const kinds[] = { "start", "open", "delta", "close",
		"usage", "ping", "stop", "error" };
	static const char *const blocks[] = { "text", "think", "tool" };
	static const char *const stops[] = { "end", "tool", "length",
		"sequence", "refusal", "context", "pause", "unknown" };
	struct buf *const b = CONTAINER_OF(s, struct recorder, sink)->out;

	(void)err;
	buf_puts(b, kinds[e->kind]);
	if (e->kind == LLM_OPEN || e->kind == LLM_DELTA || e->kind == LLM_CLOSE)
		buf_printf(b, " %s", blocks[e->block]);
	show_jesc(b, "id", e->id);
	show_jesc(b, "name", e->name);
	show_jesc(b, "text", e->text);
	show_jesc(b, "sig", e->signature);
	if (e->kind == LLM_STOP)
		buf_printf(b, " %s", stops[e->stop]);
	show_jesc(b, "by", e->stop_text);
	if (e->kind == LLM_USAGE) {
		show_count(b, "in", e->usage.input);
		show_count(b, "read", e->usage.cache_read);
		show_count(b, "write", e->usage.cache_write);
		show_count(b, "out", e->usage.output);
		show_count(b, "think", e->usage.reasoning);
	}
	if (e->kind == LLM_ERROR && jraw_is_none(e->error))
		buf_printf(b, " why=%s", e->why);
	show_jesc(b, "raw", (struct jesc){ e->error.s });
	buf_puts(b, "\n");
	return GP_OK;
}

#endif
