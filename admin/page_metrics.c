/* SPDX-License-Identifier: MIT */
/* page_metrics.c - /metrics: all figures for Prometheus. */
#include "admin/exposition.h"
#include "admin/pages.h"

void
page_metrics(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	struct health_facts f;
	struct health h;

	(void)request;
	page_get_facts(p, &f);
	health_judge(&f, &h);
	exposition_put(p->link, &f, h.status == HEALTH_OK,
		page_uptime_s(p->link->shm), &a->body);
}
