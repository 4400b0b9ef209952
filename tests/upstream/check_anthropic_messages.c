/* SPDX-License-Identifier: MIT */
/* check_anthropic_messages.c - the messages of Messages: roles, blocks, and
 * tool_use with its tool_result. Neighbours of one role are one turn. */
#include "tests/upstream/check.h"
#include "tests/upstream/text.h"

struct walk {
	struct request *r;
	VEC_OF(struct span) used;     /* ids of every tool_use so far */
	size_t turn_first;            /* in used: of the last assistant turn */
	VEC_OF(struct span) answered; /* ids of this user turn's results */
	bool is_assistant;            /* the role of this turn */
	bool has_others; /* this user turn has blocks that are no results */
	bool has_text, has_ink; /* in this message: any text; any not blank */
	bool has_block;         /* in this message: a block that is no text */
	char where[CHECK_PATH_MAX];
};

static bool
check_tool_use(struct walk *w, json_t *block, const char *where)
{
	struct span id = text_of(json_object_get(block, "id"));
	struct span name = text_of(json_object_get(block, "name"));

	if (!w->is_assistant)
		return refuse(
			w->r, 1214, "%s.type: tool_use of the user", where);
	if (!check_is_name(id, SIZE_MAX))
		return refuse(
			w->r, 1214, "%s.id: letters, digits, _ and -", where);
	if (!check_is_name(name, 200))
		return refuse(w->r, 1214,
			"%s.name: 1 to 200 letters, digits, _ or -", where);
	if (!json_is_object(json_object_get(block, "input")))
		return refuse(w->r, 1214, "%s.input: must be an object", where);
	for (size_t i = 0; i < w->used.n; i++)
		if (span_eq(w->used.v[i], id))
			return refuse(w->r, 1214, "%s.id: used before", where);
	*VEC_PUSH(w->r->arena, &w->used) = id;
	return true;
}

static bool
check_thinking(struct walk *w, json_t *block, const char *where)
{
	if (!w->is_assistant)
		return refuse(
			w->r, 1214, "%s.type: thinking of the user", where);
	if (!json_is_string(json_object_get(block, "thinking")))
		return refuse(
			w->r, 1214, "%s.thinking: must be a string", where);
	if (!json_is_string(json_object_get(block, "signature")))
		return refuse(
			w->r, 1214, "%s.signature: must be a string", where);
	return true;
}

static bool
refuse_image(struct walk *w, const char *where)
{
	return refuse(w->r, REFUSE_STANDIN,
		"standin: %s: image on the text endpoint", where);
}

static bool
check_result_content(struct walk *w, json_t *content, const char *where)
{
	if (content == NULL || json_is_string(content))
		return true;
	if (!json_is_array(content))
		return refuse(w->r, 1214,
			"%s.content: must be a string or an array", where);
	for (size_t i = 0; i < json_array_size(content); i++) {
		json_t *part = json_array_get(content, i);
		struct span type = text_of(json_object_get(part, "type"));
		struct span text = text_of(json_object_get(part, "text"));

		if (type.n == 0)
			return refuse(w->r, 1213,
				"%s.content[%zu].type: not received", where, i);
		if (span_eq(type, SPAN("image")))
			return refuse_image(w, where);
		if (span_eq(type, SPAN("text")) && text.n == 0)
			return refuse(w->r, 1214, "%s.content[%zu].text: empty",
				where, i);
	}
	return true;
}

static bool
is_expected(const struct walk *w, struct span id)
{
	for (size_t i = w->turn_first; i < w->used.n; i++)
		if (span_eq(w->used.v[i], id))
			return true;
	return false;
}

static bool
check_tool_result(struct walk *w, json_t *block, const char *where)
{
	struct span id = text_of(json_object_get(block, "tool_use_id"));
	json_t *is_error = json_object_get(block, "is_error");

	if (w->is_assistant)
		return refuse(w->r, 1214,
			"%s.type: tool_result of the assistant", where);
	if (w->has_others)
		return refuse(w->r, 1214,
			"%s: tool_result blocks come before all others", where);
	if (!is_expected(w, id))
		return refuse(w->r, 1214,
			"%s.tool_use_id: no such tool_use in the turn before",
			where);
	for (size_t i = 0; i < w->answered.n; i++)
		if (span_eq(w->answered.v[i], id))
			return refuse(w->r, 1214,
				"%s.tool_use_id: answered twice", where);
	if (is_error != NULL && !json_is_boolean(is_error))
		return refuse(w->r, 1214, "%s.is_error: must be true or false",
			where);
	*VEC_PUSH(w->r->arena, &w->answered) = id;
	return check_result_content(
		w, json_object_get(block, "content"), where);
}

