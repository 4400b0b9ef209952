/* SPDX-License-Identifier: MIT */
/*
 * xlate_overflow.c - requests that do not fit into the model's window.
 *
 * Nothing is left out while the upstream might accept it: only what is certain
 * to be too long is cut, or answered with the error on which clients compact.
 * What upstream has refused is changed as xlate_remedy() says.
 */
#include "shared/translate/llm_truncate.h"
#include "shared/translate/xlate_private.h"

/* An answer of fewer tokens helps nobody. */
#define COMPLETION_MIN 1024

/* What is guessed of a request that was cut may be off by this part of the
 * window, and by twice as much once the guess was wrong: nobody knows what
 * images weigh. */
#define MARGIN_PART 8

static int64_t
limit_of(const struct xlate *x)
{
	const int64_t limit =
		x->input.limit > 0 ? x->input.limit : x->info->context_tokens;

	return MIN(limit, LLM_TOKENS_MAX);
}

/* Known when the request is read, but changed by what is cut. */
int64_t
xlate_input_tokens(const struct xlate *x)
{
	return x->input.tokens > 0 ? MIN(x->input.tokens, LLM_TOKENS_MAX) :
				     x->estimate;
}

/* completion: 0 when the input alone is too long. */
static enum gp_code
refuse(struct xlate *x, int64_t completion, struct gp_error *err)
{
	const int64_t limit = limit_of(x);
	struct llm_failure f = llm_failure_of(
		LLM_FAIL_CONTEXT, SPAN("the context window is exceeded"));

	f.input_tokens = xlate_input_tokens(x);
	f.limit_tokens = limit;
	f.completion_tokens = completion;
	if (completion == 0)
		f.input_tokens = MAX(f.input_tokens, limit + 1);
	xlate_fail_now(x, &f);
	return gp_fail(err, GP_E_LIMIT,
		"the conversation of %lld tokens exceeds the model's context "
		"of %lld tokens",
		(long long)f.input_tokens, (long long)limit);
}

/* --- cutting -------------------------------------------------------------- */

bool
xlate_always_cuts(const struct xlate *x)
{
	return !x->env.is_strict &&
		x->env.overflow[dialect_index(x->client)] ==
		XLATE_OVERFLOW_TRUNCATE;
}

/* The operator's choice; by itself only where the client could not foresee
 * that an image would move its conversation into a smaller window. */
static bool
may_cut(const struct xlate *x)
{
	if (x->purpose != LLM_CHAT || x->env.is_strict)
		return false;
	return xlate_always_cuts(x) ||
		(x->env.overflow[dialect_index(x->client)] ==
				XLATE_OVERFLOW_AUTO &&
			x->unmoved_tokens > x->info->context_tokens);
}

/* Upstream's tokens a unit of the raw estimate. */
static double
ratio_of(const struct xlate *x)
{
	return x->input.ratio > 0 ?
		x->input.ratio :
		(double)xlate_input_tokens(x) / (double)MAX(x->estimate, 1);
}

static bool
cut(struct xlate *x)
{
	const int64_t before = xlate_input_tokens(x);
	const double ratio = ratio_of(x);
	double limit = (double)limit_of(x) / ratio;
	struct llm_cut report;

	/* What was cut already was still too much. */
	for (unsigned i = 1; i < x->input.refusals; i++)
		limit = limit * 3 / 4;
	/* It fits, but leaves no room for an answer. */
	while (limit >= (double)x->estimate && limit > 1)
		limit = limit * 3 / 4;
	if (!llm_truncate(&x->req, (int64_t)MIN(limit, (double)LLM_TOKENS_MAX),
		    &report) ||
		report.messages == 0)
		return false;
	x->removed = (struct llm_removed){
		.original_tokens = before,
		.messages = (int64_t)report.messages,
		.reason = "context_limit_exceeded",
	};
	x->estimate = report.tokens_after;
	x->input.tokens = (int64_t)((double)report.tokens_after * ratio);
	notice_add(&x->req.notices, "truncated", SPAN("messages"));
	return true;
}

enum gp_code
xlate_fit_input(struct xlate *x, struct gp_error *err)
{
	const int64_t limit = limit_of(x);

	if (x->purpose != LLM_CHAT || limit <= 0 ||
		(x->input.least <= limit && x->input.remedy != XLATE_CUT))
		return GP_OK;
	return may_cut(x) && cut(x) ? GP_OK : refuse(x, 0, err);
}

/* --- asking for less ------------------------------------------------------ */

/* Of output, in the end; 0: as much as upstream likes. */
static int64_t
wanted_tokens(const struct xlate *x, const struct model_info *m)
{
	int64_t wanted = x->req.max_tokens;

	if (wanted <= 0 && x->upstream->needs_max_tokens)
		wanted = x->env.options.default_max_tokens;
	return m->max_output_tokens > 0 ? MIN(wanted, m->max_output_tokens) :
					  wanted;
}

enum gp_code
xlate_fit_output(struct xlate *x, struct model_info *m, struct gp_error *err)
{
	const bool was_cut = x->removed.messages > 0;
	const int64_t limit = limit_of(x);
	const int64_t wanted = wanted_tokens(x, m);
	int64_t room;

	if (wanted <= 0 || (x->input.remedy != XLATE_LESS_OUTPUT && !was_cut))
		return GP_OK;
	room = limit - MIN(xlate_input_tokens(x), limit);
	if (was_cut)
		room -= limit / MARGIN_PART * MAX(x->input.refusals, 1);
	if (room >= wanted)
		return GP_OK;
	if (room < (was_cut ? MIN(COMPLETION_MIN, limit / MARGIN_PART) :
			      COMPLETION_MIN))
		return refuse(x, wanted, err);
	m->max_output_tokens = room;
	return GP_OK;
}

/* --- what upstream has refused -------------------------------------------- */

enum xlate_remedy
xlate_remedy(const struct xlate *x)
{
	const struct llm_failure *f = &x->failure;
	const int64_t room = f->limit_tokens - f->input_tokens;

	if (x->state != XLATE_FAILED || f->kind != LLM_FAIL_CONTEXT ||
		x->reply == REPLY_NONE || x->env.is_strict ||
		x->input.refusals >= XLATE_REFUSALS_MAX)
		return XLATE_NO_REMEDY;
	if (x->removed.messages == 0 && room >= COMPLETION_MIN &&
		f->completion_tokens > room)
		return XLATE_LESS_OUTPUT;
	return may_cut(x) ? XLATE_CUT : XLATE_NO_REMEDY;
}
