/* SPDX-License-Identifier: MIT */
/* dialect_anthropic_req.c - a Messages request: its fields become the tree. */
#include <stdarg.h>
#include <stdio.h>

#include "shared/translate/dialect_anthropic.h"

/* The least that the dialect takes as a thinking budget. */
#define BUDGET_MIN 1024

/* --- refusing ------------------------------------------------------------- */

static void
name_place(const struct anthropic_in *in, const char *field, char *out,
	size_t size)
{
	const char *const dot = field[0] == '\0' ? "" : ".";

	switch (in->depth) {
	case 0:
		(void)snprintf(out, size, "%s", field);
		return;
	case 1:
		(void)snprintf(out, size, "%s[%zu]%s%s", in->list, in->at[0],
			dot, field);
		return;
	case 2:
		(void)snprintf(out, size, "%s[%zu].content[%zu]%s%s", in->list,
			in->at[0], in->at[1], dot, field);
		return;
	default:
		(void)snprintf(out, size,
			"%s[%zu].content[%zu].content[%zu]%s%s", in->list,
			in->at[0], in->at[1], in->at[2], dot, field);
		return;
	}
}

enum gp_code
anthropic_refuse(
	struct anthropic_in *in, const char *field, const char *fmt, ...)
{
	char place[GP_ERROR_PARAM_MAX], clause[GP_ERROR_TEXT_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(clause, sizeof(clause), fmt, ap);
	va_end(ap);
	name_place(in, field, place, sizeof(place));
	(void)gp_fail(in->err, GP_E_SCHEMA, "%s %s",
		place[0] == '\0' ? "the body" : place, clause);
	return gp_fail_at(in->err, GP_E_SCHEMA, "%s", place);
}

enum gp_code
anthropic_refuse_type(struct anthropic_in *in, const char *field,
	const char *wanted, jref got)
{
	return anthropic_refuse(in, field, "must be %s, not %s", wanted,
		jdoc_type_name(jdoc_type(in->doc, got)));
}

/* --- single values -------------------------------------------------------- */

static enum gp_code
read_model(struct anthropic_in *in, jref v)
{
	if (jdoc_type(in->doc, v) != J_STR)
		return anthropic_refuse_type(in, "model", "a string", v);
	in->r->model = jdoc_str(in->doc, v);
	if (jesc_is_empty(in->r->model))
		return anthropic_refuse(in, "model", "must not be empty");
	return GP_OK;
}

/* 0 is legal here (it warms a cache up); the tree has no word for it. */
static enum gp_code
read_max_tokens(struct anthropic_in *in, jref v)
{
	if (!jdoc_int(in->doc, v, &in->r->max_tokens) || in->r->max_tokens < 0)
		return anthropic_refuse(in, "max_tokens",
			"must be a whole number that is not negative");
	return GP_OK;
}

/* Conversations kept by the server. Clients that hear that there are none
 * send the whole conversation with every request; without the refusal they
 * would leave out what was said before. */
static enum gp_code
read_thread(struct anthropic_in *in, jref v)
{
	const enum gp_code rc = anthropic_refuse(
		in, "thread", "is not supported: send the whole conversation");

	(void)v;
	if (in->err != NULL)
		in->err->reason = ANTHROPIC_NO_THREADS;
	return rc;
}

static enum gp_code
read_stream(struct anthropic_in *in, jref v)
{
	if (jdoc_type(in->doc, v) != J_BOOL)
		return anthropic_refuse_type(in, "stream", "a boolean", v);
	in->r->stream = jdoc_bool(in->doc, v, false);
	return GP_OK;
}

static enum gp_code
read_fraction(struct anthropic_in *in, jref v, const char *field,
	struct llm_number *out)
{
	if (!jdoc_double(in->doc, v, &out->value) || out->value < 0 ||
		out->value > 1)
		return anthropic_refuse(
			in, field, "must be a number from 0 to 1");
	out->raw = jdoc_raw(in->doc, v);
	return GP_OK;
}

static enum gp_code
read_temperature(struct anthropic_in *in, jref v)
{
	return read_fraction(in, v, "temperature", &in->r->temperature);
}

static enum gp_code
read_top_p(struct anthropic_in *in, jref v)
{
	return read_fraction(in, v, "top_p", &in->r->top_p);
}

static enum gp_code
read_top_k(struct anthropic_in *in, jref v)
{
	if (!jdoc_int(in->doc, v, &in->r->top_k) || in->r->top_k < 0)
		return anthropic_refuse(in, "top_k",
			"must be a whole number that is not negative");
	return GP_OK;
}

static enum gp_code
read_stop(struct anthropic_in *in, jref v)
{
	if (jdoc_type(in->doc, v) != J_ARR)
		return anthropic_refuse_type(
			in, "stop_sequences", "an array", v);
	JDOC_EACH (in->doc, v, it) {
		if (jdoc_type(in->doc, it) != J_STR)
			return anthropic_refuse_type(in, "stop_sequences",
				"an array of strings", it);
		if (!jesc_is_empty(jdoc_str(in->doc, it)))
			*VEC_PUSH(in->r->arena, &in->r->stop) =
				jdoc_str(in->doc, it);
	}
	return GP_OK;
}

static enum gp_code
read_metadata(struct anthropic_in *in, jref v)
{
	const jref user = jdoc_get_set(in->doc, v, SPAN("user_id"));

	if (jdoc_type(in->doc, v) != J_OBJ)
		return anthropic_refuse_type(in, "metadata", "an object", v);
	if (user == JREF_NONE)
		return GP_OK;
	if (jdoc_type(in->doc, user) != J_STR)
		return anthropic_refuse_type(
			in, "metadata.user_id", "a string", user);
	in->r->user_id = jdoc_str(in->doc, user);
	return GP_OK;
}

/* --- tools ---------------------------------------------------------------- */

static enum gp_code
read_tool(struct anthropic_in *in, jref v)
{
	const struct jdoc *const d = in->doc;
	const jref type = jdoc_get_set(d, v, SPAN("type"));
	const jref schema = jdoc_get_set(d, v, SPAN("input_schema"));
	const jref name = jdoc_get_set(d, v, SPAN("name"));
	const jref about = jdoc_get_set(d, v, SPAN("description"));
	const jref cache = jdoc_get(d, v, SPAN("cache_control"));
	struct llm_tool *tool;

	if (jdoc_type(d, v) != J_OBJ)
		return anthropic_refuse_type(in, "", "an object", v);
	if (type != JREF_NONE && jdoc_type(d, type) != J_STR)
		return anthropic_refuse_type(in, "type", "a string", type);
	if (schema == JREF_NONE && type != JREF_NONE &&
		!jdoc_is(d, type, SPAN("custom"))) {
		/* The maker's own tools: known by type, without a schema. */
		notice_add(&in->r->notices, "dropped", jdoc_str(d, type).s);
		return GP_OK;
	}
	if (jdoc_type(d, name) != J_STR || jesc_is_empty(jdoc_str(d, name)))
		return anthropic_refuse(
			in, "name", "must be a string that is not empty");
	if (schema != JREF_NONE && jdoc_type(d, schema) != J_OBJ)
		return anthropic_refuse_type(
			in, "input_schema", "an object", schema);
	if (about != JREF_NONE && jdoc_type(d, about) != J_STR)
		return anthropic_refuse_type(
			in, "description", "a string", about);
	tool = VEC_PUSH(in->r->arena, &in->r->tools);
	*tool = (struct llm_tool){
		.name = jdoc_str(d, name),
		.description = jdoc_str(d, about),
		.schema = jdoc_raw(d, schema),
		.cache_control = jdoc_type(d, cache) == J_OBJ ?
			jdoc_raw(d, cache) :
			JRAW_NONE,
	};
	return GP_OK;
}

static enum gp_code
read_tools(struct anthropic_in *in, jref v)
{
	if (jdoc_type(in->doc, v) != J_ARR)
		return anthropic_refuse_type(in, "tools", "an array", v);
	in->list = "tools";
	in->depth = 1;
	in->at[0] = 0;
	JDOC_EACH (in->doc, v, it) {
		const enum gp_code rc = read_tool(in, it);

		if (rc != GP_OK)
			return rc;
		in->at[0]++;
	}
	in->depth = 0;
	return GP_OK;
}

static enum gp_code
read_tool_choice(struct anthropic_in *in, jref v)
{
	static const struct {
		struct span type;
		enum llm_choice choice;
	} choices[] = {
		{ SPAN_INIT("auto"), LLM_CHOICE_AUTO },
		{ SPAN_INIT("any"), LLM_CHOICE_ANY },
		{ SPAN_INIT("tool"), LLM_CHOICE_NAMED },
		{ SPAN_INIT("none"), LLM_CHOICE_NONE },
	};
	const struct jdoc *const d = in->doc;
	const jref type = jdoc_get(d, v, SPAN("type"));

	if (jdoc_type(d, v) != J_OBJ)
		return anthropic_refuse_type(in, "tool_choice", "an object", v);
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		if (jdoc_is(d, type, choices[i].type))
			in->r->choice = choices[i].choice;
	}
	if (in->r->choice == LLM_CHOICE_UNSET)
		return anthropic_refuse(in, "tool_choice.type",
			"must be auto, any, tool or none");
	in->r->single_call = jdoc_bool(
		d, jdoc_get(d, v, SPAN("disable_parallel_tool_use")), false);
	if (in->r->choice != LLM_CHOICE_NAMED)
		return GP_OK;
	in->r->choice_name = jdoc_str(d, jdoc_get(d, v, SPAN("name")));
	if (jesc_is_empty(in->r->choice_name))
		return anthropic_refuse(in, "tool_choice.name",
			"must name the tool that is to be used");
	return GP_OK;
}

