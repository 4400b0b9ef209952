/* SPDX-License-Identifier: MIT */
/*
 * bench_context.c - what telling the truth about tokens costs a small chat.
 *
 * A chat and its answer are translated with and without what is done about the
 * context: the estimate, what was learned of it, scaled counts, the figures in
 * the answer and its header field. Prints "context: off_ns=N on_ns=N
 * estimate_ns=N", nanoseconds of CPU a request; the estimate is made in both
 * and for itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "shared/http/head.h"
#include "shared/sys/calib.h"
#include "shared/translate/llm_estimate.h"
#include "shared/translate/xlate.h"

#define ROUNDS   60
#define REQUESTS 500
#define FOREVER  1e12

static const char chat[] =
	"{\"model\": \"glm-4.6\", \"max_tokens\": 100, \"messages\": [{\"role\""
	": \"user\", \"content\": \"Say hello to the people of Oslo, please. "
	"Say hello to the people of Oslo, please. \"}]}";
static const char answer[] =
	"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
	"\"model\":\"glm-4.6\",\"content\":[{\"type\":\"text\",\"text\":"
	"\"Hello, people of Oslo!\"}],\"stop_reason\":\"end_turn\","
	"\"stop_sequence\":null,\"usage\":{\"input_tokens\":1000,"
	"\"output_tokens\":33,\"cache_read_input_tokens\":501}}";

static struct xlate_scratch scratch;
static struct calib calib;

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
must(bool is_good, const char *what)
{
	if (is_good)
		return;
	fprintf(stderr, "bench_context: %s\n", what);
	exit(1);
}

/* As the worker does with what it has learned. */
static void
know_input(struct xlate *x, const struct xlate_route *route, struct arena *a)
{
	struct calib_row *const row = calib_find(&calib,
		arena_printf(a, "%s/%.*s", route->upstream->name,
			SPAN_ARG(route->model)));
	const struct xlate_input in = {
		.tokens = calib_apply(
			calib_get(row, CALIB_QUICK), xlate_estimate(x)),
	};

	must(row != NULL, "nothing was learned");
	xlate_know_input(x, &in);
}

static void
run_once(const struct xlate_route *route, const struct xlate_env *env,
	bool is_on)
{
	static const struct http_head head = { .status = 200 };
	struct arena a;
	struct buf out, to, field;
	struct xlate *x;

	arena_init(&a);
	buf_init(&out, 1 << 20);
	buf_init(&to, 1 << 20);
	buf_init(&field, 4096);
	x = xlate_new(
		&a, &scratch, &profile_zai, dialects[0], LLM_CHAT, env, &out);
	must(xlate_read(x, span_cstr(chat), NULL) == GP_OK, "read");
	if (is_on)
		know_input(x, route, &a);
	must(xlate_write(x, route, &to, NULL) == GP_OK, "write");
	xlate_head(x, &head);
	xlate_feed(x, span_cstr(answer));
	must(xlate_end(x) == XLATE_DONE, "answer");
	if (is_on) {
		xlate_context_field(x, &field);
		must(buf_len(&field) > 0, "no field");
	}
	xlate_fini(x);
	buf_fini(&field);
	buf_fini(&to);
	buf_fini(&out);
	arena_fini(&a);
}

/* The least of all rounds: what others do on the machine only adds. */
static void
measure(const struct xlate_route *route, const struct xlate_env env[2],
	double best[2])
{
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t on = 0; on < 2; on++) {
			const double begin = cpu_ns();

			for (size_t i = 0; i < REQUESTS; i++)
				run_once(route, &env[on], on == 1);
			best[on] = MIN(best[on], (cpu_ns() - begin) / REQUESTS);
		}
	}
}

static double
measure_estimate(const struct xlate_env *env)
{
	double best = FOREVER;
	struct arena a;
	struct buf out;
	struct xlate *x;
	int64_t sum = 0;

	arena_init(&a);
	buf_init(&out, 1 << 20);
	x = xlate_new(
		&a, &scratch, &profile_zai, dialects[0], LLM_CHAT, env, &out);
	must(xlate_read(x, span_cstr(chat), NULL) == GP_OK, "read");
	for (size_t round = 0; round < ROUNDS; round++) {
		const double begin = cpu_ns();

		for (size_t i = 0; i < REQUESTS; i++)
			sum += llm_estimate(xlate_request(x));
		best = MIN(best, (cpu_ns() - begin) / REQUESTS);
	}
	must(sum == xlate_estimate(x) * ROUNDS * REQUESTS, "estimate");
	xlate_fini(x);
	buf_fini(&out);
	arena_fini(&a);
	return best;
}

int
main(void)
{
	struct xlate_env env[2] = { { .options = { 32768, -1, true } } };
	struct xlate_route route = { .upstream = dialects[1],
		.model = SPAN("glm-4.6"),
		.info = profile_model(&profile_zai, SPAN("glm-4.6")) };
	double best[2] = { FOREVER, FOREVER };
	char name[CALIB_NAME_MAX];

	env[1] = env[0];
	env[1].counting = (struct xlate_counting){ true, true, { 0 } };
	for (size_t i = 0; i < ndialects; i++)
		env[1].counting.expected[i] = i == 0 ? 128000 : 200000;
	xlate_scratch_init(&scratch);
	(void)snprintf(name, sizeof(name), "%s/glm-4.6", dialects[1]->name);
	calib_learn(
		calib_row(&calib, span_cstr(name)), CALIB_QUICK, 1000, 1100);
	measure(&route, env, best);
	printf("context: off_ns=%.0f on_ns=%.0f estimate_ns=%.0f\n", best[0],
		best[1], measure_estimate(&env[1]));
	xlate_scratch_fini(&scratch);
	return 0;
}
