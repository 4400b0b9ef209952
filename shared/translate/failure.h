/* SPDX-License-Identifier: MIT */
/* failure.h - one failed request, in no dialect. */
#ifndef TRANSLATE_FAILURE_H
#define TRANSLATE_FAILURE_H

#include "shared/base/arena.h"
#include "shared/base/err.h"

enum llm_fail {
#define FAIL(name, status, retryable) LLM_FAIL_##name,
#include "shared/translate/failure.def"
#undef FAIL
	LLM_FAIL_COUNT
};

/* Over what time a limit is counted; not said: LLM_NO_WINDOW and 0. */
enum llm_window_unit {
	LLM_NO_WINDOW,
	LLM_WINDOW_MINUTES,
	LLM_WINDOW_HOURS,
	LLM_WINDOW_DAYS,
	LLM_WINDOW_WEEKS,
	LLM_WINDOW_MONTHS
};

#define LLM_WINDOW_MAX 255

struct llm_window {
	enum llm_window_unit unit;
	unsigned units;
};

struct llm_failure {
	enum llm_fail kind;
	/* Upstream's own status when it is to be kept (unknown codes), else 0:
	 * the dialect's table decides. */
	unsigned keep_status;
	struct span message;   /* UTF-8, never empty */
	struct span param;     /* request field, "" if none */
	const char *reason;    /* more precise code than the class's, or NULL */
	int64_t vendor_code;   /* the vendor's number for it; 0: none */
	int64_t retry_after_s; /* -1: none */
	struct span reset; /* RFC 3339 time at which a quota renews, or "" */
	struct span trace; /* upstream's request id, or "" */
	/* Something in the request was refused, and not said what: worth a look
	 * at what had been sent. */
	bool is_vague;
	/* Upstream has said so, in words or by a status; else it is our own
	 * judgement. */
	bool is_upstreams;
	struct llm_window window; /* of the limit that is reached */
	int64_t reset_wall_s;     /* reset, in seconds; 0: not said */
	/* LLM_FAIL_CONTEXT: dialects write the text from these. */
	int64_t input_tokens, completion_tokens, limit_tokens;
	bool is_counted; /* input_tokens is upstream's own count */
};

/* kind and message, everything else unset. */
struct llm_failure llm_failure_of(enum llm_fail kind, struct span message);
/* From a call's error: a malformed request, a limit, a time-out ... The text
 * is copied into the arena. */
struct llm_failure llm_failure_from(
	const struct gp_error *err, struct arena *a);

/* The name in failure.def. */
const char *llm_fail_name(enum llm_fail kind);
unsigned llm_fail_status(enum llm_fail kind);
bool llm_fail_is_retryable(enum llm_fail kind);

#endif
