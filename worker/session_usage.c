/* SPDX-License-Identifier: MIT */
/* session_usage.c - what a request adds to figures: tokens, notices, times. */
#include "shared/sys/clock.h"
#include "shared/sys/live.h"
#include "worker/session_private.h"
#include "worker/tally.h"

static uint64_t
said(int64_t n)
{
	return (uint64_t)MAX(n, 0);
}

/* Only what upstream has answered counts, so that names which it does not know
 * take no rows. */
void
session_add_usage(const struct session *s, struct span client)
{
	const struct llm_tally *const t = xlate_tally(s->xlate);
	const struct llm_usage *const u = &t->usage;
	const struct client *const c = s->client;
	const struct worker *const w = s->worker;
	const bool is_real = llm_usage_is_said(u) && !u->is_estimate;
	struct usage_sums sums = { .n = { [USAGE_REQUESTS] = 1 } };

	if (c->purpose != LLM_CHAT || !(is_real || t->has_stop))
		return;
	if (is_real) {
		const uint64_t cached = said(u->cache_read);

		sums.n[USAGE_INPUT_TOKENS] =
			said(u->input) + cached + said(u->cache_write);
		sums.n[USAGE_CACHED_TOKENS] = cached;
		sums.n[USAGE_OUTPUT_TOKENS] = said(u->output);
	}
	usage_add(
		usage_row(&w->link->shm->usage, client, s->choice.route.model),
		&sums);
}

void
session_tally(const struct session *s, struct span client)
{
	const struct llm_tally *t = xlate_tally(s->xlate);
	struct metrics *m = s->worker->metrics;
	const struct llm_usage *u = &t->usage;
	int64_t cached = MAX(u->cache_read, 0);

	tally_notices(m, xlate_notice_verbs(s->xlate));
	session_add_usage(s, client);
	if (s->client->purpose == LLM_COUNT &&
		xlate_state(s->xlate) == XLATE_DONE && !u->is_estimate)
		metrics_add(&m->counts_forwarded, 1);
	/* A count says what would be used. */
	if (u->is_estimate || s->client->purpose == LLM_COUNT)
		return;
	metrics_add(&m->tokens_in,
		(uint64_t)(MAX(u->input, 0) + cached + MAX(u->cache_write, 0)));
	metrics_add(&m->tokens_cached, (uint64_t)cached);
	metrics_add(&m->tokens_out, (uint64_t)MAX(u->output, 0));
}

void
session_tell_first(struct session *s)
{
	int64_t now_us;

	if (s->has_first)
		return;
	s->has_first = true;
	session_tell_removed(s);
	now_us = clock_mono_us() - s->begun_us;
	tally_first(s->worker->metrics, s->client->purpose,
		xlate_is_stream(s->xlate), now_us);
	live_set_first(s->live, now_us);
}

void
session_tell_end(const struct session *s)
{
	tally_total(s->worker->metrics, s->client->purpose,
		xlate_is_stream(s->xlate), clock_mono_us() - s->begun_us);
}
