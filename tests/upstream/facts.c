/* SPDX-License-Identifier: MIT */
/* facts.c - what an answer depends on, read out of a request's tree. */
#include "tests/upstream/facts.h"

#include "tests/upstream/text.h"
#include "tests/upstream/tree.h"

#define IMAGE_BYTES 4000 /* what an image counts as */

static bool
is_word(const json_t *v, const char *word)
{
	return span_eq(text_of(v), span_cstr(word));
}

static bool
has_role(const json_t *message, const char *role)
{
	return is_word(json_object_get(message, "role"), role);
}

static json_t *
content_of(const json_t *message)
{
	return json_object_get(message, "content");
}

static bool
has_calls(const json_t *message)
{
	json_t *content = content_of(message);

	if (json_array_size(json_object_get(message, "tool_calls")) > 0)
		return true;
	for (size_t i = 0; i < json_array_size(content); i++)
		if (is_word(json_object_get(json_array_get(content, i), "type"),
			    "tool_use"))
			return true;
	return false;
}

/* Index of the first message of the current turn. */
static size_t
turn_start(const json_t *messages)
{
	size_t i = json_array_size(messages);

	while (i > 0) {
		const json_t *m = json_array_get(messages, i - 1);

		if (has_role(m, "assistant") && !has_calls(m))
			break;
		i--;
	}
	return i;
}

/* The last marker of a content (string or array of text parts). */
static bool
content_marker(const json_t *content, struct span *inside)
{
	bool found = false;

	if (json_is_string(content))
		return scenario_marker(text_of(content), inside);
	for (size_t i = 0; i < json_array_size(content); i++) {
		const json_t *part = json_array_get(content, i);

		found |= scenario_marker(
			text_of(json_object_get(part, "text")), inside);
	}
	return found;
}

/* System text is long and the client's maker's: only what is certainly meant
 * counts there, while in user text a wrong name is refused. */
static bool
system_marker(const json_t *content, struct span *inside)
{
	return content_marker(content, inside) && scenario_is_known(*inside);
}

bool
facts_marker(struct request *r, struct span *inside)
{
	const json_t *messages = json_object_get(r->root, "messages");
	size_t n = json_array_size(messages), start = turn_start(messages);

	r->rounds = 0;
	for (size_t i = n; i > start; i--) {
		const json_t *m = json_array_get(messages, i - 1);

		if (has_role(m, "user") &&
			content_marker(content_of(m), inside))
			return true;
		r->rounds += has_role(m, "assistant");
	}
	if (system_marker(json_object_get(r->root, "system"), inside))
		return true;
	for (size_t i = n; i > 0; i--) {
		const json_t *m = json_array_get(messages, i - 1);

		if (has_role(m, "system") &&
			system_marker(content_of(m), inside))
			return true;
	}
	return false;
}

/* The last text of a content that is not blank; empty if there is none. */
static struct span
content_text(const json_t *content)
{
	if (json_is_string(content))
		return text_of(content);
	for (size_t i = json_array_size(content); i > 0; i--) {
		const json_t *part = json_array_get(content, i - 1);
		struct span text = text_of(json_object_get(part, "text"));

		if (!span_is_blank(text))
			return text;
	}
	return SPAN_EMPTY;
}

static void
result_add(struct request *r, const json_t *id, const json_t *content)
{
	struct tool_result *result = VEC_PUSH(r->arena, &r->results);

	result->id = text_of(id);
	result->text = content_text(content);
}

static void
message_results(struct request *r, const json_t *message)
{
	json_t *content = content_of(message);

	if (has_role(message, "tool"))
		result_add(
			r, json_object_get(message, "tool_call_id"), content);
	for (size_t i = 0; i < json_array_size(content); i++) {
		const json_t *part = json_array_get(content, i);

		if (is_word(json_object_get(part, "type"), "tool_result"))
			result_add(r, json_object_get(part, "tool_use_id"),
				content_of(part));
	}
}

static void
read_messages(struct request *r)
{
	const json_t *messages = json_object_get(r->root, "messages");
	size_t n = json_array_size(messages), last = 0;

	for (size_t i = 0; i < n; i++) {
		const json_t *m = json_array_get(messages, i);
		struct span text = SPAN_EMPTY;

		if (has_role(m, "assistant"))
			last = i;
		if (has_role(m, "user"))
			text = content_text(content_of(m));
		if (text.n > 0)
			r->user_text = text;
	}
	for (size_t i = last; i < n; i++)
		message_results(r, json_array_get(messages, i));
}

static void
count_text(void *arg, struct span text)
{
	int64_t *bytes = arg;

	/* An image's data: a data URL, or one long word. */
	if (span_istarts(text, SPAN("data:image/")) ||
		(text.n > IMAGE_BYTES &&
			span_find_char(span_head(text, 400), ' ') == 400))
		*bytes += IMAGE_BYTES;
	else
		*bytes += (int64_t)text.n;
}

static void
read_tokens(struct request *r)
{
	static const char *const members[] = { "system", "messages", "tools" };
	int64_t bytes = 0;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *v = json_object_get(r->root, members[i]);

		if (v != NULL)
			tree_strings(r->arena, v, count_text, &bytes);
	}
	r->input_tokens = (bytes + 3) / 4;
}

static void
read_thinking(struct request *r)
{
	const json_t *thinking = json_object_get(r->root, "thinking");
	struct span type = text_of(json_object_get(thinking, "type"));

	r->wants_thinking = type.n > 0 && !span_eq(type, SPAN("disabled"));
	if (r->model != NULL && r->model->thinking == MODEL_NO)
		r->wants_thinking = false;
}

void
facts_read(struct request *r)
{
	const json_t *max = json_object_get(r->root, "max_tokens");
	json_t *stop = json_object_get(
		r->root, r->side == SIDE_A ? "stop_sequences" : "stop");
	json_t *tools = json_object_get(r->root, "tools");

	r->model_name = text_of(json_object_get(r->root, "model"));
	r->model = model_find(r->model_name, r->side == SIDE_A);
	r->is_stream = json_is_true(json_object_get(r->root, "stream"));
	r->wants_tool_stream =
		json_is_true(json_object_get(r->root, "tool_stream"));
	r->tools = json_array_size(tools) > 0 ? tools : NULL;
	r->stop = json_array_size(stop) > 0 ? stop : NULL;
	r->max_tokens = json_is_integer(max) ? json_integer_value(max) : -1;
	read_thinking(r);
	read_messages(r);
	read_tokens(r);
}
