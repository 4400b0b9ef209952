/* SPDX-License-Identifier: MIT */
/* llm_dedup.c - of repeated blocks of surroundings only the newest stays. */
#include "shared/translate/llm_dedup.h"

#include "shared/translate/llm_env.h"

/* A block, and whose. */
struct found {
	size_t turn, part;
	struct llm_env_block block;
};

struct dedup {
	struct llm_req *r;
	struct llm_dedup_report *report;
	VEC_OF(struct found) found; /* of the run that is looked at */
	size_t ngoing;              /* the first of them, which go */
	/* Of the text that is being cut: what stays. */
	VEC_OF(struct span) pieces;
	VEC_OF(size_t) emptied; /* turns that have lost all their parts */
};

static bool
is_users_text(const struct llm_turn *t, const struct llm_part *p)
{
	return t->role == LLM_USER && p->kind == LLM_PART_TEXT &&
		p->is_verbatim;
}

static bool
has_block(const struct llm_turn *t)
{
	for (size_t i = 0; i < t->parts.n; i++) {
		struct llm_env_block b;
		struct llm_env e;

		if (!is_users_text(t, &t->parts.v[i]))
			continue;
		llm_env_init(&e, t->parts.v[i].text);
		if (llm_env_next(&e, &b))
			return true;
	}
	return false;
}

/* --- looking -------------------------------------------------------------- */

static bool
is_blank(struct span s)
{
	return jesc_is_blank((struct jesc){ s });
}

/* Note the blocks of a part. True if there is something else in it. */
static bool
look_at_part(struct dedup *d, size_t turn, size_t part)
{
	const struct llm_turn *const t = &d->r->turns.v[turn];
	const struct llm_part *const p = &t->parts.v[part];
	struct found f = { .turn = turn, .part = part };
	struct llm_env e;
	bool has_rest = false;
	size_t at = 0;

	if (p->kind != LLM_PART_TEXT)
		return true;
	if (!is_users_text(t, p))
		return !jesc_is_blank(p->text);
	llm_env_init(&e, p->text);
	while (llm_env_next(&e, &f.block)) {
		has_rest = has_rest ||
			!is_blank(span_head(
				span_from(p->text.s, at), f.block.from - at));
		at = f.block.to;
		*VEC_PUSH(d->r->arena, &d->found) = f;
	}
	return has_rest || !is_blank(span_from(p->text.s, at));
}

/* --- cutting -------------------------------------------------------------- */

static void
cut(struct dedup *d, struct span s)
{
	*VEC_PUSH(d->r->arena, &d->r->cuts) = s;
	d->report->bytes += jesc_decoded_len((struct jesc){ s });
}

/* Sets d->pieces to what stays of a text from which n blocks go. Nothing, if
 * that is blank. */
static void
find_pieces(struct dedup *d, struct jesc text, const struct found *f, size_t n)
{
	bool has_rest = false;
	size_t at = 0;

	d->pieces.n = 0;
	for (size_t i = 0; i < n; i++) {
		const size_t end = llm_env_rtrim(text, at, f[i].block.from);

		if (end > at)
			*VEC_PUSH(d->r->arena, &d->pieces) =
				span_of(text.s.p + at, end - at);
		at = f[i].block.to;
		if (d->pieces.n == 0)
			at = llm_env_skip_lines(text, at);
	}
	if (at < text.s.n)
		*VEC_PUSH(d->r->arena, &d->pieces) = span_from(text.s, at);
	for (size_t i = 0; i < d->pieces.n; i++)
		has_rest = has_rest || !is_blank(d->pieces.v[i]);
	if (!has_rest)
		d->pieces.n = 0;
}

/* The gaps between the pieces. */
static void
cut_gaps(struct dedup *d, struct span text)
{
	const char *at = text.p;

	for (size_t i = 0; i < d->pieces.n; i++) {
		const struct span s = d->pieces.v[i];

		if (s.p > at)
			cut(d, span_of(at, (size_t)(s.p - at)));
		at = s.p + s.n;
	}
	if (at < text.p + text.n)
		cut(d, span_of(at, (size_t)(text.p + text.n - at)));
}

