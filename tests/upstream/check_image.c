/* SPDX-License-Identifier: MIT */
/* check_image.c - image, video and file parts of Chat Completions. */
#include "tests/upstream/check.h"
#include "tests/upstream/text.h"

#define IMAGE_MAX (5u << 20)

static const char *const prefixes[] = { "data:image/png;base64,",
	"data:image/jpeg;base64,", "data:image/jpg;base64,",
	"data:image/gif;base64,", "data:image/webp;base64,", NULL };

static bool
is_base64(struct span s)
{
	size_t n = s.n;

	if (n == 0 || n % 4 != 0)
		return false;
	for (int pads = 0; pads < 2 && s.p[n - 1] == '='; pads++)
		n--;
	for (size_t i = 0; i < n; i++) {
		char c = s.p[i], small = (char)(c | 0x20);

		if (!(small >= 'a' && small <= 'z') &&
			!(c >= '0' && c <= '9') && c != '+' && c != '/')
			return false;
	}
	return true;
}

static bool
check_url(struct request *r, struct span url, const char *where)
{
	struct span data = SPAN_EMPTY;

	if (span_starts(url, SPAN("https://")) ||
		span_starts(url, SPAN("http://")))
		return true;
	for (size_t i = 0; prefixes[i] != NULL && data.n == 0; i++)
		if (span_starts(url, span_cstr(prefixes[i])))
			data = span_from(url, strlen(prefixes[i]));
	if (data.n == 0)
		return refuse(r, 1210,
			"%s.url: neither http(s) nor an image's data URL",
			where);
	if (!is_base64(data))
		return refuse(r, 1210, "%s.url: bad base64", where);
	if (data.n / 4 * 3 > IMAGE_MAX)
		return refuse(r, 1210, "%s.url: image over 5 MB", where);
	return true;
}

bool
check_image(struct request *r, json_t *part, const char *where)
{
	static const char *const keys[] = { "url", NULL };
	struct span type = text_of(json_object_get(part, "type"));
	const char *part_keys[] = { "type", type.p, NULL };
	struct check_path path = check_path("%s.%s", where, type.p);
	json_t *v = json_object_get(part, type.p);

	if (!check_closed(r, part, where, part_keys))
		return false;
	if (v == NULL)
		return refuse(r, 1213, "%s: not received", path.s);
	if (!check_closed(r, v, path.s, keys) ||
		!check_string(r, v, "url", path.s))
		return false;
	return check_url(r, text_of(json_object_get(v, "url")), path.s);
}
