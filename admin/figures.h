/* SPDX-License-Identifier: MIT */
/* figures.h - tokens by client and model, and what has been learned of counts:
 * as JSON and for Prometheus. Names come from peers and are escaped. */
#ifndef ADMIN_FIGURES_H
#define ADMIN_FIGURES_H

#include "shared/json/jout.h"
#include "shared/sys/shm.h"

struct figures_row {
	struct usage_names names;
	struct usage_sums sums;
};

struct figures {
	struct figures_row rows[USAGE_ROWS + 1];
	size_t n;
};

/* What has been counted, a row for each pair of names, the most input tokens
 * first. */
void figures_take(const struct usage *u, struct figures *out);

/* Without clients, by the models' names: no two rows have the same. */
void figures_take_models(const struct usage *u, struct figures *out);

/* Prometheus text: sums by model, learned ratios. */
void figures_put_metrics(const struct shm *m, struct buf *out);

/* An array of objects. */
void figures_put_json(const struct figures *f, struct jout *j);

#endif
