/* SPDX-License-Identifier: MIT */
/*
 * jtext.h - the three forms in which JSON text is passed around.
 *
 *	struct span	bytes, decoded
 *	struct jesc	the inside of a JSON string: escapes kept, no quotes
 *	struct jraw	one whole JSON value, as it was written
 *
 * They are different types so that the compiler keeps them apart. A jesc or
 * jraw is valid by construction: it comes out of a scanned document, a
 * constant, or one of the functions below.
 */
#ifndef JSON_JTEXT_H
#define JSON_JTEXT_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"

struct jesc {
	struct span s;
};

struct jraw {
	struct span s;
};

/* Literals must need no escaping. */
#define JESC(lit)  ((struct jesc){ SPAN(lit) })
#define JRAW(lit)  ((struct jraw){ SPAN(lit) })
#define JESC_EMPTY ((struct jesc){ SPAN_EMPTY })
#define JRAW_NONE  ((struct jraw){ SPAN_EMPTY })

static inline bool
jesc_is_empty(struct jesc e)
{
	return e.s.n == 0;
}

/* An absent value; a present one has at least one byte. */
static inline bool
jraw_is_none(struct jraw r)
{
	return r.s.n == 0;
}

/* Append text as the inside of a JSON string. Controls, quote and backslash
 * are escaped; everything else is copied. text must be valid UTF-8. */
void jtext_escape(struct span text, struct buf *out);
/* The same into an arena; text itself if nothing needs escaping. */
struct jesc jtext_escape_dup(struct arena *a, struct span text);

/* Append the bytes that e means. A lone surrogate becomes U+FFFD. */
void jtext_unescape(struct jesc e, struct buf *out);
/* The same into an arena; e's own bytes if it holds no backslash. */
struct span jtext_unescape_dup(struct arena *a, struct jesc e);

/* True if e means exactly the bytes of text (compares without allocating). */
bool jesc_eq(struct jesc e, struct span text);

/* Order of the meant bytes: below, equal to or above 0, as memcmp. */
int jesc_cmp(struct jesc a, struct jesc b);

/* True if e means nothing but blanks (or nothing). */
bool jesc_is_blank(struct jesc e);

/* True if e ends in a high surrogate escape that has no partner, i.e. the next
 * piece of the same text may begin with its low half. */
bool jesc_ends_in_high_surrogate(struct jesc e);

/* Number of bytes of the decoded text; linear, allocates nothing. */
size_t jesc_decoded_len(struct jesc e);

#endif
