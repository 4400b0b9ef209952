/* SPDX-License-Identifier: MIT */
/* test_llm_req.c - building the request tree. */
#include "tests/lib/t.h"

#include "shared/translate/llm_req.h"

static struct arena arena;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void
test_init(void **state)
{
	struct llm_req r;

	(void)state;
	memset(&r, 0xff, sizeof(r));
	llm_req_init(&r, &arena, LLM_COUNT);
	assert_int_equal(r.purpose, LLM_COUNT);
	assert_ptr_equal(r.arena, &arena);
	assert_ptr_equal(r.notices.arena, &arena);
	assert_int_equal(r.notices.total, 0);
	/* No span without an address. */
	assert_span_eq(r.model.s, "");
	assert_span_eq(r.choice_name.s, "");
	assert_span_eq(r.temperature.raw.s, "");
	assert_span_eq(r.top_p.raw.s, "");
	assert_span_eq(r.format_schema.s, "");
	assert_span_eq(r.format_name.s, "");
	assert_span_eq(r.user_id.s, "");
	assert_non_null(r.model.s.p);
	assert_non_null(r.user_id.s.p);
	assert_int_equal(r.turns.n + r.tools.n + r.stop.n + r.extra.n, 0);
}

static void
test_tree(void **state)
{
	struct llm_req r;
	struct llm_turn *t;
	struct llm_part *p;

	(void)state;
	llm_req_init(&r, &arena, LLM_CHAT);
	for (size_t i = 0; i < 100; i++) {
		t = llm_add_turn(&r, i % 2 ? LLM_ASSISTANT : LLM_USER, i);
		for (size_t k = 0; k < 10; k++) {
			p = llm_add_part(&r, &t->parts, LLM_PART_CALL);
			assert_non_null(p->text.s.p);
			assert_non_null(p->signature.s.p);
			assert_non_null(p->id.s.p);
			assert_non_null(p->name.s.p);
			assert_non_null(p->args.text.s.p);
			assert_non_null(p->args.value.s.p);
			assert_non_null(p->image.data.s.p);
			assert_non_null(p->image.media_type.s.p);
			assert_non_null(p->cache_control.s.p);
		}
		llm_add_text(&r, &t->parts, JESC_EMPTY);
		llm_add_text(&r, &t->parts, JESC("text"));
	}
	assert_int_equal(r.turns.n, 100);
	t = &r.turns.v[99];
	assert_int_equal(t->role, LLM_ASSISTANT);
	assert_int_equal(t->source, 99);
	assert_int_equal(t->parts.n, 11);
	assert_int_equal(t->parts.v[9].kind, LLM_PART_CALL);
	assert_int_equal(t->parts.v[10].kind, LLM_PART_TEXT);
	assert_span_eq(t->parts.v[10].text.s, "text");
	llm_add_extra(&r, NULL, JESC("seed"), JRAW("1"), true);
	assert_int_equal(r.extra.n, 1);
	assert_span_eq(r.extra.v[0].key.s, "seed");
	assert_span_eq(r.extra.v[0].value.s, "1");
	assert_true(r.extra.v[0].is_minor);
	assert_false(r.extra.v[0].is_used);
}

static void
test_clean_id(void **state)
{
	static const struct {
		const char *id, *want;
	} cases[] = {
		{ "", "" },
		{ "call_Az-09", "call_Az-09" },
		{ "functions.read:0", "functions_read_0" },
		{ "a\\u002eb", "a_b" },
		{ "a\\\"\\\\b", "a__b" },
		{ "\\u0041", "A" },
		{ "\xc3\xa9", "__" },
		{ "\\u00e9", "__" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct jesc id = { span_cstr(cases[i].id) };
		const struct jesc got = llm_clean_id(&arena, id);

		assert_spans_eq(got.s, span_cstr(cases[i].want));
		if (strcmp(cases[i].id, cases[i].want) == 0)
			assert_ptr_equal(got.s.p, id.s.p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_init, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean_id, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