/* --- thinking and output -------------------------------------------------- */

static enum gp_code
read_thinking(struct anthropic_in *in, jref v)
{
	const struct jdoc *const d = in->doc;
	const jref type = jdoc_get(d, v, SPAN("type"));
	const jref budget = jdoc_get_set(d, v, SPAN("budget_tokens"));
	struct llm_think *const t = &in->r->think;

	if (jdoc_type(d, v) != J_OBJ)
		return anthropic_refuse_type(in, "thinking", "an object", v);
	if (jdoc_type(d, type) != J_STR)
		return anthropic_refuse_type(
			in, "thinking.type", "a string", type);
	if (jdoc_is(d, type, SPAN("disabled"))) {
		t->mode = LLM_THINK_OFF;
		return GP_OK;
	}
	t->mode = LLM_THINK_ON;
	if (!jdoc_is(d, type, SPAN("enabled")) &&
		!jdoc_is(d, type, SPAN("adaptive")) &&
		!jdoc_is(d, type, SPAN("between_tools")))
		notice_add(&in->r->notices, "degraded", SPAN("thinking"));
	if (budget == JREF_NONE)
		return GP_OK;
	if (!jdoc_int(d, budget, &t->budget_tokens))
		return anthropic_refuse(
			in, "thinking.budget_tokens", "must be a whole number");
	if (t->budget_tokens < BUDGET_MIN) {
		t->budget_tokens = BUDGET_MIN;
		notice_add(&in->r->notices, "clamped", SPAN("budget_tokens"));
	}
	return GP_OK;
}

