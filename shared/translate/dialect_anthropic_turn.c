/* SPDX-License-Identifier: MIT */
/* dialect_anthropic_turn.c - a Messages request: system text and messages. */
#include "shared/translate/dialect_anthropic.h"

#define NO_TEXT "must be a string that is not empty"

/* The type of a block, checked to be there. */
static enum gp_code
check_block(struct anthropic_in *in, jref block)
{
	const jref type = jdoc_get(in->doc, block, SPAN("type"));

	if (jdoc_type(in->doc, block) != J_OBJ)
		return anthropic_refuse_type(in, "", "an object", block);
	if (jdoc_type(in->doc, type) != J_STR)
		return anthropic_refuse_type(in, "type", "a string", type);
	return GP_OK;
}

/* --- the billing line ----------------------------------------------------- */

bool
anthropic_is_billing(struct jesc text)
{
	return span_starts(text.s, SPAN("x-anthropic-billing-header:"));
}

struct jesc
anthropic_strip_billing(struct jesc text)
{
	/* Somebody may have joined the blocks: the rest is the prompt. */
	while (anthropic_is_billing(text))
		text.s = span_from(text.s, span_find(text.s, SPAN("\\n")) + 2);
	return text;
}

/* --- blocks of one message only ------------------------------------------- */

static enum gp_code
read_thinking(struct anthropic_in *in, jref block)
{
	const jref text = jdoc_get(in->doc, block, SPAN("thinking"));
	const struct jesc signature =
		jdoc_str(in->doc, jdoc_get(in->doc, block, SPAN("signature")));
	struct llm_part *p;

	if (jdoc_type(in->doc, text) != J_STR)
		return anthropic_refuse_type(in, "thinking", "a string", text);
	if (jesc_is_empty(jdoc_str(in->doc, text)) && jesc_is_empty(signature))
		return GP_OK;
	p = anthropic_add_part(in, block, LLM_PART_THINK);
	p->text = jdoc_str(in->doc, text);
	p->signature = signature;
	return GP_OK;
}

/* Nobody but its maker can read it. */
static enum gp_code
read_redacted(struct anthropic_in *in, jref block)
{
	(void)in;
	(void)block;
	return GP_OK;
}

static enum gp_code
read_tool_use(struct anthropic_in *in, jref block)
{
	const struct jdoc *const d = in->doc;
	const jref id = jdoc_get(d, block, SPAN("id"));
	const jref name = jdoc_get(d, block, SPAN("name"));
	const jref input = jdoc_get_set(d, block, SPAN("input"));
	struct llm_part *p;

	if (jesc_is_empty(jdoc_str(d, id)))
		return anthropic_refuse(in, "id", NO_TEXT);
	if (jesc_is_empty(jdoc_str(d, name)))
		return anthropic_refuse(in, "name", NO_TEXT);
	p = anthropic_add_part(in, block, LLM_PART_CALL);
	p->id = jdoc_str(d, id);
	p->name = jdoc_str(d, name);
	p->args.value = JRAW("{}");
	switch (jdoc_type(d, input)) {
	case J_NONE:
		return GP_OK;
	case J_OBJ:
		p->args.value = jdoc_raw(d, input);
		return GP_OK;
	case J_STR:
		/* Arguments that some client could not parse. */
		p->args.value = JRAW_NONE;
		p->args.text = jdoc_str(d, input);
		p->args.has_text = true;
		return GP_OK;
	case J_NULL:
	case J_BOOL:
	case J_NUM:
	case J_ARR:
		break;
	}
	return anthropic_refuse_type(in, "input", "an object", input);
}

/* Blocks of a tool result go to result->parts. */
static enum gp_code
read_result_blocks(
	struct anthropic_in *in, struct llm_part *result, jref content)
{
	struct llm_parts *const outer = in->parts;
	const enum anthropic_place place = in->place;
	enum gp_code rc = GP_OK;

