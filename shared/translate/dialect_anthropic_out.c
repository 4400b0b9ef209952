/* SPDX-License-Identifier: MIT */
/* dialect_anthropic_out.c - the tree becomes a Messages request. */
#include "shared/translate/dialect_anthropic.h"

/* Thinking: the least budget, and the one for a client that named none. */
#define BUDGET_MIN     1024
#define BUDGET_DEFAULT 16384

/* --- blocks --------------------------------------------------------------- */

static void
put_cache_control(struct jout *j, struct jraw cache_control)
{
	if (!jraw_is_none(cache_control))
		jout_kv_raw(j, "cache_control", cache_control);
}

static void
put_text(struct jout *j, const struct llm_part *p, bool is_reminder)
{
	jout_kv_cstr(j, "type", "text");
	jout_key(j, "text");
	jout_str_begin(j);
	if (is_reminder)
		jout_str_jesc(j, JESC(ANTHROPIC_REMINDER_BEGIN));
	jout_str_jesc(j, p->text);
	if (is_reminder)
		jout_str_jesc(j, JESC(ANTHROPIC_REMINDER_END));
	jout_str_end(j);
}

static void
put_image(struct jout *j, const struct llm_image *image)
{
	jout_kv_cstr(j, "type", "image");
	jout_key(j, "source");
	jout_obj(j);
	if (image->is_url) {
		jout_kv_cstr(j, "type", "url");
		jout_kv_jesc(j, "url", image->data);
	} else {
		jout_kv_cstr(j, "type", "base64");
		jout_kv_jesc(j, "media_type", image->media_type);
		jout_kv_jesc(j, "data", image->data);
	}
	jout_obj_end(j);
}

static void
put_thinking(struct jout *j, const struct llm_part *p)
{
	jout_kv_cstr(j, "type", "thinking");
	jout_kv_jesc(j, "thinking", p->text);
	jout_kv_jesc(j, "signature",
		jesc_is_empty(p->signature) ? JESC(ANTHROPIC_SIGNATURE) :
					      p->signature);
}

static void
put_call(struct jout *j, struct arena *a, const struct llm_part *p)
{
	jout_kv_cstr(j, "type", "tool_use");
	jout_kv_jesc(j, "id", p->id);
	jout_kv_jesc(j, "name", p->name);
	jout_kv_raw(j, "input", llm_args_value(a, &p->args));
}

static void
put_flat(struct jout *j, const struct llm_parts *parts)
{
	jout_str_begin(j);
	for (size_t i = 0; i < parts->n; i++) {
		if (i > 0)
			jout_str_jesc(j, JESC("\\n"));
		jout_str_jesc(j, parts->v[i].text);
	}
	jout_str_end(j);
}

static bool
has_image(const struct llm_parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		if (parts->v[i].kind == LLM_PART_IMAGE)
			return true;
	}
	return false;
}

static void
put_result(struct jout *j, const struct llm_part *p)
{
	jout_kv_cstr(j, "type", "tool_result");
	jout_kv_jesc(j, "tool_use_id", p->id);
	jout_key(j, "content");
	if (p->parts.n == 0 || (p->is_flat && !has_image(&p->parts))) {
		put_flat(j, &p->parts);
	} else {
		jout_arr(j);
		for (size_t i = 0; i < p->parts.n; i++) {
			const struct llm_part *const q = &p->parts.v[i];

			jout_obj(j);
			if (q->kind == LLM_PART_IMAGE)
				put_image(j, &q->image);
			else
				put_text(j, q, false);
			put_cache_control(j, q->cache_control);
			jout_obj_end(j);
		}
		jout_arr_end(j);
	}
	if (p->is_error)
		jout_kv_bool(j, "is_error", true);
}

static void
put_block(struct jout *j, struct arena *a, const struct llm_part *p,
	bool is_reminder)
{
	jout_obj(j);
	switch (p->kind) {
	case LLM_PART_TEXT:
		put_text(j, p, is_reminder);
		break;
	case LLM_PART_THINK:
		put_thinking(j, p);
		break;
	case LLM_PART_IMAGE:
		put_image(j, &p->image);
		break;
	case LLM_PART_CALL:
		put_call(j, a, p);
		break;
	case LLM_PART_RESULT:
		put_result(j, p);
		break;
	}
	put_cache_control(j, p->cache_control);
	jout_obj_end(j);
}

