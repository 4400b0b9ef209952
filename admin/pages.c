/* SPDX-License-Identifier: MIT */
/* pages.c - the table of what the admin port serves. */
#include "admin/pages.h"

#include "admin/access.h"
#include "admin/assets.h"
#include "shared/http/out.h"

#define JSON "application/json"

/* clang-format off: a row a page */
const struct page pages_table[] = {
	{ SPAN_INIT("/"), page_index, "text/html; charset=utf-8", "this page" },
	{ SPAN_INIT("/health"), page_health, JSON,
		"state of the processes, as JSON; 503 when failing" },
	{ SPAN_INIT("/metrics"), page_metrics,
		"text/plain; version=0.0.4; charset=utf-8",
		"figures in the Prometheus text format" },
	{ SPAN_INIT("/openapi.json"), api_openapi, JSON,
		"the interface below /api/, for programs" },
	{ SPAN_INIT("/api/usage"), api_usage, JSON,
		"requests, tokens and cache hits by client and model, as "
		"JSON" },
	{ SPAN_INIT("/api/quota"), api_quota, JSON,
		"what z.ai said of limits: by key, with the time at which they "
		"renew, as JSON" },
	{ .path = { "", 0 } },
};

/* clang-format on */

void
pages_answer(void *ctx, const struct http_request *r, struct http_answer *a)
{
	const struct pages *const p = ctx;

	/* Nothing that is secret; a login needs them before there is one. */
	if ((r->head->method == HTTP_METHOD_GET ||
		    r->head->method == HTTP_METHOD_HEAD) &&
		assets_answer(r->head, a))
		return;
	if (!access_is_allowed(p->link->conf, r, a))
		return;
	for (const struct page *page = pages_table; page->path.n > 0; page++) {
		if (!span_eq(r->head->path, page->path))
			continue;
		if (r->head->method != HTTP_METHOD_GET &&
			r->head->method != HTTP_METHOD_HEAD) {
			http_answer_refuse(
				a, 405, "only GET and HEAD are served here");
			http_out_field_cstr(&a->fields, "allow", "GET, HEAD");
			return;
		}
		a->content_type = page->content_type;
		page->make(p, r, a);
		return;
	}
	http_answer_refuse(a, 404, "there is no such page");
}
