/* SPDX-License-Identifier: MIT */
/* llm_idmap.c - a critical-bit tree of ids. */
#include "shared/translate/llm_idmap.h"

#include "shared/base/check.h"

/* A leaf has an entry. Other nodes tell their two subtrees apart by one bit of
 * one byte, the first one in which any of their keys differ. */
struct idmap_node {
	struct idmap_entry *entry;
	size_t byte;
	uint8_t bit; /* one bit set */
	struct idmap_node *child[2];
};

/* The end of a key reads as NUL. */
static uint8_t
byte_at(struct span key, size_t i)
{
	return i < key.n ? (uint8_t)key.p[i] : 0;
}

static unsigned
side_of(const struct idmap_node *n, struct span key)
{
	return (byte_at(key, n->byte) & n->bit) != 0;
}

/* The leaf that would hold the key, if any does. The map is not empty. */
static struct idmap_entry *
nearest(const struct idmap *m, struct span key)
{
	const struct idmap_node *n = m->root;

	while (n->entry == NULL)
		n = n->child[side_of(n, key)];
	return n->entry;
}

struct idmap_entry *
idmap_find(const struct idmap *m, struct span key)
{
	struct idmap_entry *e;

	if (m->root == NULL)
		return NULL;
	e = nearest(m, key);
	return span_eq(e->key, key) ? e : NULL;
}

/* True if node a decides by an earlier bit than node b. */
static bool
is_above(const struct idmap_node *a, const struct idmap_node *b)
{
	return a->byte < b->byte || (a->byte == b->byte && a->bit > b->bit);
}

static struct idmap_node *
new_leaf(struct arena *a, struct span key, size_t size)
{
	struct idmap_node *const leaf = arena_alloc(a, sizeof(*leaf));

	GP_ASSERT(size >= sizeof(*leaf->entry));
	leaf->entry = arena_alloc(a, size);
	leaf->entry->key = key;
	return leaf;
}

struct idmap_entry *
idmap_add(struct idmap *m, struct arena *a, struct span key, size_t size)
{
	struct idmap_node *leaf, *fork, **at;
	struct idmap_entry *near;
	uint8_t differ;

	if (m->root == NULL) {
		m->root = new_leaf(a, key, size);
		return m->root->entry;
	}
	near = nearest(m, key);
	if (span_eq(near->key, key))
		return near;

	fork = arena_alloc(a, sizeof(*fork));
	while (byte_at(key, fork->byte) == byte_at(near->key, fork->byte))
		fork->byte++;
	differ = byte_at(key, fork->byte) ^ byte_at(near->key, fork->byte);
	for (fork->bit = 0x80; (differ & fork->bit) == 0; fork->bit >>= 1)
		continue;
	for (at = &m->root; (*at)->entry == NULL && is_above(*at, fork);)
		at = &(*at)->child[side_of(*at, key)];
	leaf = new_leaf(a, key, size);
	fork->child[side_of(fork, key)] = leaf;
	fork->child[!side_of(fork, key)] = *at;
	*at = fork;
	return leaf->entry;
}
