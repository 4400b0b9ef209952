/* SPDX-License-Identifier: MIT */
/* page_index.c - /: the admin page. */
#include "admin/assets.h"
#include "admin/pages.h"

void
page_index(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	(void)p;
	assets_answer_page(request->head, "index.html", a);
}
