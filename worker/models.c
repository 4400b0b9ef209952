/* SPDX-License-Identifier: MIT */
/* models.c - GET /v1/models in one superset body. */
#include "worker/models.h"

#include <stdio.h>
#include <time.h>

static void
put_time(struct jout *out, const char *key, int64_t s)
{
	char text[32];
	struct tm tm;
	time_t t = (time_t)s;

	gmtime_r(&t, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	jout_kv_cstr(out, key, text);
}

void
models_one(const struct router_listed *l, int64_t created_s, struct jout *out)
{
	const struct model_info *m = l->info;

	jout_obj(out);
	jout_kv_span(out, "id", l->name);
	jout_kv_cstr(out, "object", "model");
	jout_kv_int(out, "created", created_s);
	jout_kv_cstr(out, "owned_by", "z-ai");
	jout_kv_cstr(out, "type", "model");
	jout_kv_span(out, "display_name", l->name);
	put_time(out, "created_at", created_s);
	jout_kv_int(out, "max_input_tokens", m->context_tokens);
	jout_kv_int(out, "max_tokens", m->max_output_tokens);
	jout_kv_int(out, "context_length", m->context_tokens);
	jout_obj_end(out);
}

static size_t
position(const struct router *r, struct span id, size_t otherwise)
{
	const struct router_listed *l = router_listed(r, id);

	return l != NULL ? (size_t)(l - r->listed.v) : otherwise;
}

void
models_list(const struct router *r, const struct models_page *page,
	int64_t created_s, struct jout *out)
{
	size_t n = r->listed.n;
	size_t from = page->after_id.n > 0 ?
		MIN(position(r, page->after_id, n) + 1, n) :
		0;
	size_t to = page->before_id.n > 0 ?
		MAX(position(r, page->before_id, n), from) :
		n;
	bool has_more = false;

	if (page->limit > 0 && to - from > page->limit) {
		has_more = true;
		if (page->before_id.n > 0)
			from = to - page->limit;
		else
			to = from + page->limit;
	}
	jout_obj(out);
	jout_kv_cstr(out, "object", "list");
	jout_key(out, "data");
	jout_arr(out);
	for (size_t i = from; i < to; i++)
		models_one(&r->listed.v[i], created_s, out);
	jout_arr_end(out);
	jout_kv_bool(out, "has_more", has_more);
	jout_key(out, "first_id");
	if (from < to)
		jout_span(out, r->listed.v[from].name);
	else
		jout_null(out);
	jout_key(out, "last_id");
	if (from < to)
		jout_span(out, r->listed.v[to - 1].name);
	else
		jout_null(out);
	jout_obj_end(out);
}

void
models_parse_query(struct span query, struct models_page *page)
{
	struct span field;

	*page = (struct models_page){ 0, SPAN_EMPTY, SPAN_EMPTY };
	while (span_split(&query, '&', &field)) {
		size_t at = span_find_char(field, '=');
		struct span key = span_head(field, at);
		struct span value = span_from(field, at + 1);
		uint64_t n;

		if (span_eq(key, SPAN("limit")) && span_u64(value, &n))
			page->limit = (size_t)n;
		else if (span_eq(key, SPAN("after_id")))
			page->after_id = value;
		else if (span_eq(key, SPAN("before_id")))
			page->before_id = value;
	}
}