/* --- system and messages -------------------------------------------------- */

/* Number of turns at the front that are system text. */
static size_t
leading_turns(const struct llm_req *r)
{
	size_t n = 0;

	while (n < r->turns.n && r->turns.v[n].role == LLM_SYSTEM)
		n++;
	return n;
}

static void
put_system(struct jout *j, const struct llm_req *r, size_t end)
{
	bool is_open = false;

	for (size_t i = 0; i < end; i++) {
		const struct llm_parts *const parts = &r->turns.v[i].parts;

		for (size_t k = 0; k < parts->n; k++) {
			if (!is_open) {
				jout_key(j, "system");
				jout_arr(j);
				is_open = true;
			}
			put_block(j, r->arena, &parts->v[k], false);
		}
	}
	if (is_open)
		jout_arr_end(j);
}

/* The blocks of turns from..end-1 that are results, or that are not. */
static void
put_run(struct jout *j, const struct llm_req *r, size_t from, size_t end,
	bool results)
{
	for (size_t i = from; i < end; i++) {
		const struct llm_turn *const t = &r->turns.v[i];

		for (size_t k = 0; k < t->parts.n; k++) {
			const struct llm_part *const p = &t->parts.v[k];

			if ((p->kind == LLM_PART_RESULT) == results)
				put_block(
					j, r->arena, p, t->role == LLM_SYSTEM);
		}
	}
}

/* Everything between two turns of the assistant is one message of the user,
 * with the results first. */
static void
put_messages(struct jout *j, const struct llm_req *r, size_t from)
{
	jout_key(j, "messages");
	jout_arr(j);
	while (from < r->turns.n) {
		const bool is_reply = r->turns.v[from].role == LLM_ASSISTANT;
		size_t end = from + 1;

		while (end < r->turns.n &&
			(r->turns.v[end].role == LLM_ASSISTANT) == is_reply)
			end++;
		jout_obj(j);
		jout_kv_cstr(j, "role", is_reply ? "assistant" : "user");
		jout_key(j, "content");
		jout_arr(j);
		put_run(j, r, from, end, true);
		put_run(j, r, from, end, false);
		jout_arr_end(j);
		jout_obj_end(j);
		from = end;
	}
	jout_arr_end(j);
}

/* --- tools ---------------------------------------------------------------- */

/* True if obj, a JSON object, has this key at its top level. Stops at it: in
 * schemas it mostly stands in front. */
static bool
has_key(struct jraw obj, struct span key)
{
	const struct span s = obj.s;
	unsigned depth = 0;
	bool is_key = false;

	for (size_t i = 0; i < s.n; i++) {
		const size_t from = i + 1;

		switch (s.p[i]) {
		case '{':
		case '[':
			depth++;
			is_key = depth == 1;
			break;
		case '}':
		case ']':
			depth--;
			break;
		case ',':
			is_key = depth == 1;
			break;
		case '"':
			for (i = from; i < s.n && s.p[i] != '"'; i++)
				i += s.p[i] == '\\';
			if (is_key && i < s.n &&
				jesc_eq((struct jesc){ span_of(
						s.p + from, i - from) },
					key))
				return true;
			is_key = false;
			break;
		default:
			break;
		}
	}
	return false;
}

/* A schema must be one of an object. */
static struct jraw
complete_schema(struct arena *a, struct jraw schema)
{
	const struct span begin = SPAN("{\"type\":\"object\"");
	struct span rest;
	char *p;

	if (jraw_is_none(schema) || schema.s.p[0] != '{')
		return JRAW("{\"type\":\"object\",\"properties\":{}}");
	if (has_key(schema, SPAN("type")))
		return schema;
	rest = span_trim(span_from(schema.s, 1));
	p = arena_alloc(a, begin.n + 1 + rest.n);
	memcpy(p, begin.p, begin.n);
	p[begin.n] = ',';
	if (rest.p[0] == '}') {
		p[begin.n] = '}';
		return (struct jraw){ { p, begin.n + 1 } };
	}
	memcpy(p + begin.n + 1, rest.p, rest.n);
	return (struct jraw){ { p, begin.n + 1 + rest.n } };
}

