/* SPDX-License-Identifier: MIT */
/* dialect_openai_out.c - the request tree written as Chat Completions. */
#include <stdio.h>

#include "shared/translate/dialect_openai.h"

#define NO_OUTPUT    "(no output)"
#define ERROR_PREFIX "Error: "

/* --- pieces --------------------------------------------------------------- */

static bool
is_kind(const struct llm_part *p, enum llm_part_kind kind)
{
	return p->kind == kind;
}

static size_t
count_kind(const struct llm_parts *parts, enum llm_part_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < parts->n; i++)
		n += is_kind(&parts->v[i], kind) ? 1 : 0;
	return n;
}

/* All parts of that kind as one string. between is escaped already. */
static void
put_joined(struct jout *j, const struct llm_parts *parts,
	enum llm_part_kind kind, struct jesc between)
{
	bool is_first = true;

	jout_str_begin(j);
	for (size_t i = 0; i < parts->n; i++) {
		if (!is_kind(&parts->v[i], kind))
			continue;
		if (!is_first)
			jout_str_jesc(j, between);
		is_first = false;
		jout_str_jesc(j, parts->v[i].text);
	}
	jout_str_end(j);
}

static void
put_text_part(struct jout *j, struct jesc text)
{
	jout_obj(j);
	jout_kv_cstr(j, "type", "text");
	jout_kv_jesc(j, "text", text);
	jout_obj_end(j);
}

static void
put_image_part(struct jout *j, const struct llm_image *image)
{
	jout_obj(j);
	jout_kv_cstr(j, "type", "image_url");
	jout_key(j, "image_url");
	jout_obj(j);
	jout_key(j, "url");
	jout_str_begin(j);
	if (!image->is_url) {
		jout_str_span(j, SPAN("data:"));
		jout_str_jesc(j, image->media_type);
		jout_str_span(j, SPAN(";base64,"));
	}
	jout_str_jesc(j, image->data);
	jout_str_end(j);
	jout_obj_end(j);
	jout_obj_end(j);
}

static void
begin_message(struct jout *j, const char *role)
{
	jout_obj(j);
	jout_kv_cstr(j, "role", role);
}

/* --- tool results --------------------------------------------------------- */

/* Images are numbered within their turn; the number ties the result to the
 * place where the image stands. */
static void
put_image_mark(
	struct jout *j, const char *before, size_t number, const char *after)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s%zu%s", before, number, after);
	jout_str_span(j, span_cstr(text));
}

/* The text says by itself that it is an error. */
static bool
shows_error(const struct llm_parts *parts)
{
	bool is_first = true;

	for (size_t i = 0; i < parts->n; i++) {
		const struct span s = parts->v[i].text.s;

		if (!is_kind(&parts->v[i], LLM_PART_TEXT))
			continue;
		if (is_first && span_starts(s, SPAN(ERROR_PREFIX)))
			return true;
		is_first = false;
		if (span_find(s, SPAN("<tool_use_error>")) < s.n)
			return true;
	}
	return false;
}

static bool
has_text(const struct llm_parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		if (is_kind(&parts->v[i], LLM_PART_TEXT) &&
			!jesc_is_blank(parts->v[i].text))
			return true;
	}
	return false;
}

/* Text parts, then a mark for each image. *nimages counts on. */
static void
put_result(struct jout *j, const struct llm_part *r, size_t *nimages)
{
	const size_t here = count_kind(&r->parts, LLM_PART_IMAGE);
	const bool is_text = has_text(&r->parts);
	const char *before = is_text ? " [image " : "[image ";
	bool is_first = true;

	begin_message(j, "tool");
	jout_kv_jesc(j, "tool_call_id", r->id);
	jout_key(j, "content");
	jout_str_begin(j);
	if (r->is_error && !shows_error(&r->parts))
		jout_str_span(j, SPAN(ERROR_PREFIX));
	for (size_t i = 0; is_text && i < r->parts.n; i++) {
		if (!is_kind(&r->parts.v[i], LLM_PART_TEXT))
			continue;
		if (!is_first)
			jout_str_jesc(j, JESC("\\n"));
		is_first = false;
		jout_str_jesc(j, r->parts.v[i].text);
	}
	if (!is_text && here == 0)
		jout_str_span(j, SPAN(NO_OUTPUT));
	for (size_t i = 0; i < here; i++) {
		put_image_mark(j, before, ++*nimages, " follows]");
		before = " [image ";
	}
	jout_str_end(j);
	jout_obj_end(j);
}

/* The images of a result, each behind a text that says whose it is. */
static void
put_result_images(struct jout *j, const struct llm_part *r, size_t *number)
{
	for (size_t i = 0; i < r->parts.n; i++) {
		if (!is_kind(&r->parts.v[i], LLM_PART_IMAGE))
			continue;
		jout_obj(j);
		jout_kv_cstr(j, "type", "text");
		jout_key(j, "text");
		jout_str_begin(j);
		put_image_mark(j, "[image ", ++*number, " from tool result ");
		jout_str_jesc(j, r->id);
		jout_str_span(j, SPAN("]"));
		jout_str_end(j);
		jout_obj_end(j);
		put_image_part(j, &r->parts.v[i].image);
	}
}

