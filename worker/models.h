/* SPDX-License-Identifier: MIT */
/* models.h - the list of models in one shape that all clients read. */
#ifndef WORKER_MODELS_H
#define WORKER_MODELS_H

#include "shared/json/jout.h"
#include "worker/router.h"

struct models_page {
	size_t limit;                    /* 0: all */
	struct span after_id, before_id; /* empty: not given */
};

/* The whole list, or the part that a query asks for. created_s: what every
 * model says of its age. */
void models_list(const struct router *r, const struct models_page *page,
	int64_t created_s, struct jout *out);
void models_one(
	const struct router_listed *l, int64_t created_s, struct jout *out);

/* limit=, after_id= and before_id= of a query; unknown ones are ignored. */
void models_parse_query(struct span query, struct models_page *page);

#endif
