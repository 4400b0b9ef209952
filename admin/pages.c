/* SPDX-License-Identifier: MIT */
/* pages.c - the table of what the admin port serves. */
#include "admin/pages.h"

#include "admin/access.h"
#include "admin/assets.h"
#include "shared/http/out.h"

#define JSON       "application/json"
#define HTML       "text/html; charset=utf-8"
#define EVENTS     "text/event-stream; charset=utf-8"
#define PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

enum page_method {
	PAGE_GET,   /* and HEAD; below /api/ without a query */
	PAGE_QUERY, /* the same, and it judges the query itself */
	PAGE_BELOW, /* PAGE_GET for all paths that begin so, not for this */
	PAGE_POST,  /* JSON */
	PAGE_FORM   /* POST, of a form without fields */
};

struct page {
	struct span path;
	page_fn *make;
	const char *content_type;
	enum page_method method;
	/* What is shown without the token, where one is needed; NULL: 401. */
	page_fn *make_for_strangers;
};

/* clang-format off: a row a page */
static const struct page pages[] = {
	{ SPAN_INIT("/"), page_index, HTML, PAGE_GET, page_login_needed },
	{ SPAN_INIT("/health"), page_health, JSON, PAGE_GET,
		page_health_short },
	{ SPAN_INIT("/metrics"), page_metrics, PROMETHEUS, PAGE_GET, NULL },
	{ SPAN_INIT("/openapi.json"), api_openapi, JSON, PAGE_GET, NULL },
	{ SPAN_INIT("/api/overview"), api_overview, JSON, PAGE_GET, NULL },
	{ SPAN_INIT("/api/events"), api_events, EVENTS, PAGE_GET, NULL },
	{ SPAN_INIT("/api/live"), api_live, JSON, PAGE_GET, NULL },
	{ SPAN_INIT("/api/workers"), api_workers, JSON, PAGE_GET, NULL },
	{ SPAN_INIT("/api/config"), api_config, JSON, PAGE_GET, NULL },
	{ SPAN_INIT("/api/usage"), api_usage, JSON, PAGE_GET, NULL },
	{ SPAN_INIT("/api/quota"), api_quota, JSON, PAGE_GET, NULL },
	{ SPAN_INIT("/api/calibration"), api_calibration, JSON, PAGE_GET,
		NULL },
	{ SPAN_INIT("/api/requests"), api_requests, JSON, PAGE_QUERY, NULL },
	{ SPAN_INIT("/api/requests/"), api_request, JSON, PAGE_BELOW, NULL },
	{ SPAN_INIT("/api/series"), api_series, JSON, PAGE_QUERY, NULL },
	{ SPAN_INIT("/api/totals"), api_totals, JSON, PAGE_QUERY, NULL },
	{ SPAN_INIT("/api/session"), api_session, JSON, PAGE_GET, NULL },
	{ SPAN_INIT("/api/login"), api_login, JSON, PAGE_POST, api_login },
	{ SPAN_INIT("/api/drain"), api_drain, JSON, PAGE_POST, NULL },
	{ SPAN_INIT("/api/undrain"), api_undrain, JSON, PAGE_POST, NULL },
	{ SPAN_INIT("/login"), page_login, HTML, PAGE_GET, page_login },
	{ SPAN_INIT("/logout"), page_logout, HTML, PAGE_FORM, page_logout },
};

/* clang-format on */

static bool
is_get(const struct http_request *r)
{
	return r->head->method == HTTP_METHOD_GET ||
		r->head->method == HTTP_METHOD_HEAD;
}

static bool
is_below(struct span path, struct span top)
{
	return path.n > top.n && span_starts(path, top);
}

static const struct page *
find(struct span path)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		const struct page *const p = &pages[i];

		if (p->method == PAGE_BELOW ? is_below(path, p->path) :
					      span_eq(path, p->path))
			return p;
	}
	return NULL;
}

/* False with a refusal, as below. */
static bool
takes_get(const struct page *page, const struct http_request *r,
	struct http_answer *a)
{
	if (!is_get(r)) {
		http_answer_refuse(a, 405, "only GET and HEAD are served here");
		http_out_field_cstr(&a->fields, "allow", "GET, HEAD");
		return false;
	}
	if (page->method != PAGE_QUERY && r->head->query.n > 0 &&
		span_starts(page->path, SPAN("/api/"))) {
		http_answer_refuse(a, 400, "this takes no parameters");
		return false;
	}
	return true;
}

static bool
takes(const struct page *page, const struct http_request *r,
	struct http_answer *a)
{
	if (page->method != PAGE_POST && page->method != PAGE_FORM)
		return takes_get(page, r, a);
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