static enum gp_code
read_effort(struct anthropic_in *in, jref v)
{
	static const struct {
		struct span name;
		enum llm_effort effort;
	} efforts[] = {
		{ SPAN_INIT("low"), LLM_EFFORT_LOW },
		{ SPAN_INIT("medium"), LLM_EFFORT_MEDIUM },
		{ SPAN_INIT("high"), LLM_EFFORT_HIGH },
		{ SPAN_INIT("xhigh"), LLM_EFFORT_XHIGH },
		{ SPAN_INIT("max"), LLM_EFFORT_MAX },
	};

	if (jdoc_type(in->doc, v) != J_STR)
		return anthropic_refuse_type(
			in, "output_config.effort", "a string", v);
	for (size_t i = 0; i < ARRAY_LEN(efforts); i++) {
		if (jdoc_is(in->doc, v, efforts[i].name)) {
			in->r->think.effort = efforts[i].effort;
			return GP_OK;
		}
	}
	notice_add(&in->r->notices, "dropped", SPAN("effort"));
	return GP_OK;
}

static enum gp_code
read_format(struct anthropic_in *in, jref v)
{
	const struct jdoc *const d = in->doc;
	const jref type = jdoc_get(d, v, SPAN("type"));
	const jref schema = jdoc_get(d, v, SPAN("schema"));

	if (jdoc_type(d, v) != J_OBJ)
		return anthropic_refuse_type(
			in, "output_format", "an object", v);
	if (!jdoc_is(d, type, SPAN("json_schema"))) {
		if (!jdoc_is(d, type, SPAN("text")))
			notice_add(&in->r->notices, "dropped",
				SPAN("output_format"));
		return GP_OK;
	}
	if (jdoc_type(d, schema) != J_OBJ)
		return anthropic_refuse_type(
			in, "output_format.schema", "an object", schema);
	in->r->format = LLM_FORMAT_SCHEMA;
	in->r->format_schema = jdoc_raw(d, schema);
	return GP_OK;
}

