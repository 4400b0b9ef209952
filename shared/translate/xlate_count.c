/* SPDX-License-Identifier: MIT */
/*
 * xlate_count.c - the answers to counts of tokens.
 *
 * Upstream's figure where it gives one, else the estimate: a count that fails
 * must never stop a client from working. Only what concerns the key is passed
 * on as a failure.
 */
#include "shared/translate/xlate_private.h"

static enum xlate_state
count_done(struct xlate *x, int64_t tokens, bool is_estimate)
{
	const struct llm_context *c = &x->enc_env.context;
	const struct llm_counted counted = {
		.tokens = llm_scale_tokens(tokens, c->scale),
		.real = c->is_shown ? tokens : -1,
		.is_estimate = is_estimate,
		.is_compat = x->env.count_compat,
		.shows_original = x->req.edits_context,
	};

	if (is_estimate)
		notice_add(&x->req.notices, "estimated", SPAN("input_tokens"));
	x->client->count_encode(&counted, x->out);
	x->tap.tally.usage.input = tokens;
	x->tap.tally.usage.is_estimate = is_estimate;
	x->state = XLATE_DONE;
	return x->state;
}

enum xlate_state
xlate_count_locally(struct xlate *x)
{
	return count_done(x, xlate_input_tokens(x), true);
}

enum xlate_state
xlate_count_end(struct xlate *x)
{
	struct jdoc *doc = &x->scratch->answer;
	int64_t tokens;

	if (x->about.status == 401 || x->about.status == 403)
		return xlate_fail_upstream(x, buf_span(&x->collected), false);
	if (x->about.status / 100 == 2 &&
		jdoc_parse(doc, buf_span(&x->collected), NULL) == GP_OK &&
		jdoc_int(doc,
			jdoc_get(doc, jdoc_root(doc), SPAN("input_tokens")),
			&tokens) &&
		tokens > 0 && tokens <= LLM_TOKENS_MAX)
		return count_done(x, tokens, false);
	return count_done(x, xlate_input_tokens(x), true);
}
