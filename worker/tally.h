/* SPDX-License-Identifier: MIT */
/* tally.h - figures whose rows follow from other tables: statuses, classes of
 * failure, verbs of notices, kinds of requests. */
#ifndef WORKER_TALLY_H
#define WORKER_TALLY_H

#include "shared/sys/metrics.h"
#include "shared/translate/dialect.h"

/* An answer with this status begins. */
void tally_answer(struct metrics *m, unsigned status);

/* A client is told of a failure. */
void tally_failure(struct metrics *m, enum llm_fail kind);

/* What a request's translation had to tell; counts: NOTICE_VERBS of them. */
void tally_notices(struct metrics *m, const uint32_t *counts);

/* A request has its route. */
void tally_route(struct metrics *m, const struct dialect *client,
	const struct dialect *upstream);

/* So long after a request was whole its answer has begun; has ended. */
void tally_first(struct metrics *m, enum llm_purpose purpose, bool is_stream,
	int64_t us);
void tally_total(struct metrics *m, enum llm_purpose purpose, bool is_stream,
	int64_t us);

#endif
