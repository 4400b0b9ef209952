/* SPDX-License-Identifier: MIT */
/* notice.c - what a translation dropped or changed. */
#include "shared/translate/notice.h"

#include "shared/base/check.h"

#define NAME_MAX_LEN 64

static const struct {
	const char *verb, *name;
	bool is_loss;
} classes[] = {

#define NOTICE(verb, name, is_loss) { (verb), (name), (is_loss) },
#include "shared/translate/notice.def"
};

static const char *const verbs[] = {
#define NOTICE_VERB(verb) #verb,
#include "shared/translate/notice.def"
};

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

/* "verb:name" in two; without a colon it is a verb. */
static struct span
verb_of(struct span item, struct span *name)
{
	const struct span verb = span_head(item, span_find_char(item, ':'));

	*name = span_from(item, MIN(verb.n + 1, item.n));
	return verb;
}

static bool
is_loss(struct span item)
{
	struct span name;
	const struct span verb = verb_of(item, &name);

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (span_eq(verb, span_cstr(classes[i].verb)) &&
			(classes[i].name[0] == '\0' ||
				span_eq(name, span_cstr(classes[i].name))))
			return classes[i].is_loss;
	}
	return true;
}

static enum notice_verb
verb_index(const char *verb)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verb, verbs[i]) == 0)
			return (enum notice_verb)i;
	return NOTICE_VERB_other;
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
	n->by_verb[verb_index(verb)]++;
	if (is_listed(n, item))
		return;
	/* One byte each for the comma. */
	if (n->n == NOTICE_MAX || item.n + 1 > NOTICE_BYTES_MAX - n->bytes) {
		n->hidden++;
		if (is_loss(item))
			n->hidden_losses++;
		return;
	}
	n->items[n->n++] = arena_dup(n->arena, item);
	n->bytes += item.n + 1;
}

static void
put_item(struct buf *out, bool is_first, struct span item)
{
	if (!is_first)
		buf_putc(out, ',');
	buf_put(out, item);
}

static void
put_rest(struct buf *out, bool is_first, uint32_t n)
{
	if (n == 0)
		return;
	put_item(out, is_first, SPAN("+"));
	buf_put_u64(out, n);
}

void
notices_print(const struct notices *n, struct buf *out)
{
	for (size_t i = 0; i < n->n; i++)
		put_item(out, i == 0, n->items[i]);
	put_rest(out, n->n == 0, n->hidden);
}

size_t
notices_print_losses(
	const struct notices *n, struct buf *out, struct span *name)
{
	size_t printed = 0;

	for (size_t i = 0; i < n->n; i++) {
		if (!is_loss(n->items[i]))
			continue;
		put_item(out, printed++ == 0, n->items[i]);
		(void)verb_of(n->items[i], name);
	}
	put_rest(out, printed == 0, n->hidden_losses);
	return printed + n->hidden_losses;
}
