/* SPDX-License-Identifier: MIT */
/* check_openai_messages.c - the messages of Chat Completions: keys by role,
 * contents, and calls with their results. */
#include "tests/upstream/check.h"
#include "tests/upstream/text.h"
#include "tests/upstream/tree.h"

#define CALLS_MAX 128

struct walk {
	struct request *r;
	/* The ids of the assistant message above that have no result yet. */
	struct span waiting[CALLS_MAX];
	size_t nwaiting;
	struct span before; /* role of the message above */
	bool has_user;
	unsigned images;
	char where[CHECK_PATH_MAX];
};

static const char *const system_keys[] = { "role", "content", NULL };
static const char *const assistant_keys[] = { "role", "content", "tool_calls",
	"reasoning_content", NULL };
static const char *const tool_keys[] = { "role", "content", "tool_call_id",
	NULL };

static bool
check_call(struct walk *w, json_t *call, const char *where)
{
	static const char *const keys[] = { "id", "type", "function", NULL };
	static const char *const function_keys[] = { "name", "arguments",
		NULL };
	struct check_path path = check_path("%s.function", where);
	json_t *function = json_object_get(call, "function"), *args;
	struct span id = text_of(json_object_get(call, "id")), text;

	if (!check_closed(w->r, call, where, keys) ||
		!check_string(w->r, call, "id", where))
		return false;
	if (!check_is_name(id, SIZE_MAX))
		return refuse(
			w->r, 1214, "%s.id: letters, digits, _ and -", where);
	if (!span_eq(text_of(json_object_get(call, "type")), SPAN("function")))
		return refuse(w->r, 1214, "%s.type: must be function", where);
	if (!check_closed(w->r, function, path.s, function_keys) ||
		!check_string(w->r, function, "name", path.s) ||
		!check_string(w->r, function, "arguments", path.s))
		return false;
	text = text_of(json_object_get(function, "name"));
	if (!check_is_name(text, 64))
		return refuse(w->r, 1214,
			"%s.name: 1 to 64 letters, digits, _ or -", path.s);
	text = text_of(json_object_get(function, "arguments"));
	args = tree_load(w->r->arena, text, NULL);
	if (!json_is_object(args)) {
		json_decref(args);
		return refuse(w->r, 1214,
			"%s.arguments: must hold a JSON object", path.s);
	}
	json_decref(args);
	return true;
}

static bool
check_calls(struct walk *w, json_t *calls)
{
	size_t n = json_array_size(calls);

	if (n < 1 || n > CALLS_MAX)
		return refuse(w->r, 1214,
			"%s.tool_calls: must be an array, not empty", w->where);
	for (size_t i = 0; i < n; i++) {
		json_t *call = json_array_get(calls, i);
		struct check_path path =
			check_path("%s.tool_calls[%zu]", w->where, i);
		struct span id = text_of(json_object_get(call, "id"));

		if (!check_call(w, call, path.s))
			return false;
		for (size_t k = 0; k < i; k++)
			if (span_eq(w->waiting[k], id))
				return refuse(
					w->r, 1214, "%s.id: twice", path.s);
		w->waiting[w->nwaiting++] = id;
	}
	return true;
}

static bool
check_assistant(struct walk *w, json_t *m)
{
	json_t *content = json_object_get(m, "content");
	json_t *calls = json_object_get(m, "tool_calls");
	json_t *reasoning = json_object_get(m, "reasoning_content");

	if (!check_closed(w->r, m, w->where, assistant_keys))
		return false;
	if (!json_is_string(content))
		return refuse(
			w->r, 1214, "%s.content: must be a string", w->where);
	if (json_string_length(content) == 0 && calls == NULL)
		return refuse(w->r, 1214,
			"%s.content: empty, and there are no tool_calls",
			w->where);
	if (reasoning != NULL && text_of(reasoning).n == 0)
		return refuse(w->r, 1214,
			"%s.reasoning_content: must be a string, not empty",
			w->where);
	if (span_eq(w->before, SPAN("assistant")))
		return refuse(w->r, 1214,
			"%s.role: two assistant messages in a row", w->where);
	if (calls != NULL && w->r->model->tools == MODEL_NO)
		return refuse(w->r, 1210, "%s.tool_calls: not with this model",
			w->where);
	return calls == NULL || check_calls(w, calls);
}

