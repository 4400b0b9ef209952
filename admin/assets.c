/* SPDX-License-Identifier: MIT */
/* assets.c - the files of the admin page. */
#include "admin/assets.h"

#include <stdio.h>

#include "admin_page/assets.h"
#include "shared/base/check.h"
#include "shared/http/out.h"

#define FOREVER "public, max-age=31536000, immutable"

struct asset {
	struct span name;
	const char *type;
	const char *hash;
	struct span plain, gzip;
};

#define BYTES(a)                                                               \
	{                                                                      \
		(const char *)(a), sizeof(a)                                   \
	}
#define ASSET(name, type, hash, bytes, gzip)                                   \
	{ SPAN_INIT(name), type, hash, BYTES(bytes), BYTES(gzip) },

static const struct asset assets[] = { ASSETS };

static const struct asset *
find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(assets); i++)
		if (span_eq(assets[i].name, name))
			return &assets[i];
	return NULL;
}

static bool
has_word(struct span list, struct span word)
{
	struct span item;

	while (span_split(&list, ',', &item))
		if (span_eq(span_trim(item), word))
			return true;
	return false;
}

/* Whoever does not want it says so with a weight, which we need not weigh: the
 * plain bytes do, too. */
static bool
takes_gzip(const struct http_head *head)
{
	return has_word(
		http_head_get(head, SPAN("accept-encoding")), SPAN("gzip"));
}

static void
put(const struct http_head *head, const struct asset *f, struct http_answer *a)
{
	const bool is_packed = takes_gzip(head);
	char tag[64];

	(void)snprintf(
		tag, sizeof(tag), "\"%s%s\"", f->hash, is_packed ? "-gz" : "");
	a->content_type = f->type;
	http_out_field_cstr(&a->fields, "etag", tag);
	http_out_field_cstr(&a->fields, "vary", "accept-encoding");
	if (has_word(http_head_get(head, SPAN("if-none-match")),
		    span_cstr(tag))) {
		a->status = 304;
		return;
	}
	if (is_packed)
		http_out_field_cstr(&a->fields, "content-encoding", "gzip");
	buf_put(&a->body, is_packed ? f->gzip : f->plain);
}

void
assets_answer_page(
	const struct http_head *head, const char *name, struct http_answer *a)
{
	const struct asset *const f = find(span_cstr(name));

	GP_ASSERT(f != NULL);
	a->cache_control = "no-cache";
	http_out_field_cstr(
		&a->fields, "content-security-policy", ASSETS_POLICY);
	put(head, f, a);
}

/* Our own licence, and those of what is in the program beside it. */
static void
put_licenses(struct http_answer *a)
{
	for (size_t i = 0; i < ARRAY_LEN(assets); i++) {
		struct span of = assets[i].name;

		if (!span_starts(of, SPAN("LICENSE")))
			continue;
		of = span_from(of, sizeof("LICENSE") - 1);
		buf_printf(&a->body, "--- %.*s ---\n\n",
			SPAN_ARG(of.n > 0 ? span_from(of, 1) :
					    SPAN("glmproxy")));
		buf_put(&a->body, assets[i].plain);
		buf_putc(&a->body, '\n');
	}
}

bool
assets_answer(const struct http_head *head, struct http_answer *a)
{
	const struct span folder = SPAN("/page/" ASSETS_HASH "/");
	const struct asset *f;

	if (span_eq(head->path, SPAN("/licenses"))) {
		put_licenses(a);
		return true;
	}
	if (!span_starts(head->path, folder))
		return false;
	f = find(span_from(head->path, folder.n));
	if (f == NULL)
		return false;
	a->cache_control = FOREVER;
	put(head, f, a);
	return true;
}
