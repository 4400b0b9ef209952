/* SPDX-License-Identifier: MIT */
/* dialect_openai_tools.c - tools and functions of a request, and the choice
 * among them. */
#include "shared/translate/dialect_openai.h"

#define TOOLS_MAX     128
#define TOOL_NAME_MAX 64

/* --- definitions ---------------------------------------------------------- */

static bool
is_tool_name(struct span s)
{
	if (s.n == 0 || s.n > TOOL_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
			(c < '0' || c > '9') && c != '_' && c != '-')
			return false;
	}
	return true;
}

/* The position, or the number of tools. */
static size_t
find_tool(const struct llm_req *r, struct jesc name)
{
	size_t i = 0;

	while (i < r->tools.n && jesc_cmp(r->tools.v[i].name, name) != 0)
		i++;
	return i;
}

/* f: {name, description, parameters}; prefix: its path below the list entry,
 * with a final dot, or nothing. */
static enum gp_code
take_definition(struct openai_in *in, jref f, bool is_function,
	struct jraw cache_control)
{
	const struct jdoc *const doc = in->doc;
	const jref name = jdoc_get_set(doc, f, SPAN("name"));
	const jref description = jdoc_get_set(doc, f, SPAN("description"));
	const jref schema = jdoc_get_set(doc, f, SPAN("parameters"));
	const char *const leaf = is_function ? "name" : "function.name";
	struct llm_tool *tool;
	struct span plain;
	enum gp_code rc = openai_want(in, name, J_STR, leaf);

	if (rc == GP_OK)
		rc = openai_want_if_set(in, description, J_STR,
			is_function ? "description" : "function.description");
	if (rc != GP_OK)
		return rc;
	plain = jtext_unescape_dup(in->req->arena, jdoc_str(doc, name));
	if (!is_tool_name(plain))
		return openai_refuse(in, leaf, OPENAI_BAD_VALUE,
			"must have 1 to %d letters, digits, _ or -",
			TOOL_NAME_MAX);
	if (find_tool(in->req, (struct jesc){ plain }) < in->req->tools.n) {
		notice_add(
			&in->req->notices, "dropped", SPAN("duplicate_tool"));
		return GP_OK;
	}
	tool = VEC_PUSH(in->req->arena, &in->req->tools);
	*tool = (struct llm_tool){
		.name = { plain },
		.description = jdoc_str(doc, description),
		.schema = JRAW_NONE,
		.cache_control = cache_control,
	};
	/* Anything else than an object stands for "takes nothing". */
	if (jdoc_type(doc, schema) == J_OBJ)
		tool->schema = jdoc_raw(doc, schema);
	return GP_OK;
}

static enum gp_code
take_tool(struct openai_in *in, jref v)
{
	const jref type = jdoc_get_set(in->doc, v, SPAN("type"));
	const jref function = jdoc_get_set(in->doc, v, SPAN("function"));
	const jref cache = jdoc_get_set(in->doc, v, SPAN("cache_control"));
	enum gp_code rc = openai_want(in, v, J_OBJ, "");

	if (rc == GP_OK)
		rc = openai_want_if_set(in, type, J_STR, "type");
	if (rc != GP_OK)
		return rc;
	if (type != JREF_NONE && !jdoc_is(in->doc, type, SPAN("function")))
		return openai_refuse(in, "type", OPENAI_UNSUPPORTED,
			"must be function: no other kind of tool is "
			"supported");
	rc = openai_want(in, function, J_OBJ, "function");
	if (rc != GP_OK)
		return rc;
	return take_definition(in, function, false,
		jdoc_type(in->doc, cache) == J_OBJ ? jdoc_raw(in->doc, cache) :
						     JRAW_NONE);
}

static enum gp_code
want_few(struct openai_in *in, jref list, const char *name)
{
	if (jdoc_count(in->doc, list) <= TOOLS_MAX)
		return GP_OK;
	return openai_refuse(in, name, OPENAI_TOO_MANY,
		"must not hold more than %d entries", TOOLS_MAX);
}

enum gp_code
openai_take_tools(struct openai_in *in, jref v)
{
	enum gp_code rc = want_few(in, v, "tools");

	if (rc != GP_OK)
		return rc;
	in->list = "tools";
	in->at = 0;
	JDOC_EACH (in->doc, v, it) {
		rc = take_tool(in, it);
		if (rc != GP_OK)
			return rc;
		in->at++;
	}
	in->list = NULL;
	return GP_OK;
}

enum gp_code
openai_take_functions(struct openai_in *in, jref v)
{
	enum gp_code rc = want_few(in, v, "functions");

	if (rc != GP_OK)
		return rc;
	if (in->req->tools.n > 0) {
		notice_add(&in->req->notices, "dropped", SPAN("functions"));
		return GP_OK;
	}
	in->list = "functions";
	in->at = 0;
	JDOC_EACH (in->doc, v, it) {
		rc = openai_want(in, it, J_OBJ, "");
		if (rc == GP_OK)
			rc = take_definition(in, it, true, JRAW_NONE);
		if (rc != GP_OK)
			return rc;
		in->at++;
	}
	in->list = NULL;
	/* The deprecated shape has room for one call. */
	if (in->req->tools.n > 0) {
		in->req->has_functions = true;
		in->req->single_call = true;
	}
	return GP_OK;
}

/* --- choice --------------------------------------------------------------- */

