/* SPDX-License-Identifier: MIT */
/* tree.h - a request body as a tree of libjansson. */
#ifndef UPSTREAM_TREE_H
#define UPSTREAM_TREE_H

#include <jansson.h>

#include "shared/base/arena.h"
#include "shared/base/err.h"

#define TREE_KEYS_MAX 64 /* keys of the root that are compared */

/* The tree (to be released with json_decref), or NULL with *err. What
 * libjansson refuses though it is legal JSON (numbers past a double, escapes of
 * lone surrogates) is replaced first. */
json_t *tree_load(
	struct arena *a, struct span text, struct gp_error *err) GP_WUR;
/* The same for a body: an object whose root has no key twice. */
json_t *tree_parse(
	struct arena *a, struct span text, struct gp_error *err) GP_WUR;

/* Calls fn for every string value below v, v included. Keys do not count. */
typedef void tree_fn(void *arg, struct span text);
void tree_strings(struct arena *a, json_t *v, tree_fn *fn, void *arg);

#endif
