/* SPDX-License-Identifier: MIT */
/* zai_fail.h - an upstream's failure as the profile reads it. */
#ifndef TESTS_UNIT_ZAI_FAIL_H
#define TESTS_UNIT_ZAI_FAIL_H

#include <stdio.h>
#include <stdlib.h>

#include "shared/translate/profile.h"
#include "tests/lib/t.h"

#define DIALECT(name, base, expected, overflow)                                \
	extern const struct dialect name;
#include "shared/translate/dialects.def"
#undef DIALECT

#define OUT_MAX (1u << 20)

struct fixture {
	struct arena arena;
	struct buf out;
	struct profile_reply reply;
	struct profile_asked asked;
	struct llm_failure f;
};

static int
set_up(void **state)
{
	struct fixture *const x = calloc(1, sizeof(*x));

	assert_non_null(x);
	arena_init(&x->arena);
	buf_init(&x->out, OUT_MAX);
	x->reply.retry_after = SPAN_EMPTY;
	x->reply.trace = SPAN_EMPTY;
	x->asked.model = SPAN("glm-4.6");
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *const x = *state;

	buf_fini(&x->out);
	arena_fini(&x->arena);
	free(x);
	return 0;
}

/* The body lies in memory of exactly its size, which is gone afterwards. */
static const struct llm_failure *
fail_span(struct fixture *x, unsigned status, struct span body)
{
	char *const exact = t_exact(body);

	x->reply.status = status;
	profile_zai.failure(
		&x->reply, span_of(exact, body.n), &x->asked, &x->arena, &x->f);
	free(exact);
	return &x->f;
}

static const struct llm_failure *
fail_with(struct fixture *x, unsigned status, const char *body)
{
	return fail_span(x, status, span_cstr(body));
}

static void
check_kind(const char *name, enum llm_fail got, enum llm_fail want)
{
	if (got != want)
		fail_msg("%s: class %d, not %d", name, (int)got, (int)want);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
