/* SPDX-License-Identifier: MIT */
/* session_live.c - a chat in the table of those that are under way. */
#include "shared/sys/live.h"

#include "shared/translate/llm_estimate.h"
#include "worker/session_private.h"

void
session_live_begin(struct session *s)
{
	const struct client *const c = s->client;
	const struct live_begin b = {
		.request = session_id(s),
		.client = span_cstr(s->who),
		.dialect = span_cstr(c->dialect->name),
		.upstream = span_cstr(s->choice.route.upstream->name),
		.model = s->choice.route.model,
		.begun_wall_us = s->note.begun_wall_us,
		.begun_us = s->note.begun_mono_us,
		.is_stream = xlate_is_stream(s->xlate),
	};

	if (c->purpose != LLM_CHAT || s->is_live)
		return;
	s->is_live = true;
	s->live = live_begin(&s->worker->live, &b);
}

void
session_live_end(struct session *s)
{
	if (s->is_live)
		live_end(&s->worker->live, s->live);
	s->is_live = false;
	s->live = NULL;
}

/* What upstream has said of its output stands at the end of a stream, but some
 * say 1 at its begin. */
static int64_t
tokens_so_far(const struct session *s)
{
	const struct llm_tally *const t = xlate_tally(s->xlate);

	if (t->has_stop && !t->usage.is_estimate && t->usage.output > 0)
		return t->usage.output;
	return t->text_bytes == 0 ? 0 :
				    llm_estimate_bytes((size_t)t->text_bytes);
}

void
session_live_progress(struct session *s)
{
	if (s->live == NULL)
		return;
	live_set_phase(s->live, LIVE_ANSWERING);
	live_set_progress(s->live, tokens_so_far(s), s->note.bytes_received);
}
