/* SPDX-License-Identifier: MIT */
/* session_record.c - what is left of a chat or count when it is over. */
#include "shared/sys/clock.h"
#include "worker/recorder.h"
#include "worker/session_private.h"

/* As other servers note it: the client did not wait for the answer. */
#define STATUS_LEFT 499

void
session_note_begin(struct session *s)
{
	s->note = (struct session_note){
		.begun_wall_us = clock_wall_us(),
		.begun_mono_us = clock_mono_us(),
		.head_us = -1,
		.body_us = -1,
		.first_us = -1,
		.bytes_in = buf_len(&s->client->body),
		.asked = SPAN_EMPTY,
		.thinking = -1,
	};
}

void
session_note_request(struct session *s, const struct llm_req *r)
{
	struct session_note *const n = &s->note;
	size_t last = SIZE_MAX;

	n->messages = 0;
	for (size_t i = 0; i < r->turns.n; i++) {
		const struct llm_turn *const t = &r->turns.v[i];

		/* One message may become two turns. */
		if (t->role == LLM_SYSTEM)
			continue;
		n->messages += t->source != last;
		last = t->source;
	}
	n->max_tokens = r->max_tokens;
	n->thinking = r->think.mode == LLM_THINK_UNSET ?
		-1 :
		r->think.mode == LLM_THINK_ON;
}

static int64_t
elapsed_us(const struct session *s)
{
	return clock_mono_us() - s->note.begun_mono_us;
}

void
session_note_time(const struct session *s, int64_t *at)
{
	if (*at < 0)
		*at = elapsed_us(s);
}

void
session_note_head(struct session *s)
{
	session_note_time(s, &s->note.head_us);
	s->note.is_reused = exchange_was_reused(s->exchange);
	s->note.sends += exchange_was_retried(s->exchange);
}

/* --- the record ----------------------------------------------------------- */

static int64_t
total_input(const struct llm_usage *u)
{
	return u->input < 0 && u->cache_read < 0 && u->cache_write < 0 ?
		-1 :
		MAX(u->input, 0) + MAX(u->cache_read, 0) +
			MAX(u->cache_write, 0);
}

static void
put_tokens(const struct session *s, struct record *r)
{
	const struct llm_usage *const u = &xlate_tally(s->xlate)->usage;
	const struct llm_usage shown = xlate_shown_usage(s->xlate);

	/* A count says what would be used. */
	if (u->is_estimate || s->client->purpose == LLM_COUNT)
		return;
	r->input = total_input(u);
	r->cached = u->cache_read;
	r->output = u->output;
	r->shown_input = total_input(&shown);
	r->shown_cached = shown.cache_read;
	r->shown_output = shown.output;
}

static void
put_failure(const struct session *s, struct record *r,
	char class[RECORDER_CLASS_MAX])
{
	const struct llm_failure *const f = xlate_failure(s->xlate);

	recorder_class(f->kind, class);
	r->error = span_cstr(class);
	r->code = f->vendor_code;
}

static void
put_outcome(const struct session *s, struct record *r,
	char class[RECORDER_CLASS_MAX])
{
	const enum xlate_state state = xlate_state(s->xlate);

	r->status = 200;
	switch (state) {
	case XLATE_DONE:
		break;
	case XLATE_PENDING:
	case XLATE_OPEN:
		r->cancelled = 1;
		r->status = s->head_sent ? 200 : STATUS_LEFT;
		break;
	case XLATE_FAILED:
		put_failure(s, r, class);
		r->status = s->client->dialect->fail_status(
			xlate_failure(s->xlate));
		break;
	case XLATE_BROKEN:
		put_failure(s, r, class);
		r->broken = 1;
		break;
	}
}

static void
put_note(const struct session *s, struct record *r)
{
	const struct session_note *const n = &s->note;
	const struct llm_removed *const cut = xlate_removed(s->xlate);

	r->time_us = n->begun_wall_us;
	r->reused = n->is_reused;
	r->retries = n->sends > 1 ? n->sends - 1 : 0;
	r->head_us = n->head_us;
	r->body_us = n->body_us;
	r->first_us = n->first_us;
	r->total_us = elapsed_us(s);
	r->bytes_in = (int64_t)n->bytes_in;
	r->bytes_sent = (int64_t)n->bytes_sent;
	r->bytes_received = (int64_t)n->bytes_received;
	r->bytes_out = (int64_t)n->bytes_out;
	r->asked = n->asked;
	r->messages = n->messages;
	r->max_tokens = n->max_tokens;
	r->thinking = n->thinking;
	r->notice_count = xlate_notice_count(s->xlate);
	r->removed = cut->messages;
	r->original_tokens = cut->messages > 0 ? cut->original_tokens : 0;
}

void
session_record(const struct session *s, struct span client)
{
	const struct client *const c = s->client;
	char class[RECORDER_CLASS_MAX];
	struct record r;
	struct buf notices;

	record_init(&r);
	put_note(s, &r);
	put_tokens(s, &r);
	put_outcome(s, &r, class);
	r.is_count = c->purpose == LLM_COUNT;
	r.streamed = xlate_is_stream(s->xlate);
	r.request = session_id(s);
	r.client = client;
	r.dialect = span_cstr(c->dialect->name);
	if (s->choice.route.upstream != NULL) {
		r.model = s->choice.route.model;
		r.window = s->choice.route.info->context_tokens;
		r.vision = xlate_is_vision(s->xlate);
		if (s->note.sends > 0)
			r.upstream = span_cstr(s->choice.route.upstream->name);
	}
	buf_init(&notices, 4096);
	if (r.notice_count > 0)
		xlate_notices(s->xlate, &notices);
	r.notices = buf_span(&notices);
	recorder_put(s->worker, &r);
	buf_fini(&notices);
}