static void
put_tools(struct jout *j, const struct llm_req *r, const struct llm_wire *wire)
{
	if (r->tools.n == 0)
		return;
	jout_key(j, "tools");
	jout_arr(j);
	for (size_t i = 0; i < r->tools.n; i++) {
		const struct llm_tool *const t = &r->tools.v[i];

		jout_obj(j);
		jout_kv_jesc(j, "name", t->name);
		if (!jesc_is_empty(t->description))
			jout_kv_jesc(j, "description", t->description);
		else if (wire->fills_description)
			jout_kv_jesc(j, "description", t->name);
		jout_kv_raw(j, "input_schema",
			complete_schema(r->arena, t->schema));
		put_cache_control(j, t->cache_control);
		jout_obj_end(j);
	}
	jout_arr_end(j);
}

static const char *
choice_name(enum llm_choice choice)
{
	switch (choice) {
	case LLM_CHOICE_UNSET:
	case LLM_CHOICE_AUTO:
		return "auto";
	case LLM_CHOICE_ANY:
		return "any";
	case LLM_CHOICE_NONE:
		return "none";
	case LLM_CHOICE_NAMED:
		return "tool";
	}
	return "auto";
}

static void
put_tool_choice(struct jout *j, struct llm_req *r)
{
	const bool is_single = r->single_call && r->choice != LLM_CHOICE_NONE;

	if (r->tools.n == 0) {
		if (r->choice != LLM_CHOICE_UNSET)
			notice_add(&r->notices, "dropped", SPAN("tool_choice"));
		return;
	}
	if (r->choice == LLM_CHOICE_UNSET && !is_single)
		return;
	jout_key(j, "tool_choice");
	jout_obj(j);
	jout_kv_cstr(j, "type", choice_name(r->choice));
	if (r->choice == LLM_CHOICE_NAMED)
		jout_kv_jesc(j, "name", r->choice_name);
	if (is_single)
		jout_kv_bool(j, "disable_parallel_tool_use", true);
	jout_obj_end(j);
}

/* --- thinking and output -------------------------------------------------- */

static const struct {
	const char *name; /* NULL: thinking switched off says it */
	int64_t budget;
} efforts[] = {
	[LLM_EFFORT_UNSET] = { NULL, BUDGET_DEFAULT },
	[LLM_EFFORT_NONE] = { NULL, BUDGET_MIN },
	[LLM_EFFORT_MINIMAL] = { NULL, BUDGET_MIN },
	[LLM_EFFORT_LOW] = { "low", 2048 },
	[LLM_EFFORT_MEDIUM] = { "medium", 8192 },
	[LLM_EFFORT_HIGH] = { "high", 16384 },
	[LLM_EFFORT_XHIGH] = { "xhigh", 32768 },
	[LLM_EFFORT_MAX] = { "max", 65536 },
};

static void
put_thinking_mode(struct jout *j, struct llm_req *r)
{
	const struct llm_think *const t = &r->think;
	int64_t budget = t->budget_tokens;

	if (t->mode == LLM_THINK_UNSET)
		return;
	if (t->mode == LLM_THINK_OFF) {
		jout_key(j, "thinking");
		jout_raw(j, JRAW("{\"type\":\"disabled\"}"));
		return;
	}
	/* The budget is part of max_tokens and must leave something of it. */
	if (r->max_tokens > 0 && r->max_tokens <= BUDGET_MIN) {
		notice_add(&r->notices, "dropped", SPAN("thinking"));
		return;
	}
	if (budget <= 0)
		budget = efforts[t->effort].budget;
	if (r->max_tokens > 0)
		budget = MIN(budget, r->max_tokens - 1);
	jout_key(j, "thinking");
	jout_obj(j);
	jout_kv_cstr(j, "type", "enabled");
	jout_kv_int(j, "budget_tokens", MAX(budget, BUDGET_MIN));
	jout_obj_end(j);
}

