/* SPDX-License-Identifier: MIT */
/* failure.c - one failed request; the tables of failure.def. */
#include "shared/translate/failure.h"

#include "shared/base/check.h"

static const struct {
	const char *name;
	unsigned status;
	bool is_retryable;
} classes[] = {

#define FAIL(name, status, retryable) { #name, (status), (retryable) },
#include "shared/translate/failure.def"
#undef FAIL
};

struct llm_failure
llm_failure_of(enum llm_fail kind, struct span message)
{
	GP_ASSERT(message.n > 0);
	return (struct llm_failure){
		.kind = kind,
		.message = message,
		.param = SPAN_EMPTY,
		.retry_after_s = -1,
		.reset = SPAN_EMPTY,
		.trace = SPAN_EMPTY,
	};
}

static enum llm_fail
class_of(enum gp_code code)
{
	switch (code) {
	case GP_E_SYNTAX:
	case GP_E_SCHEMA:
	case GP_E_UNSUPPORTED:
		return LLM_FAIL_BAD_REQUEST;
	case GP_E_LIMIT:
		return LLM_FAIL_TOO_LARGE;
	case GP_E_STATE:
	case GP_E_PEER:
	case GP_E_CLOSED:
		return LLM_FAIL_UPSTREAM;
	case GP_E_TIMEOUT:
		return LLM_FAIL_UPSTREAM_TIMEOUT;
	case GP_E_SYSTEM:
		return LLM_FAIL_SERVER;
	case GP_OK:
	case GP_CODE_COUNT:
		break;
	}
	GP_UNREACHED();
}

struct llm_failure
llm_failure_from(const struct gp_error *err, struct arena *a)
{
	const enum llm_fail kind = class_of(err->code);
	const char *text = err->text;
	struct llm_failure f;

	if (text[0] == '\0')
		text = gp_code_sentence(err->code);
	f = llm_failure_of(kind, arena_dup(a, span_cstr(text)));
	f.param = arena_dup(a, span_cstr(err->param));
	f.reason = err->reason;
	return f;
}

const char *
llm_fail_name(enum llm_fail kind)
{
	GP_ASSERT((size_t)kind < ARRAY_LEN(classes));
	return classes[kind].name;
}

unsigned
llm_fail_status(enum llm_fail kind)
{
	GP_ASSERT((size_t)kind < ARRAY_LEN(classes));
	return classes[kind].status;
}

bool
llm_fail_is_retryable(enum llm_fail kind)
{
	GP_ASSERT((size_t)kind < ARRAY_LEN(classes));
	return classes[kind].is_retryable;
}
