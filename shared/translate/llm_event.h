/* SPDX-License-Identifier: MIT */
/*
 * llm_event.h - an answer in no dialect: events between decoder and encoder.
 *
 *	answer := START ( block | USAGE | PING )* ( STOP | ERROR )
 *	block  := OPEN ( DELTA | PING )* CLOSE
 *
 * ERROR may also come before START and inside a block: it ends everything. The
 * grammar is the same for streamed and unstreamed answers: a body is a burst of
 * events. At most one block is open; where an upstream interleaves, its decoder
 * buffers. Text is never decoded: what stands between the quotes upstream is
 * written between quotes downstream. Views live until the sink returns.
 */
#ifndef TRANSLATE_LLM_EVENT_H
#define TRANSLATE_LLM_EVENT_H

#include "shared/base/err.h"
#include "shared/json/jtext.h"

struct dialect;

enum llm_kind {
	LLM_START,
	LLM_OPEN,
	LLM_DELTA,
	LLM_CLOSE,
	LLM_USAGE,
	LLM_PING,
	LLM_STOP,
	LLM_ERROR,
};

enum llm_block {
	LLM_TEXT,
	LLM_THINK,
	LLM_TOOL
};

enum llm_stop {
	LLM_STOP_END,
	LLM_STOP_TOOL,
	LLM_STOP_LENGTH,
	LLM_STOP_SEQUENCE,
	LLM_STOP_REFUSAL,
	LLM_STOP_CONTEXT, /* the context window is full */
	LLM_STOP_PAUSE,
	LLM_STOP_UNKNOWN,
};

/* Counts above are taken for this one. */
#define LLM_TOKENS_MAX INT64_C(1000000000000)

/* Token counts as upstream reported them; -1 is "not said". */
struct llm_usage {
	int64_t input; /* without the cached parts below */
	int64_t cache_read, cache_write;
	int64_t output; /* reasoning included */
	int64_t reasoning;
	bool is_estimate; /* made up here, not reported */
};

#define LLM_USAGE_NONE ((struct llm_usage){ -1, -1, -1, -1, -1, false })

struct llm_event {
	enum llm_kind kind;
	enum llm_block block;  /* OPEN, DELTA, CLOSE */
	struct jesc id;        /* START: answer id; OPEN of a tool: call id */
	struct jesc name;      /* START: model; OPEN of a tool: its name */
	struct jesc text;      /* DELTA: text, or a piece of argument JSON */
	struct jesc signature; /* CLOSE of thinking, may be empty */
	enum llm_stop stop;    /* STOP */
	struct jesc stop_text; /* STOP: the stop sequence that matched */
	/* USAGE: cumulative; said fields replace. START: what is known by then,
	 * for those who write it there; a USAGE follows. */
	struct llm_usage usage;
	struct jraw error; /* ERROR: what upstream sent, none if it only broke
			      off; profile.h reads it */
	const char *why;   /* ERROR without content: a clause for people */
	/* START of an unstreamed answer: an object of the members that this
	 * grammar has no place for, for an encoder of dialect `owner` only. */
	struct jraw extra;
	const struct dialect *owner;
};

/* An event of which nothing else is said. */
static inline struct llm_event
llm_event_of(enum llm_kind kind, enum llm_block block)
{
	return (struct llm_event){
		.kind = kind,
		.block = block,
		.id = JESC_EMPTY,
		.name = JESC_EMPTY,
		.text = JESC_EMPTY,
		.signature = JESC_EMPTY,
		.stop_text = JESC_EMPTY,
		.usage = LLM_USAGE_NONE,
		.error = JRAW_NONE,
		.extra = JRAW_NONE,
	};
}

struct llm_sink {
	enum gp_code (*put)(struct llm_sink *s, const struct llm_event *e,
		struct gp_error *err);
};

static inline enum gp_code
llm_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	return s->put(s, e, err);
}

/* True if any field is said. */
bool llm_usage_is_said(const struct llm_usage *u);

/* Add what `more` says to `to`: fields that are said replace. */
void llm_usage_merge(struct llm_usage *to, const struct llm_usage *more);

#endif