static enum gp_code
take_named(struct openai_in *in, jref name, const char *leaf)
{
	const enum gp_code rc = openai_want(in, name, J_STR, leaf);
	size_t i;

	if (rc != GP_OK)
		return rc;
	i = find_tool(in->req, jdoc_str(in->doc, name));
	if (i == in->req->tools.n)
		return openai_refuse(in, leaf, OPENAI_BAD_VALUE,
			"names a tool that the request does not define");
	in->req->choice = LLM_CHOICE_NAMED;
	in->req->choice_name = in->req->tools.v[i].name;
	return GP_OK;
}

static bool
read_mode(const struct openai_in *in, jref v, enum llm_choice *out)
{
	if (jdoc_is(in->doc, v, SPAN("auto")))
		*out = LLM_CHOICE_AUTO;
	else if (jdoc_is(in->doc, v, SPAN("required")))
		*out = LLM_CHOICE_ANY;
	else if (jdoc_is(in->doc, v, SPAN("none")))
		*out = LLM_CHOICE_NONE;
	else
		return false;
	return true;
}

/* Mark the tools that the list names; refuses names that are no tool's. */
static enum gp_code
mark_allowed(struct openai_in *in, jref list, bool *is_allowed)
{
	in->list = "tool_choice.allowed_tools.tools";
	in->at = 0;
	JDOC_EACH (in->doc, list, it) {
		const jref function =
			jdoc_get_set(in->doc, it, SPAN("function"));
		const jref name = jdoc_get_set(in->doc, function, SPAN("name"));
		const enum gp_code rc =
			openai_want(in, name, J_STR, "function.name");
		size_t i;

		if (rc != GP_OK)
			return rc;
		i = find_tool(in->req, jdoc_str(in->doc, name));
		if (i == in->req->tools.n)
			return openai_refuse(in, "function.name",
				OPENAI_BAD_VALUE,
				"names a tool that the request does not "
				"define");
		is_allowed[i] = true;
		in->at++;
	}
	in->list = NULL;
	return GP_OK;
}

static enum gp_code
take_allowed(struct openai_in *in, jref v)
{
	const char *const leaf = "tool_choice.allowed_tools.tools";
	const jref mode = jdoc_get_set(in->doc, v, SPAN("mode"));
	const jref list = jdoc_get_set(in->doc, v, SPAN("tools"));
	bool is_allowed[TOOLS_MAX] = { false };
	size_t kept = 0;
	enum gp_code rc =
		openai_want(in, v, J_OBJ, "tool_choice.allowed_tools");

	if (rc == GP_OK)
		rc = openai_want(in, list, J_ARR, leaf);
	if (rc != GP_OK)
		return rc;
	if (!read_mode(in, mode, &in->req->choice) ||
		in->req->choice == LLM_CHOICE_NONE)
		return openai_refuse(in, "tool_choice.allowed_tools.mode",
			OPENAI_BAD_VALUE, "must be auto or required");
	if (jdoc_count(in->doc, list) == 0)
		return openai_refuse(in, leaf, OPENAI_BAD_VALUE,
			"must hold at least one tool");
	rc = mark_allowed(in, list, is_allowed);
	if (rc != GP_OK)
		return rc;
	for (size_t i = 0; i < in->req->tools.n; i++) {
		if (is_allowed[i])
			in->req->tools.v[kept++] = in->req->tools.v[i];
	}
	in->req->tools.n = kept;
	return GP_OK;
}

enum gp_code
openai_take_choice(struct openai_in *in, jref v)
{
	const jref type = jdoc_get_set(in->doc, v, SPAN("type"));

	if (in->req->tools.n == 0) {
		notice_add(&in->req->notices, "dropped", SPAN("tool_choice"));
		return GP_OK;
	}
	if (jdoc_type(in->doc, v) == J_STR) {
		if (read_mode(in, v, &in->req->choice))
			return GP_OK;
		return openai_refuse(in, "tool_choice", OPENAI_BAD_VALUE,
			"must be none, auto, required or an object");
	}
	if (jdoc_is(in->doc, type, SPAN("function")))
		return take_named(in,
			jdoc_get_set(in->doc,
				jdoc_get_set(in->doc, v, SPAN("function")),
				SPAN("name")),
			"tool_choice.function.name");
	if (jdoc_is(in->doc, type, SPAN("allowed_tools")))
		return take_allowed(
			in, jdoc_get_set(in->doc, v, SPAN("allowed_tools")));
	return openai_refuse(in, "tool_choice.type", OPENAI_UNSUPPORTED,
		"must be function or allowed_tools");
}

enum gp_code
openai_take_function_call(struct openai_in *in, jref v)
{
	/* It speaks about functions only, and a tool_choice is newer. */
	if (!in->req->has_functions || in->req->choice != LLM_CHOICE_UNSET) {
		notice_add(&in->req->notices, "dropped", SPAN("function_call"));
		return GP_OK;
	}
	if (jdoc_type(in->doc, v) == J_OBJ)
		return take_named(in, jdoc_get_set(in->doc, v, SPAN("name")),
			"function_call.name");
	if (!read_mode(in, v, &in->req->choice) ||
		in->req->choice == LLM_CHOICE_ANY)
		return openai_refuse(in, "function_call", OPENAI_BAD_VALUE,
			"must be none, auto or an object");
	return GP_OK;
}
