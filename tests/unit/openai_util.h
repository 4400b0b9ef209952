/* SPDX-License-Identifier: MIT */
/* openai_util.h - a request's tree as one line, and samples that expect one. */
#ifndef TESTS_UNIT_OPENAI_UTIL_H
#define TESTS_UNIT_OPENAI_UTIL_H

#include <stdlib.h>

#include "shared/translate/dialect_openai.h"
#include "tests/lib/t.h"

#define OUT_MAX (1u << 20)

struct sample {
	const char *name;
	const char *json;
	/* As print_request writes it; "!param reason" for a refusal. */
	const char *want;
};

/* --- the tree as one line ------------------------------------------------- */

static void
print_args(struct buf *b, const struct llm_args *args)
{
	if (args->has_text)
		buf_printf(b, "'%.*s'", SPAN_ARG(args->text.s));
	else
		buf_printf(b, "%.*s", SPAN_ARG(args->value.s));
}

static void
print_leaf(struct buf *b, const struct llm_part *p)
{
	switch (p->kind) {
	case LLM_PART_TEXT:
		buf_printf(b, "text:%.*s", SPAN_ARG(p->text.s));
		break;
	case LLM_PART_THINK:
		buf_printf(b, "think:%.*s", SPAN_ARG(p->text.s));
		break;
	case LLM_PART_IMAGE:
		buf_printf(b, "image:%s%.*s:%.*s", p->image.is_url ? "url" : "",
			SPAN_ARG(p->image.media_type.s),
			SPAN_ARG(p->image.data.s));
		break;
	case LLM_PART_CALL:
		buf_printf(b, "call:%.*s:%.*s", SPAN_ARG(p->id.s),
			SPAN_ARG(p->name.s));
		print_args(b, &p->args);
		break;
	case LLM_PART_RESULT:
		buf_printf(b, "result:%.*s%s%s", SPAN_ARG(p->id.s),
			p->is_flat ? ":flat" : "", p->is_error ? ":error" : "");
		break;
	}
	if (!jraw_is_none(p->cache_control))
		buf_printf(b, "+%.*s", SPAN_ARG(p->cache_control.s));
}

static void
print_parts(struct buf *b, const struct llm_parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		const struct llm_part *const p = &parts->v[i];

		buf_puts(b, i == 0 ? "" : " ");
		print_leaf(b, p);
		for (size_t k = 0; k < p->parts.n; k++) {
			buf_puts(b, "/");
			print_leaf(b, &p->parts.v[k]);
		}
	}
}

static void
print_turns(struct buf *b, const struct llm_req *r)
{
	static const char letters[] = "SUA";

	for (size_t i = 0; i < r->turns.n; i++) {
		buf_printf(b, "%c%zu[", letters[r->turns.v[i].role],
			r->turns.v[i].source);
		print_parts(b, &r->turns.v[i].parts);
		buf_puts(b, "]");
	}
}

static void
print_tools(struct buf *b, const struct llm_req *r)
{
	static const char *const choices[] = { "", "auto", "any", "none",
		"named:" };

	for (size_t i = 0; i < r->tools.n; i++)
		buf_printf(b, " tool:%.*s(%.*s)%.*s%.*s",
			SPAN_ARG(r->tools.v[i].name.s),
			SPAN_ARG(r->tools.v[i].description.s),
			SPAN_ARG(r->tools.v[i].schema.s),
			SPAN_ARG(r->tools.v[i].cache_control.s));
	if (r->choice != LLM_CHOICE_UNSET)
		buf_printf(b, " choice:%s%.*s", choices[r->choice],
			SPAN_ARG(r->choice_name.s));
	buf_puts(b, r->single_call ? " single" : "");
	buf_puts(b, r->has_functions ? " functions" : "");
}

