/* SPDX-License-Identifier: MIT */
/* profile_zai_adopt.c - z.ai's own request fields become the tree's. */
#include <stdio.h>

#include "shared/translate/dialect_anthropic_billing.h"
#include "shared/translate/profile_zai.h"

#define BAD_TYPE    "invalid_type"
#define UNSUPPORTED "unsupported_value"

/* A field being read: param is its path. */
struct place {
	const struct jdoc *doc;
	struct llm_req *req;
	struct gp_error *err;
};

static enum gp_code
refuse(const struct place *p, const char *param, const char *clause,
	const char *reason)
{
	(void)gp_fail(p->err, GP_E_SCHEMA, "%s %s", param, clause);
	if (p->err != NULL)
		p->err->reason = reason;
	return gp_fail_at(p->err, GP_E_SCHEMA, "%s", param);
}

static enum gp_code
want(const struct place *p, jref v, enum jtype type, const char *param)
{
	char clause[64];

	if (jdoc_type(p->doc, v) == type)
		return GP_OK;
	(void)snprintf(clause, sizeof(clause), "must be %s, not %s",
		jdoc_type_name(type), jdoc_type_name(jdoc_type(p->doc, v)));
	return refuse(p, param, clause, BAD_TYPE);
}

/* --- thinking ------------------------------------------------------------- */

static enum gp_code
take_thinking_type(const struct place *p, jref type)
{
	static const struct {
		struct span name;
		enum llm_think_mode mode;
	} types[] = {
		{ SPAN_INIT("enabled"), LLM_THINK_ON },
		{ SPAN_INIT("disabled"), LLM_THINK_OFF },
		/* Other vendors' words that clients send everywhere. */
		{ SPAN_INIT("adaptive"), LLM_THINK_ON },
		{ SPAN_INIT("between_tools"), LLM_THINK_ON },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (jdoc_is(p->doc, type, types[i].name)) {
			p->req->think.mode = types[i].mode;
			return GP_OK;
		}
	}
	return refuse(
		p, "thinking.type", "must be enabled or disabled", UNSUPPORTED);
}

static enum gp_code
take_clear(const struct place *p, jref clear, const char *param)
{
	const enum gp_code rc = want(p, clear, J_BOOL, param);
	const bool drops = jdoc_bool(p->doc, clear, false);

	if (rc != GP_OK)
		return rc;
	p->req->think.drop_all = drops;
	p->req->think.keep_all = !drops;
	return GP_OK;
}

static enum gp_code
take_thinking(const struct place *p, jref v)
{
	const jref type = jdoc_get_set(p->doc, v, SPAN("type"));
	const jref clear = jdoc_get_set(p->doc, v, SPAN("clear_thinking"));
	const jref budget = jdoc_get_set(p->doc, v, SPAN("budget_tokens"));
	struct llm_think *const think = &p->req->think;
	enum gp_code rc = GP_OK;

	/* What the vendor's own field means without a type. */
	think->mode = LLM_THINK_ON;
	if (type != JREF_NONE)
		rc = want(p, type, J_STR, "thinking.type");
	if (rc == GP_OK && type != JREF_NONE)
		rc = take_thinking_type(p, type);
	if (rc == GP_OK && clear != JREF_NONE)
		rc = take_clear(p, clear, "thinking.clear_thinking");
	if (rc != GP_OK || budget == JREF_NONE)
		return rc;
	if (!jdoc_int(p->doc, budget, &think->budget_tokens) ||
		think->budget_tokens < 0)
		return refuse(p, "thinking.budget_tokens",
			"must be a whole number that is not negative",
			BAD_TYPE);
	return GP_OK;
}

static enum gp_code
take_enable(const struct place *p, jref v)
{
	p->req->think.mode =
		jdoc_bool(p->doc, v, false) ? LLM_THINK_ON : LLM_THINK_OFF;
	return GP_OK;
}

/* What clients of the open model's servers send. */
static enum gp_code
take_template(const struct place *p, jref v)
{
	const jref enable = jdoc_get_set(p->doc, v, SPAN("enable_thinking"));
	const jref clear = jdoc_get_set(p->doc, v, SPAN("clear_thinking"));
	size_t known = 0;
	enum gp_code rc = GP_OK;

	if (enable != JREF_NONE) {
		known++;
		rc = want(p, enable, J_BOOL,
			"chat_template_kwargs.enable_thinking");
		if (rc == GP_OK)
			rc = take_enable(p, enable);
	}
	if (rc == GP_OK && clear != JREF_NONE) {
		known++;
		rc = take_clear(
			p, clear, "chat_template_kwargs.clear_thinking");
	}
	if (rc == GP_OK && jdoc_count(p->doc, v) > known)
		notice_add(&p->req->notices, "dropped",
			SPAN("chat_template_kwargs"));
	return rc;
}