	in->parts = &result->parts;
	in->place = ANTHROPIC_RESULT;
	in->depth++;
	in->at[in->depth - 1] = 0;
	JDOC_EACH (in->doc, content, it) {
		rc = check_block(in, it);
		if (rc == GP_OK)
			rc = anthropic_read_plain(in, it);
		if (rc != GP_OK)
			return rc;
		in->at[in->depth - 1]++;
	}
	in->depth--;
	in->place = place;
	in->parts = outer;
	return rc;
}

static enum gp_code
read_tool_result(struct anthropic_in *in, jref block)
{
	const struct jdoc *const d = in->doc;
	const jref id = jdoc_get(d, block, SPAN("tool_use_id"));
	const jref content = jdoc_get_set(d, block, SPAN("content"));
	const jref is_error = jdoc_get_set(d, block, SPAN("is_error"));
	struct llm_part *p;

	if (jesc_is_empty(jdoc_str(d, id)))
		return anthropic_refuse(in, "tool_use_id", NO_TEXT);
	if (is_error != JREF_NONE && jdoc_type(d, is_error) != J_BOOL)
		return anthropic_refuse_type(
			in, "is_error", "a boolean", is_error);
	p = anthropic_add_part(in, block, LLM_PART_RESULT);
	p->id = jdoc_str(d, id);
	p->is_error = jdoc_bool(d, is_error, false);
	p->is_flat = true;
	if (content == JREF_NONE)
		return GP_OK;
	if (jdoc_type(d, content) == J_STR) {
		llm_add_text(in->r, &p->parts, jdoc_str(d, content));
		return GP_OK;
	}
	if (jdoc_type(d, content) != J_ARR)
		return anthropic_refuse_type(
			in, "content", "a string or an array", content);
	p->is_flat = false;
	return read_result_blocks(in, p, content);
}

/* A summary of all that was before it. It is told as the user's text, even
 * when it stands in a message of the assistant, who has not said it. */
static enum gp_code
read_compaction(struct anthropic_in *in, jref block)
{
	const struct jesc text =
		jdoc_str(in->doc, jdoc_get(in->doc, block, SPAN("content")));

	notice_add(&in->r->notices,
		jesc_is_empty(text) ? "dropped" : "degraded",
		SPAN("compaction"));
	if (jesc_is_empty(text))
		return GP_OK;
	if (in->place == ANTHROPIC_USER) {
		llm_add_text(in->r, in->parts, text);
		return GP_OK;
	}
	in->parts = &llm_add_turn(in->r, LLM_USER, in->at[0])->parts;
	llm_add_text(in->r, in->parts, text);
	in->parts = &llm_add_turn(in->r, LLM_ASSISTANT, in->at[0])->parts;
	return GP_OK;
}

/* --- messages ------------------------------------------------------------- */

static const struct {
	struct span type;
	enum gp_code (*read)(struct anthropic_in *in, jref block);
	unsigned places;
	bool is_strict; /* elsewhere it is a mistake, else it is dropped */
} kinds[] = {
	{ SPAN_INIT("tool_use"), read_tool_use, ANTHROPIC_ASSISTANT, true },
	{ SPAN_INIT("tool_result"), read_tool_result, ANTHROPIC_USER, true },
	{ SPAN_INIT("thinking"), read_thinking, ANTHROPIC_ASSISTANT, false },
	{ SPAN_INIT("redacted_thinking"), read_redacted, ANTHROPIC_ASSISTANT,
		false },
	{ SPAN_INIT("compaction"), read_compaction,
		ANTHROPIC_USER | ANTHROPIC_ASSISTANT, false },
};

