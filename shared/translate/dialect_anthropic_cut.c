/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic_cut.c - what a copied Messages request leaves out.
 *
 * The tree says which of the client's words and messages are gone (llm_req.h).
 * Here that becomes ranges of the body's bytes: a piece of a string; a block or
 * a message of which nothing is left, with the comma that parted it from what
 * stays.
 */
#include "shared/translate/dialect_anthropic_copy.h"

/* The elements of one array as they are gone through. */
struct list {
	size_t end; /* of the element before */
	bool has_kept;
};

struct cutter {
	struct copier *c;
	size_t next; /* of r->cuts */
};

static void
add_range(struct copier *c, size_t from, size_t to)
{
	*VEC_PUSH(c->r->arena, &c->gone) = (struct copier_range){ from, to };
}

/* Offset of a piece of the body. */
static size_t
offset_of(const struct copier *c, struct span s)
{
	return (size_t)(s.p - c->d->text.p);
}

/* next: the element behind it. */
static void
drop_element(struct copier *c, const struct list *l, jref v, jref next)
{
	if (l->has_kept)
		add_range(c, l->end, copier_end_of(c, v));
	else
		add_range(c, copier_start_of(c, v),
			next == JREF_NONE ? copier_end_of(c, v) :
					    copier_start_of(c, next));
}

static void
pass_element(const struct copier *c, struct list *l, jref v, bool is_gone)
{
	l->end = copier_end_of(c, v);
	l->has_kept = l->has_kept || !is_gone;
}

/* The first cut that does not end before v, from `at` on. */
static size_t
cut_in(const struct cutter *k, size_t at, jref v)
{
	const struct llm_req *const r = k->c->r;
	const size_t start = copier_start_of(k->c, v);

	while (at < r->cuts.n && offset_of(k->c, r->cuts.v[at]) < start)
		at++;
	return at;
}

/* All of the string is cut. */
static bool
is_all_cut(const struct cutter *k, size_t at, jref string)
{
	const struct llm_req *const r = k->c->r;
	const struct jesc text = jdoc_str(k->c->d, string);

	at = cut_in(k, at, string);
	return at < r->cuts.n && !jesc_is_empty(text) &&
		r->cuts.v[at].p == text.s.p && r->cuts.v[at].n == text.s.n;
}

static bool
is_block_gone(const struct cutter *k, size_t at, jref block)
{
	return is_all_cut(k, at, jdoc_get(k->c->d, block, SPAN("text")));
}

/* Nothing that says anything is left of the message. */
static bool
is_emptied(const struct cutter *k, jref content)
{
	const struct jdoc *const d = k->c->d;
	bool has_cut = false;
	size_t at = k->next;

	if (jdoc_type(d, content) != J_ARR)
		return is_all_cut(k, at, content);
	JDOC_EACH (d, content, it) {
		at = cut_in(k, at, it);
		if (is_block_gone(k, at, it))
			has_cut = true;
		else if (!anthropic_is_empty_text(d, it))
			return false;
	}
	return has_cut;
}

/* The cuts inside of v. */
static void
cut_pieces(struct cutter *k, jref v)
{
	struct copier *const c = k->c;
	const size_t end = copier_end_of(c, v);

	for (; k->next < c->r->cuts.n; k->next++) {
		const struct span s = c->r->cuts.v[k->next];
		const size_t from = offset_of(c, s);

		if (from >= end)
			return;
		add_range(c, from, from + s.n);
	}
}

static void
cut_content(struct cutter *k, jref content)
{
	struct copier *const c = k->c;
	struct list l = { 0 };

	if (jdoc_type(c->d, content) != J_ARR) {
		cut_pieces(k, content);
		return;
	}
	JDOC_EACH (c->d, content, it) {
		bool is_gone;

		k->next = cut_in(k, k->next, it);
		is_gone = is_block_gone(k, k->next, it);
		if (is_gone)
			drop_element(c, &l, it, jdoc_next(c->d, content, it));
		else
			cut_pieces(k, it);
		pass_element(c, &l, it, is_gone);
	}
}

void
anthropic_cut(struct copier *c)
{
	struct cutter k = { .c = c };
	struct list l = { 0 };
	size_t i = 0;

	if (c->r->cuts.n == 0 && c->r->kept_from == 0)
		return;
	JDOC_EACH (c->d, c->messages, it) {
		const jref content = jdoc_get(c->d, it, SPAN("content"));
		bool is_gone = i++ < c->r->kept_from &&
			!jdoc_is(c->d, jdoc_get(c->d, it, SPAN("role")),
				SPAN("system"));

		k.next = cut_in(&k, k.next, it);
		is_gone = is_gone || is_emptied(&k, content);
		if (is_gone)
			drop_element(
				c, &l, it, jdoc_next(c->d, c->messages, it));
		else
			cut_content(&k, content);
		pass_element(c, &l, it, is_gone);
	}
}

/* The first range that does not end at or before `at`. */
static size_t
range_behind(const struct copier *c, size_t at)
{
	size_t low = 0, high = c->gone.n;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (c->gone.v[mid].to <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool
copier_is_gone(const struct copier *c, jref v)
{
	const size_t at = copier_start_of(c, v);
	const size_t i = range_behind(c, at);

	return i < c->gone.n && c->gone.v[i].from <= at;
}

void
copier_put(struct copier *c, size_t from, size_t to)
{
	const char *const text = c->d->text.p;

	for (size_t i = range_behind(c, from);
		i < c->gone.n && c->gone.v[i].from < to; i++) {
		if (c->gone.v[i].from > from)
			buf_put(c->out,
				span_of(text + from, c->gone.v[i].from - from));
		from = c->gone.v[i].to;
	}
	if (from < to)
		buf_put(c->out, span_of(text + from, to - from));
}
