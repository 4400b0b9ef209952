/* SPDX-License-Identifier: MIT */
/* test_xlate_strict.c - what strictness refuses, and what it lets pass. */
#include "tests/lib/t.h"
#include "tests/lib/golden.h"

static const struct dialect *
dialect_named(const char *name)
{
	for (size_t i = 0; i < ndialects; i++) {
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	}
	fail_msg("no dialect %s", name);
	return NULL;
}

static struct golden
way_of(const char *client, const char *upstream)
{
	return (struct golden){
		.status = 200,
		.content_type = SPAN("application/json"),
		.retry_after = SPAN_EMPTY,
		.replays_reasoning = true,
		.is_strict = true,
		.model = profile_model(&profile_zai, SPAN("glm-4.6")),
		.client = dialect_named(client),
		.upstream = dialect_named(upstream),
	};
}

/* --- requests ------------------------------------------------------------- */

/* A small request with more members. */
static struct span
request_with(struct buf *b, const char *more)
{
	buf_init(b, 65536);
	buf_puts(b,
		"{\"model\":\"glm-4.6\",\"max_tokens\":9,\"messages\":["
		"{\"role\":\"user\",\"content\":\"a\"}]");
	buf_puts(b, more);
	buf_putc(b, '}');
	return buf_span(b);
}

static const struct {
	const char *client, *upstream;
	const char *more;
	const char *losses; /* NULL: none */
	const char *param;
} rows[] = {
	{ "openai", "anthropic", "", NULL, "" },
	{ "anthropic", "openai", "", NULL, "" },
	{ "openai", "openai", "", NULL, "" },
	{ "anthropic", "anthropic", "", NULL, "" },

	{ "openai", "anthropic", ",\"seed\":1", ": dropped:seed", "seed" },
	{ "openai", "anthropic", ",\"temperature\":1.5",
		": clamped:temperature", "temperature" },
	{ "openai", "anthropic", ",\"seed\":1,\"temperature\":1.5",
		": dropped:seed,clamped:temperature", "" },
	{ "openai", "anthropic",
		",\"response_format\":{\"type\":\"json_object\"}",
		": emulated:response_format", "response_format" },
	/* Of no consequence, and without a notice. */
	{ "openai", "anthropic", ",\"store\":false,\"metadata\":{\"a\":\"b\"}",
		NULL, "" },
	/* The other endpoint has that. */
	{ "openai", "openai", ",\"response_format\":{\"type\":\"json_object\"}",
		NULL, "" },
	{ "openai", "openai",
		",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
		"\"t\"}}],\"tool_choice\":\"required\"",
		": degraded:tool_choice", "tool_choice" },

	{ "anthropic", "openai", ",\"top_k\":4", ": dropped:top_k", "top_k" },
	{ "anthropic", "openai",
		",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"}]",
		": dropped:bash_20250124", "" },
	{ "anthropic", "openai", ",\"foo\":{}", ": dropped:foo", "foo" },
	/* Copied, unknown or not; only what the copy itself changes counts. */
	{ "anthropic", "anthropic", ",\"foo\":{},\"top_k\":4", NULL, "" },
};

static void
test_losses_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct golden g = way_of(rows[i].client, rows[i].upstream);
		struct golden_way w;
		struct gp_error err;
		struct buf in;
		enum gp_code rc;

		rc = golden_ask(&w, &g, request_with(&in, rows[i].more), &err);
		if (rows[i].losses == NULL) {
			assert_ok(rc, &err);
		} else {
			assert_int_equal(rc, GP_E_UNSUPPORTED);
			assert_string_equal(err.param, rows[i].param);
			assert_string_equal(err.reason, "unsupported_value");
			assert_true(span_ends(span_cstr(err.text),
				span_cstr(rows[i].losses)));
		}
		golden_way_fini(&w);

		/* What it is about: the same passes where nobody is strict. */
		g.is_strict = false;
		assert_ok(golden_ask(&w, &g, buf_span(&in), &err), &err);
		assert_int_equal(xlate_notice_count(w.xlate) > 0,
			rows[i].losses != NULL);
		golden_way_fini(&w);
		buf_fini(&in);
	}
}

