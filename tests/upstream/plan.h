/* SPDX-License-Identifier: MIT */
/*
 * plan.h - an answer before it is written in a dialect.
 *
 *	scenario --> plan --> frames (answer_*.c) --> play (wire.c) --> server
 *
 * Everything lives in the request's arena.
 */
#ifndef UPSTREAM_PLAN_H
#define UPSTREAM_PLAN_H

#include "tests/upstream/errors.h"
#include "tests/upstream/request.h"

enum act_kind {
	ACT_THINK,
	ACT_TEXT,
	ACT_CALL, /* a tool call begins */
	ACT_ARGS, /* a part of its arguments */
};

struct act {
	enum act_kind kind;
	unsigned call;    /* ACT_CALL, ACT_ARGS: which */
	struct span text; /* the inside of a JSON string */
};

struct call {
	char id[40];
	struct span name; /* the inside of a JSON string */
	struct span args; /* the whole arguments, as they are: JSON text */
};

enum quirk { /* of tool calls */
	QUIRK_NONE,
	QUIRK_INTERLEAVED,
	QUIRK_LATE_NAME,
	QUIRK_SAME_INDEX,
	QUIRK_WHOLE,
	QUIRK_NO_ARGS,
	QUIRK_START_INPUT,
	QUIRK_BAD_ARGS,
	QUIRK_CUT_ARGS,
	QUIRK_NO_CALL,
	QUIRK_SAYS_STOP,
};

enum finish {
	FINISH_STOP,
	FINISH_TOOLS,
	FINISH_LENGTH,
	FINISH_WORD, /* a stop word */
	FINISH_FILTER,
	FINISH_SENSITIVE,
	FINISH_NETWORK,
	FINISH_WINDOW,
	FINISH_UNKNOWN,
	FINISH_NONE, /* says nothing */
};

enum fault {
	FAULT_NONE,
	FAULT_SILENT,
	FAULT_NO_HEAD,
	FAULT_NO_DONE,
	FAULT_ENDS_EARLY,
	FAULT_CUT,
	FAULT_TORN,
	FAULT_RESET,
	FAULT_BAD_JSON,
	FAULT_GLUED,
	FAULT_NO_BLANK,
	FAULT_CLOSE_EARLY,
	FAULT_RESET_EARLY,
	FAULT_ERROR_MID,
};

enum odd { /* ways of HTTP */
	ODD_NONE,
	ODD_BODY,   /* a body, even if a stream was asked for */
	ODD_STREAM, /* the other way round */
	ODD_GZIP,
	ODD_BAD_GZIP,
	ODD_BROTLI,
	ODD_INTERIM,
	ODD_TRAILERS,
	ODD_HTTP10,
	ODD_EXTRA_BYTES,
	ODD_GARBAGE,
	ODD_BIG_HEAD,
	ODD_TWO_LENGTHS,
	ODD_NO_TYPE,
};

struct plan {
	struct request *r;
	struct arena *arena;
	const struct scenario *sc;
	bool is_stream; /* what is sent, whatever was asked for */

	VEC_OF(struct act) acts;
	VEC_OF(struct call) calls;
	enum finish finish;
	struct span stop_word; /* the inside of a JSON string */
	enum quirk quirk;
	int64_t input_tokens, output_tokens, cached_tokens;
	char trace[40]; /* the answer's id in z.ai's form */
	int64_t created_s;

	enum fault fault;
	enum odd odd;
	bool is_failure;  /* `failure` is the whole answer */
	bool fails_first; /* `failure` is the first event or the body */
	struct failure failure;
	bool is_redirect;
};

/* What the request is answered with, faults included. */
void plan_make(struct plan *p, struct request *r);

/* The rows of scenario.def, by file. */
#define MAKES(name) void name(struct plan *p, int arg)

/* plan_content.c */
enum {
	THINK_FIRST,
	THINK_ONLY,
	THINK_TWICE
};

enum {
	FIXED_JSON,
	FIXED_FENCED,
	FIXED_BOX,
	FIXED_MARKUP
};

MAKES(plan_text);
MAKES(plan_unicode);
MAKES(plan_think);
MAKES(plan_fixed);
MAKES(plan_empty);
MAKES(plan_finish);
MAKES(plan_stop_sequence);
MAKES(plan_slow);
MAKES(plan_many);
MAKES(plan_big);
/* plan_tools.c */
MAKES(plan_tool);
MAKES(plan_text_tool);
MAKES(plan_tools);
/* plan_faults.c */
MAKES(plan_fault);
MAKES(plan_close_once);
MAKES(plan_error);
MAKES(plan_error_first);
MAKES(plan_error_200);
MAKES(plan_flaky);
MAKES(plan_overflow);
MAKES(plan_gateway);
MAKES(plan_redirect);
MAKES(plan_odd);
#undef MAKES

/* One delta. raw: text to be escaped; else the inside of a JSON string. */
void plan_delta(struct plan *p, enum act_kind kind, struct span escaped);
/* Text in deltas of `per` words or `piece` characters. */
void plan_put_text(struct plan *p, enum act_kind kind, struct span raw);
/* The reasoning that the options ask for, or a stock one. */
void plan_put_thinking(struct plan *p);
/* The failure that code=, shape=, message=, status= and reset= describe. */
struct failure plan_failure(const struct plan *p, unsigned code);

/* toolargs.c: arguments that fit a JSON schema: what it requires, and all its
 * properties when it requires nothing; a compact JSON object. */
struct span toolargs_make(struct arena *a, json_t *schema);

#endif
