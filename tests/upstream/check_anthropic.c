/* SPDX-License-Identifier: MIT */
/* check_anthropic.c - the Messages endpoint: top level fields. Unknown ones
 * are let pass. */
#include "tests/upstream/check.h"
#include "tests/upstream/text.h"

#define THINKING_MIN 1024

static bool
check_model(struct request *r)
{
	if (!check_string(r, r->root, "model", "body"))
		return false;
	if (r->model == NULL)
		return refuse(r, 1211, "unknown model %.*s",
			CHECK_ARG(r->model_name));
	if (r->model->kind == MODEL_VISION && r->route == ROUTE_MESSAGES)
		return refuse(r, REFUSE_STANDIN,
			"standin: vision model %.*s on the text endpoint",
			CHECK_ARG(r->model_name));
	return true;
}

static bool
check_max_tokens(struct request *r)
{
	if (json_object_get(r->root, "max_tokens") == NULL) {
		if (r->route == ROUTE_COUNT)
			return true;
		return refuse(r, 1213, "max_tokens: not received");
	}
	return check_count(r, "max_tokens", r->model->output_tokens);
}

static bool
check_system(struct request *r)
{
	json_t *v = json_object_get(r->root, "system");

	if (v == NULL || json_is_string(v))
		return true;
	if (!json_is_array(v))
		return refuse(r, 1214, "system: must be a string or an array");
	for (size_t i = 0; i < json_array_size(v); i++) {
		json_t *block = json_array_get(v, i);

		if (!span_eq(text_of(json_object_get(block, "type")),
			    SPAN("text")))
			return refuse(
				r, 1214, "system[%zu].type: must be text", i);
		if (span_is_blank(text_of(json_object_get(block, "text"))))
			return refuse(r, 1214, "system[%zu].text: blank", i);
	}
	return true;
}

static bool
check_stop_sequences(struct request *r)
{
	json_t *v = json_object_get(r->root, "stop_sequences");

	if (v != NULL && !json_is_array(v))
		return refuse(r, 1214, "stop_sequences: must be an array");
	for (size_t i = 0; i < json_array_size(v); i++)
		if (text_of(json_array_get(v, i)).n == 0)
			return refuse(r, 1214,
				"stop_sequences[%zu]: must be a string, not "
				"empty",
				i);
	return true;
}

static bool
check_thinking(struct request *r)
{
	static const char *const others[] = { "disabled", "adaptive",
		"between_tools", NULL };
	json_t *v = json_object_get(r->root, "thinking");
	json_t *budget = json_object_get(v, "budget_tokens");
	struct span type = text_of(json_object_get(v, "type"));

	if (v == NULL)
		return true;
	if (check_is_one_of(type, others))
		return budget == NULL ||
			refuse(r, 1214,
				"thinking.budget_tokens: not with this type");
	if (!span_eq(type, SPAN("enabled")))
		return refuse(r, 1214, "thinking.type: unknown");
	if (!json_is_integer(budget))
		return refuse(
			r, 1214, "thinking.budget_tokens: must be an integer");
	if (json_integer_value(budget) < THINKING_MIN)
		return refuse(r, 1214,
			"thinking.budget_tokens: must be at least %d",
			THINKING_MIN);
	if (r->max_tokens >= 0 && json_integer_value(budget) >= r->max_tokens)
		return refuse(r, 1214,
			"thinking.budget_tokens: must be below max_tokens");
	return true;
}

static bool
check_metadata(struct request *r)
{
	json_t *v = json_object_get(r->root, "metadata");
	json_t *user = json_object_get(v, "user_id");

	if (v != NULL && !json_is_object(v))
		return refuse(r, 1214, "metadata: must be an object");
	if (user != NULL && !json_is_string(user) && !json_is_null(user))
		return refuse(r, 1214, "metadata.user_id: must be a string");
	return true;
}

static bool
check_top_k(struct request *r)
{
	json_t *v = json_object_get(r->root, "top_k");

	if (v == NULL || (json_is_integer(v) && json_integer_value(v) >= 0))
		return true;
	return refuse(r, 1214, "top_k: must be an integer, 0 or more");
}

bool
check_anthropic(struct request *r)
{
	json_t *messages = json_object_get(r->root, "messages");

	if (!check_model(r))
		return false;
	if (messages == NULL)
		return refuse(r, 1213, "messages: not received");
	if (json_array_size(messages) == 0)
		return refuse(r, 1214, "messages: must be an array, not empty");
	return check_max_tokens(r) && check_bool(r, "stream") &&
		check_number(r, "temperature", 0, 1) &&
		check_number(r, "top_p", 0, 1) && check_top_k(r) &&
		check_system(r) && check_stop_sequences(r) &&
		check_thinking(r) && check_metadata(r) &&
		check_anthropic_tools(r) &&
		check_anthropic_messages(r, messages);
}
