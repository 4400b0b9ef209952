/* SPDX-License-Identifier: MIT */
/* api_config.c - /api/config: the effective configuration, secrets masked. */
#include "admin/api_json.h"
#include "admin/pages.h"

static void
put_setting(void *ctx, const struct conf_shown *s)
{
	struct jout *const j = ctx;
	/* This process has no keys, so that it cannot tell an empty one. */
	const bool is_masked =
		s->is_secret && !span_eq(s->origin, SPAN("built-in"));

	jout_obj(j);
	jout_key(j, "key");
	api_put_text(j, s->key);
	jout_key(j, "value");
	api_put_text(j, is_masked ? SPAN("********") : s->value);
	jout_kv_span(j, "origin", s->origin);
	jout_kv_bool(j, "secret", s->is_secret);
	jout_obj_end(j);
}

void
api_config(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	const struct conf *const conf = p->link->conf;
	struct jout j;

	(void)request;
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_key(&j, "file");
	api_put_text(&j, conf->file);
	jout_key(&j, "settings");
	jout_arr(&j);
	conf_each(conf, put_setting, &j);
	jout_arr_end(&j);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}
