/* SPDX-License-Identifier: MIT */
/*
 * pages.h - what the admin port serves.
 *
 * pages.c holds the table; a function of it makes one answer: page_*.c for
 * people and monitors, api_*.c the JSON that page/openapi.json describes.
 * access.h says beforehand who may see them.
 */
#ifndef ADMIN_PAGES_H
#define ADMIN_PAGES_H

#include "admin/health.h"
#include "admin/http_server.h"
#include "shared/sys/link.h"

struct access;
struct api_events;
struct calibration;
struct history;
struct logs;
struct history_read;
struct sampler;

struct pages {
	const struct link *link;
	struct http_server *server;
	struct history *history;
	struct history_read *reader;
	struct api_events *events;
	struct access *access;
	struct logs *logs;
	const struct sampler *sampler;
	const struct calibration *calibration;
	struct watch watch; /* sampled by the owner */
};

/* Fill in the answer: 200, the row's content type and an empty body so far. */
typedef void page_fn(const struct pages *p, const struct http_request *request,
	struct http_answer *answer);

/* http_server_fn; ctx is the struct pages. */
void pages_answer(void *ctx, const struct http_request *request,
	struct http_answer *answer);

page_fn api_calibration, api_config, api_drain, api_events, api_live, api_login,
	api_openapi, api_overview, api_quota, api_request, api_requests,
	api_series, api_session, api_totals, api_undrain, api_usage,
	api_workers;
page_fn page_health, page_health_short, page_index, page_login,
	page_login_needed, page_logout, page_metrics;

/* What several pages tell. */
void page_get_facts(const struct pages *p, struct health_facts *f);
int64_t page_uptime_s(const struct shm *m);

#endif
