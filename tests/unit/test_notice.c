/* SPDX-License-Identifier: MIT */
/* test_notice.c - notices: cleaning, limits, printing. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/translate/notice.h"

static struct arena arena;
static struct notices notices;
static struct buf out;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena);
	notices_init(&notices, &arena);
	buf_init(&out, 4096);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	arena_fini(&arena);
	return 0;
}

static void
test_prints(void **state)
{
	(void)state;
	notices_print(&notices, &out);
	assert_buf_eq(&out, "");
	notice_add(&notices, "dropped", SPAN("seed"));
	notice_add(&notices, "clamped", SPAN("temperature"));
	notice_add(&notices, "dropped", SPAN("seed"));
	notice_add(&notices, "early_eof", SPAN_EMPTY);
	notices_print(&notices, &out);
	assert_buf_eq(&out, "dropped:seed,clamped:temperature,early_eof");
	assert_int_equal(notices.total, 4);
	assert_int_equal(notices.hidden, 0);
	assert_int_equal(notices.by_verb[NOTICE_VERB_dropped], 2);
	assert_int_equal(notices.by_verb[NOTICE_VERB_clamped], 1);
	assert_int_equal(notices.by_verb[NOTICE_VERB_early_eof], 1);
	assert_int_equal(notices.by_verb[NOTICE_VERB_other], 0);
}

static void
test_copies(void **state)
{
	char *const name = t_exact(SPAN("seed"));

	(void)state;
	notice_add(&notices, "dropped", span_of(name, 4));
	free(name);
	notices_print(&notices, &out);
	assert_buf_eq(&out, "dropped:seed");
}

static void
test_cleans(void **state)
{
	char want[sizeof("dropped:") + 64];
	char *const name = t_repeat("n", 65);

	(void)state;
	notice_add(&notices, "dropped",
		SPAN("a b,c:d\r\ne\0f\"\\(\x7f\xc3\xa9.x-y_z~!#$%&'*+^`|"));
	notices_print(&notices, &out);
	assert_buf_eq(&out, "dropped:a_b_c_d__e_f______.x-y_z~!#$%&'*+^`|");
	buf_reset(&out, 0);

	notices_init(&notices, &arena);
	notice_add(&notices, "dropped", span_of(name, 65));
	notices_print(&notices, &out);
	memcpy(want, "dropped:", 8);
	memset(want + 8, 'n', 64);
	assert_spans_eq(buf_span(&out), span_of(want, 72));
	free(name);
}

static void
test_count_limit(void **state)
{
	char name[] = "a";

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		name[0] = (char)('a' + i);
		notice_add(&notices, "x", span_cstr(name));
	}
	/* Listed or not, a repeat is no new item. */
	notice_add(&notices, "x", SPAN("a"));
	notices_print(&notices, &out);
	assert_buf_eq(&out,
		"x:a,x:b,x:c,x:d,x:e,x:f,x:g,x:h,x:i,x:j,x:k,x:l,x:m,x:n,x:o,"
		"x:p,+4");
	assert_int_equal(notices.total, 21);
	assert_int_equal(notices.by_verb[NOTICE_VERB_other], 21);
}

static void
test_byte_limit(void **state)
{
	char *const name = t_repeat("n", 60);

	(void)state;
	for (char c = 'a'; c < 'a' + 16; c++) {
		name[0] = c;
		notice_add(&notices, "dropped", span_of(name, 60));
	}
	/* A short one still fits. */
	notice_add(&notices, "x", SPAN("y"));
	notices_print(&notices, &out);
	assert_true(buf_len(&out) <= NOTICE_BYTES_MAX + 16);
	assert_int_equal(notices.n, 15);
	assert_int_equal(notices.hidden, 2);
	assert_true(span_ends(buf_span(&out), SPAN(",x:y,+2")));
	free(name);
}

/* --- losses --------------------------------------------------------------- */

static const struct {
	const char *verb, *name;
	bool is_loss;
} verbs[] = {
	{ "dropped", "seed", true },
	{ "clamped", "temperature", true },
	{ "degraded", "image", true },
	{ "emulated", "response_format", true },
	{ "substituted", "model", true },
	{ "repaired", "tool_id", false },
	{ "unlisted", "gif", false },
	/* One that nobody has thought of. */
	{ "mangled", "x", true },
	{ "mangled", "", true },
	{ "dropp", "seed", true },
	{ "repaired", "", false },
};

static void
test_losses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		struct span name = SPAN("untouched");

		notices_init(&notices, &arena);
		notice_add(&notices, verbs[i].verb, span_cstr(verbs[i].name));
		buf_reset(&out, 0);
		assert_int_equal(notices_print_losses(&notices, &out, &name),
			verbs[i].is_loss ? 1 : 0);
		assert_int_equal(buf_len(&out) > 0, verbs[i].is_loss);
		assert_spans_eq(name,
			verbs[i].is_loss ? span_cstr(verbs[i].name) :
					   SPAN("untouched"));
	}
}

static void
test_losses_among_others(void **state)
{
	struct span name;

	(void)state;
	notice_add(&notices, "repaired", SPAN("tool_id"));
	notice_add(&notices, "dropped", SPAN("seed"));
	notice_add(&notices, "unlisted", SPAN("gif"));
	notice_add(&notices, "clamped", SPAN("top_p"));
	notice_add(&notices, "dropped", SPAN("seed"));
	assert_int_equal(notices_print_losses(&notices, &out, &name), 2);
	assert_buf_eq(&out, "dropped:seed,clamped:top_p");
	assert_spans_eq(name, SPAN("top_p"));
}

/* Where there is no more room they still count. */
static void
test_hidden_losses(void **state)
{
	char text[] = "a";
	struct span name;

	(void)state;
	for (; text[0] <= 'p'; text[0]++)
		notice_add(&notices, "repaired", span_cstr(text));
	notice_add(&notices, "repaired", SPAN("z"));
	assert_int_equal(notices_print_losses(&notices, &out, &name), 0);
	assert_buf_eq(&out, "");
	notice_add(&notices, "dropped", SPAN("seed"));
	assert_int_equal(notices_print_losses(&notices, &out, &name), 1);
	assert_buf_eq(&out, "+1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_prints, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cleans, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_count_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_byte_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_losses, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_losses_among_others, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_hidden_losses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
