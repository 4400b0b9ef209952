/* SPDX-License-Identifier: MIT */
/* api_openapi.c - /openapi.json: the interface of the admin port. */
#include "admin/pages.h"

#include "admin_page/openapi.json.h"

void
api_openapi(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	(void)p;
	(void)request;
	buf_put(&a->body,
		span_of((const char *)page_openapi_json,
			sizeof(page_openapi_json)));
}