static enum gp_code
read_block(struct anthropic_in *in, jref block)
{
	const struct jesc type =
		jdoc_str(in->doc, jdoc_get(in->doc, block, SPAN("type")));
	const enum gp_code rc = check_block(in, block);

	if (rc != GP_OK)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!jesc_eq(type, kinds[i].type))
			continue;
		if ((kinds[i].places & in->place) != 0)
			return kinds[i].read(in, block);
		if (kinds[i].is_strict)
			return anthropic_refuse(in, "type",
				"must not be %s in a message of this role",
				kinds[i].type.p);
		notice_add(&in->r->notices, "dropped", type.s);
		return GP_OK;
	}
	return anthropic_read_plain(in, block);
}

/* A string or an array of blocks, into in->parts. */
static enum gp_code
read_content(struct anthropic_in *in, jref content)
{
	if (jdoc_type(in->doc, content) == J_STR) {
		struct jesc text = jdoc_str(in->doc, content);

		if (in->place == ANTHROPIC_SYSTEM)
			text = anthropic_strip_billing(text);
		llm_add_verbatim(in->r, in->parts, text);
		return GP_OK;
	}
	in->depth++;
	in->at[in->depth - 1] = 0;
	JDOC_EACH (in->doc, content, it) {
		const enum gp_code rc = read_block(in, it);

		if (rc != GP_OK)
			return rc;
		in->at[in->depth - 1]++;
	}
	in->depth--;
	return GP_OK;
}

static bool
is_content(const struct anthropic_in *in, jref v)
{
	return jdoc_type(in->doc, v) == J_STR || jdoc_type(in->doc, v) == J_ARR;
}

static enum gp_code
read_message(struct anthropic_in *in, jref v)
{
	static const struct {
		struct span name;
		enum llm_role role;
		enum anthropic_place place;
	} roles[] = {
		{ SPAN_INIT("user"), LLM_USER, ANTHROPIC_USER },
		{ SPAN_INIT("assistant"), LLM_ASSISTANT, ANTHROPIC_ASSISTANT },
		{ SPAN_INIT("system"), LLM_SYSTEM, ANTHROPIC_SYSTEM },
	};

	const jref role = jdoc_get(in->doc, v, SPAN("role"));
	const jref content = jdoc_get(in->doc, v, SPAN("content"));

	if (jdoc_type(in->doc, v) != J_OBJ)
		return anthropic_refuse_type(in, "", "an object", v);
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (!jdoc_is(in->doc, role, roles[i].name))
			continue;
		if (!is_content(in, content))
			return anthropic_refuse_type(in, "content",
				"a string or an array of blocks", content);
		in->place = roles[i].place;
		in->parts =
			&llm_add_turn(in->r, roles[i].role, in->at[0])->parts;
		return read_content(in, content);
	}
	return anthropic_refuse(
		in, "role", "must be user, assistant or system");
}

enum gp_code
anthropic_read_messages(struct anthropic_in *in, jref v)
{
	if (jdoc_type(in->doc, v) != J_ARR)
		return anthropic_refuse_type(in, "messages", "an array", v);
	if (jdoc_count(in->doc, v) == 0)
		return anthropic_refuse(
			in, "messages", "must hold at least one message");
	in->list = "messages";
	in->depth = 1;
	in->at[0] = 0;
	JDOC_EACH (in->doc, v, it) {
		const enum gp_code rc = read_message(in, it);

		if (rc != GP_OK)
			return rc;
		in->at[0]++;
	}
	in->depth = 0;
	return GP_OK;
}

/* One turn of system text in front of all messages, none if it is empty. */
enum gp_code
anthropic_read_system(struct anthropic_in *in, jref v)
{
	enum gp_code rc;

	if (!is_content(in, v))
		return anthropic_refuse_type(
			in, "system", "a string or an array of blocks", v);
	in->list = "system";
	in->place = ANTHROPIC_SYSTEM;
	in->parts = &llm_add_turn(in->r, LLM_SYSTEM, 0)->parts;
	rc = read_content(in, v);
	if (rc == GP_OK && in->parts->n == 0)
		in->r->turns.n = 0;
	return rc;
}
