/* SPDX-License-Identifier: MIT */
/*
 * bench_tokens.c - how fast tokens are counted, and how long one step takes.
 *
 *	bench_tokens VOCABULARY NAME=FILE...
 *
 * Prints a line for each file: its bytes and tokens, megabytes a second of CPU
 * (the best run of several) and the longest of its steps, in microseconds (the
 * shortest of several runs). A word without "=" stands for texts made here that
 * are the hardest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/defs.h"
#include "shared/count/bpe.h"

#define FILE_MAX (64u << 20)
#define RUNS     7
#define HARD_LEN (1u << 20)
#define FOREVER  1e9

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
bench(const struct vocab *v, const char *name, struct span text)
{
	double best = FOREVER, longest = FOREVER;
	uint64_t tokens = 0;

	for (unsigned i = 0; i < RUNS; i++) {
		struct bpe_job *job = bpe_job_new(v, NULL);
		const double begin = cpu_us();
		double last = begin, worst = 0;
		bool is_done;
		size_t work;

		bpe_job_text(job, text);
		do {
			double now;

			work = BPE_STEP_WORK;
			is_done = bpe_job_step(job, &work);
			now = cpu_us();
			worst = MAX(worst, now - last);
			last = now;
		} while (!is_done);
		tokens = bpe_job_tokens(job);
		best = MIN(best, last - begin);
		longest = MIN(longest, worst);
		bpe_job_free(&job);
	}
	printf("%s: %zu bytes, %llu tokens, %.1f MB/s, longest step %.0f us\n",
		name, text.n, (unsigned long long)tokens, (double)text.n / best,
		longest);
}

/* Words without end, and short words of which none is a token. */
static void
bench_hard(const struct vocab *v)
{
	static const char *const units[] = { "a", "ab", "\xe4\xb8\xad", " ",
		"qzxj", "\xff\xc1", "=-", "qzxjvkwqzxjvkwpqzxjvkwq " };
	char *const text = malloc(HARD_LEN);

	if (text == NULL)
		exit(1);
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		const size_t n = strlen(units[i]);
		char name[64];

		for (size_t at = 0; at < HARD_LEN; at++)
			text[at] = units[i][at % n];
		(void)snprintf(name, sizeof(name), "hard-%zu-100k", i);
		bench(v, name, span_of(text, HARD_LEN / 10));
		(void)snprintf(name, sizeof(name), "hard-%zu-1m", i);
		bench(v, name, span_of(text, HARD_LEN));
	}
	free(text);
}

int
main(int argc, char **argv)
{
	struct gp_error err;
	struct vocab v;

	if (argc < 3) {
		fprintf(stderr,
			"usage: bench_tokens VOCABULARY NAME=FILE...\n");
		return 64;
	}
	if (vocab_open(&v, read_file(argv[1]), &err) != GP_OK) {
		fprintf(stderr, "%s: %s\n", argv[1], err.text);
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		char *const path = strchr(argv[i], '=');

		if (path == NULL) {
			bench_hard(&v);
			continue;
		}
		*path = '\0';
		bench(&v, argv[i], read_file(path + 1));
	}
	return 0;
}
