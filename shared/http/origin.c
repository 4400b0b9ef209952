/* SPDX-License-Identifier: MIT */
/* origin.c - Host, Origin and Sec-Fetch-Site. */
#include "shared/http/origin.h"

#include "shared/http/url.h"

/* Without the port: "[::1]:80" -> "::1", "a:80" -> "a". */
static struct span
host_of(struct span authority)
{
	size_t end;

	if (authority.n > 0 && authority.p[0] == '[') {
		end = span_find_char(authority, ']');
		return span_from(span_head(authority, end), 1);
	}
	return span_head(authority, span_find_char(authority, ':'));
}

bool
origin_is_listed(struct span origin, struct span list)
{
	struct span item;

	while (span_split(&list, ',', &item)) {
		item = span_trim(item);
		if (span_eq(item, SPAN("*")) || span_ieq(item, origin))
			return true;
	}
	return false;
}

bool
origin_host_is_ours(const struct http_head *h, struct span allowed)
{
	struct span authority = http_head_get(h, SPAN("host"));
	struct span host = host_of(authority), item;

	if (host.n == 0 || url_host_is_loopback(host))
		return true;
	while (span_split(&allowed, ',', &item)) {
		item = span_trim(item);
		if (item.n > 0 &&
			(span_ieq(item, host) || span_ieq(item, authority)))
			return true;
	}
	return false;
}

bool
origin_is_foreign(const struct http_head *h, struct span cors)
{
	struct span origin = http_head_get(h, SPAN("origin"));
	struct span site = http_head_get(h, SPAN("sec-fetch-site"));
	size_t at;

	if (origin.n > 0 && origin_is_listed(origin, cors))
		return false;
	if (span_ieq(site, SPAN("cross-site")))
		return true;
	if (origin.n == 0)
		return false;
	/* spec: Fetch, 3.1: what forms send of a page that tells no referrer.
	 * The other field no page can write. */
	if (span_eq(origin, SPAN("null")) &&
		span_ieq(site, SPAN("same-origin")))
		return false;
	at = span_find(origin, SPAN("://"));
	return at == origin.n ||
		!span_ieq(span_from(origin, at + 3),
			http_head_get(h, SPAN("host")));
}
