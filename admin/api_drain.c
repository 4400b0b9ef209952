/* SPDX-License-Identifier: MIT */
/* api_drain.c - what `glmproxy drain` and `undrain` do, over HTTP. */
#include "admin/pages.h"
#include "shared/http/out.h"
#include "shared/json/jout.h"
#include "shared/sys/log.h"

static void
order(const struct pages *p, bool drains, const struct sock_addr *peer,
	struct http_answer *a)
{
	char text[SOCK_TEXT_MAX];
	struct jout j;

	if (!link_order(p->link, drains ? LINK_DRAIN : LINK_UNDRAIN)) {
		http_answer_refuse(a, 503,
			"the service is just being replaced: try again");
		http_out_field_cstr(&a->fields, "retry-after", "1");
		return;
	}
	sock_addr_text(peer, text);
	log_info("asked to %s by %s", drains ? "drain" : "undrain", text);
	a->status = 202;
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_kv_bool(&j, "draining", drains);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}

void
api_drain(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	order(p, true, request->peer, a);
}

void
api_undrain(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	order(p, false, request->peer, a);
}
