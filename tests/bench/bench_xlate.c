/* SPDX-License-Identifier: MIT */
/*
 * bench_xlate.c - what the translation of one request costs, without network.
 *
 *	bench_xlate FILE [RUNS]
 *
 * FILE holds a request of the first dialect; it is read, adapted and written
 * for every upstream dialect. Prints microseconds of CPU a request and stage.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "shared/json/jscan.h"
#include "shared/translate/xlate.h"

#define FILE_MAX (64u << 20)
/* As the workers have it. */
#define KEEP_BYTES (4 << 20)
#define FOREVER    1e9

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct span
read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = malloc(FILE_MAX);
	size_t n;

	if (f == NULL || text == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(text, 1, FILE_MAX, f);
	fclose(f);
	return span_of(text, n);
}

static void
die(const struct gp_error *err)
{
	fprintf(stderr, "%s\n", err->text);
	exit(1);
}

/* The least of all runs: what others do on the machine only adds. */
struct cost {
	double scan, parse, read, write;
};

static void
run_once(struct span text, const struct xlate_route *route,
	struct xlate_scratch *scratch, struct cost *cost)
{
	struct xlate_env env = { .options = { 32768, -1, true } };
	struct arena a;
	struct buf out, to;
	struct gp_error err;
	struct xlate *x;
	double t0 = cpu_us(), t1, t2, t3, t4;

	if (jscan_text(text, NULL, &err) != GP_OK)
		die(&err);
	t1 = cpu_us();
	if (jdoc_parse(&scratch->request, text, &err) != GP_OK)
		die(&err);
	t2 = cpu_us();
	arena_init(&a);
	buf_init(&out, FILE_MAX);
	buf_init(&to, FILE_MAX);
	x = xlate_new(
		&a, scratch, &profile_zai, dialects[0], LLM_CHAT, &env, &out);
	if (xlate_read(x, text, &err) != GP_OK)
		die(&err);
	t3 = cpu_us();
	if (xlate_write(x, route, &to, &err) != GP_OK)
		die(&err);
	t4 = cpu_us();
	xlate_fini(x);
	buf_fini(&to);
	buf_fini(&out);
	arena_fini(&a);
	cost->scan = MIN(cost->scan, t1 - t0);
	cost->parse = MIN(cost->parse, t2 - t1);
	cost->read = MIN(cost->read, t3 - t2);
	cost->write = MIN(cost->write, t4 - t3);
}

int
main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[2]) : 500;
	struct span text;
	struct xlate_scratch scratch;

	if (argc < 2 || runs < 1) {
		fprintf(stderr, "usage: bench_xlate FILE [RUNS]\n");
		return 64;
	}
	mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
	mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
	text = read_file(argv[1]);
	xlate_scratch_init(&scratch);
	for (size_t i = 0; i < ndialects; i++) {
		struct xlate_route route = { .upstream = dialects[i],
			.model = SPAN("glm-4.6"),
			.info = profile_model(&profile_zai, SPAN("glm-4.6")) };
		struct cost c = { FOREVER, FOREVER, FOREVER, FOREVER };

		for (int k = 0; k < runs; k++)
			run_once(text, &route, &scratch, &c);
		printf("%zu bytes to %s: scan %.1f us, scan and parse %.1f us, "
		       "read %.1f us, write %.1f us\n",
			text.n, dialects[i]->name, c.scan, c.parse, c.read,
			c.write);
	}
	xlate_scratch_fini(&scratch);
	return 0;
}