static void
put_metadata(struct jout *j, const struct llm_req *r)
{
	if (jesc_is_empty(r->user_id))
		return;
	jout_key(j, "metadata");
	jout_obj(j);
	jout_kv_jesc(j, "user_id", r->user_id);
	jout_obj_end(j);
}

static void
put_output_config(struct jout *j, struct llm_req *r)
{
	const char *const effort = efforts[r->think.effort].name;
	const bool has_schema = r->format == LLM_FORMAT_SCHEMA &&
		!jraw_is_none(r->format_schema);

	if (r->format == LLM_FORMAT_JSON)
		notice_add(&r->notices, "dropped", SPAN("response_format"));
	if (effort == NULL && !has_schema)
		return;
	jout_key(j, "output_config");
	jout_obj(j);
	if (effort != NULL)
		jout_kv_cstr(j, "effort", effort);
	if (has_schema) {
		jout_key(j, "format");
		jout_obj(j);
		jout_kv_cstr(j, "type", "json_schema");
		jout_kv_raw(j, "schema", r->format_schema);
		jout_obj_end(j);
	}
	jout_obj_end(j);
}

/* --- everything ----------------------------------------------------------- */

static size_t
stops_sent(const struct llm_req *r, const struct llm_wire *wire)
{
	switch (wire->stops) {
	case LLM_STOPS_ALL:
		return r->stop.n;
	case LLM_STOPS_FIRST:
		return MIN(r->stop.n, 1);
	case LLM_STOPS_NONE:
		return 0;
	}
	return 0;
}

static void
put_sampling(
	struct jout *j, const struct llm_req *r, const struct llm_wire *wire)
{
	const size_t nstops = stops_sent(r, wire);

	if (r->is_greedy)
		jout_kv_int(j, "temperature", 0);
	else if (!jraw_is_none(r->temperature.raw))
		jout_kv_raw(j, "temperature", r->temperature.raw);
	if (!jraw_is_none(r->top_p.raw))
		jout_kv_raw(j, "top_p", r->top_p.raw);
	if (r->top_k > 0)
		jout_kv_int(j, "top_k", r->top_k);
	if (nstops == 0)
		return;
	jout_key(j, "stop_sequences");
	jout_arr(j);
	for (size_t i = 0; i < nstops; i++)
		jout_jesc(j, r->stop.v[i]);
	jout_arr_end(j);
}

static void
put_extras(struct jout *j, struct llm_req *r)
{
	for (size_t i = 0; i < r->extra.n; i++) {
		const struct llm_extra *const x = &r->extra.v[i];

		if (x->is_used)
			continue;
		if (x->owner != &dialect_anthropic) {
			if (!x->is_minor)
				notice_add(&r->notices, "dropped", x->key.s);
		} else if (r->purpose == LLM_CHAT) {
			jout_key_jesc(j, x->key);
			jout_raw(j, x->value);
		}
	}
}

void
anthropic_req_encode(struct llm_req *r, struct span model,
	const struct llm_wire *wire, struct jout *out)
{
	const size_t leading = leading_turns(r);
	const bool is_chat = r->purpose == LLM_CHAT;

	jout_obj(out);
	jout_kv_span(out, "model", model);
	if (is_chat) {
		if (r->max_tokens > 0)
			jout_kv_int(out, "max_tokens", r->max_tokens);
		if (r->stream)
			jout_kv_bool(out, "stream", true);
		put_sampling(out, r, wire);
	}
	put_system(out, r, leading);
	put_messages(out, r, leading);
	put_tools(out, r, wire);
	put_tool_choice(out, r);
	put_thinking_mode(out, r);
	if (is_chat) {
		put_metadata(out, r);
		put_output_config(out, r);
	}
	put_extras(out, r);
	jout_obj_end(out);
}
