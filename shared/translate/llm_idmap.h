/* SPDX-License-Identifier: MIT */
/*
 * llm_idmap.h - a map from call ids to whatever the caller embeds it in.
 *
 * A critical-bit tree: a look-up costs the length of the id, whatever ids a
 * client chooses, so that nobody can make it slow (as with a hash without a
 * secret). Memory comes from an arena, nothing can be removed.
 */
#ifndef TRANSLATE_LLM_IDMAP_H
#define TRANSLATE_LLM_IDMAP_H

#include "shared/base/arena.h"

/* First member of the caller's struct. */
struct idmap_entry {
	struct span key;
};

struct idmap_node;

/* Zero is an empty map. */
struct idmap {
	struct idmap_node *root;
};

/* NULL if there is none. Keys hold no NUL bytes. */
struct idmap_entry *idmap_find(const struct idmap *m, struct span key);

/* The entry of this key; a new one is zeroed but for its key (which is not
 * copied) and of the size of the caller's struct. */
struct idmap_entry *idmap_add(
	struct idmap *m, struct arena *a, struct span key, size_t size);

#endif
