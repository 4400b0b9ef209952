/* SPDX-License-Identifier: MIT */
/* pages.c - the table of what the admin port serves. */
#include "admin/pages.h"

#include "admin/access.h"
#include "admin/assets.h"
#include "shared/http/out.h"

#define JSON "application/json"
#define HTML "text/html; charset=utf-8"

/* clang-format off: a row a page */
const struct page pages_table[] = {
	{ SPAN_INIT("/"), page_index, HTML, "this page", PAGE_GET,
		page_login_needed },
	{ SPAN_INIT("/health"), page_health, JSON,
		"state of the service, as JSON; 503 when failing", PAGE_GET,
		page_health_short },
	{ SPAN_INIT("/metrics"), page_metrics,
		"text/plain; version=0.0.4; charset=utf-8",
		"figures in the Prometheus text format", PAGE_GET, NULL },
	{ SPAN_INIT("/openapi.json"), api_openapi, JSON,
		"the interface below /api/, for programs", PAGE_GET, NULL },
	{ SPAN_INIT("/api/usage"), api_usage, JSON,
		"requests, tokens and cache hits by client and model, as "
		"JSON",
		PAGE_GET, NULL },
	{ SPAN_INIT("/api/quota"), api_quota, JSON,
		"what z.ai said of limits: by key, with the time at which they "
		"renew, as JSON",
		PAGE_GET, NULL },
	{ SPAN_INIT("/api/session"), api_session, JSON, NULL, PAGE_GET, NULL },
	{ SPAN_INIT("/api/login"), api_login, JSON, NULL, PAGE_POST,
		api_login },
	{ SPAN_INIT("/api/drain"), api_drain, JSON, NULL, PAGE_POST, NULL },
	{ SPAN_INIT("/api/undrain"), api_undrain, JSON, NULL, PAGE_POST, NULL },
	{ SPAN_INIT("/login"), page_login, HTML, NULL, PAGE_GET, page_login },
	{ SPAN_INIT("/logout"), page_logout, HTML, NULL, PAGE_FORM,
		page_logout },
	{ .path = { "", 0 } },
};

/* clang-format on */

static bool
is_get(const struct http_request *r)
{
	return r->head->method == HTTP_METHOD_GET ||
		r->head->method == HTTP_METHOD_HEAD;
}

static const struct page *
find(struct span path)
{
	for (const struct page *p = pages_table; p->path.n > 0; p++)
		if (span_eq(path, p->path))
			return p;
	return NULL;
}

/* False with a refusal. */
static bool
takes(const struct page *page, const struct http_request *r,
	struct http_answer *a)
{
	if (page->method == PAGE_GET) {
		if (is_get(r))
			return true;
		http_answer_refuse(a, 405, "only GET and HEAD are served here");
		http_out_field_cstr(&a->fields, "allow", "GET, HEAD");
		return false;
	}
	if (r->head->method != HTTP_METHOD_POST) {
		http_answer_refuse(a, 405, "only POST is served here");
		http_out_field_cstr(&a->fields, "allow", "POST");
		return false;
	}
	return page->method == PAGE_FORM || access_is_json(r, a);
}

void
pages_answer(void *ctx, const struct http_request *r, struct http_answer *a)
{
	const struct pages *const p = ctx;
	const struct page *page;
	enum access_level level;

	/* Nothing that is secret; a login needs them before there is one. */
	if (is_get(r) && assets_answer(r->head, a))
		return;
	level = access_ask(p->access, r, a);
	if (level == ACCESS_REFUSED)
		return;
	page = find(r->head->path);
	if (level == ACCESS_STRANGER &&
		(page == NULL || page->make_for_strangers == NULL)) {
		access_refuse_stranger(a);
		return;
	}
	if (page == NULL) {
		http_answer_refuse(a, 404, "there is no such page");
		return;
	}
	if (!takes(page, r, a))
		return;
	a->content_type = page->content_type;
	if (level == ACCESS_STRANGER)
		page->make_for_strangers(p, r, a);
	else
		page->make(p, r, a);
}
