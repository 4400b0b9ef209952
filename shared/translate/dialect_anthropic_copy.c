/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic_copy.c - a Messages request for a Messages upstream.
 *
 * The client's bytes are copied. Changed are only the model's name, max_tokens
 * and a thinking budget where the tree has less, the billing line in the system
 * field, and what dialect_anthropic_fold.c does to the conversation.
 */
#include "shared/translate/dialect_anthropic_copy.h"

/* The whole member goes, and one of the commas around it. */
static void
drop_member(struct copier *c, jref key, jref v)
{
	const jref next = jdoc_next(c->d, jdoc_root(c->d), key);

	if (next != JREF_NONE) {
		copier_copy_to(c, copier_start_of(c, key));
		c->at = copier_start_of(c, next);
	} else {
		copier_copy_to(c, c->last_end);
		c->at = copier_end_of(c, v);
	}
}

static void
on_system(struct copier *c, jref key, jref v)
{
	if (anthropic_fold_system_is_fine(c, v))
		return;
	if (anthropic_fold_system_is_void(c, v)) {
		drop_member(c, key, v);
		return;
	}
	copier_skip(c, v);
	anthropic_fold_put_system(c, v);
}

static void
on_messages(struct copier *c, jref key, jref v)
{
	const jref root = jdoc_root(c->d);

	if (anthropic_fold_has_leading_text(c) &&
		jdoc_get(c->d, root, SPAN("system")) == JREF_NONE) {
		const size_t at = copier_start_of(c, key);

		copier_copy_to(c, at);
		buf_puts(c->out, "\"system\":");
		anthropic_fold_put_system(c, JREF_NONE);
		buf_putc(c->out, ',');
		c->at = at;
	}
	if (anthropic_fold_messages_are_fine(c))
		return;
	copier_skip(c, v);
	anthropic_fold_put_messages(c);
	c->at = copier_end_of(c, v);
}

/* 0 (a warm-up of the cache) is not in the tree and stays. */
static void
on_max_tokens(struct copier *c, jref key, jref v)
{
	int64_t asked;

	(void)key;
	if (!jdoc_int(c->d, v, &asked) || asked == 0 || c->r->max_tokens == 0 ||
		asked == c->r->max_tokens)
		return;
	copier_skip(c, v);
	buf_put_u64(c->out, (uint64_t)c->r->max_tokens);
}

/* A budget that is not below max_tokens. One below the least stays. */
static void
on_thinking(struct copier *c, jref key, jref v)
{
	const jref budget = jdoc_get(c->d, v, SPAN("budget_tokens"));
	int64_t asked;

	(void)key;
	if (!jdoc_int(c->d, budget, &asked) ||
		asked <= c->r->think.budget_tokens)
		return;
	copier_skip(c, budget);
	buf_put_u64(c->out, (uint64_t)c->r->think.budget_tokens);
}

static void
put_model(struct copier *c, struct span model)
{
	buf_putc(c->out, '"');
	jtext_escape(model, c->out);
	buf_putc(c->out, '"');
}

static const struct {
	struct span key;
	void (*edit)(struct copier *c, jref key, jref v);
} edits[] = {
	{ SPAN_INIT("max_tokens"), on_max_tokens },
	{ SPAN_INIT("thinking"), on_thinking },
	{ SPAN_INIT("system"), on_system },
	{ SPAN_INIT("messages"), on_messages },
};

static void
copy_root(struct copier *c, struct span model)
{
	const jref root = jdoc_root(c->d);

	if (jdoc_get(c->d, root, SPAN("model")) == JREF_NONE) {
		copier_copy_to(c, copier_start_of(c, root) + 1);
		buf_puts(c->out, "\"model\":");
		put_model(c, model);
		buf_putc(c->out, ',');
	}
	JDOC_EACH_MEMBER (c->d, root, it) {
		const struct jesc key = jdoc_key(c->d, it);
		const jref v = jdoc_value(c->d, it);

		if (jesc_eq(key, SPAN("model"))) {
			copier_skip(c, v);
			put_model(c, model);
		}
		for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
			if (jesc_eq(key, edits[i].key))
				edits[i].edit(c, it, v);
		}
		c->last_end = copier_end_of(c, v);
	}
	copier_copy_to(c, c->d->text.n);
}

enum gp_code
anthropic_req_copy(const struct jdoc *doc, struct llm_req *r, struct span model,
	struct buf *out, struct gp_error *err)
{
	struct copier c = { .d = doc, .r = r, .out = out };

	anthropic_fold_init(&c);
	copy_root(&c, model);
	return buf_check(out, err);
}
