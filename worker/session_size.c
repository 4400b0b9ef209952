/* SPDX-License-Identifier: MIT */
/*
 * session_size.c - what is known of a request's size, and what is made of it.
 *
 * The estimate from bytes is corrected by what upstream's counts have taught.
 * Near the limit of the window the request is counted exactly first. When
 * upstream refuses it as too long all the same, it is sent once more, cut, or
 * with less output asked for, where the operator's choice allows that.
 */
#include "shared/base/check.h"
#include "shared/sys/log.h"
#include "shared/translate/llm_estimate.h"
#include "worker/session_private.h"

/* Percent of the window from which on the exact count is worth its time. */
#define NEAR_LIMIT_PERCENT 85

/*
 * How far upstream's count may be below ours by the exact count, in percent:
 * when the ratio has been learned, and when it has not. A ratio is learned from
 * other texts: the vocabularies differ by a factor of two from one language to
 * another.
 */
#define SURE_PERCENT   50
#define UNSURE_PERCENT 40

/* Requests of which the exact ratio is learned: the first ones of a model, then
 * one of so many. */
#define LEARN_FIRST     32
#define LEARN_ONE_OF    1024
#define LEARN_BYTES_MAX (1u << 20)
/* Bodies that are kept for it in a worker. */
#define LEARN_AT_ONCE 4

static struct span
calib_name_of(struct session *s)
{
	const struct xlate_route *r = &s->choice.route;

	/* Names are the clients' to choose: those that nobody knows share. */
	if (s->choice.is_unknown)
		return arena_printf(&s->arena, "%s/other", r->upstream->name);
	return arena_printf(
		&s->arena, "%s/%.*s", r->upstream->name, SPAN_ARG(r->model));
}

/* Upstream has counted. Only then a model takes a row. */
static void
learn(struct session *s, int64_t theirs)
{
	if (s->calib == NULL)
		s->calib = calib_row(
			&s->worker->link->shm->calib, calib_name_of(s));
	calib_learn(s->calib, CALIB_QUICK, xlate_estimate(s->xlate), theirs);
}

static int64_t
quick_tokens(const struct session *s)
{
	return calib_apply(
		calib_get(s->calib, CALIB_QUICK), xlate_estimate(s->xlate));
}

/* The ratio for cutting must not move with every request: the cut would. */
static double
steady_ratio(const struct session *s, int64_t theirs, int64_t ours)
{
	const double ratio =
		(double)theirs / (double)MAX(ours, 1) * (double)CALIB_ONE;

	return (double)calib_steady(s->calib,
		       (uint32_t)MIN(MAX(ratio, 1), (double)CALIB_MAX)) /
		(double)CALIB_ONE;
}

static struct xlate_input
counted_input(const struct session *s)
{
	const struct calib_ratio r = calib_get(s->calib, CALIB_EXACT);
	const int64_t tokens = calib_apply(r, s->counted);

	return (struct xlate_input){
		.tokens = tokens,
		.least = tokens *
			(r.samples >= CALIB_SURE ? SURE_PERCENT :
						   UNSURE_PERCENT) /
			100,
		.ratio = steady_ratio(s, tokens, xlate_estimate(s->xlate)),
	};
}

/* Upstream has counted what it was sent, which may have been cut. */
static struct xlate_input
refused_input(const struct session *s)
{
	const struct session_refusal *r = &s->refusal;

	return (struct xlate_input){
		.tokens = r->first_input,
		.limit = r->limit,
		.refusals = r->times,
		.remedy = r->remedy,
		.ratio = steady_ratio(s, r->input, r->estimate),
	};
}

void
session_know_size(struct session *s)
{
	struct xlate_input in = { 0 };

	s->calib = calib_find(&s->worker->link->shm->calib, calib_name_of(s));
	/* What was learned meanwhile must not change what is sent again. */
	if (s->keeps_size) {
		xlate_know_input(s->xlate, &s->input);
		return;
	}
	if (s->refusal.times > 0)
		in = refused_input(s);
	else if (s->counted > 0)
		in = counted_input(s);
	else
		in.tokens = quick_tokens(s);
	s->input = in;
	xlate_know_input(s->xlate, &in);
}

/* --- counting ------------------------------------------------------------- */

static void
on_counted(void *ctx, int64_t tokens)
{
	struct session *s = ctx;

	s->counting = NULL;
	s->counted = MAX(tokens, 0); /* once is enough */
	session_go(s);
}

static bool
is_near_limit(const struct session *s)
{
	const int64_t limit = s->choice.route.info->context_tokens;

	return limit > 0 && quick_tokens(s) > limit / 100 * NEAR_LIMIT_PERCENT;
}

bool
session_count_first(struct session *s)
{
	const struct client *c = s->client;

	/* How upstream counts images is not known. */
	if (s->counted >= 0 || s->refusal.times > 0 || c->purpose != LLM_CHAT ||
		xlate_images(s->xlate) > 0 || !is_near_limit(s))
		return false;
	s->counting = counting_start(s->worker, c->dialect, c->purpose,
		s->choice.route.info, buf_span(&c->body), on_counted, s);
	return s->counting != NULL;
}

static void
on_count_for_client(void *ctx, int64_t tokens)
{
	struct session *s = ctx;

	s->counting = NULL;
	s->counted = tokens;
	session_know_size(s);
	session_step(s, xlate_count_locally(s->xlate));
}

