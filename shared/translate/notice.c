/* SPDX-License-Identifier: MIT */
/* notice.c - what a translation dropped or changed. */
#include "shared/translate/notice.h"

#include "shared/base/check.h"

#define NAME_MAX_LEN 64

void
notices_init(struct notices *n, struct arena *a)
{
	*n = (struct notices){ .arena = a };
}

/* Token characters of RFC 9110. */
static bool
is_token_char(char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool
is_listed(const struct notices *n, struct span item)
{
	for (size_t i = 0; i < n->n; i++) {
		if (span_eq(n->items[i], item))
			return true;
	}
	return false;
}

void
notice_add(struct notices *n, const char *verb, struct span name)
{
	char text[2 * NAME_MAX_LEN + 1];
	struct span item = { text, 0 };

	while (verb[item.n] != '\0') {
		GP_ASSERT(item.n < NAME_MAX_LEN);
		text[item.n] = verb[item.n];
		item.n++;
	}
	name = span_head(name, NAME_MAX_LEN);
	if (name.n > 0)
		text[item.n++] = ':';
	for (size_t i = 0; i < name.n; i++)
		text[item.n++] = is_token_char(name.p[i]) ? name.p[i] : '_';

	n->total++;
	if (is_listed(n, item))
		return;
	/* One byte each for the comma. */
	if (n->n == NOTICE_MAX || item.n + 1 > NOTICE_BYTES_MAX - n->bytes) {
		n->hidden++;
		return;
	}
	n->items[n->n++] = arena_dup(n->arena, item);
	n->bytes += item.n + 1;
}

void
notices_print(const struct notices *n, struct buf *out)
{
	for (size_t i = 0; i < n->n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		buf_put(out, n->items[i]);
	}
	if (n->hidden > 0) {
		buf_puts(out, n->n > 0 ? ",+" : "+");
		buf_put_u64(out, n->hidden);
	}
}
