/* SPDX-License-Identifier: MIT */
/* check_openai_tools.c - tools and tool_choice of Chat Completions. */
#include "tests/upstream/check.h"
#include "tests/upstream/text.h"

#define TOOLS_MAX 128
#define NAME_MAX_ 64

static bool
check_parameters(struct request *r, json_t *function, const char *where)
{
	json_t *v = json_object_get(function, "parameters");
	json_t *type = json_object_get(v, "type");

	if (v == NULL)
		return refuse(r, 1213, "%s.parameters: not received", where);
	if (!json_is_object(v))
		return refuse(
			r, 1214, "%s.parameters: must be an object", where);
	if (type != NULL && !span_eq(text_of(type), SPAN("object")))
		return refuse(
			r, 1214, "%s.parameters.type: must be object", where);
	return true;
}

static bool
check_function(struct request *r, json_t *tool, const char *where)
{
	static const char *const keys[] = { "name", "description", "parameters",
		NULL };
	struct check_path path = check_path("%s.function", where);
	json_t *v = json_object_get(tool, "function");

	if (v == NULL)
		return refuse(r, 1213, "%s: not received", path.s);
	if (!check_closed(r, v, path.s, keys) ||
		!check_string(r, v, "name", path.s) ||
		!check_string(r, v, "description", path.s))
		return false;
	if (!check_is_name(text_of(json_object_get(v, "name")), NAME_MAX_))
		return refuse(r, 1214,
			"%s.name: 1 to 64 letters, digits, _ or -", path.s);
	return check_parameters(r, v, path.s);
}

static bool
check_tool(struct request *r, json_t *tool, const char *where)
{
	static const char *const function_keys[] = { "type", "function", NULL };
	static const char *const others[] = { "retrieval", "web_search", NULL };
	struct span type;

	if (!json_is_object(tool))
		return refuse(r, 1214, "%s: must be an object", where);
	if (!check_string(r, tool, "type", where))
		return false;
	type = text_of(json_object_get(tool, "type"));
	if (check_is_one_of(type, others))
		return true;
	if (!span_eq(type, SPAN("function")))
		return refuse(r, 1214, "%s.type: unknown", where);
	return check_closed(r, tool, where, function_keys) &&
		check_function(r, tool, where);
}

bool
check_openai_tools(struct request *r)
{
	json_t *tools = json_object_get(r->root, "tools");
	json_t *choice = json_object_get(r->root, "tool_choice");
	size_t n = json_array_size(tools);

	if (choice != NULL && !span_eq(text_of(choice), SPAN("auto")))
		return refuse(r, 1214, "tool_choice: only \"auto\"");
	if (choice != NULL && tools == NULL)
		return refuse(r, 1215, "tool_choice: without tools");
	if (tools == NULL)
		return true;
	if (n < 1 || n > TOOLS_MAX)
		return refuse(r, 1214, "tools: must be an array of 1 to %d",
			TOOLS_MAX);
	if (r->model->tools == MODEL_NO)
		return refuse(r, 1210, "tools: not with this model");
	for (size_t i = 0; i < n; i++)
		if (!check_tool(r, json_array_get(tools, i),
			    check_path("tools[%zu]", i).s))
			return false;
	return true;
}
