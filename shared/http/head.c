/* SPDX-License-Identifier: MIT */
/* head.c - looks up fields of a complete head and checks the head's rules. */
#include "shared/http/head.h"

struct span
http_head_get(const struct http_head *h, struct span name)
{
	for (size_t i = 0; i < h->nfields; i++)
		if (span_ieq(h->fields[i].name, name))
			return h->fields[i].value;
	return SPAN_EMPTY;
}

bool
http_head_has(const struct http_head *h, struct span name)
{
	for (size_t i = 0; i < h->nfields; i++)
		if (span_ieq(h->fields[i].name, name))
			return true;
	return false;
}

static bool
list_has(struct span list, struct span token)
{
	struct span item;

	while (span_split(&list, ',', &item))
		if (span_ieq(span_trim(item), token))
			return true;
	return false;
}

bool
http_head_has_token(
	const struct http_head *h, struct span name, struct span token)
{
	for (size_t i = 0; i < h->nfields; i++)
		if (span_ieq(h->fields[i].name, name) &&
			list_has(h->fields[i].value, token))
			return true;
	return false;
}

static size_t
count(const struct http_head *h, struct span name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->nfields; i++)
		n += span_ieq(h->fields[i].name, name);
	return n;
}

/* Fields that two readers could understand in two ways if they came twice. */
static enum gp_code
check_once(const struct http_head *h, enum http_kind kind, struct gp_error *err)
{
	static const struct {
		const char *name;
		bool is_in_responses_too;
	} once[] = {
		{ "content-length", true },
		{ "transfer-encoding", true },
		{ "host", false },
		{ "authorization", false },
		{ "x-api-key", false },
		{ "content-type", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(once); i++) {
		if (kind == HTTP_RESPONSE && !once[i].is_in_responses_too)
			continue;
		if (count(h, span_cstr(once[i].name)) > 1)
			return gp_fail(err, GP_E_SYNTAX,
				"The head has more than one %s field.",
				once[i].name);
	}
	return GP_OK;
}

static enum gp_code
check_framing(struct http_head *h, enum http_kind kind, struct gp_error *err)
{
	struct span length_name = SPAN("content-length");
	struct span coding_name = SPAN("transfer-encoding");

	h->is_chunked = http_head_has(h, coding_name);
	h->has_length = http_head_has(h, length_name);
	if (h->is_chunked && h->has_length)
		return gp_fail(err, GP_E_SYNTAX,
			"The head has both transfer-encoding and "
			"content-length.");
	if (h->has_length &&
		!span_u64(http_head_get(h, length_name), &h->length))
		return gp_fail(err, GP_E_SYNTAX,
			"The content-length is not a number.");
	if (!h->is_chunked)
		return GP_OK;
	if (!span_ieq(http_head_get(h, coding_name), SPAN("chunked")))
		return gp_fail(err, GP_E_SYNTAX,
			"The only known transfer-encoding is chunked.");
	if (kind == HTTP_REQUEST && h->minor == 0)
		return gp_fail(
			err, GP_E_SYNTAX, "HTTP/1.0 has no transfer-encoding.");
	return GP_OK;
}

static enum gp_code
check_target(struct http_head *h, struct gp_error *err)
{
	size_t mark;

	if (h->target.n == 0 || h->target.p[0] != '/')
		return gp_fail(err, GP_E_SYNTAX,
			"The request target is not a path that starts with "
			"'/'.");
	if (span_find_char(h->target, '#') < h->target.n)
		return gp_fail(
			err, GP_E_SYNTAX, "The request target has a fragment.");
	mark = span_find_char(h->target, '?');
	h->path = span_head(h->target, mark);
	h->query = span_from(h->target, mark + 1);
	return GP_OK;
}

enum gp_code
http_head_check(struct http_head *h, enum http_kind kind, struct gp_error *err)
{
	enum gp_code rc;

	for (size_t i = 0; i < h->nfields; i++)
		if (h->fields[i].name.n == 0)
			return gp_fail(err, GP_E_SYNTAX,
				"A field of the head has no name.");
	rc = check_once(h, kind, err);
	if (rc == GP_OK)
		rc = check_framing(h, kind, err);
	if (rc != GP_OK || kind == HTTP_RESPONSE)
		return rc;
	rc = check_target(h, err);
	if (rc != GP_OK)
		return rc;
	if (h->minor >= 1 && !http_head_has(h, SPAN("host")))
		return gp_fail(err, GP_E_SYNTAX,
			"An HTTP/1.1 request needs a host field.");
	h->expects_continue = h->minor >= 1 &&
		http_head_has_token(h, SPAN("expect"), SPAN("100-continue"));
	return GP_OK;
}