static struct jesc
join_pieces(struct dedup *d)
{
	size_t n = 0;
	char *out;

	if (d->pieces.n == 0)
		return JESC_EMPTY;
	if (d->pieces.n == 1)
		return (struct jesc){ d->pieces.v[0] };
	for (size_t i = 0; i < d->pieces.n; i++)
		n += d->pieces.v[i].n;
	out = arena_alloc(d->r->arena, n);
	n = 0;
	for (size_t i = 0; i < d->pieces.n; i++) {
		memcpy(out + n, d->pieces.v[i].p, d->pieces.v[i].n);
		n += d->pieces.v[i].n;
	}
	return (struct jesc){ span_of(out, n) };
}

/* Parts of a turn that have become empty go. */
static void
drop_parts(struct llm_parts *parts)
{
	size_t kept = 0;

	for (size_t i = 0; i < parts->n; i++) {
		if (parts->v[i].kind == LLM_PART_TEXT &&
			jesc_is_empty(parts->v[i].text))
			continue;
		if (kept != i)
			parts->v[kept] = parts->v[i];
		kept++;
	}
	parts->n = kept;
}

/* Take out the first d->ngoing blocks, text by text. */
static void
cut_found(struct dedup *d)
{
	size_t n;

	for (size_t i = 0; i < d->ngoing; i += n) {
		const struct found *const f = &d->found.v[i];
		struct llm_part *const p =
			&d->r->turns.v[f->turn].parts.v[f->part];

		n = 1;
		while (i + n < d->ngoing && f[n].turn == f->turn &&
			f[n].part == f->part)
			n++;
		find_pieces(d, p->text, f, n);
		cut_gaps(d, p->text.s);
		p->text = join_pieces(d);
	}
	for (size_t i = 0; i < d->ngoing; i++) {
		const size_t turn = d->found.v[i].turn;

		if (i > 0 && turn == d->found.v[i - 1].turn)
			continue;
		drop_parts(&d->r->turns.v[turn].parts);
		if (d->r->turns.v[turn].parts.n == 0)
			*VEC_PUSH(d->r->arena, &d->emptied) = turn;
	}
	d->report->blocks += d->ngoing;
}

/* --- the conversation ----------------------------------------------------- */

/* Neighbouring turns of the user, of which only those before `last` may be
 * changed. Returns where they end. */
static size_t
look_at_run(struct dedup *d, size_t from, size_t last)
{
	const struct llm_req *const r = d->r;
	bool has_rest = false;
	size_t i = from;

	d->found.n = 0;
	for (; i < last && r->turns.v[i].role == LLM_USER; i++)
		for (size_t k = 0; k < r->turns.v[i].parts.n; k++)
			has_rest |= look_at_part(d, i, k);
	/* The last one with a block stays and says enough. */
	has_rest = has_rest || i == last;
	d->ngoing = d->found.n - (!has_rest && d->found.n > 0);
	cut_found(d);
	return MAX(i, from + 1);
}

static void
drop_turns(struct dedup *d)
{
	struct llm_req *const r = d->r;
	size_t kept = 0, next = 0;

	for (size_t i = 0; i < r->turns.n; i++) {
		if (next < d->emptied.n && d->emptied.v[next] == i) {
			next++;
			continue;
		}
		if (kept != i)
			r->turns.v[kept] = r->turns.v[i];
		kept++;
	}
	r->turns.n = kept;
}

void
llm_dedup(struct llm_req *r, struct llm_dedup_report *out)
{
	struct dedup d = { .r = r, .report = out };
	size_t last = r->turns.n;

	*out = (struct llm_dedup_report){ 0 };
	while (last > 0 && !has_block(&r->turns.v[last - 1]))
		last--;
	if (last-- <= 1)
		return;
	for (size_t i = 0; i < last;)
		i = look_at_run(&d, i, last);
	if (d.emptied.n > 0)
		drop_turns(&d);
}
