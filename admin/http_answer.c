/* SPDX-License-Identifier: MIT */
/* http_answer.c - answers of the admin port and their heads. */
#include "admin/http_answer.h"

#include <time.h>

#include "shared/http/out.h"
#include "shared/json/jout.h"

#define FIELDS_MAX (HTTP_HEAD_MAX / 2)

void
http_answer_refuse(struct http_answer *a, unsigned status, const char *text)
{
	struct jout j;

	buf_reset(&a->fields, 0);
	buf_reset(&a->body, 0);
	a->how = HTTP_ANSWER_WHOLE;
	a->status = status;
	a->content_type = "application/json";
	a->cache_control = "no-store";
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_kv_cstr(&j, "error", text);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}

void
http_answer_init(struct http_answer *a)
{
	*a = (struct http_answer){
		.status = 200,
		.content_type = "text/plain; charset=utf-8",
		.cache_control = "no-store",
	};
	buf_init(&a->fields, FIELDS_MAX);
	buf_init(&a->body, HTTP_ANSWER_MAX);
}

void
http_answer_fini(struct http_answer *a)
{
	buf_fini(&a->fields);
	buf_fini(&a->body);
}

static void
put_date(struct buf *out)
{
	char text[64];
	const time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm) != NULL &&
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) >
			0)
		http_out_field_cstr(out, "date", text);
}

void
http_answer_put_head(const struct http_answer *a, const struct http_head *head,
	bool closes, struct buf *out)
{
	http_out_status(out, a->status);
	put_date(out);
	http_out_field_cstr(out, "content-type", a->content_type);
	/* Of what a 304 does not send no length is to be told. */
	if (a->status != 304 && a->how != HTTP_ANSWER_STREAM)
		http_out_field_u64(out, "content-length", buf_len(&a->body));
	http_out_field_cstr(out, "cache-control", a->cache_control);
	http_out_field_cstr(out, "x-content-type-options", "nosniff");
	http_out_field_cstr(out, "referrer-policy", "no-referrer");
	http_out_field_cstr(out, "cross-origin-resource-policy", "same-origin");
	http_out_field_cstr(out, "x-frame-options", "DENY");
	buf_put(out, buf_span(&a->fields));
	if (closes)
		http_out_field_cstr(out, "connection", "close");
	else if (head != NULL && head->minor == 0)
		http_out_field_cstr(out, "connection", "keep-alive");
	http_out_end(out);
}
