/* SPDX-License-Identifier: MIT */
/* test_failure.c - classes of failure and how errors become them. */
#include "tests/lib/t.h"

#include "shared/translate/failure.h"

static void
test_of(void **state)
{
	const struct llm_failure f =
		llm_failure_of(LLM_FAIL_RATE, SPAN("slow down"));

	(void)state;
	assert_int_equal(f.kind, LLM_FAIL_RATE);
	assert_span_eq(f.message, "slow down");
	assert_span_eq(f.param, "");
	assert_span_eq(f.reset, "");
	assert_span_eq(f.trace, "");
	assert_null(f.reason);
	assert_int_equal(f.retry_after_s, -1);
	assert_int_equal(f.keep_status, 0);
	assert_int_equal(f.limit_tokens, 0);
	assert_dies(llm_failure_of(LLM_FAIL_RATE, SPAN_EMPTY));
}

static void
test_from(void **state)
{
	static const struct {
		enum gp_code code;
		enum llm_fail kind;
	} cases[] = {
		{ GP_E_SYNTAX, LLM_FAIL_BAD_REQUEST },
		{ GP_E_SCHEMA, LLM_FAIL_BAD_REQUEST },
		{ GP_E_UNSUPPORTED, LLM_FAIL_BAD_REQUEST },
		{ GP_E_LIMIT, LLM_FAIL_TOO_LARGE },
		{ GP_E_STATE, LLM_FAIL_UPSTREAM },
		{ GP_E_PEER, LLM_FAIL_UPSTREAM },
		{ GP_E_CLOSED, LLM_FAIL_UPSTREAM },
		{ GP_E_TIMEOUT, LLM_FAIL_UPSTREAM_TIMEOUT },
		{ GP_E_SYSTEM, LLM_FAIL_SERVER },
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	/* All but GP_OK. */
	assert_int_equal(ARRAY_LEN(cases), GP_CODE_COUNT - 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gp_error err;
		struct llm_failure f;

		(void)gp_fail(&err, cases[i].code, "no %s", "luck");
		(void)gp_fail_at(&err, cases[i].code, "messages[%d]", 3);
		err.reason = "unsupported_value";
		f = llm_failure_from(&err, &a);
		/* The text is copied. */
		memset(&err, 'x', sizeof(err));
		assert_int_equal(f.kind, cases[i].kind);
		assert_span_eq(f.message, "no luck");
		assert_span_eq(f.param, "messages[3]");
		assert_string_equal(f.reason, "unsupported_value");
		assert_int_equal(f.retry_after_s, -1);
	}
	arena_fini(&a);
}

static void
test_from_empty(void **state)
{
	struct gp_error err;
	struct arena a;

	(void)state;
	arena_init(&a);
	(void)gp_fail(&err, GP_E_CLOSED, "%s", "");
	assert_span_eq(llm_failure_from(&err, &a).message,
		"the peer closed too early");
	arena_fini(&a);
}

static void
test_tables(void **state)
{
	(void)state;
	assert_int_equal(llm_fail_status(LLM_FAIL_BAD_REQUEST), 400);
	assert_int_equal(llm_fail_status(LLM_FAIL_CONTEXT), 400);
	assert_int_equal(llm_fail_status(LLM_FAIL_OVERLOADED), 529);
	assert_true(llm_fail_is_retryable(LLM_FAIL_RATE));
	assert_false(llm_fail_is_retryable(LLM_FAIL_QUOTA));
	assert_dies(llm_fail_status(LLM_FAIL_COUNT));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of),
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_from_empty),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
