/* SPDX-License-Identifier: MIT */
/* tally.c - figures whose rows follow from other tables. */
#include "worker/tally.h"

#include <stddef.h>

_Static_assert(DIALECT_COUNT <= METRICS_DIALECTS, "each dialect has a row");

static _Atomic uint64_t *
word_at(struct metrics *m, size_t offset)
{
	return (_Atomic uint64_t *)(void *)((char *)m + offset);
}

void
tally_answer(struct metrics *m, unsigned status)
{
	metrics_add(status < 400     ? &m->responses_2xx :
			status < 500 ? &m->responses_4xx :
				       &m->responses_5xx,
		1);
	metrics_add_status(m->responses, status);
}

void
tally_failure(struct metrics *m, enum llm_fail kind)
{
	static const size_t offsets[LLM_FAIL_COUNT] = {
#define FAIL(name, status, retryable) offsetof(struct metrics, failures_##name),
#include "shared/translate/failure.def"
#undef FAIL
	};

	metrics_add(word_at(m, offsets[kind]), 1);
}

void
tally_notices(struct metrics *m, const uint32_t *counts)
{
	static const size_t offsets[NOTICE_VERBS] = {
#define NOTICE_VERB(verb) offsetof(struct metrics, notices_##verb),
#include "shared/translate/notice.def"
		offsetof(struct metrics, notices_other)
	};

	for (size_t i = 0; i < NOTICE_VERBS; i++)
		if (counts[i] > 0)
			metrics_add(word_at(m, offsets[i]), counts[i]);
}

void
tally_route(struct metrics *m, const struct dialect *client,
	const struct dialect *upstream)
{
	metrics_add(
		&m->routed[dialect_index(client)][dialect_index(upstream)], 1);
}

void
tally_first(
	struct metrics *m, enum llm_purpose purpose, bool is_stream, int64_t us)
{
	metrics_observe(purpose == LLM_COUNT ? &m->first_count :
			is_stream            ? &m->first_chat_stream :
					       &m->first_chat_body,
		us);
}

void
tally_total(
	struct metrics *m, enum llm_purpose purpose, bool is_stream, int64_t us)
{
	metrics_observe(purpose == LLM_COUNT ? &m->total_count :
			is_stream            ? &m->total_chat_stream :
					       &m->total_chat_body,
		us);
}
