/* SPDX-License-Identifier: MIT */
/* session_usage.c - the tokens of a request, by client and model. */
#include "worker/keys.h"
#include "worker/session_private.h"

static uint64_t
said(int64_t n)
{
	return (uint64_t)MAX(n, 0);
}

/* Only what upstream has answered counts, so that names which it does not know
 * take no rows. */
void
session_add_usage(const struct session *s)
{
	const struct llm_tally *const t = xlate_tally(s->xlate);
	const struct llm_usage *const u = &t->usage;
	const struct client *const c = s->client;
	const struct worker *const w = s->worker;
	const bool is_real = llm_usage_is_said(u) && !u->is_estimate;
	struct usage_sums sums = { .n = { [USAGE_REQUESTS] = 1 } };
	char name[KEYS_CLIENT_MAX];

	if (c->purpose != LLM_CHAT || !(is_real || t->has_stop))
		return;
	if (is_real) {
		const uint64_t cached = said(u->cache_read);

		sums.n[USAGE_INPUT_TOKENS] =
			said(u->input) + cached + said(u->cache_write);
		sums.n[USAGE_CACHED_TOKENS] = cached;
		sums.n[USAGE_OUTPUT_TOKENS] = said(u->output);
	}
	keys_client(w->conf, c->dialect, client_head(c), name);
	usage_add(usage_row(&w->link->shm->usage, span_cstr(name),
			  s->choice.route.model),
		&sums);
}
