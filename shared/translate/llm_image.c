/* SPDX-License-Identifier: MIT */
/* llm_image.c - images of a request: data URLs, base64, types. */
#include "shared/translate/llm_base64.h"
#include "shared/translate/llm_req.h"

/* The part of a data: URL before its comma. */
#define HEAD_MAX       256
#define MEDIA_TYPE_MAX 64
#define MAGIC_LEN      12

static char
lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* One of the types that every upstream takes, or empty. */
static struct jesc
known_type(struct span type)
{
	static const struct span known[] = {
		SPAN_INIT("image/png"),
		SPAN_INIT("image/jpeg"),
		SPAN_INIT("image/gif"),
		SPAN_INIT("image/webp"),
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (span_ieq(type, known[i]))
			return (struct jesc){ known[i] };
	}
	return JESC_EMPTY;
}

/* By the first bytes; empty if they say nothing. */
static struct jesc
sniff_type(struct span base64)
{
	uint8_t bytes[MAGIC_LEN] = { 0 };
	const char *const p = (const char *)bytes;
	const struct span magic = { p,
		base64_read(base64, 0, bytes, sizeof(bytes)) };

	if (span_starts(magic, SPAN("\x89PNG\r\n\x1a\n")))
		return JESC("image/png");
	if (span_starts(magic, SPAN("\xff\xd8\xff")))
		return JESC("image/jpeg");
	if (span_starts(magic, SPAN("GIF87a")) ||
		span_starts(magic, SPAN("GIF89a")))
		return JESC("image/gif");
	if (span_starts(magic, SPAN("RIFF")) && span_ends(magic, SPAN("WEBP")))
		return JESC("image/webp");
	return JESC_EMPTY;
}

/* A type that is not known here but looks like one of an image: in lower case,
 * else empty. */
static struct jesc
plausible_type(struct arena *a, struct span type)
{
	const struct span others = SPAN("/+-.");
	char *out;

	if (!span_istarts(type, SPAN("image/")) ||
		type.n == sizeof("image/") - 1 || type.n > MEDIA_TYPE_MAX)
		return JESC_EMPTY;
	out = arena_alloc(a, type.n);
	for (size_t i = 0; i < type.n; i++) {
		const char c = lower(type.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') &&
			span_find_char(others, c) == others.n)
			return JESC_EMPTY;
		out[i] = c;
	}
	return (struct jesc){ span_of(out, type.n) };
}

static enum gp_code
from_base64(struct arena *a, struct span type, struct span data,
	struct llm_image *out, struct gp_error *err)
{
	struct span base64;
	const enum gp_code rc = base64_normalise(a, data, &base64, err);
	struct jesc media_type = known_type(type);

	if (rc != GP_OK)
		return rc;
	if (jesc_is_empty(media_type))
		media_type = sniff_type(base64);
	if (jesc_is_empty(media_type))
		media_type = plausible_type(a, type);
	if (jesc_is_empty(media_type))
		return gp_fail(err, GP_E_SCHEMA,
			"the image is neither PNG, JPEG, GIF nor WebP");
	*out = (struct llm_image){
		.media_type = media_type,
		.data = { base64 },
	};
	return GP_OK;
}

enum gp_code
llm_image_from_base64(struct arena *a, struct jesc media_type, struct jesc data,
	struct llm_image *out, struct gp_error *err)
{
	return from_base64(a, span_trim(jtext_unescape_dup(a, media_type)),
		jtext_unescape_dup(a, data), out, err);
}

/* url: what stands behind "data:". spec: RFC 2397 */
static enum gp_code
from_data_url(struct arena *a, struct span url, struct llm_image *out,
	struct gp_error *err)
{
	const size_t comma = span_find_char(span_head(url, HEAD_MAX), ',');
	struct span head, type, param = SPAN_EMPTY;

	if (comma >= HEAD_MAX || comma == url.n)
		return gp_fail(
			err, GP_E_SCHEMA, "the image's data: URL has no data");
	head = span_head(url, comma);
	if (!span_split(&head, ';', &type))
		type = SPAN_EMPTY;
	while (span_split(&head, ';', &param))
		continue;
	if (!span_ieq(span_trim(param), SPAN("base64")))
		return gp_fail(err, GP_E_SCHEMA,
			"the image's data: URL is not base64");
	return from_base64(
		a, span_trim(type), span_from(url, comma + 1), out, err);
}

enum gp_code
llm_image_from_url(struct arena *a, struct jesc url, struct llm_image *out,
	struct gp_error *err)
{
	const struct span data = SPAN("data:");
	const struct span s = span_trim(jtext_unescape_dup(a, url));

	if (span_istarts(s, data))
		return from_data_url(a, span_from(s, data.n), out, err);
	if (!span_istarts(s, SPAN("https://")) &&
		!span_istarts(s, SPAN("http://")))
		return gp_fail(err, GP_E_SCHEMA,
			"an image URL must begin with https://, http:// or "
			"data:");
	if (span_find(s, SPAN("://")) + 3 == s.n)
		return gp_fail(err, GP_E_SCHEMA, "the image URL names no host");
	*out = (struct llm_image){
		.is_url = true,
		.media_type = JESC_EMPTY,
		.data = jtext_escape_dup(a, s),
	};
	return GP_OK;
}