/* --- turns ---------------------------------------------------------------- */

static void
put_system(struct jout *j, const struct llm_turn *t)
{
	begin_message(j, "system");
	jout_key(j, "content");
	/* Paragraphs of instructions, not lines of one text. */
	put_joined(j, &t->parts, LLM_PART_TEXT, JESC("\\n\\n"));
	jout_obj_end(j);
}

static void
put_user_parts(struct jout *j, const struct llm_turn *t)
{
	size_t number = 0;

	jout_arr(j);
	for (size_t i = 0; i < t->parts.n; i++) {
		if (is_kind(&t->parts.v[i], LLM_PART_RESULT))
			put_result_images(j, &t->parts.v[i], &number);
	}
	for (size_t i = 0; i < t->parts.n; i++) {
		const struct llm_part *const p = &t->parts.v[i];

		if (is_kind(p, LLM_PART_TEXT))
			put_text_part(j, p->text);
		else if (is_kind(p, LLM_PART_IMAGE))
			put_image_part(j, &p->image);
	}
	jout_arr_end(j);
}

static void
put_user(struct jout *j, const struct llm_turn *t)
{
	const size_t nresults = count_kind(&t->parts, LLM_PART_RESULT);
	size_t nimages = 0;

	for (size_t i = 0; i < t->parts.n; i++) {
		if (is_kind(&t->parts.v[i], LLM_PART_RESULT))
			put_result(j, &t->parts.v[i], &nimages);
	}
	if (nresults > 0 && nresults == t->parts.n && nimages == 0)
		return;
	nimages += count_kind(&t->parts, LLM_PART_IMAGE);
	begin_message(j, "user");
	jout_key(j, "content");
	if (nimages > 0)
		put_user_parts(j, t);
	else
		put_joined(j, &t->parts, LLM_PART_TEXT, JESC("\\n"));
	jout_obj_end(j);
}

static void
put_call(struct jout *j, struct arena *a, const struct llm_part *call)
{
	jout_obj(j);
	jout_kv_jesc(j, "id", call->id);
	jout_kv_cstr(j, "type", "function");
	jout_key(j, "function");
	jout_obj(j);
	jout_kv_jesc(j, "name", call->name);
	jout_kv_jesc(j, "arguments", llm_args_text(a, &call->args));
	jout_obj_end(j);
	jout_obj_end(j);
}

static void
put_assistant(struct jout *j, struct llm_req *r, const struct llm_turn *t)
{
	const size_t ncalls = count_kind(&t->parts, LLM_PART_CALL);

	/* Neither text nor calls: refused, whatever was thought. */
	if (ncalls == 0 && count_kind(&t->parts, LLM_PART_TEXT) == 0) {
		notice_add(&r->notices, "dropped", SPAN("reasoning"));
		return;
	}
	begin_message(j, "assistant");
	jout_key(j, "content");
	put_joined(j, &t->parts, LLM_PART_TEXT, JESC_EMPTY);
	if (count_kind(&t->parts, LLM_PART_THINK) > 0) {
		jout_key(j, "reasoning_content");
		put_joined(j, &t->parts, LLM_PART_THINK, JESC("\\n"));
	}
	if (ncalls > 0) {
		jout_key(j, "tool_calls");
		jout_arr(j);
		for (size_t i = 0; i < t->parts.n; i++) {
			if (is_kind(&t->parts.v[i], LLM_PART_CALL))
				put_call(j, r->arena, &t->parts.v[i]);
		}
		jout_arr_end(j);
	}
	jout_obj_end(j);
}

static void
put_messages(struct jout *j, struct llm_req *r)
{
	jout_key(j, "messages");
	jout_arr(j);
	for (size_t i = 0; i < r->turns.n; i++) {
		const struct llm_turn *const t = &r->turns.v[i];

		switch (t->role) {
		case LLM_SYSTEM:
			put_system(j, t);
			break;
		case LLM_USER:
			put_user(j, t);
			break;
		case LLM_ASSISTANT:
			put_assistant(j, r, t);
			break;
		}
	}
	jout_arr_end(j);
}

/* --- the other fields ----------------------------------------------------- */

static void
put_stream(struct jout *j, const struct llm_req *r, const struct llm_wire *wire)
{
	if (!r->stream)
		return;
	jout_kv_bool(j, "stream", true);
	if (!wire->streams_usage && !r->wants_usage)
		return;
	jout_key(j, "stream_options");
	jout_obj(j);
	jout_kv_bool(j, "include_usage", true);
	jout_obj_end(j);
}

