/* SPDX-License-Identifier: MIT */
/*
 * jbones.h - a JSON text without the insides of its long strings.
 *
 *	text    {"role":"user","content":"Look at this file ... here"}
 *	bones   {"role":"user","content":""}
 *
 * Of a conversation little but the bones matters to jsmn, which looks at each
 * byte by itself. jscan finds the long strings on its way; positions in the
 * bones are turned into positions in the text afterwards.
 */
#ifndef JSON_JBONES_H
#define JSON_JBONES_H

#include "shared/base/buf.h"

/* Bytes between the quotes from which on a string counts as long. */
#define JBONES_LONG 64

struct jbones_cut {
	uint32_t at, n; /* in the text: what is left out */
	uint32_t lost;  /* bytes left out up to its end */
};

/* Reusable. */
struct jbones {
	struct jbones_cut *cuts;
	size_t n, cap;
	struct buf text;
};

void jbones_init(struct jbones *b);
void jbones_fini(struct jbones *b);
/* Forget the cuts; keeps memory for the next text, within limits. */
void jbones_reset(struct jbones *b);

/* Leave out n bytes at `at`, which lies behind all earlier cuts. Both below
 * 4 GiB. */
void jbones_cut(struct jbones *b, size_t at, size_t n);
/* Bytes that are left out by all cuts. */
size_t jbones_lost(const struct jbones *b);
/* The bones of text; they live until the next call on b. */
struct span jbones_text(struct jbones *b, struct span text);

/* Where a byte of the bones stands in the text; the inside of a string that was
 * left out stands where it begins. *k is the first cut that is not before pos:
 * found from the *k of an earlier position, or from 0. */
uint32_t jbones_seek(const struct jbones *b, uint32_t pos, size_t *k);
/* The same from anywhere, by bisection. */
uint32_t jbones_find(const struct jbones *b, uint32_t pos);

#endif