/* --- the other fields ----------------------------------------------------- */

static enum gp_code
take_do_sample(const struct place *p, jref v)
{
	p->req->is_greedy = !jdoc_bool(p->doc, v, true);
	return GP_OK;
}

static enum gp_code
take_user_id(const struct place *p, jref v)
{
	/* The vendor's own field wins over the dialect's. */
	if (!jesc_is_empty(jdoc_str(p->doc, v)))
		p->req->user_id = jdoc_str(p->doc, v);
	return GP_OK;
}

/* Below 1 it means "no limit" to those who send it. */
static enum gp_code
take_top_k(const struct place *p, jref v)
{
	int64_t k;

	if (!jdoc_int(p->doc, v, &k))
		return refuse(p, "top_k", "must be a whole number", BAD_TYPE);
	p->req->top_k = MAX(k, 0);
	return GP_OK;
}

static enum gp_code
take_nothing(const struct place *p, jref v)
{
	(void)p;
	(void)v;
	return GP_OK;
}

/* --- the table ------------------------------------------------------------ */

/* In the order in which they are taken: later ones win. Those that are not
 * `in_tree` reach an upstream of their own dialect as they are. */
static const struct {
	struct span key;
	enum jtype type;
	bool in_tree;
	enum gp_code (*take)(const struct place *p, jref v);
} fields[] = {
	{ SPAN_INIT("chat_template_kwargs"), J_OBJ, true, take_template },
	{ SPAN_INIT("enable_thinking"), J_BOOL, true, take_enable },
	{ SPAN_INIT("thinking"), J_OBJ, true, take_thinking },
	{ SPAN_INIT("do_sample"), J_BOOL, false, take_do_sample },
	{ SPAN_INIT("tool_stream"), J_BOOL, false, take_nothing },
	{ SPAN_INIT("request_id"), J_STR, false, take_nothing },
	{ SPAN_INIT("user_id"), J_STR, true, take_user_id },
	{ SPAN_INIT("top_k"), J_NUM, true, take_top_k },
};

static struct llm_extra *
find_extra(const struct llm_req *r, struct span key)
{
	for (size_t i = 0; i < r->extra.n; i++) {
		struct llm_extra *const x = &r->extra.v[i];

		if (x->owner == &dialect_openai && jesc_eq(x->key, key))
			return x;
	}
	return NULL;
}

/* --- what no upstream should see ------------------------------------------ */

/* A line of some clients that differs from request to request: in front of
 * everything else it would keep the vendor from finding what it has cached. */
static void
strip_billing(struct llm_parts *parts)
{
	size_t kept = 0;

	for (size_t i = 0; i < parts->n; i++) {
		struct llm_part p = parts->v[i];

		if (p.kind == LLM_PART_TEXT && anthropic_is_billing(p.text)) {
			p.text = anthropic_strip_billing(p.text);
			if (jesc_is_empty(p.text))
				continue;
		}
		parts->v[kept++] = p;
	}
	parts->n = kept;
}

/* Turns that were nothing else go. */
static void
strip_all_billing(struct llm_req *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->turns.n; i++) {
		struct llm_turn t = r->turns.v[i];
		const size_t before = t.parts.n;

		if (t.role == LLM_SYSTEM)
			strip_billing(&t.parts);
		if (t.parts.n > 0 || before == 0)
			r->turns.v[kept++] = t;
	}
	r->turns.n = kept;
}

enum gp_code
zai_adopt(const struct jdoc *doc, struct llm_req *r, struct gp_error *err)
{
	const struct place p = { doc, r, err };

	strip_all_billing(r);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct llm_extra *const x = find_extra(r, fields[i].key);
		enum gp_code rc;
		jref v;

		if (x == NULL)
			continue;
		v = jdoc_get(doc, jdoc_root(doc), fields[i].key);
		rc = want(&p, v, fields[i].type, fields[i].key.p);
		if (rc == GP_OK)
			rc = fields[i].take(&p, v);
		if (rc != GP_OK)
			return rc;
		x->is_minor = true;
		x->is_used = fields[i].in_tree;
	}
	return GP_OK;
}

bool
zai_has_field(const struct llm_req *r, struct span key)
{
	return find_extra(r, key) != NULL;
}

void
zai_add_field(struct llm_req *r, struct jesc key, struct jraw value)
{
	llm_add_extra(r, &dialect_openai, key, value, true);
}
