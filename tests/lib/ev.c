/* SPDX-License-Identifier: MIT */
/* ev.c - the events of an answer as one line of text. */
#include "tests/lib/ev.h"

#include <stdlib.h>

#include "tests/lib/t.h"

#define LOG_MAX (64u << 20)

static const char *const blocks[] = {
	[LLM_TEXT] = "text",
	[LLM_THINK] = "think",
	[LLM_TOOL] = "tool",
};
static const char *const stops[] = {
	[LLM_STOP_END] = "end",
	[LLM_STOP_TOOL] = "tool",
	[LLM_STOP_LENGTH] = "length",
	[LLM_STOP_SEQUENCE] = "sequence",
	[LLM_STOP_REFUSAL] = "refusal",
	[LLM_STOP_CONTEXT] = "context",
	[LLM_STOP_PAUSE] = "pause",
	[LLM_STOP_UNKNOWN] = "unknown",
};

static void
log_word(struct buf *out, struct span word)
{
	if (word.n == 0)
		return;
	buf_putc(out, ' ');
	buf_put(out, word);
}

static void
log_number(struct buf *out, int64_t n)
{
	if (n < 0)
		buf_puts(out, " ?");
	else
		buf_printf(out, " %lld", (long long)n);
}

static void
log_event(struct buf *out, const struct llm_event *e)
{
	switch (e->kind) {
	case LLM_START:
		buf_puts(out, "start");
		log_word(out, e->id.s);
		log_word(out, e->name.s);
		break;
	case LLM_OPEN:
		buf_puts(out, blocks[e->block]);
		log_word(out, e->id.s);
		log_word(out, e->name.s);
		break;
	case LLM_DELTA:
		buf_puts(out, "d ");
		buf_put(out, e->text.s);
		break;
	case LLM_CLOSE:
		buf_puts(out, "close");
		log_word(out, e->signature.s);
		break;
	case LLM_USAGE:
		buf_puts(out, "usage");
		log_number(out, e->usage.input);
		log_number(out, e->usage.output);
		break;
	case LLM_PING:
		buf_puts(out, "ping");
		break;
	case LLM_STOP:
		buf_puts(out, "stop ");
		buf_puts(out, stops[e->stop]);
		log_word(out, e->stop_text.s);
		break;
	case LLM_ERROR:
		buf_puts(out, "error");
		break;
	}
}

static enum gp_code
log_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct ev_log *const l = CONTAINER_OF(s, struct ev_log, sink);
	const enum gp_code rc = llm_put(&l->guard.sink, e, err);
	const bool is_delta = e->kind == LLM_DELTA;

	if (rc != GP_OK)
		return rc;
	if (is_delta && e->text.s.n == 0)
		return gp_fail(err, GP_E_STATE, "an empty piece");
	l->deltas += is_delta;
	if (is_delta && l->in_delta) {
		buf_put(&l->out, e->text.s);
	} else {
		if (buf_len(&l->out) > 0)
			buf_putc(&l->out, '|');
		log_event(&l->out, e);
	}
	l->in_delta = is_delta;
	return GP_OK;
}

static enum gp_code
ignore(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	(void)s;
	(void)e;
	(void)err;
	return GP_OK;
}

struct llm_sink *
ev_log_init(struct ev_log *l)
{
	*l = (struct ev_log){ .sink = { log_put }, .nowhere = { ignore } };
	(void)llm_guard_init(&l->guard, &l->nowhere);
	buf_init(&l->out, LOG_MAX);
	return &l->sink;
}

void
ev_log_fini(struct ev_log *l)
{
	buf_fini(&l->out);
}

static struct span
take_word(struct span *s)
{
	struct span word;

	return span_split(s, ' ', &word) ? word : SPAN_EMPTY;
}

static int64_t
take_number(struct span *s)
{
	uint64_t n;

	return span_u64(take_word(s), &n) ? (int64_t)n : -1;
}

static size_t
find_name(const char *const *names, size_t n, struct span name)
{
	size_t i = 0;

	while (i < n && !span_eq(span_cstr(names[i]), name))
		i++;
	return i;
}

/* block: of the block that is open; changed by OPEN. */
static struct llm_event
read_event(struct span s, enum llm_block *block)
{
	const struct span word = take_word(&s);
	const size_t b = find_name(blocks, ARRAY_LEN(blocks), word);
	struct llm_event e = llm_event_of(LLM_PING, *block);

	if (b < ARRAY_LEN(blocks)) {
		*block = (enum llm_block)b;
		e = llm_event_of(LLM_OPEN, *block);
		e.id.s = take_word(&s);
		e.name.s = take_word(&s);
	} else if (span_eq(word, SPAN("start"))) {
		e.kind = LLM_START;
		e.id.s = take_word(&s);
		e.name.s = take_word(&s);
	} else if (span_eq(word, SPAN("d"))) {
		e.kind = LLM_DELTA;
		e.text.s = s;
	} else if (span_eq(word, SPAN("close"))) {
		e.kind = LLM_CLOSE;
		e.signature.s = take_word(&s);
	} else if (span_eq(word, SPAN("usage"))) {
		e.kind = LLM_USAGE;
		e.usage.input = take_number(&s);
		e.usage.output = take_number(&s);
	} else if (span_eq(word, SPAN("stop"))) {
		e.kind = LLM_STOP;
		e.stop = (enum llm_stop)find_name(
			stops, ARRAY_LEN(stops), take_word(&s));
		assert_true((size_t)e.stop < ARRAY_LEN(stops));
		e.stop_text.s = take_word(&s);
	} else if (span_eq(word, SPAN("error"))) {
		e.kind = LLM_ERROR;
	} else {
		assert_true(span_eq(word, SPAN("ping")));
	}
	return e;
}

enum gp_code
ev_feed(struct llm_sink *to, struct span line, struct gp_error *err)
{
	enum llm_block block = LLM_TEXT;
	enum gp_code rc = GP_OK;
	struct span s;

	while (rc == GP_OK && span_split(&line, '|', &s)) {
		char *const copy = t_exact(s);
		const struct llm_event e =
			read_event(span_of(copy, s.n), &block);

		rc = llm_put(to, &e, err);
		free(copy);
	}
	return rc;
}

enum gp_code
ev_delta(struct llm_sink *to, enum llm_block block, struct span text,
	struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_DELTA, block);

	e.text = (struct jesc){ text };
	return llm_put(to, &e, err);
}

static bool
ends_between_escapes(struct span s)
{
	size_t at = 0;

	while (at < s.n) {
		if (s.p[at] != '\\')
			at++;
		else
			at += at + 1 < s.n && s.p[at + 1] == 'u' ? 6 : 2;
	}
	return at == s.n;
}

bool
ev_deltas(struct llm_sink *to, enum llm_block block, const struct span *pieces,
	size_t n)
{
	struct gp_error err;

	for (size_t i = 0; i < n; i++) {
		if (!ends_between_escapes(pieces[i]))
			return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (pieces[i].n > 0)
			assert_ok(ev_delta(to, block, pieces[i], &err), &err);
	}
	return true;
}
