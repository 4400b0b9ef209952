/* SPDX-License-Identifier: MIT */
/* api_session.c - logging in and out: the token, once, for a cookie. */
#include "admin/access.h"
#include "admin/assets.h"
#include "admin/pages.h"
#include "shared/http/out.h"
#include "shared/json/jdoc.h"
#include "shared/json/jout.h"

/* The token of {"token": "..."}, unescaped; false with a refusal. */
static bool
read_token(struct span body, struct buf *token, struct http_answer *a)
{
	struct jdoc d;
	jref member;
	bool is_good;

	jdoc_init(&d);
	is_good = jdoc_parse(&d, body, NULL) == GP_OK &&
		jdoc_refuse_duplicates(&d, jdoc_root(&d), NULL) == GP_OK;
	member = is_good ? jdoc_get(&d, jdoc_root(&d), SPAN("token")) :
			   JREF_NONE;
	is_good = jdoc_type(&d, member) == J_STR;
	if (is_good)
		jtext_unescape(jdoc_str(&d, member), token);
	else
		http_answer_refuse(a, 400,
			"the body has to be an object with the member token, a "
			"string");
	jdoc_fini(&d);
	return is_good;
}

void
api_login(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	struct buf token;
	struct jout j;

	if (!p->access->needs_token) {
		http_answer_refuse(a, 404,
			"no admin_token_file is set, so there is nothing to "
			"log in to");
		return;
	}
	buf_init(&token, HTTP_SERVER_BODY_MAX);
	if (read_token(request->body, &token, a)) {
		jout_init(&j, &a->body);
		jout_obj(&j);
		jout_kv_bool(&j, "ok", true);
		jout_obj_end(&j);
		buf_putc(&a->body, '\n');
		access_login(p->access, request, buf_span(&token), a);
	}
	if (token.data != NULL)
		explicit_bzero(token.data, token.cap);
	buf_fini(&token);
}

static void
go_to(struct http_answer *a, const char *where)
{
	a->status = 303;
	http_out_field_cstr(&a->fields, "location", where);
}

/* A form, so that it works without a script. */
void
page_logout(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	access_logout(p->access, request, a);
	go_to(a, p->access->needs_token ? "/login" : "/");
}

void
page_login(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	if (p->access->needs_token)
		assets_answer_page(request->head, "login.html", a);
	else
		go_to(a, "/");
}

void
page_login_needed(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	const struct span accept = http_head_get(request->head, SPAN("accept"));

	(void)p;
	access_refuse_stranger(a);
	/* Browsers ask for pages; scripts do not. */
	if (span_find(accept, SPAN("text/html")) == accept.n)
		return;
	a->content_type = "text/html; charset=utf-8";
	buf_reset(&a->body, 0);
	assets_answer_page(request->head, "login.html", a);
	a->cache_control = "no-store";
}

void
api_session(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	struct jout j;

	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_kv_bool(&j, "needs_token", p->access->needs_token);
	jout_kv_bool(&j, "is_session",
		p->access->needs_token &&
			!http_head_has(request->head, SPAN("authorization")));
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}
