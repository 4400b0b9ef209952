/* SPDX-License-Identifier: MIT */
/* check_openai.c - the closed schema of the Chat Completions endpoint: top
 * level fields. */
#include "tests/upstream/check.h"
#include "tests/upstream/text.h"

static const char *const top_keys[] = { "model", "messages", "stream",
	"stream_options", "max_tokens", "temperature", "top_p", "stop", "tools",
	"tool_choice", "response_format", "thinking", "reasoning_effort",
	"do_sample", "tool_stream", "request_id", "user_id", NULL };
static const char *const tokenizer_keys[] = { "model", "messages", "tools",
	"request_id", "user_id", NULL };
static const char *const tokenizer_models[] = { "glm-4.5", "glm-4.6",
	"glm-4.6v", NULL };

static bool
check_model(struct request *r)
{
	if (!check_string(r, r->root, "model", "body"))
		return false;
	if (r->model == NULL ||
		(r->route == ROUTE_TOKENIZER &&
			!check_is_one_of(r->model_name, tokenizer_models)))
		return refuse(r, 1211, "unknown model %.*s",
			CHECK_ARG(r->model_name));
	return true;
}

static bool
check_stream_options(struct request *r)
{
	static const char *const keys[] = { "include_usage", NULL };
	json_t *v = json_object_get(r->root, "stream_options");

	if (v == NULL)
		return true;
	if (!r->is_stream)
		return refuse(r, 1215, "stream_options: only with stream");
	if (!check_closed(r, v, "stream_options", keys))
		return false;
	if (!json_is_true(json_object_get(v, "include_usage")))
		return refuse(
			r, 1214, "stream_options.include_usage: must be true");
	return true;
}

static bool
check_stop(struct request *r)
{
	json_t *v = json_object_get(r->root, "stop");

	if (v == NULL)
		return true;
	if (!json_is_array(v) || json_array_size(v) != 1)
		return refuse(r, 1214, "stop: must be an array of one word");
	if (text_of(json_array_get(v, 0)).n == 0)
		return refuse(r, 1214, "stop[0]: must be a string, not empty");
	return true;
}

static bool
check_response_format(struct request *r)
{
	static const char *const keys[] = { "type", NULL };
	static const char *const types[] = { "text", "json_object", NULL };
	json_t *v = json_object_get(r->root, "response_format");

	if (v == NULL)
		return true;
	if (!check_closed(r, v, "response_format", keys))
		return false;
	if (!check_is_one_of(text_of(json_object_get(v, "type")), types))
		return refuse(r, 1214,
			"response_format.type: must be text or json_object");
	if (r->model->kind == MODEL_VISION)
		return refuse(
			r, 1210, "response_format: not with a vision model");
	return true;
}

static bool
check_thinking(struct request *r)
{
	static const char *const keys[] = { "type", "clear_thinking", NULL };
	static const char *const types[] = { "enabled", "disabled", NULL };
	json_t *v = json_object_get(r->root, "thinking"), *clear;
	struct span type;

	if (v == NULL)
		return true;
	if (r->model->thinking == MODEL_NO)
		return refuse(r, 1210, "thinking: not with this model");
	if (!check_closed(r, v, "thinking", keys))
		return false;
	type = text_of(json_object_get(v, "type"));
	if (!check_is_one_of(type, types))
		return refuse(
			r, 1214, "thinking.type: must be enabled or disabled");
	clear = json_object_get(v, "clear_thinking");
	if (clear != NULL && !json_is_boolean(clear))
		return refuse(r, 1214,
			"thinking.clear_thinking: must be true or false");
	if (r->model->thinking == MODEL_ALWAYS &&
		span_eq(type, SPAN("disabled")))
		return refuse(
			r, 1210, "thinking.type: this model cannot but think");
	return true;
}

static bool
check_effort(struct request *r)
{
	static const char *const any[] = { "low", "medium", "high", "xhigh",
		"max", NULL };
	static const char *const few[] = { "low", "high", "max", NULL };
	json_t *v = json_object_get(r->root, "reasoning_effort");

	if (v == NULL)
		return true;
	if (r->model->effort == MODEL_NO)
		return refuse(r, 1210, "reasoning_effort: not with this model");
	if (!check_is_one_of(
		    text_of(v), r->model->effort == MODEL_FEW ? few : any))
		return refuse(r, 1214, "reasoning_effort: unknown value");
	return true;
}

/* Ids of the caller: strings of bounded length. */
static bool
check_id(struct request *r, const char *key)
{
	json_t *v = json_object_get(r->root, key);
	size_t n = text_of(v).n;

	if (v == NULL)
		return true;
	if (!json_is_string(v) || n < 6 ||
		n > (strcmp(key, "user_id") == 0 ? 128u : 64u))
		return refuse(r, 1214, "%s: wrong length", key);
	return true;
}

static bool
check_tool_stream(struct request *r)
{
	if (json_object_get(r->root, "tool_stream") == NULL)
		return true;
	if (!check_bool(r, "tool_stream"))
		return false;
	if (r->model->kind != MODEL_STREAMS_TOOLS)
		return refuse(r, 1210, "tool_stream: not with this model");
	return true;
}

static bool
check_fields(struct request *r)
{
	return check_bool(r, "stream") && check_bool(r, "do_sample") &&
		check_stream_options(r) && check_tool_stream(r) &&
		check_count(r, "max_tokens", r->model->output_tokens) &&
		check_number(r, "temperature", 0, 1) &&
		check_number(r, "top_p", 0.01, 1) && check_stop(r) &&
		check_response_format(r) && check_thinking(r) &&
		check_effort(r) && check_id(r, "request_id") &&
		check_id(r, "user_id");
}

bool
check_openai(struct request *r)
{
	json_t *messages = json_object_get(r->root, "messages");

	if (r->scenario.open <= 0 &&
		!check_closed(r, r->root, "",
			r->route == ROUTE_TOKENIZER ? tokenizer_keys :
						      top_keys))
		return false;
	if (!check_model(r))
		return false;
	if (messages == NULL)
		return refuse(r, 1213, "messages: not received");
	if (json_array_size(messages) == 0)
		return refuse(r, 1214, "messages: must be an array, not empty");
	return check_fields(r) && check_openai_tools(r) &&
		check_openai_messages(r, messages);
}
