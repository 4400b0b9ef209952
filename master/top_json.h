/* SPDX-License-Identifier: MIT */
/* top_json.h - a sample as JSON, for scripts. */
#ifndef MASTER_TOP_JSON_H
#define MASTER_TOP_JSON_H

#include "master/top_sample.h"
#include "shared/base/buf.h"

/* Append one object and a line end. Its members are documented in README.md;
 * members may be added, none changes its meaning. pid: of the master. */
void top_json(const struct top_sample *s, const struct top_rates *r, long pid,
	struct buf *out);

#endif