static void
test_copy_changes_count(void **state)
{
	const struct golden g = way_of("anthropic", "anthropic");
	struct golden_way w;
	struct gp_error err;

	(void)state;
	assert_fails(golden_ask(&w, &g,
			     SPAN("{\"model\":\"glm-4.6\",\"max_tokens\":"
				  "9999999,\"messages\":[{\"role\":\"user\","
				  "\"content\":\"a\"}]}"),
			     &err),
		GP_E_UNSUPPORTED, &err, ": clamped:max_tokens");
	assert_string_equal(err.param, "max_tokens");
	golden_way_fini(&w);
}

/* A call without its result: one is made up, as the notice says. */
static void
test_repairs_pass(void **state)
{
	const struct golden g = way_of("openai", "anthropic");
	struct golden_way w;
	struct gp_error err;
	struct buf b;

	(void)state;
	assert_ok(golden_ask(&w, &g,
			  SPAN("{\"model\":\"glm-4.6\",\"messages\":["
			       "{\"role\":\"user\",\"content\":\"a\"},"
			       "{\"role\":\"assistant\",\"tool_calls\":[{"
			       "\"id\":\"c\",\"type\":\"function\","
			       "\"function\":{\"name\":\"t\",\"arguments\":"
			       "\"{}\"}}]},"
			       "{\"role\":\"user\",\"content\":\"b\"}]}"),
			  &err),
		&err);
	buf_init(&b, 4096);
	xlate_notices(w.xlate, &b);
	assert_buf_eq(&b, "repaired:tool_result");
	buf_fini(&b);
	golden_way_fini(&w);
}

static void
test_counts_pass(void **state)
{
	struct golden g = way_of("openai", "anthropic");
	struct golden_way w;
	struct gp_error err;
	struct buf in;

	(void)state;
	g.purpose = LLM_COUNT;
	assert_ok(golden_ask(&w, &g, request_with(&in, ",\"foo\":1"), &err),
		&err);
	golden_way_fini(&w);
	g.purpose = LLM_CHAT;
	assert_fails(golden_ask(&w, &g, buf_span(&in), &err), GP_E_UNSUPPORTED,
		&err, ": dropped:foo");
	golden_way_fini(&w);
	buf_fini(&in);
}

/* --- the caller's own ----------------------------------------------------- */

static void
test_notices_of_the_caller(void **state)
{
	const struct golden g = way_of("openai", "openai");
	const struct xlate_env env = { .options = { .force_thinking = -1,
					       .replay_reasoning = true },
		.is_strict = true };
	const struct xlate_route route = {
		.upstream = g.upstream, .model = g.model->name, .info = g.model
	};
	struct xlate_scratch scratch;
	struct arena arena;
	struct buf in, up, out;
	struct xlate *x;
	struct gp_error err;

	(void)state;
	arena_init(&arena);
	xlate_scratch_init(&scratch);
	buf_init(&up, 65536);
	buf_init(&out, 65536);
	x = xlate_new(
		&arena, &scratch, &profile_zai, g.client, LLM_CHAT, &env, &out);
	assert_ok(xlate_read(x, request_with(&in, ""), &err), &err);
	xlate_notice(x, "substituted", SPAN("model"));
	assert_fails(xlate_write(x, &route, &up, &err), GP_E_UNSUPPORTED, &err,
		": substituted:model");
	assert_string_equal(err.param, "model");
	xlate_fini(x);
	buf_fini(&in);
	buf_fini(&up);
	buf_fini(&out);
	xlate_scratch_fini(&scratch);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_losses_are_refused),
		cmocka_unit_test(test_copy_changes_count),
		cmocka_unit_test(test_repairs_pass),
		cmocka_unit_test(test_counts_pass),
		cmocka_unit_test(test_notices_of_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
