/* SPDX-License-Identifier: MIT */
/* check_anthropic_tools.c - tools and tool_choice of Messages. */
#include "tests/upstream/check.h"
#include "tests/upstream/text.h"

static bool
check_tool(struct request *r, json_t *tool, const char *where)
{
	json_t *schema = json_object_get(tool, "input_schema");
	json_t *type = json_object_get(tool, "type");
	json_t *description = json_object_get(tool, "description");

	if (!json_is_object(tool))
		return refuse(r, 1214, "%s: must be an object", where);
	if (type != NULL && !json_is_string(type))
		return refuse(r, 1214, "%s.type: must be a string", where);
	if (!check_string(r, tool, "name", where))
		return false;
	if (!check_is_name(text_of(json_object_get(tool, "name")), 128))
		return refuse(r, 1214,
			"%s.name: 1 to 128 letters, digits, _ or -", where);
	if (description != NULL && !json_is_string(description))
		return refuse(
			r, 1214, "%s.description: must be a string", where);
	/* Tools of the vendor's own have a type and no schema. */
	if (type != NULL && !span_eq(text_of(type), SPAN("custom")))
		return true;
	if (schema == NULL)
		return refuse(r, 1213, "%s.input_schema: not received", where);
	if (!json_is_object(schema))
		return refuse(
			r, 1214, "%s.input_schema: must be an object", where);
	if (!span_eq(text_of(json_object_get(schema, "type")), SPAN("object")))
		return refuse(
			r, 1214, "%s.input_schema.type: must be object", where);
	return true;
}

static bool
has_tool(json_t *tools, size_t n, json_t *name)
{
	for (size_t i = 0; i < n; i++) {
		json_t *other =
			json_object_get(json_array_get(tools, i), "name");

		if (json_equal(other, name))
			return true;
	}
	return false;
}

static bool
check_choice(struct request *r, json_t *tools)
{
	static const char *const types[] = { "auto", "any", "tool", "none",
		NULL };
	json_t *v = json_object_get(r->root, "tool_choice");
	json_t *single = json_object_get(v, "disable_parallel_tool_use");
	json_t *name = json_object_get(v, "name");
	struct span type = text_of(json_object_get(v, "type"));

	if (v == NULL)
		return true;
	if (!json_is_object(v) || !check_is_one_of(type, types))
		return refuse(r, 1214,
			"tool_choice.type: must be auto, any, tool or none");
	if (json_array_size(tools) == 0)
		return refuse(r, 1215, "tool_choice: without tools");
	if (single != NULL && !json_is_boolean(single))
		return refuse(r, 1214,
			"tool_choice.disable_parallel_tool_use: must be true "
			"or false");
	if (span_eq(type, SPAN("tool")) &&
		(name == NULL ||
			!has_tool(tools, json_array_size(tools), name)))
		return refuse(r, 1214, "tool_choice.name: no such tool");
	if (!span_eq(type, SPAN("tool")) && name != NULL)
		return refuse(r, 1214, "tool_choice.name: not with this type");
	return true;
}

bool
check_anthropic_tools(struct request *r)
{
	json_t *tools = json_object_get(r->root, "tools");

	if (tools != NULL && !json_is_array(tools))
		return refuse(r, 1214, "tools: must be an array");
	for (size_t i = 0; i < json_array_size(tools); i++) {
		json_t *tool = json_array_get(tools, i);

		if (!check_tool(r, tool, check_path("tools[%zu]", i).s))
			return false;
		if (has_tool(tools, i, json_object_get(tool, "name")))
			return refuse(r, 1214, "tools[%zu].name: twice", i);
	}
	return check_choice(r, tools);
}