static void
print_knobs(struct buf *b, const struct llm_req *r)
{
	buf_puts(b, r->stream ? " stream" : "");
	buf_puts(b, r->wants_usage ? " usage" : "");
	if (r->max_tokens > 0)
		buf_printf(b, " max:%lld", (long long)r->max_tokens);
	if (!jraw_is_none(r->temperature.raw))
		buf_printf(b, " t:%.*s", SPAN_ARG(r->temperature.raw.s));
	if (!jraw_is_none(r->top_p.raw))
		buf_printf(b, " p:%.*s", SPAN_ARG(r->top_p.raw.s));
	for (size_t i = 0; i < r->stop.n; i++)
		buf_printf(b, " stop:%.*s", SPAN_ARG(r->stop.v[i].s));
	if (r->think.mode != LLM_THINK_UNSET)
		buf_puts(b,
			r->think.mode == LLM_THINK_ON ? " think:on" :
							" think:off");
	if (r->think.effort != LLM_EFFORT_UNSET)
		buf_printf(b, " effort:%s", openai_efforts[r->think.effort].p);
	if (r->think.budget_tokens > 0)
		buf_printf(
			b, " budget:%lld", (long long)r->think.budget_tokens);
	if (r->format != LLM_FORMAT_TEXT)
		buf_printf(b, " format:%s%.*s%.*s",
			r->format == LLM_FORMAT_JSON ? "json" : "schema:",
			SPAN_ARG(r->format_name.s),
			SPAN_ARG(r->format_schema.s));
	if (!jesc_is_empty(r->user_id))
		buf_printf(b, " user:%.*s", SPAN_ARG(r->user_id.s));
	for (size_t i = 0; i < r->extra.n; i++) {
		assert_ptr_equal(r->extra.v[i].owner, &dialect_openai);
		buf_printf(b, " extra:%.*s=%.*s", SPAN_ARG(r->extra.v[i].key.s),
			SPAN_ARG(r->extra.v[i].value.s));
	}
}

static void
print_request(struct buf *b, const struct llm_req *r)
{
	print_turns(b, r);
	print_tools(b, r);
	print_knobs(b, r);
	if (r->notices.total > 0) {
		buf_puts(b, " notices:");
		notices_print(&r->notices, b);
	}
}

/* --- running a sample ----------------------------------------------------- */

static void
run_sample(void **state)
{
	const struct sample *const s = *state;
	char *const json = t_exact(span_cstr(s->json));
	const struct span text = span_of(json, strlen(s->json));
	struct arena a;
	struct jdoc doc;
	struct llm_req r;
	struct gp_error err = { .reason = NULL };
	struct buf out;

	arena_init(&a);
	jdoc_init(&doc);
	buf_init(&out, OUT_MAX);
	llm_req_init(&r, &a, LLM_CHAT);
	assert_ok(jdoc_parse(&doc, text, &err), &err);
	if (dialect_openai.req_decode(&doc, &r, &err) == GP_OK) {
		print_request(&out, &r);
	} else {
		assert_int_equal(err.code, GP_E_SCHEMA);
		assert_true(
			span_starts(span_cstr(err.text), span_cstr(err.param)));
		buf_printf(&out, "!%s %s", err.param,
			err.reason == NULL ? "-" : err.reason);
		/* Nobody has to ask why. */
		assert_int_equal(
			dialect_openai.req_decode(&doc, &r, NULL), GP_E_SCHEMA);
	}
	assert_spans_eq(buf_span(&out), span_cstr(s->want));
	buf_fini(&out);
	jdoc_fini(&doc);
	arena_fini(&a);
	free(json);
}

/* Decode a request in which `each` stands n times between two texts. */
static void
decode_many(const char *before, const char *each, size_t n, const char *after,
	struct gp_error *err, enum gp_code *rc)
{
	char *const many = t_repeat(each, n);
	struct arena a;
	struct jdoc doc;
	struct llm_req r;
	struct buf b;

	arena_init(&a);
	jdoc_init(&doc);
	buf_init(&b, OUT_MAX);
	llm_req_init(&r, &a, LLM_CHAT);
	buf_printf(&b, "%s%s%s", before, many, after);
	assert_ok(jdoc_parse(&doc, buf_span(&b), err), err);
	*rc = dialect_openai.req_decode(&doc, &r, err);
	buf_fini(&b);
	jdoc_fini(&doc);
	arena_fini(&a);
	free(many);
}

/* A test for each sample, named after it. */
static size_t
add_samples(struct CMUnitTest *tests, size_t at, struct sample *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		tests[at++] = (struct CMUnitTest){ s[i].name, run_sample, NULL,
			NULL, &s[i] };
	return at;
}

#define X         "U0[text:x]"
#define MSG(text) "{\"messages\":[" text "]}"

#endif
