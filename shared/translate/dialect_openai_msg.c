/* SPDX-License-Identifier: MIT */
/* dialect_openai_msg.c - the messages of a request: one turn each. */
#include "shared/translate/dialect_openai.h"

/* Deprecated calls have no ids: they are made from the message's position. A
 * result belongs to the latest open call of its name; so many are remembered.
 */
#define CALLS_REMEMBERED 16

struct function_call {
	struct jesc name, id;
	bool is_answered;
};

struct messages {
	struct openai_in *in;
	struct function_call calls[CALLS_REMEMBERED];
	size_t ncalls; /* all that were seen; the oldest are overwritten */
};

typedef enum gp_code role_fn(struct messages *m, jref msg);

/* --- system and user ------------------------------------------------------ */

static enum gp_code
take_plain(struct messages *m, jref msg, enum llm_role role)
{
	struct openai_in *const in = m->in;
	struct llm_turn *const turn = llm_add_turn(in->req, role, in->at);

	return openai_take_content(in,
		jdoc_get_set(in->doc, msg, SPAN("content")), &turn->parts,
		role == LLM_USER);
}

static enum gp_code
take_system(struct messages *m, jref msg)
{
	struct llm_req *const r = m->in->req;
	const enum gp_code rc = take_plain(m, msg, LLM_SYSTEM);

	/* Nothing was said: nothing to be kept. */
	if (rc == GP_OK && r->turns.v[r->turns.n - 1].parts.n == 0)
		r->turns.n--;
	return rc;
}

static enum gp_code
take_user(struct messages *m, jref msg)
{
	return take_plain(m, msg, LLM_USER);
}

/* --- assistant ------------------------------------------------------------ */

static void
take_reasoning(struct openai_in *in, jref msg, struct llm_parts *to)
{
	jref v = jdoc_get_set(in->doc, msg, SPAN("reasoning_content"));
	struct jesc text;

	/* Not the maker's own field: shapes vary, strings are understood. */
	if (jdoc_type(in->doc, v) != J_STR)
		v = jdoc_get_set(in->doc, msg, SPAN("reasoning"));
	text = jdoc_str(in->doc, v);
	if (!jesc_is_empty(text))
		llm_add_part(in->req, to, LLM_PART_THINK)->text = text;
}

/* {name, arguments}; leaf names for refusals. */
static enum gp_code
take_function(struct openai_in *in, jref f, struct jesc id,
	struct llm_parts *to, const char *name_leaf, const char *args_leaf)
{
	const jref name = jdoc_get_set(in->doc, f, SPAN("name"));
	const jref args = jdoc_get_set(in->doc, f, SPAN("arguments"));
	struct llm_part *call;
	enum gp_code rc = openai_want(in, name, J_STR, name_leaf);

	/* Some clients send the object itself. */
	if (rc == GP_OK && jdoc_type(in->doc, args) != J_OBJ)
		rc = openai_want_if_set(in, args, J_STR, args_leaf);
	if (rc != GP_OK)
		return rc;
	call = llm_add_part(in->req, to, LLM_PART_CALL);
	call->id = id;
	call->name = jdoc_str(in->doc, name);
	if (jdoc_type(in->doc, args) == J_OBJ) {
		call->args.value = jdoc_raw(in->doc, args);
	} else {
		call->args.text = jdoc_str(in->doc, args);
		call->args.has_text = true;
	}
	return GP_OK;
}

static enum gp_code
take_tool_call(struct openai_in *in, jref v, struct llm_parts *to)
{
	const jref id = jdoc_get_set(in->doc, v, SPAN("id"));
	const jref type = jdoc_get_set(in->doc, v, SPAN("type"));
	const jref function = jdoc_get_set(in->doc, v, SPAN("function"));
	enum gp_code rc = openai_want(in, v, J_OBJ, "");

	if (rc == GP_OK)
		rc = openai_want(in, id, J_STR, "id");
	if (rc != GP_OK)
		return rc;
	/* Some clients leave the type out. */
	if (type != JREF_NONE && !jdoc_is(in->doc, type, SPAN("function")))
		return openai_refuse(in, "type", OPENAI_UNSUPPORTED,
			"must be function: no other kind of tool call is "
			"supported");
	rc = openai_want(in, function, J_OBJ, "function");
	if (rc != GP_OK)
		return rc;
	return take_function(in, function, jdoc_str(in->doc, id), to,
		"function.name", "function.arguments");
}

static enum gp_code
take_tool_calls(struct openai_in *in, jref list, struct llm_parts *to)
{
	enum gp_code rc = openai_want_if_set(in, list, J_ARR, "tool_calls");

	if (rc != GP_OK)
		return rc;
	in->sub = "tool_calls";
	in->sub_at = 0;
	JDOC_EACH (in->doc, list, it) {
		rc = take_tool_call(in, it, to);
		if (rc != GP_OK)
			return rc;
		in->sub_at++;
	}
	in->sub = NULL;
	return GP_OK;
}

static enum gp_code
take_function_call(struct messages *m, jref v, struct llm_parts *to)
{
	struct openai_in *const in = m->in;
	const struct span id =
		arena_printf(in->req->arena, "call_fn_%zu", in->at);
	enum gp_code rc = openai_want(in, v, J_OBJ, "function_call");

	if (rc == GP_OK)
		rc = take_function(in, v, (struct jesc){ id }, to,
			"function_call.name", "function_call.arguments");
	if (rc != GP_OK)
		return rc;
	m->calls[m->ncalls++ % CALLS_REMEMBERED] = (struct function_call){
		.name = to->v[to->n - 1].name,
		.id = { id },
	};
	return GP_OK;
}

