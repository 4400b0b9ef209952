/* SPDX-License-Identifier: MIT */
/*
 * cmd_count.c - `glmproxy count`: tokens of what comes on standard input.
 *
 * That is a text, or a request of either dialect. Without the vocabulary the
 * number is the estimate that a worker would make, and stderr says so.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "master/commands.h"
#include "shared/translate/llm_count.h"
#include "shared/translate/llm_estimate.h"
#include "shared/vocab_file.h"
#include "shared/xlate_conf.h"

#define READ_PIECE 65536
#define INPUT_MAX  ((size_t)1 << 30)

struct job {
	const char *from_name; /* NULL: not given */
	const struct dialect *from;
	bool is_request, shows_ids, is_json;
	struct buf input;
	struct vocab_file vocab;
	struct bpe_ids ids;
	uint64_t tokens;
};

/* --- options -------------------------------------------------------------- */

static int
take_from(const struct cli *cli, struct job *j)
{
	char names[128] = "";
	size_t n = 0;

	for (size_t i = 0; i < ndialects; i++)
		if (j->from_name != NULL &&
			strcmp(dialects[i]->name, j->from_name) == 0)
			j->from = dialects[i];
	if (j->from != NULL)
		return EXIT_DONE;
	for (size_t i = 0; i < ndialects && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s",
			i == 0 ? "" : ", ", dialects[i]->name);
	return cli_usage(
		cli, "with --request, --from must be one of %s", names);
}

static int
take_options(const struct cli *cli, struct job *j)
{
	for (size_t i = 0; i < cli->nargs; i++) {
		const char *const word = cli->args[i];

		if (strcmp(word, "--request") == 0)
			j->is_request = true;
		else if (strcmp(word, "--ids") == 0)
			j->shows_ids = true;
		else if (strcmp(word, "--json") == 0)
			j->is_json = true;
		else if (strncmp(word, "--from=", 7) == 0)
			j->from_name = word + 7;
		else if (strcmp(word, "--from") == 0 && i + 1 < cli->nargs)
			j->from_name = cli->args[++i];
		else if (strcmp(word, "--from") == 0)
			return cli_usage(cli, "--from needs a value");
		else
			return cli_usage(cli, "unknown %s %s",
				word[0] == '-' ? "option" : "argument", word);
	}
	if (j->is_request && j->shows_ids)
		return cli_usage(cli, "--ids are told of text only");
	if (!j->is_request && j->from_name != NULL)
		return cli_usage(cli, "--from tells of a --request");
	return j->is_request ? take_from(cli, j) : EXIT_DONE;
}

static int
read_input(struct job *j)
{
	for (;;) {
		char *const room = buf_reserve(&j->input, READ_PIECE);
		ssize_t n;

		if (room == NULL) {
			(void)fprintf(stderr,
				"glmproxy count: the input is too long\n");
			return EXIT_FAILED;
		}
		n = read(STDIN_FILENO, room, READ_PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return EXIT_DONE;
		if (n < 0) {
			perror("glmproxy count: standard input");
			return EXIT_FAILED;
		}
		buf_commit(&j->input, (size_t)n);
	}
}

/* --- counting ------------------------------------------------------------- */

static void
count_text(struct job *j)
{
	const struct vocab *const v = vocab_file_get(&j->vocab);
	const struct span text = buf_span(&j->input);

	if (v == NULL) {
		j->tokens = (uint64_t)llm_estimate_bytes(text.n);
	} else if (j->shows_ids) {
		bpe_encode(v, text, &j->ids);
		j->tokens = j->ids.n;
	} else {
		j->tokens = bpe_count(v, text);
	}
}

static void
count_tree(struct job *j, const struct llm_req *r)
{
	const struct vocab *const v = vocab_file_get(&j->vocab);
	struct llm_count *c;

	if (v == NULL) {
		j->tokens = (uint64_t)llm_estimate(r);
		return;
	}
	c = llm_count_new(v, r);
	while (!llm_count_step(c, SIZE_MAX))
		;
	j->tokens = (uint64_t)llm_count_tokens(c);
	llm_count_free(&c);
}

static int
count_request(struct cli *cli, struct job *j)
{
	struct conf *c = cli_load(cli);
	struct xlate_env env;
	struct xlate_scratch scratch;
	struct gp_error err;
	struct arena arena;
	struct xlate *x;
	struct buf out;
	enum gp_code rc;

	if (c == NULL)
		return EXIT_CONFIG;
	env = xlate_conf_env(c);
	arena_init(&arena);
	buf_init(&out, READ_PIECE);
	xlate_scratch_init(&scratch);
	x = xlate_new(
		&arena, &scratch, &profile_zai, j->from, LLM_COUNT, &env, &out);
	rc = xlate_read(x, buf_span(&j->input), &err);
	if (rc == GP_OK)
		count_tree(j, xlate_request(x));
	else
		(void)fprintf(stderr, "glmproxy count: %s%s%s\n", err.param,
			err.param[0] != '\0' ? ": " : "", err.text);
	xlate_fini(x);
	xlate_scratch_fini(&scratch);
	buf_fini(&out);
	arena_fini(&arena);
	conf_free(&c);
	return rc == GP_OK ? EXIT_DONE : EXIT_FAILED;
}

/* --- telling -------------------------------------------------------------- */

static void
print_ids(const struct job *j, const char *between)
{
	for (size_t i = 0; i < j->ids.n; i++)
		(void)printf("%s%" PRIu32, i > 0 ? between : "", j->ids.v[i]);
}

static int
print(const struct job *j)
{
	const struct vocab *const v = vocab_file_get(&j->vocab);

	if (j->is_json) {
		(void)printf("{\"tokens\":%" PRIu64
			     ",\"estimated\":%s,\"bytes\":%zu",
			j->tokens, v == NULL ? "true" : "false",
			buf_len(&j->input));
		if (j->shows_ids) {
			(void)fputs(",\"ids\":[", stdout);
			print_ids(j, ",");
			(void)putchar(']');
		}
		(void)puts("}");
	} else if (j->shows_ids) {
		print_ids(j, "\n");
		if (j->ids.n > 0)
			(void)putchar('\n');
	} else {
		(void)printf("%" PRIu64 "\n", j->tokens);
	}
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? EXIT_DONE :
							    EXIT_FAILED;
}

/* --- the command ---------------------------------------------------------- */

static int
count(struct cli *cli, struct job *j)
{
	struct gp_error err;
	int code = EXIT_DONE;

	if (vocab_file_open(&j->vocab, &err) != GP_OK) {
		(void)fprintf(stderr, "glmproxy count: %s\n", err.text);
		if (j->shows_ids)
			return EXIT_FAILED;
		(void)fprintf(stderr,
			"glmproxy count: without a vocabulary the number is "
			"an estimate\n");
	}
	code = read_input(j);
	if (code == EXIT_DONE && j->is_request)
		code = count_request(cli, j);
	else if (code == EXIT_DONE)
		count_text(j);
	return code == EXIT_DONE ? print(j) : code;
}

int
cmd_count(struct cli *cli)
{
	struct job j = { 0 };
	int code = take_options(cli, &j);

	if (code != EXIT_DONE)
		return code;
	buf_init(&j.input, INPUT_MAX);
	code = count(cli, &j);
	bpe_ids_fini(&j.ids);
	vocab_file_close(&j.vocab);
	buf_fini(&j.input);
	return code;
}
