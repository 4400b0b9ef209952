/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic_copy.h - copying a Messages request: what the copy of the
 * fields and the copy of the conversation share.
 */
#ifndef TRANSLATE_DIALECT_ANTHROPIC_COPY_H
#define TRANSLATE_DIALECT_ANTHROPIC_COPY_H

#include "shared/translate/dialect_anthropic.h"

/* Bytes of the body that are left out. */
struct copier_range {
	size_t from, to;
};

/* Text before `at` is in out or skipped. */
struct copier {
	const struct jdoc *d;
	struct llm_req *r;
	struct buf *out;
	size_t at;
	jref messages;
	size_t leading;  /* system messages in front of all others */
	size_t last_end; /* of the member of the root before this one */
	VEC_OF(struct copier_range) gone; /* in order, apart from each other */
};

/* Fill c->gone from c->r; c->messages is set. */
void anthropic_cut(struct copier *c);

/* Offsets of a value, quotes included. */
static inline size_t
copier_start_of(const struct copier *c, jref v)
{
	return (size_t)(jdoc_raw(c->d, v).s.p - c->d->text.p);
}

static inline size_t
copier_end_of(const struct copier *c, jref v)
{
	return copier_start_of(c, v) + jdoc_raw(c->d, v).s.n;
}

/* A block or message of which nothing is left. */
bool copier_is_gone(const struct copier *c, jref v);
/* Copy without what is gone. */
void copier_put(struct copier *c, size_t from, size_t to);

static inline void
copier_copy_to(struct copier *c, size_t to)
{
	copier_put(c, c->at, to);
	c->at = to;
}

/* Copy what is before v; v itself is left to the caller. */
static inline void
copier_skip(struct copier *c, jref v)
{
	copier_copy_to(c, copier_start_of(c, v));
	c->at = copier_end_of(c, v);
}

/* A text block that says nothing. */
bool anthropic_is_empty_text(const struct jdoc *d, jref block);

/* Sets c->messages, c->gone and c->leading. */
void anthropic_fold_init(struct copier *c);
/* The system messages in front say something that belongs to the field. */
bool anthropic_fold_has_leading_text(const struct copier *c);

/* The system field's value (JREF_NONE if there is none) may stay as it is;
 * would be empty; written anew with the leading messages. */
bool anthropic_fold_system_is_fine(const struct copier *c, jref system);
bool anthropic_fold_system_is_void(const struct copier *c, jref system);
void anthropic_fold_put_system(struct copier *c, jref system);

/* The messages may stay as they are; written anew. c->at is undefined after
 * the latter. */
bool anthropic_fold_messages_are_fine(const struct copier *c);
void anthropic_fold_put_messages(struct copier *c);

#endif
