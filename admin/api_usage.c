/* SPDX-License-Identifier: MIT */
/* api_usage.c - /api/usage: tokens by client and model. */
#include "admin/figures.h"
#include "admin/pages.h"
#include "shared/json/jout.h"

void
api_usage(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	struct figures f;
	struct jout j;

	(void)request;
	figures_take(&p->link->shm->usage, &f);
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_key(&j, "usage");
	figures_put_json(&f, &j);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}