static enum gp_code
read_output_config(struct anthropic_in *in, jref v)
{
	const jref effort = jdoc_get_set(in->doc, v, SPAN("effort"));
	const jref format = jdoc_get_set(in->doc, v, SPAN("format"));
	enum gp_code rc = GP_OK;

	if (jdoc_type(in->doc, v) != J_OBJ)
		return anthropic_refuse_type(
			in, "output_config", "an object", v);
	if (effort != JREF_NONE)
		rc = read_effort(in, effort);
	if (rc == GP_OK && format != JREF_NONE)
		rc = read_format(in, format);
	return rc;
}

/* Only "keep all earlier thinking" can be said in other words; the rest of the
 * field goes along for upstreams of the dialect. */
static enum gp_code
read_context_management(struct anthropic_in *in, jref v)
{
	const struct jdoc *const d = in->doc;
	const jref edits = jdoc_get_set(d, v, SPAN("edits"));
	bool is_minor = true;

	if (jdoc_type(d, v) != J_OBJ)
		return anthropic_refuse_type(
			in, "context_management", "an object", v);
	if (edits != JREF_NONE && jdoc_type(d, edits) != J_ARR)
		return anthropic_refuse_type(
			in, "context_management.edits", "an array", edits);
	JDOC_EACH (d, edits, it) {
		const struct span type =
			jdoc_str(d, jdoc_get(d, it, SPAN("type"))).s;

		if (span_starts(type, SPAN("clear_thinking_")) &&
			jdoc_is(d, jdoc_get(d, it, SPAN("keep")), SPAN("all")))
			in->r->think.keep_all = true;
		else
			is_minor = false;
	}
	in->r->edits_context = true;
	llm_add_extra(in->r, &dialect_anthropic, JESC("context_management"),
		jdoc_raw(d, v), is_minor);
	return GP_OK;
}

/* --- all fields ----------------------------------------------------------- */

/* In the order in which they are read, so that the first mistake named does
 * not depend on the client's order. Those without a reader have no counterpart
 * elsewhere; other dialects drop the minor ones silently. */
