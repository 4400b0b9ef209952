/* SPDX-License-Identifier: MIT */
/* llm_req.c - building the neutral request tree. */
#include "shared/translate/llm_req.h"

void
llm_req_init(struct llm_req *r, struct arena *a, enum llm_purpose purpose)
{
	/* Spans must not hold NULL. */
	*r = (struct llm_req){
		.arena = a,
		.purpose = purpose,
		.model = JESC_EMPTY,
		.choice_name = JESC_EMPTY,
		.temperature.raw = JRAW_NONE,
		.top_p.raw = JRAW_NONE,
		.format_schema = JRAW_NONE,
		.format_name = JESC_EMPTY,
		.user_id = JESC_EMPTY,
		.instead = JESC_EMPTY,
	};
	notices_init(&r->notices, a);
}

struct llm_turn *
llm_add_turn(struct llm_req *r, enum llm_role role, size_t source)
{
	struct llm_turn *const t = VEC_PUSH(r->arena, &r->turns);

	t->role = role;
	t->source = source;
	return t;
}

struct llm_part *
llm_add_part(
	struct llm_req *r, struct llm_parts *parts, enum llm_part_kind kind)
{
	struct llm_part *const p = VEC_PUSH(r->arena, parts);

	*p = (struct llm_part){
		.kind = kind,
		.text = JESC_EMPTY,
		.signature = JESC_EMPTY,
		.id = JESC_EMPTY,
		.name = JESC_EMPTY,
		.args = { .text = JESC_EMPTY, .value = JRAW_NONE },
		.image = { .media_type = JESC_EMPTY, .data = JESC_EMPTY },
		.cache_control = JRAW_NONE,
	};
	return p;
}

void
llm_add_text(struct llm_req *r, struct llm_parts *parts, struct jesc text)
{
	if (!jesc_is_empty(text))
		llm_add_part(r, parts, LLM_PART_TEXT)->text = text;
}

void
llm_add_verbatim(struct llm_req *r, struct llm_parts *parts, struct jesc text)
{
	const size_t before = parts->n;

	llm_add_text(r, parts, text);
	if (parts->n > before)
		parts->v[before].is_verbatim = true;
}

void
llm_add_extra(struct llm_req *r, const struct dialect *owner, struct jesc key,
	struct jraw value, bool is_minor)
{
	struct llm_extra *const x = VEC_PUSH(r->arena, &r->extra);

	x->owner = owner;
	x->key = key;
	x->value = value;
	x->is_minor = is_minor;
}

static bool
is_id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || c == '-';
}

struct jesc
llm_clean_id(struct arena *a, struct jesc id)
{
	size_t clean = 0;
	struct span s;
	char *out;

	while (clean < id.s.n && is_id_char(id.s.p[clean]))
		clean++;
	if (clean == id.s.n)
		return id;
	s = jtext_unescape_dup(a, id);
	out = arena_alloc(a, s.n);
	for (size_t i = 0; i < s.n; i++)
		out[i] = is_id_char(s.p[i]) ? s.p[i] : '_';
	return (struct jesc){ span_of(out, s.n) };
}