void
session_count_locally(struct session *s)
{
	const struct client *c = s->client;

	metrics_add(&s->worker->metrics->counts_local, 1);
	s->counting = counting_start(s->worker, c->dialect, c->purpose,
		s->choice.route.info, buf_span(&c->body), on_count_for_client,
		s);
	if (s->counting == NULL)
		session_step(s, xlate_count_locally(s->xlate));
}

/* --- what the body is kept for -------------------------------------------- */

/* Counting it exactly afterwards, off everybody's way, teaches the ratio. */
static bool
is_sample(const struct session *s)
{
	const struct worker *w = s->worker;

	return w->vocab != NULL && s->client->purpose == LLM_CHAT &&
		s->counted <= 0 && w->nlearning < LEARN_AT_ONCE &&
		xlate_images(s->xlate) == 0 &&
		xlate_estimate(s->xlate) >= CALIB_TOKENS_MIN &&
		buf_len(&s->client->body) <= LEARN_BYTES_MAX &&
		(calib_get(s->calib, CALIB_EXACT).samples < LEARN_FIRST ||
			worker_random(s->worker) % LEARN_ONE_OF == 0);
}

static void
no_sample(struct session *s)
{
	s->worker->nlearning -= s->is_sample;
	s->is_sample = false;
}

/* Upstream may refuse it as too long: it must be near enough to the limit. */
static bool
may_be_refused(const struct session *s)
{
	const int64_t limit = s->choice.route.info->context_tokens;

	return s->client->purpose == LLM_CHAT &&
		(xlate_input_tokens(s->xlate) +
					xlate_request(s->xlate)->max_tokens >=
				limit / 2 ||
			xlate_always_cuts(s->xlate));
}

bool
session_keeps_body(struct session *s)
{
	no_sample(s);
	s->is_sample = is_sample(s);
	s->worker->nlearning += s->is_sample;
	return s->is_sample || s->client->purpose == LLM_COUNT ||
		s->retries < s->worker->conf->retries || may_be_refused(s);
}

void
session_learn(struct session *s)
{
	const struct llm_fill fill = llm_fill_of(&xlate_tally(s->xlate)->usage);
	const bool was_sample = s->is_sample;

	no_sample(s);
	if (fill.is_estimate || fill.input <= 0 ||
		xlate_state(s->xlate) != XLATE_DONE ||
		xlate_images(s->xlate) > 0)
		return;
	learn(s, fill.input);
	/* What was cut is not what was counted. */
	if (xlate_removed(s->xlate)->messages == 0 && s->counted > 0)
		calib_learn(s->calib, CALIB_EXACT, s->counted, fill.input);
	else if (was_sample && s->calib != NULL &&
		xlate_removed(s->xlate)->messages == 0)
		counting_learn(s->worker, s->client->dialect,
			s->choice.route.info, &s->client->body, s->calib,
			fill.input);
}

/* --- refusals ------------------------------------------------------------- */

static void
note_refusal(struct session *s, const struct llm_failure *f)
{
	struct session_refusal *r = &s->refusal;

	if (r->times == 0) {
		r->first_input = f->input_tokens;
		r->first_completion = f->completion_tokens;
		r->first_limit = f->limit_tokens;
	}
	r->remedy = xlate_remedy(s->xlate);
	r->input = f->input_tokens;
	r->limit = f->limit_tokens;
	r->estimate = xlate_estimate(s->xlate);
}

bool
session_resend(struct session *s)
{
	const struct llm_failure *f = xlate_failure(s->xlate);

	if (f->kind != LLM_FAIL_CONTEXT)
		return false;
	if (f->is_counted && xlate_images(s->xlate) == 0)
		learn(s, f->input_tokens);
	note_refusal(s, f);
	if (s->refusal.remedy == XLATE_NO_REMEDY ||
		buf_len(&s->client->body) == 0) {
		metrics_add(&s->worker->metrics->overflow_errors, 1);
		return false;
	}
	s->refusal.times++;
	s->keeps_size = false;
	log_info("req=%.*s: upstream takes %lld tokens, not %lld and %lld of "
		 "output: once more",
		SPAN_ARG(session_id(s)), (long long)f->limit_tokens,
		(long long)f->input_tokens, (long long)f->completion_tokens);
	session_go(s);
	return true;
}

/* What repeated blocks would have cost. */
static void
count_dedup(const struct session *s)
{
	const struct llm_dedup_report *d = xlate_dedup(s->xlate);
	struct metrics *m = s->worker->metrics;

	if (d->blocks == 0 || s->client->purpose != LLM_CHAT)
		return;
	metrics_add(&m->dedup_blocks, d->blocks);
	metrics_add(&m->dedup_tokens,
		(uint64_t)calib_apply(calib_get(s->calib, CALIB_QUICK),
			llm_estimate_bytes(d->bytes)));
}

void
session_tell_removed(const struct session *s)
{
	const struct llm_removed *r = xlate_removed(s->xlate);
	const struct xlate_route *to = &s->choice.route;
	struct metrics *m = s->worker->metrics;

	count_dedup(s);
	if (r->messages == 0)
		return;
	metrics_add(&m->truncations, 1);
	metrics_add(&m->messages_removed, (uint64_t)r->messages);
	log_warnx("req=%.*s: %lld tokens do not fit into the %lld of %.*s: the "
		  "oldest %lld messages are left out",
		SPAN_ARG(session_id(s)), (long long)r->original_tokens,
		(long long)(s->refusal.times > 0 ? s->refusal.limit :
						   to->info->context_tokens),
		SPAN_ARG(to->model), (long long)r->messages);
}
