/* SPDX-License-Identifier: MIT */
/*
 * xlate_overflow.c - requests that do not fit into the model's window.
 *
 * Nothing is left out while the upstream might accept it: only what is known to
 * be too long, by a count whose error is bounded or because the upstream has
 * refused it, is cut or answered with the error on which clients compact.
 */
#include "shared/translate/llm_truncate.h"
#include "shared/translate/xlate_private.h"

/* An answer of fewer tokens helps nobody. */
#define COMPLETION_MIN 1024

static int64_t
limit_of(const struct xlate *x)
{
	return x->input.limit > 0 ? x->input.limit : x->info->context_tokens;
}

/* Known when the request is read, but changed by what is cut. */
int64_t
xlate_input_tokens(const struct xlate *x)
{
	return x->input.tokens > 0 ? x->input.tokens : x->estimate;
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

/* The operator's choice; by itself only where the client could not foresee
 * that an image would move its conversation into a smaller window. */
static bool
may_cut(const struct xlate *x)
{
	if (x->purpose != LLM_CHAT || x->env.is_strict)
		return false;
	switch (x->env.overflow[dialect_index(x->client)]) {
	case XLATE_OVERFLOW_AUTO:
		return x->unmoved_tokens > x->info->context_tokens;
	case XLATE_OVERFLOW_TRUNCATE:
		return true;
	case XLATE_OVERFLOW_ERROR:
		break;
	}
	return false;
}

bool
xlate_always_cuts(const struct xlate *x)
{
	return !x->env.is_strict &&
		x->env.overflow[dialect_index(x->client)] ==
		XLATE_OVERFLOW_TRUNCATE;
}

/* n with all but its four leading bits cleared. */
static int64_t
coarse(int64_t n)
{
	int64_t unit = 1;

	while (n / unit >= 16)
		unit *= 2;
	return n / unit * unit;
}

/*
 * The limit on the scale of the raw estimate, which never changes for a turn
 * that does not. How the scales compare is learned and moves a little all the
 * time; rounding keeps the cut, and with it the upstream's cache, where it is.
 */
static int64_t
raw_limit(const struct xlate *x)
{
	const int64_t tokens = xlate_input_tokens(x);
	int64_t limit = MIN(limit_of(x), LLM_TOKENS_MAX / 1000);

	if (tokens > 0 && tokens < LLM_TOKENS_MAX / 1000 &&
		x->estimate < LLM_TOKENS_MAX / 1000)
		limit = limit * x->estimate / tokens;
	/* What was cut already was still too much. */
	for (unsigned i = 1; i < x->input.refusals; i++)
		limit = limit * 3 / 4;
	return coarse(limit);
}

static bool
cut(struct xlate *x)
{
	const int64_t before = xlate_input_tokens(x);
	const int64_t raw = MAX(x->estimate, 1);
	struct llm_cut report;

	if (!llm_truncate(&x->req, raw_limit(x), &report) ||
		report.messages == 0)
		return false;
	x->removed = (struct llm_removed){
		.original_tokens = before,
		.messages = (int64_t)report.messages,
		.reason = "context_limit_exceeded",
	};
	x->estimate = report.tokens_after;
	x->input.tokens = before * report.tokens_after / raw;
	x->input.least = 0;
	notice_add(&x->req.notices, "truncated", SPAN("messages"));
	return true;
}

enum gp_code
xlate_fit_input(struct xlate *x, struct gp_error *err)
{
	const int64_t limit = limit_of(x);

	if (x->purpose != LLM_CHAT || limit <= 0 || x->input.least <= limit)
		return GP_OK;
	return may_cut(x) && cut(x) ? GP_OK : refuse(x, 0, err);
}

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
	const int64_t limit = limit_of(x);
	const int64_t wanted = wanted_tokens(x, m);
	int64_t room;

	if (x->purpose != LLM_CHAT || limit <= 0 || x->input.least <= 0 ||
		wanted <= 0 || x->input.least <= limit - wanted)
		return GP_OK;
	room = limit - MIN(xlate_input_tokens(x), limit);
	if (room >= wanted)
		return GP_OK;
	if (room < COMPLETION_MIN)
		return refuse(x, wanted, err);
	m->max_output_tokens = room;
	return GP_OK;
}

bool
xlate_may_resend(const struct xlate *x)
{
	const struct llm_failure *f = &x->failure;

	if (x->state != XLATE_FAILED || f->kind != LLM_FAIL_CONTEXT ||
		x->reply == REPLY_NONE ||
		x->input.refusals >= XLATE_REFUSALS_MAX)
		return false;
	if (f->input_tokens > f->limit_tokens)
		return may_cut(x);
	/* Less output is asked for, unless that has just been tried. */
	return x->input.refusals == 0 && f->completion_tokens > 0 &&
		f->limit_tokens - f->input_tokens >= COMPLETION_MIN;
}
