/* SPDX-License-Identifier: MIT */
/* test_figures.c - tokens by client and model, with names that peers chose. */
#include "admin/figures.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/t.h"

static struct shm *m;

static int
begin(void **state)
{
	(void)state;
	m = aligned_alloc(_Alignof(struct shm), sizeof(*m));
	assert_non_null(m);
	memset(m, 0, sizeof(*m));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	free(m);
	return 0;
}

static void
add(struct span client, struct span model, uint64_t input, uint64_t cached)
{
	const struct usage_sums one = { { 1, input, cached, 5 } };

	usage_add(usage_row(&m->usage, client, model), &one);
}

static void
check_holds(const struct buf *b, const char *part)
{
	const struct span text = buf_span(b);

	if (span_find(text, span_cstr(part)) == text.n)
		fail_msg("no \"%s\" in: %.*s", part, SPAN_ARG(text));
}

static void
check_lacks(const struct buf *b, const char *part)
{
	const struct span text = buf_span(b);

	if (span_find(text, span_cstr(part)) != text.n)
		fail_msg("\"%s\" in: %.*s", part, SPAN_ARG(text));
}

static void
test_order(void **state)
{
	struct figures f;

	(void)state;
	add(SPAN("ann"), SPAN("b"), 10, 0);
	add(SPAN("bob"), SPAN("a"), 30, 0);
	add(SPAN("ann"), SPAN("a"), 10, 0);
	add(SPAN("bob"), SPAN("b"), 20, 0);
	figures_take(&m->usage, &f);
	assert_int_equal(f.n, 4);
	assert_int_equal(f.rows[0].sums.n[USAGE_INPUT_TOKENS], 30);
	assert_int_equal(f.rows[1].sums.n[USAGE_INPUT_TOKENS], 20);
	assert_string_equal(f.rows[2].names.model, "a");
	assert_string_equal(f.rows[3].names.model, "b");
	figures_take_models(&m->usage, &f);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.rows[0].names.model, "a");
	assert_int_equal(f.rows[0].sums.n[USAGE_INPUT_TOKENS], 40);
	assert_int_equal(f.rows[1].sums.n[USAGE_REQUESTS], 2);
}

/* What a peer calls "other" and what has no row are one line. */
static void
test_names_of_the_rest(void **state)
{
	char name[16];
	struct figures f;
	struct buf b;

	(void)state;
	add(SPAN("other"), SPAN("other"), 1, 0);
	for (int i = 0; i < USAGE_ROWS; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i);
		add(SPAN("ann"), span_cstr(name), 0, 0);
	}
	add(SPAN("ann"), SPAN("late"), 2, 0);
	figures_take(&m->usage, &f);
	assert_int_equal(f.n, USAGE_ROWS);
	assert_string_equal(f.rows[0].names.client, "other");
	assert_int_equal(f.rows[0].sums.n[USAGE_INPUT_TOKENS], 3);
	buf_init(&b, 1 << 20);
	figures_put_metrics(m, &b);
	check_holds(&b,
		"\nglmproxy_model_input_tokens_total{model=\"other\"} "
		"3\n");
	buf_fini(&b);
}

static void
test_metrics(void **state)
{
	struct buf b;

	(void)state;
	add(SPAN("ann"), SPAN("glm-4.6"), 100, 40);
	add(SPAN("bob"), SPAN("glm-4.6"), UINT64_C(1) << 60, 60);
	calib_restore(calib_row(&m->calib, SPAN("up/glm-4.6")), CALIB_EXACT,
		(struct calib_ratio){ 45876, 20 });
	buf_init(&b, 1 << 20);
	figures_put_metrics(m, &b);
	check_holds(&b,
		"# TYPE glmproxy_model_requests_total counter\n"
		"glmproxy_model_requests_total{model=\"glm-4.6\"} 2\n");
	check_holds(&b,
		"\nglmproxy_model_input_tokens_total{model=\"glm-4.6\"}"
		" 1152921504606847076\n");
	check_holds(&b,
		"\nglmproxy_model_cached_tokens_total{model=\"glm-4.6\"}"
		" 100\n");
	check_holds(&b,
		"\nglmproxy_model_output_tokens_total{model=\"glm-4.6\"}"
		" 10\n");
	check_holds(&b,
		"\nglmproxy_calibration_ratio{model=\"up/glm-4.6\","
		"way=\"exact\"} 0.700012\n");
	check_holds(&b,
		"\nglmproxy_calibration_samples{model=\"up/glm-4.6\","
		"way=\"exact\"} 20\n");
	check_lacks(&b, "quick");
	check_lacks(&b, "ann");
	buf_fini(&b);
}

#define EVIL "\"} 1\n<script>'&\\ \xff"

static void
test_hostile_names(void **state)
{
	struct figures f;
	struct buf b;
	struct jout j;

	(void)state;
	add(SPAN(EVIL), SPAN(EVIL), 8, 1);
	calib_learn(calib_row(&m->calib, SPAN(EVIL)), CALIB_QUICK, 1000, 1000);
	calib_learn(calib_row(&m->calib, SPAN("\"} 1\\n")), CALIB_QUICK, 1000,
		1000);
	buf_init(&b, 1 << 20);
	figures_put_metrics(m, &b);
	check_holds(&b,
		"\nglmproxy_model_requests_total{model="
		"\"\\\"} 1?<script>'&\\\\ ?\"} 1\n");
	check_holds(&b,
		"\nglmproxy_calibration_samples{model="
		"\"\\\"} 1\\\\n\",way=\"quick\"} 1\n");
	check_lacks(&b, "\n<script>");
	check_lacks(&b, "\xff");
	figures_take(&m->usage, &f);
	buf_reset(&b, 0);
	jout_init(&j, &b);
	figures_put_json(&f, &j);
	assert_buf_eq(&b,
		"[{\"client\":\"\\\"} 1?<script>'&\\\\ ?\","
		"\"model\":\"\\\"} 1?<script>'&\\\\ ?\",\"requests\":1,"
		"\"input_tokens\":8,\"cached_tokens\":1,\"output_tokens\":5,"
		"\"cache_hit_percent\":12.5}]");
	buf_fini(&b);
}

static void
test_nothing(void **state)
{
	struct figures f;
	struct buf b;
	struct jout j;

	(void)state;
	buf_init(&b, 1 << 20);
	figures_put_metrics(m, &b);
	check_lacks(&b, "{");
	figures_take(&m->usage, &f);
	buf_reset(&b, 0);
	jout_init(&j, &b);
	figures_put_json(&f, &j);
	assert_buf_eq(&b, "[]");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, begin, end),
		cmocka_unit_test_setup_teardown(
			test_names_of_the_rest, begin, end),
		cmocka_unit_test_setup_teardown(test_metrics, begin, end),
		cmocka_unit_test_setup_teardown(test_hostile_names, begin, end),
		cmocka_unit_test_setup_teardown(test_nothing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