static enum gp_code
take_assistant(struct messages *m, jref msg)
{
	struct openai_in *const in = m->in;
	struct llm_parts *const to =
		&llm_add_turn(in->req, LLM_ASSISTANT, in->at)->parts;
	const jref refusal = jdoc_get_set(in->doc, msg, SPAN("refusal"));
	const jref calls = jdoc_get_set(in->doc, msg, SPAN("tool_calls"));
	const jref function = jdoc_get_set(in->doc, msg, SPAN("function_call"));
	enum gp_code rc;

	take_reasoning(in, msg, to);
	rc = openai_take_content(
		in, jdoc_get_set(in->doc, msg, SPAN("content")), to, false);
	if (rc == GP_OK)
		rc = openai_want_if_set(in, refusal, J_STR, "refusal");
	if (rc != GP_OK)
		return rc;
	llm_add_text(in->req, to, jdoc_str(in->doc, refusal));
	rc = take_tool_calls(in, calls, to);
	/* Where both shapes are there they say the same. */
	if (rc == GP_OK && function != JREF_NONE &&
		jdoc_count(in->doc, calls) == 0)
		rc = take_function_call(m, function, to);
	return rc;
}

/* --- results -------------------------------------------------------------- */

static enum gp_code
take_result(struct messages *m, jref msg, struct jesc id)
{
	struct openai_in *const in = m->in;
	const jref content = jdoc_get_set(in->doc, msg, SPAN("content"));
	struct llm_turn *const turn = llm_add_turn(in->req, LLM_USER, in->at);
	struct llm_part *const result =
		llm_add_part(in->req, &turn->parts, LLM_PART_RESULT);

	result->id = id;
	result->is_flat = jdoc_type(in->doc, content) == J_STR;
	return openai_take_content(in, content, &result->parts, true);
}

static enum gp_code
take_tool(struct messages *m, jref msg)
{
	const jref id = jdoc_get_set(m->in->doc, msg, SPAN("tool_call_id"));
	const enum gp_code rc = openai_want(m->in, id, J_STR, "tool_call_id");

	if (rc != GP_OK)
		return rc;
	return take_result(m, msg, jdoc_str(m->in->doc, id));
}

/* The id of the latest call of that name that has no result yet, else one that
 * no call has: the result is then shown as text. */
static struct jesc
answer_call(struct messages *m, struct jesc name)
{
	const size_t known = MIN(m->ncalls, (size_t)CALLS_REMEMBERED);

	for (size_t back = 1; back <= known; back++) {
		struct function_call *const c =
			&m->calls[(m->ncalls - back) % CALLS_REMEMBERED];

		if (c->is_answered || jesc_cmp(c->name, name) != 0)
			continue;
		c->is_answered = true;
		return c->id;
	}
	return (struct jesc){ arena_printf(
		m->in->req->arena, "call_fn_%zu", m->in->at) };
}

static enum gp_code
take_function_result(struct messages *m, jref msg)
{
	const jref name = jdoc_get_set(m->in->doc, msg, SPAN("name"));
	const enum gp_code rc = openai_want(m->in, name, J_STR, "name");

	if (rc != GP_OK)
		return rc;
	return take_result(m, msg, answer_call(m, jdoc_str(m->in->doc, name)));
}

/* --- the list ------------------------------------------------------------- */

static const struct {
	struct span name;
	role_fn *take;
	bool has_name; /* the field `name` means something */
} roles[] = {
	{ SPAN_INIT("user"), take_user, false },
	{ SPAN_INIT("assistant"), take_assistant, false },
	{ SPAN_INIT("tool"), take_tool, false },
	{ SPAN_INIT("system"), take_system, false },
	{ SPAN_INIT("developer"), take_system, false },
	{ SPAN_INIT("function"), take_function_result, true },
};

static enum gp_code
take_message(struct messages *m, jref msg)
{
	struct openai_in *const in = m->in;
	const jref role = jdoc_get_set(in->doc, msg, SPAN("role"));
	enum gp_code rc = openai_want(in, msg, J_OBJ, "");

	if (rc == GP_OK)
		rc = openai_want(in, role, J_STR, "role");
	if (rc != GP_OK)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (!jdoc_is(in->doc, role, roles[i].name))
			continue;
		if (!roles[i].has_name &&
			jdoc_get_set(in->doc, msg, SPAN("name")) != JREF_NONE)
			notice_add(&in->req->notices, "dropped", SPAN("name"));
		return roles[i].take(m, msg);
	}
	return openai_refuse(in, "role", OPENAI_BAD_VALUE,
		"must be system, developer, user, assistant, tool or "
		"function");
}

enum gp_code
openai_take_messages(struct openai_in *in, jref v)
{
	struct messages m = { .in = in };

	in->list = "messages";
	in->at = 0;
	JDOC_EACH (in->doc, v, it) {
		const enum gp_code rc = take_message(&m, it);

		if (rc != GP_OK)
			return rc;
		in->at++;
	}
	in->list = NULL;
	return GP_OK;
}
