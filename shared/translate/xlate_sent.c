/* SPDX-License-Identifier: MIT */
/* xlate_sent.c - what went upstream: its fields, and its name there. */
#include "shared/translate/xlate_private.h"

/* Names are the client's where it has fields that nobody knows. */
static char
harmless(char c)
{
	const bool is_plain = (c >= 'a' && c <= 'z') ||
		(c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		c == '-' || c == ',';

	return is_plain ? c : '?';
}

void
xlate_take_sent(struct xlate *x, const struct buf *keys)
{
	struct span s = span_head(buf_span(keys), XLATE_SENT_MAX);
	char *const p = arena_alloc(x->arena, s.n + 1);

	/* The name behind it had no room. */
	if (keys->bad && span_ends(s, SPAN(",")))
		s.n--;
	for (size_t i = 0; i < s.n; i++)
		p[i] = harmless(s.p[i]);
	x->sent = span_of(p, s.n);
}

void
xlate_take_copied(struct xlate *x, const struct jdoc *doc)
{
	char names[XLATE_SENT_MAX];
	struct buf keys;

	buf_init(&keys, sizeof(names));
	keys.data = names;
	keys.cap = sizeof(names);
	JDOC_EACH_MEMBER (doc, jdoc_root(doc), it) {
		if (buf_len(&keys) > 0)
			buf_putc(&keys, ',');
		buf_put(&keys, jdoc_key(doc, it).s);
	}
	xlate_take_sent(x, &keys);
}

struct span
xlate_sent_fields(const struct xlate *x)
{
	return x->sent;
}

/* --- upstream's name for it ----------------------------------------------- */

#define ID_MAX 128

void
xlate_take_upstream_id(struct xlate *x, struct span id)
{
	if (x->upstream_id.n > 0 || id.n > ID_MAX)
		return;
	for (size_t i = 0; i < id.n; i++) {
		if (id.p[i] != '.' &&
			(id.p[i] == ',' || harmless(id.p[i]) != id.p[i]))
			return;
	}
	x->upstream_id = arena_dup(x->arena, id);
}

struct span
xlate_upstream_id(const struct xlate *x)
{
	return x->upstream_id;
}
