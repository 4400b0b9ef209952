/* SPDX-License-Identifier: MIT */
/* llm_filter_names.c - gives the client its own tool names back. */
#include "shared/translate/llm_filter.h"

struct names {
	struct llm_sink sink;
	struct llm_sink *next;
	const struct llm_req *req;
};

static struct jesc
original_of(const struct llm_req *r, struct jesc wire)
{
	for (size_t i = 0; i < r->renames.n; i++) {
		if (jesc_cmp(r->renames.v[i].wire, wire) == 0)
			return r->renames.v[i].original;
	}
	return wire;
}

static enum gp_code
names_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct names *const f = CONTAINER_OF(s, struct names, sink);
	struct llm_event out;

	if (e->kind != LLM_OPEN || e->block != LLM_TOOL)
		return llm_put(f->next, e, err);
	out = *e;
	out.name = original_of(f->req, e->name);
	return llm_put(f->next, &out, err);
}

struct llm_sink *
llm_filter_names(
	struct arena *a, const struct llm_req *r, struct llm_sink *next)
{
	struct names *const f = arena_alloc(a, sizeof(*f));

	*f = (struct names){
		.sink = { names_put },
		.next = next,
		.req = r,
	};
	return &f->sink;
}