static bool
check_tool(struct walk *w, json_t *m)
{
	struct span id = text_of(json_object_get(m, "tool_call_id"));

	if (!check_closed(w->r, m, w->where, tool_keys) ||
		!check_string(w->r, m, "tool_call_id", w->where) ||
		!check_string(w->r, m, "content", w->where))
		return false;
	for (size_t i = 0; i < w->nwaiting; i++) {
		if (!span_eq(w->waiting[i], id))
			continue;
		w->waiting[i] = w->waiting[--w->nwaiting];
		return true;
	}
	return refuse(w->r, 1214,
		"%s.tool_call_id: answers no call of the assistant message "
		"above",
		w->where);
}

static bool
check_part(struct walk *w, json_t *part, const char *where)
{
	static const char *const text_keys[] = { "type", "text", NULL };
	static const char *const urls[] = { "image_url", "video_url",
		"file_url", NULL };
	struct span type = text_of(json_object_get(part, "type"));

	if (span_eq(type, SPAN("text")))
		return check_closed(w->r, part, where, text_keys) &&
			check_string(w->r, part, "text", where);
	if (!check_is_one_of(type, urls))
		return refuse(w->r, 1214, "%s.type: unknown", where);
	if (w->r->model->kind != MODEL_VISION)
		return refuse(w->r, 1210,
			"messages.content.type: this model takes ['text'] only "
			"(%s)",
			where);
	w->images++;
	return check_image(w->r, part, where);
}

static bool
check_user(struct walk *w, json_t *m)
{
	json_t *content = json_object_get(m, "content");

	if (!check_closed(w->r, m, w->where, system_keys))
		return false;
	w->has_user = true;
	if (!json_is_array(content)) {
		if (!check_string(w->r, m, "content", w->where))
			return false;
		if (span_is_blank(text_of(content)))
			return refuse(
				w->r, 1214, "%s.content: blank", w->where);
		return true;
	}
	if (json_array_size(content) == 0)
		return refuse(w->r, 1214, "%s.content: empty", w->where);
	for (size_t i = 0; i < json_array_size(content); i++)
		if (!check_part(w, json_array_get(content, i),
			    check_path("%s.content[%zu]", w->where, i).s))
			return false;
	return true;
}

static bool
check_message(struct walk *w, json_t *m)
{
	struct span role = text_of(json_object_get(m, "role"));
	bool is_good;

	if (w->nwaiting > 0 && !span_eq(role, SPAN("tool")))
		return refuse(w->r, 1214,
			"%s.role: tool call %.*s above has no result", w->where,
			CHECK_ARG(w->waiting[0]));
	if (span_eq(role, SPAN("user")))
		is_good = check_user(w, m);
	else if (span_eq(role, SPAN("assistant")))
		is_good = check_assistant(w, m);
	else if (span_eq(role, SPAN("tool")))
		is_good = check_tool(w, m);
	else if (span_eq(role, SPAN("system")))
		is_good = check_closed(w->r, m, w->where, system_keys) &&
			check_string(w->r, m, "content", w->where);
	else
		return refuse(w->r, 1214, "%s.role: unknown", w->where);
	w->before = role;
	return is_good;
}

bool
check_openai_messages(struct request *r, json_t *messages)
{
	struct walk w = { .r = r, .before = SPAN_EMPTY };
	size_t n = json_array_size(messages);
	unsigned most = r->model->tools == MODEL_NO ? 50 : 150;

	for (size_t i = 0; i < n; i++) {
		struct check_path path = check_path("messages[%zu]", i);

		memcpy(w.where, path.s, sizeof(w.where));
		if (!check_message(&w, json_array_get(messages, i)))
			return false;
	}
	if (w.nwaiting > 0)
		return refuse(r, 1214, "messages: tool call %.*s has no result",
			CHECK_ARG(w.waiting[0]));
	if (!w.has_user)
		return refuse(r, 1214, "messages: no user message");
	if (w.images > most)
		return refuse(r, 1210, "messages: more than %u images", most);
	return true;
}