static bool
check_text(struct walk *w, struct span text, const char *where)
{
	w->has_text = true;
	w->has_ink |= !span_is_blank(text);
	w->has_others = true;
	if (text.n > 0)
		return true;
	return refuse(w->r, 1214, "%s: empty text block", where);
}

static bool
check_block(struct walk *w, json_t *block, const char *where)
{
	struct span type = text_of(json_object_get(block, "type"));

	if (type.n == 0)
		return refuse(w->r, 1213, "%s.type: not received", where);
	if (span_eq(type, SPAN("text")))
		return check_text(
			w, text_of(json_object_get(block, "text")), where);
	w->has_block = true;
	if (span_eq(type, SPAN("tool_result")))
		return check_tool_result(w, block, where);
	w->has_others = true;
	if (span_eq(type, SPAN("tool_use")))
		return check_tool_use(w, block, where);
	if (span_eq(type, SPAN("thinking")))
		return check_thinking(w, block, where);
	if (span_eq(type, SPAN("image")))
		return refuse_image(w, where);
	return true; /* unknown ones are let pass */
}

static bool
check_content(struct walk *w, json_t *content)
{
	bool may_be_empty = w->is_assistant;

	w->has_text = w->has_ink = w->has_block = false;
	if (json_is_string(content)) {
		struct span text = text_of(content);

		if (text.n == 0 && may_be_empty)
			return true;
		if (!check_text(w, text, w->where))
			return false;
	} else if (!json_is_array(content)) {
		return refuse(w->r, content == NULL ? 1213 : 1214,
			"%s.content: must be a string or an array", w->where);
	} else if (json_array_size(content) == 0 && !may_be_empty) {
		return refuse(w->r, 1214, "%s.content: empty", w->where);
	}
	for (size_t i = 0; i < json_array_size(content); i++)
		if (!check_block(w, json_array_get(content, i),
			    check_path("%s.content[%zu]", w->where, i).s))
			return false;
	if (w->has_text && !w->has_ink && !w->has_block)
		return refuse(
			w->r, 1214, "%s.content: only blank text", w->where);
	return true;
}

/* All tool_use of the last assistant turn have their results. */
static bool
check_answered(struct walk *w)
{
	for (size_t i = w->turn_first; i < w->used.n; i++) {
		bool found = false;

		for (size_t k = 0; k < w->answered.n; k++)
			found |= span_eq(w->answered.v[k], w->used.v[i]);
		if (!found)
			return refuse(w->r, 1214,
				"%s: tool_use %.*s has no tool_result in the "
				"turn behind it",
				w->where, CHECK_ARG(w->used.v[i]));
	}
	return true;
}

static bool
turn_begin(struct walk *w, bool is_assistant)
{
	if (is_assistant && !check_answered(w))
		return false;
	if (is_assistant)
		w->turn_first = w->used.n;
	w->is_assistant = is_assistant;
	w->has_others = false;
	w->answered.n = 0;
	return true;
}

static bool
check_message(struct walk *w, json_t *m, bool is_first)
{
	struct span role = text_of(json_object_get(m, "role"));
	bool is_assistant = span_eq(role, SPAN("assistant"));

	if (!is_assistant && !span_eq(role, SPAN("user")))
		return refuse(w->r, REFUSE_DETAIL,
			"%s.role: Input should be 'user' or 'assistant'",
			w->where);
	if (is_first && is_assistant)
		return refuse(w->r, 1214, "%s.role: the first is the user's",
			w->where);
	if ((is_first || is_assistant != w->is_assistant) &&
		!turn_begin(w, is_assistant))
		return false;
	return check_content(w, json_object_get(m, "content"));
}

/* An answer that is begun must not end in blanks. */
static bool
check_prefill(struct walk *w, const json_t *last)
{
	json_t *content = json_object_get(last, "content");
	json_t *block = json_array_get(content, json_array_size(content) - 1);
	struct span text = json_is_string(content) ?
		text_of(content) :
		text_of(json_object_get(block, "text"));

	if (!w->is_assistant || span_rtrim(text).n == text.n)
		return true;
	return refuse(w->r, 1214,
		"%s.content: the last assistant text ends in blanks", w->where);
}

bool
check_anthropic_messages(struct request *r, json_t *messages)
{
	struct walk w = { .r = r };
	size_t n = json_array_size(messages);

	for (size_t i = 0; i < n; i++) {
		struct check_path path = check_path("messages[%zu]", i);

		memcpy(w.where, path.s, sizeof(w.where));
		if (!check_message(&w, json_array_get(messages, i), i == 0))
			return false;
	}
	return check_answered(&w) &&
		check_prefill(&w, json_array_get(messages, n - 1));
}
