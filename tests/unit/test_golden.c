/* SPDX-License-Identifier: MIT */
/*
 * test_golden.c - plays every folder of tests/golden, one test each.
 *
 * With GOLDEN_WRITE=1 in the environment what came out is written to the
 * folders instead of being compared: for a new case, or after a change that was
 * meant; read the difference before it is committed.
 */
#include <stdlib.h>

#include "tests/lib/cut.h"
#include "tests/lib/golden.h"
#include "tests/lib/t.h"

/* Longer answers are not cut at every byte. */
#define CUT_MAX 4096

static bool is_writing;

/* --- what came out -------------------------------------------------------- */

static void
compare(const struct golden *g, enum golden_file which, struct span got)
{
	if (is_writing)
		golden_save(g, which, got);
	else if (g->has[which])
		assert_spans_eq(got, g->files[which]);
}

static void
compare_notices(const struct golden *g, const struct xlate *x)
{
	struct buf b;

	buf_init(&b, 4096);
	xlate_notices(x, &b);
	buf_putc(&b, '\n');
	compare(g, GOLDEN_NOTICE, buf_span(&b));
	buf_fini(&b);
}

static void
compare_context(const struct golden *g, const struct xlate *x)
{
	struct buf b;

	if (!g->has_context)
		return;
	buf_init(&b, 4096);
	xlate_context_field(x, &b);
	buf_putc(&b, '\n');
	compare(g, GOLDEN_CONTEXT, buf_span(&b));
	buf_fini(&b);
}

/* The answer to the client, as the worker would write it. */
static void
compare_failure(const struct golden *g, const struct xlate *x,
	const struct llm_failure *f)
{
	struct buf body;

	if (g->client_status >= 0)
		assert_int_equal(g->client->fail_status(f), g->client_status);
	if (g->is_retryable >= 0)
		assert_int_equal(
			llm_fail_is_retryable(f->kind), g->is_retryable);
	if (g->has_param)
		assert_spans_eq(f->param, g->param);
	if (g->reset.n > 0)
		assert_spans_eq(f->reset, g->reset);
	assert_int_equal(f->retry_after_s, g->retry_after_s);
	buf_init(&body, GOLDEN_BYTES_MAX);
	g->client->fail_encode(f, LLM_BODY, xlate_request_id(x), &body);
	compare(g, GOLDEN_OUT_BODY, buf_span(&body));
	buf_fini(&body);
}

static enum golden_state
state_of(const struct xlate *x)
{
	switch (xlate_state(x)) {
	case XLATE_DONE:
		return GOLDEN_DONE;
	case XLATE_FAILED:
		return GOLDEN_FAILED;
	case XLATE_BROKEN:
		return GOLDEN_BROKEN;
	case XLATE_PENDING:
	case XLATE_OPEN:
		break;
	}
	fail_msg("the answer has no end");
	return GOLDEN_DONE;
}

static void
compare_answer(const struct golden *g, const struct golden_way *w)
{
	const struct xlate *x = w->xlate;

	assert_int_equal(state_of(x), g->state);
	compare_notices(g, x);
	if (g->state == GOLDEN_FAILED) {
		assert_int_equal(buf_len(&w->out), 0);
		compare_failure(g, x, xlate_failure(x));
		return;
	}
	compare_context(g, x);
	assert_false(w->out.bad);
	compare(g, xlate_is_stream(x) ? GOLDEN_OUT_SSE : GOLDEN_OUT_BODY,
		buf_span(&w->out));
}

/* --- one case ------------------------------------------------------------- */

static void
compare_refusal(
	const struct golden *g, const struct xlate *x, struct gp_error *err)
{
	struct llm_failure f;
	struct arena a;

	arena_init(&a);
	f = xlate_state(x) == XLATE_FAILED ? *xlate_failure(x) :
					     llm_failure_from(err, &a);
	compare_failure(g, x, &f);
	arena_fini(&a);
}

/* The request, from memory of exactly its size that is gone afterwards. */
static bool
ask(const struct golden *g, struct golden_way *w)
{
	const struct span in = g->files[GOLDEN_IN];
	char *const exact = t_exact(in);
	struct gp_error err;
	enum gp_code rc = golden_ask(w, g, span_of(exact, in.n), &err);

	free(exact);
	if (g->state == GOLDEN_REFUSED) {
		assert_int_not_equal(rc, GP_OK);
		compare_refusal(g, w->xlate, &err);
		return false;
	}
	assert_ok(rc, &err);
	compare(g, GOLDEN_UP_JSON, buf_span(&w->up));
	return true;
}

static void
play(void *ctx, const struct span *pieces, size_t n)
{
	const struct golden *const g = ctx;
	struct golden_way w;

	if (ask(g, &w)) {
		(void)golden_answer(&w, g, pieces, n);
		compare_answer(g, &w);
	}
	golden_way_fini(&w);
}

static void
ask_only(const struct golden *g)
{
	struct golden_way w;

	if (ask(g, &w))
		compare_notices(g, w.xlate);
	golden_way_fini(&w);
}

/* An answer may be complete for us before upstream has said everything. */
static void
play_bytes(const struct golden *g, struct span text)
{
	struct span *const pieces = calloc(text.n + 1, sizeof(*pieces));
	struct golden_way w;

	assert_non_null(pieces);
	for (size_t i = 0; i < text.n; i++)
		pieces[i] = span_of(text.p + i, 1);
	if (ask(g, &w)) {
		assert_int_equal(golden_answer(&w, g, pieces, text.n) >= text.n,
			g->reads_all);
		compare_answer(g, &w);
	}
	golden_way_fini(&w);
	free(pieces);
}

static void
test_case(void **state)
{
	struct golden g;
	struct span answer;

	golden_load(&g, *state);
	answer = g.files[g.has[GOLDEN_UP_SSE] ? GOLDEN_UP_SSE : GOLDEN_UP_BODY];
	if (!g.has[GOLDEN_UP_SSE] && !g.has[GOLDEN_UP_BODY])
		ask_only(&g);
	else {
		play(&g, &answer, 1);
		play_bytes(&g, answer);
		if (answer.n <= CUT_MAX && !is_writing)
			cut_every(answer, play, &g);
	}
	golden_fini(&g);
}

int
main(void)
{
	static char names[GOLDEN_CASES_MAX][GOLDEN_NAME_MAX];
	static struct CMUnitTest tests[GOLDEN_CASES_MAX];
	const size_t n = golden_list(names, GOLDEN_CASES_MAX);

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	is_writing = getenv("GOLDEN_WRITE") != NULL;
	for (size_t i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = test_case,
			.initial_state = names[i],
		};
	return _cmocka_run_group_tests("golden", tests, n, NULL, NULL);
}
