/* SPDX-License-Identifier: MIT */
/*
 * session_again.c - a chat that has failed and is tried once more.
 *
 * Only what may go better by itself, only while the client has nothing of the
 * answer, and never a quota that is used up. The request is translated anew
 * from the client's body, with the same chance, time and size: the bytes are
 * the same.
 */
#include "shared/sys/log.h"
#include "worker/session_private.h"

/* Pauses grow up to this, if upstream does not ask for more. */
#define PAUSE_MAX_MS 30000
/* A client waits no longer for what upstream asks; it is told instead. */
#define ASKED_MAX_S 60
/* An overloaded model needs longer than a rate that was too high. */
#define OVERLOADED_TIMES 4

enum again {
	AGAIN_NOT,
	AGAIN_RATE,
	AGAIN_OVERLOADED,
	AGAIN_SERVER,
	AGAIN_CONNECTION
};

/* Its answer to it was cut short: the number that tells a quota from a rate was
 * in the rest. */
static bool
is_torn_rate(const struct session *s, const struct llm_failure *f)
{
	return s->has_lost_upstream && f->kind == LLM_FAIL_RATE &&
		f->vendor_code == 0;
}

static enum again
reason_of(const struct session *s, const struct llm_failure *f)
{
	/* It may have said why before it was lost. */
	if (s->has_lost_upstream &&
		(!f->is_upstreams || f->kind == LLM_FAIL_UPSTREAM))
		return AGAIN_CONNECTION;
	/* What we have judged ourselves would be judged so again. */
	if (!f->is_upstreams || !llm_fail_is_retryable(f->kind) ||
		is_torn_rate(s, f))
		return AGAIN_NOT;
	if (f->kind == LLM_FAIL_RATE)
		return AGAIN_RATE;
	return f->kind == LLM_FAIL_OVERLOADED ? AGAIN_OVERLOADED : AGAIN_SERVER;
}

static void
count(struct metrics *m, enum again reason)
{
	metrics_add(reason == AGAIN_RATE           ? &m->retries_rate :
			reason == AGAIN_OVERLOADED ? &m->retries_overloaded :
			reason == AGAIN_SERVER     ? &m->retries_server :
						     &m->retries_connection,
		1);
}

/* Twice as long each time, and half of it by chance: clients that were refused
 * together do not come back together. */
static int64_t
pause_ms(struct session *s, enum again reason, const struct llm_failure *f)
{
	int64_t ms = s->worker->conf->retry_backoff_ms;

	ms <<= s->retries;
	if (reason == AGAIN_OVERLOADED)
		ms *= OVERLOADED_TIMES;
	ms = MIN(ms, PAUSE_MAX_MS);
	ms -= (int64_t)(worker_random(s->worker) % ((uint64_t)ms / 2 + 1));
	return MAX(ms, f->retry_after_s * 1000);
}

/* Nothing of the failed answer stays: of a stream that has begun the signs of
 * life go out, of one that has not they are forgotten. */
static void
forget_answer(struct session *s)
{
	session_forget_output(s);
	s->is_paused = false;
	s->keeps_size = true;
	s->note.head_us = -1;
	s->note.body_us = -1;
	s->limits = SPAN_EMPTY;
}

bool
session_try_again(struct session *s)
{
	const struct llm_failure *const f = xlate_failure(s->xlate);
	enum again reason;

	if (s->worker->is_over || s->retries >= s->worker->conf->retries ||
		s->client->purpose != LLM_CHAT ||
		buf_len(&s->client->body) == 0)
		return false;
	reason = reason_of(s, f);
	if (reason == AGAIN_NOT || f->retry_after_s > ASKED_MAX_S)
		return false;
	s->pause_ms = pause_ms(s, reason, f);
	s->retries++;
	count(s->worker->metrics, reason);
	log_info("req=%.*s: upstream: %s, code %lld: once more in %lld ms",
		SPAN_ARG(session_id(s)), llm_fail_name(f->kind),
		(long long)f->vendor_code, (long long)s->pause_ms);
	forget_answer(s);
	session_go(s);
	return true;
}