static const struct field {
	struct span key;
	enum gp_code (*read)(struct anthropic_in *in, jref v);
	bool is_minor;
} fields[] = {
	{ SPAN_INIT("model"), read_model, false },
	{ SPAN_INIT("max_tokens"), read_max_tokens, false },
	{ SPAN_INIT("stream"), read_stream, false },
	{ SPAN_INIT("thread"), read_thread, false },
	{ SPAN_INIT("temperature"), read_temperature, false },
	{ SPAN_INIT("top_p"), read_top_p, false },
	{ SPAN_INIT("top_k"), read_top_k, false },
	{ SPAN_INIT("stop_sequences"), read_stop, false },
	{ SPAN_INIT("system"), anthropic_read_system, false },
	{ SPAN_INIT("messages"), anthropic_read_messages, false },
	{ SPAN_INIT("tools"), read_tools, false },
	{ SPAN_INIT("tool_choice"), read_tool_choice, false },
	{ SPAN_INIT("thinking"), read_thinking, false },
	{ SPAN_INIT("metadata"), read_metadata, false },
	{ SPAN_INIT("output_config"), read_output_config, false },
	{ SPAN_INIT("output_format"), read_format, false },
	{ SPAN_INIT("context_management"), read_context_management, false },
	{ SPAN_INIT("mcp_servers"), NULL, false },
	{ SPAN_INIT("service_tier"), NULL, true },
	{ SPAN_INIT("container"), NULL, true },
	{ SPAN_INIT("inference_geo"), NULL, true },
	{ SPAN_INIT("speed"), NULL, true },
	{ SPAN_INIT("diagnostics"), NULL, true },
	{ SPAN_INIT("cache_control"), NULL, true },
	{ SPAN_INIT("betas"), NULL, true },
	{ SPAN_INIT("fallbacks"), NULL, true },
	{ SPAN_INIT("compaction"), NULL, true },
	{ SPAN_INIT("billing_policy"), NULL, true },
	{ SPAN_INIT("user_profile_id"), NULL, true },
};

static const struct field *
find_field(struct jesc key)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (jesc_eq(key, fields[i].key))
			return &fields[i];
	}
	return NULL;
}

/* Where the known fields stand; the others go to `extra`. null is as good as
 * absent. */
static void
sort_fields(struct anthropic_in *in, jref at[ARRAY_LEN(fields)])
{
	const struct jdoc *const d = in->doc;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		at[i] = JREF_NONE;
	JDOC_EACH_MEMBER (d, jdoc_root(d), it) {
		const struct field *const f = find_field(jdoc_key(d, it));
		const jref v = jdoc_value(d, it);

		if (jdoc_type(d, v) == J_NULL)
			continue;
		if (f != NULL && f->read != NULL)
			at[f - fields] = v;
		else
			llm_add_extra(in->r, &dialect_anthropic,
				jdoc_key(d, it), jdoc_raw(d, v),
				f != NULL && f->is_minor);
	}
}

enum gp_code
anthropic_req_decode(
	const struct jdoc *doc, struct llm_req *out, struct gp_error *err)
{
	struct anthropic_in in = { .doc = doc, .r = out, .err = err };
	jref at[ARRAY_LEN(fields)];

	if (jdoc_type(doc, jdoc_root(doc)) != J_OBJ)
		return anthropic_refuse_type(
			&in, "", "an object", jdoc_root(doc));
	/* Every stream of the dialect tells the usage. */
	out->wants_usage = true;
	sort_fields(&in, at);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		enum gp_code rc;

		if (at[i] == JREF_NONE)
			continue;
		rc = fields[i].read(&in, at[i]);
		if (rc != GP_OK)
			return rc;
	}
	if (jdoc_get_set(doc, jdoc_root(doc), SPAN("messages")) == JREF_NONE)
		return anthropic_refuse(&in, "messages", "is required");
	if (out->purpose == LLM_CHAT &&
		jdoc_get_set(doc, jdoc_root(doc), SPAN("max_tokens")) ==
			JREF_NONE)
		return anthropic_refuse(&in, "max_tokens", "is required");
	return GP_OK;
}