static size_t
stop_count(const struct llm_req *r, const struct llm_wire *wire)
{
	switch (wire->stops) {
	case LLM_STOPS_ALL:
		return r->stop.n;
	case LLM_STOPS_FIRST:
		return MIN(r->stop.n, 1);
	case LLM_STOPS_NONE:
		break;
	}
	return 0;
}

static void
put_sampling(
	struct jout *j, const struct llm_req *r, const struct llm_wire *wire)
{
	const size_t nstop = stop_count(r, wire);

	if (r->max_tokens > 0)
		jout_kv_int(j, "max_tokens", r->max_tokens);
	if (!jraw_is_none(r->temperature.raw))
		jout_kv_raw(j, "temperature", r->temperature.raw);
	if (!jraw_is_none(r->top_p.raw))
		jout_kv_raw(j, "top_p", r->top_p.raw);
	if (nstop == 0)
		return;
	jout_key(j, "stop");
	jout_arr(j);
	for (size_t i = 0; i < nstop; i++)
		jout_jesc(j, r->stop.v[i]);
	jout_arr_end(j);
}

static void
put_tool(struct jout *j, const struct llm_tool *t, const struct llm_wire *wire)
{
	jout_obj(j);
	jout_kv_cstr(j, "type", "function");
	jout_key(j, "function");
	jout_obj(j);
	jout_kv_jesc(j, "name", t->name);
	if (!jesc_is_empty(t->description))
		jout_kv_jesc(j, "description", t->description);
	else if (wire->fills_description)
		jout_kv_jesc(j, "description", t->name);
	jout_kv_raw(j, "parameters",
		jraw_is_none(t->schema) ?
			JRAW("{\"type\":\"object\",\"properties\":{}}") :
			t->schema);
	jout_obj_end(j);
	jout_obj_end(j);
}

static void
put_choice(struct jout *j, const struct llm_req *r)
{
	switch (r->choice) {
	case LLM_CHOICE_UNSET:
		break;
	case LLM_CHOICE_AUTO:
		jout_kv_cstr(j, "tool_choice", "auto");
		break;
	case LLM_CHOICE_ANY:
		jout_kv_cstr(j, "tool_choice", "required");
		break;
	case LLM_CHOICE_NONE:
		jout_kv_cstr(j, "tool_choice", "none");
		break;
	case LLM_CHOICE_NAMED:
		jout_key(j, "tool_choice");
		jout_obj(j);
		jout_kv_cstr(j, "type", "function");
		jout_key(j, "function");
		jout_obj(j);
		jout_kv_jesc(j, "name", r->choice_name);
		jout_obj_end(j);
		jout_obj_end(j);
		break;
	}
}

static void
put_tools(struct jout *j, const struct llm_req *r, const struct llm_wire *wire)
{
	if (r->tools.n == 0)
		return;
	jout_key(j, "tools");
	jout_arr(j);
	for (size_t i = 0; i < r->tools.n; i++)
		put_tool(j, &r->tools.v[i], wire);
	jout_arr_end(j);
	put_choice(j, r);
}

static void
put_format(struct jout *j, const struct llm_req *r)
{
	if (r->format == LLM_FORMAT_TEXT)
		return;
	jout_key(j, "response_format");
	jout_obj(j);
	if (r->format == LLM_FORMAT_JSON || jraw_is_none(r->format_schema)) {
		jout_kv_cstr(j, "type", "json_object");
		jout_obj_end(j);
		return;
	}
	jout_kv_cstr(j, "type", "json_schema");
	jout_key(j, "json_schema");
	jout_obj(j);
	jout_kv_jesc(j, "name",
		jesc_is_empty(r->format_name) ? JESC("answer") :
						r->format_name);
	jout_kv_raw(j, "schema", r->format_schema);
	jout_obj_end(j);
	jout_obj_end(j);
}

/* What is in the tree but not in the dialect goes with a notice. */
static void
put_extra(struct jout *j, struct llm_req *r)
{
	if (r->top_k > 0)
		notice_add(&r->notices, "dropped", SPAN("top_k"));
	for (size_t i = 0; i < r->extra.n; i++) {
		const struct llm_extra *const x = &r->extra.v[i];

		if (x->is_used)
			continue;
		if (x->owner == &dialect_openai) {
			jout_key_jesc(j, x->key);
			jout_raw(j, x->value);
		} else if (!x->is_minor) {
			notice_add(&r->notices, "dropped", x->key.s);
		}
	}
}

void
openai_req_encode(struct llm_req *r, struct span model,
	const struct llm_wire *wire, struct jout *out)
{
	jout_obj(out);
	jout_kv_span(out, "model", model);
	put_messages(out, r);
	put_stream(out, r, wire);
	put_sampling(out, r, wire);
	put_tools(out, r, wire);
	put_format(out, r);
	if (r->think.effort != LLM_EFFORT_UNSET)
		jout_kv_span(out, "reasoning_effort",
			openai_efforts[r->think.effort]);
	put_extra(out, r);
	jout_obj_end(out);
}
