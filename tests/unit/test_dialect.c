/* SPDX-License-Identifier: MIT */
/* test_dialect.c - which dialect a path or a head speaks. */
#include "tests/lib/t.h"

#include <stdio.h>

#include "shared/translate/dialect.h"

static void
test_by_path(void **state)
{
	static const struct {
		const char *path, *name;
		enum llm_purpose purpose;
	} cases[] = {
		{ "/v1/chat/completions", "openai", LLM_CHAT },
		{ "/chat/completions", "openai", LLM_CHAT },
		{ "/v1/responses/input_tokens", "openai", LLM_COUNT },
		{ "/v1/messages", "anthropic", LLM_CHAT },
		{ "/messages", "anthropic", LLM_CHAT },
		{ "/v1/messages/count_tokens", "anthropic", LLM_COUNT },
		{ "/v1/messages/", NULL, LLM_CHAT },
		{ "/v1/message", NULL, LLM_CHAT },
		{ "/", NULL, LLM_CHAT },
		{ "", NULL, LLM_CHAT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum llm_purpose purpose = LLM_CHAT;
		const struct dialect *d =
			dialect_by_path(span_cstr(cases[i].path), &purpose);

		if (cases[i].name == NULL) {
			assert_null(d);
			continue;
		}
		assert_non_null(d);
		assert_string_equal(d->name, cases[i].name);
		assert_int_equal(purpose, cases[i].purpose);
	}
}

static void
test_by_head(void **state)
{
	static const struct {
		const char *field, *name;
	} cases[] = {
		{ "", "openai" },
		{ "authorization: Bearer k\r\n", "openai" },
		{ "x-api-key: k\r\n", "anthropic" },
		{ "Anthropic-Version: 2023-06-01\r\n", "anthropic" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_msg *m = http_msg_new(HTTP_REQUEST);
		struct gp_error err;
		char text[256];
		size_t used;

		(void)snprintf(text, sizeof(text),
			"GET /v1/models HTTP/1.1\r\nhost: h\r\n%s\r\n",
			cases[i].field);
		assert_int_equal(http_msg_feed(m, span_cstr(text), &used, &err),
			HTTP_HEAD);
		assert_string_equal(
			dialect_by_head(http_msg_head(m))->name, cases[i].name);
		http_msg_free(&m);
	}
}

/* What the rest of the program takes for granted. */
static void
test_every_dialect_is_whole(void **state)
{
	(void)state;
	assert_true(ndialects >= 2);
	for (size_t i = 0; i < ndialects; i++) {
		const struct dialect *d = dialects[i];

		assert_true(d->nroutes > 0);
		assert_true(d->suffix.n > 1 && d->suffix.p[0] == '-');
		assert_true(d->chat_path.n > 0);
		assert_non_null(d->req_decode);
		assert_non_null(d->req_encode);
		assert_non_null(d->enc_new);
		assert_non_null(d->fail_encode);
		assert_non_null(d->fail_status);
		assert_non_null(d->heartbeat);
		assert_non_null(d->count_encode);
		/* Answers are copied as a whole or not at all. */
		assert_true((d->ans_copy_sse == NULL) ==
			(d->ans_copy_body == NULL));
		assert_true(
			(d->ans_copy_sse == NULL) == (d->ans_copy_end == NULL));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_path),
		cmocka_unit_test(test_by_head),
		cmocka_unit_test(test_every_dialect_is_whole),
	};

	return cmocka_run_group_tests_name("dialect", tests, NULL, NULL);
}
