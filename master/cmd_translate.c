/* SPDX-License-Identifier: MIT */
/*
 * cmd_translate.c - `glmproxy translate`: one request there, or an answer back.
 *
 * For bug reports: what a worker makes of a request or of a recorded answer,
 * without a network and the same every time. Routing is left out: the dialect
 * of the upstream and the model's name there are given.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "master/commands.h"
#include "shared/base/check.h"
#include "shared/http/out.h"
#include "shared/sys/clock.h"
#include "shared/sys/proc.h"
#include "shared/xlate_conf.h"

#define READ_PIECE 65536
#define ANSWER_MAX (128u << 20) /* bytes of an answer, or of output */
#define STDIN_NAME "-"

/* OPTION(constant, name, has_value) */
#define OPTIONS(OPTION)                                                        \
	OPTION(OPT_FROM, "--from", true)                                       \
	OPTION(OPT_TO, "--to", true)                                           \
	OPTION(OPT_MODEL, "--model", true)                                     \
	OPTION(OPT_REQUEST, "--request", true)                                 \
	OPTION(OPT_ANSWER, "--answer", true)                                   \
	OPTION(OPT_STATUS, "--status", true)                                   \
	OPTION(OPT_STREAM, "--stream", false)                                  \
	OPTION(OPT_SEED, "--seed", true)

enum option {
#define OPTION(constant, name, has_value) constant,
	OPTIONS(OPTION)
#undef OPTION
	OPT_COUNT
};

static const struct {
	const char *name;
	bool has_value;
} options[] = {

#define OPTION(constant, name, has_value) { (name), (has_value) },
	OPTIONS(OPTION)
#undef OPTION
};

struct job {
	const char *opt[OPT_COUNT]; /* NULL: not given */
	const struct dialect *from, *to;
	uint64_t status, seed;
	const struct conf *conf;
	struct arena arena;
	struct xlate_scratch scratch;
	struct buf request, answer, up, out;
	struct xlate *xlate;
	struct model_info info; /* xlate holds on to it */
};

/* --- options -------------------------------------------------------------- */

/* The option at args[*i], whose value may be the next word; moves *i to the
 * last word taken. */
static int
take_option(const struct cli *cli, size_t *i, struct job *j)
{
	const char *const word = cli->args[*i];
	const size_t len = strcspn(word, "=");

	for (size_t k = 0; k < OPT_COUNT; k++) {
		const bool has_value = options[k].has_value;

		if (strlen(options[k].name) != len ||
			strncmp(word, options[k].name, len) != 0)
			continue;
		if (!has_value && word[len] == '\0')
			j->opt[k] = word;
		else if (has_value && word[len] == '=')
			j->opt[k] = word + len + 1;
		else if (has_value && *i + 1 < cli->nargs)
			j->opt[k] = cli->args[++*i];
		else
			return cli_usage(cli, "%s needs %s value",
				options[k].name, has_value ? "a" : "no");
		return EXIT_DONE;
	}
	return cli_usage(cli, "unknown %s %s",
		word[0] == '-' ? "option" : "argument", word);
}

static const struct dialect *
dialect_named(const char *name)
{
	for (size_t i = 0; name != NULL && i < ndialects; i++)
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	return NULL;
}

static int
take_dialect(const struct cli *cli, const struct job *j, enum option option,
	const struct dialect **to)
{
	const char *const name = j->opt[option];
	char names[128] = "";
	size_t n = 0;

	*to = dialect_named(name);
	if (*to != NULL)
		return EXIT_DONE;
	for (size_t i = 0; i < ndialects && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s",
			i == 0 ? "" : ", ", dialects[i]->name);
	return cli_usage(cli, "%s%s%s must be one of %s", options[option].name,
		name != NULL ? " " : "", name != NULL ? name : "", names);
}

static int
take_number(const struct cli *cli, const struct job *j, enum option option,
	uint64_t min, uint64_t max, uint64_t *to)
{
	const char *const text = j->opt[option];

	if (text == NULL ||
		(span_u64(span_cstr(text), to) && *to >= min && *to <= max))
		return EXIT_DONE;
	return cli_usage(cli, "%s must be %" PRIu64 " to %" PRIu64,
		options[option].name, min, max);
}

static bool
is_stdin(const char *path)
{
	return path != NULL && strcmp(path, STDIN_NAME) == 0;
}

static int
take_options(const struct cli *cli, struct job *j)
{
	int code = EXIT_DONE;

	j->opt[OPT_REQUEST] = STDIN_NAME;
	j->status = 200;
	for (size_t i = 0; code == EXIT_DONE && i < cli->nargs; i++)
		code = take_option(cli, &i, j);
	if (code == EXIT_DONE)
		code = take_dialect(cli, j, OPT_FROM, &j->from);
	if (code == EXIT_DONE)
		code = take_dialect(cli, j, OPT_TO, &j->to);
	if (code == EXIT_DONE)
		code = take_number(cli, j, OPT_STATUS, 200, 599, &j->status);
	if (code == EXIT_DONE)
		code = take_number(cli, j, OPT_SEED, 0, UINT64_MAX, &j->seed);
	if (code != EXIT_DONE)
		return code;
	if (is_stdin(j->opt[OPT_ANSWER]) && is_stdin(j->opt[OPT_REQUEST]))
		return cli_usage(cli,
			"--request and --answer cannot both be standard input");
	if (j->opt[OPT_ANSWER] == NULL &&
		(j->opt[OPT_STATUS] != NULL || j->opt[OPT_STREAM] != NULL))
		return cli_usage(cli, "%s tells of an --answer",
			options[j->opt[OPT_STATUS] != NULL ? OPT_STATUS :
							     OPT_STREAM]
				.name);
	return EXIT_DONE;
}

/* With a seed the same ids come every time, and no time of the day. */
static struct xlate_env
make_env(const struct job *j)
{
	struct xlate_env env = xlate_conf_env(j->conf);
	uint64_t seed = j->seed;

	if (j->opt[OPT_SEED] == NULL) {
		env.now_wall_s = clock_wall_us() / 1000000;
		proc_random(env.random, sizeof(env.random));
		return env;
	}
	for (size_t i = 0; i < ARRAY_LEN(env.random); i++) {
		/* splitmix64 */
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		env.random[i] = z ^ (z >> 31);
	}
	return env;
}

/* --- files ---------------------------------------------------------------- */

static bool
read_fd(int fd, struct buf *b)
{
	for (;;) {
		char *const room = buf_reserve(b, READ_PIECE);
		ssize_t n;

		if (room == NULL) {
			errno = EFBIG;
			return false;
		}
		n = read(fd, room, READ_PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		buf_commit(b, (size_t)n);
	}
}

static int
read_file(const char *path, struct buf *b)
{
	const bool is_file = !is_stdin(path);
	const int fd =
		is_file ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	const bool ok = fd >= 0 && read_fd(fd, b);

	if (!ok)
		(void)fprintf(stderr, "glmproxy translate: %s: %s\n",
			is_file ? path : "standard input", strerror(errno));
	if (fd >= 0 && is_file)
		(void)close(fd);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

/* Byte for byte, so that it can be compared; a terminal gets a line end. */
static int
write_out(const struct buf *b)
{
	const struct span s = buf_span(b);

	(void)fwrite(s.p, 1, s.n, stdout);
	if (isatty(STDOUT_FILENO) == 1)
		(void)putchar('\n');
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? EXIT_DONE :
							    EXIT_FAILED;
}

/* --- what goes to stderr -------------------------------------------------- */

static void
print_notices(const struct xlate *x)
{
	struct buf b;

	buf_init(&b, 4096);
	xlate_notices(x, &b);
	if (buf_len(&b) > 0)
		(void)fprintf(stderr, "x-glmproxy-notice: %.*s\n",
			SPAN_ARG(buf_span(&b)));
	buf_fini(&b);
}

/* As the client would see it. */
static int
print_failure(const struct job *j, const struct llm_failure *f)
{
	struct buf b;

	buf_init(&b, READ_PIECE);
	j->from->fail_encode(f, LLM_BODY, xlate_request_id(j->xlate), &b);
	(void)fprintf(stderr, "status: %u\n%.*s\n", j->from->fail_status(f),
		SPAN_ARG(buf_span(&b)));
	buf_fini(&b);
	return EXIT_FAILED;
}

/* --- there ---------------------------------------------------------------- */

static struct model_info
model_named(const struct conf *conf, struct span name)
{
	const struct model_info *const row = profile_model(&profile_zai, name);
	struct model_info m = row != NULL ? *row : profile_unknown_model(name);

	xlate_conf_model(conf, &m);
	return m;
}

/* The name at the upstream: as said, as in the request, or the default. */
static struct span
model_name(struct job *j)
{
	const struct span name = j->opt[OPT_MODEL] != NULL ?
		span_cstr(j->opt[OPT_MODEL]) :
		jtext_unescape_dup(&j->arena, xlate_request(j->xlate)->model);

	return name.n > 0 ? name : j->conf->autotext_model;
}

static enum gp_code
translate_request(struct job *j, struct gp_error *err)
{
	struct xlate_route route = { .upstream = j->to, .info = &j->info };
	const enum gp_code rc =
		xlate_read(j->xlate, buf_span(&j->request), err);

	if (rc != GP_OK)
		return rc;
	route.model = model_name(j);
	j->info = model_named(j->conf, route.model);
	return xlate_write(j->xlate, &route, &j->up, err);
}

/* --- and back ------------------------------------------------------------- */

/* Does it begin with a line of an event stream? */
static bool
looks_streamed(struct span s)
{
	static const struct span begins[] = { SPAN_INIT("data:"),
		SPAN_INIT("event:"), SPAN_INIT("id:"), SPAN_INIT("retry:"),
		SPAN_INIT(":") };

	s = span_trim(span_head(s, READ_PIECE));
	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		if (span_starts(s, begins[i]))
			return true;
	return false;
}

static void
put_head(struct job *j)
{
	struct http_msg *m = http_msg_new(HTTP_RESPONSE);
	const bool is_stream = j->opt[OPT_STREAM] != NULL ||
		looks_streamed(buf_span(&j->answer));
	struct gp_error err;
	enum http_step step;
	struct buf head;
	size_t used;

	buf_init(&head, 4096);
	http_out_status(&head, (unsigned)j->status);
	http_out_field_cstr(&head, "content-type",
		is_stream ? "text/event-stream" : "application/json");
	http_out_end(&head);
	step = http_msg_feed(m, buf_span(&head), &used, &err);
	GP_ASSERT(step == HTTP_HEAD);
	(void)xlate_head(j->xlate, http_msg_head(m));
	http_msg_free(&m);
	buf_fini(&head);
}

static int
translate_answer(struct job *j)
{
	put_head(j);
	(void)xlate_feed(j->xlate, buf_span(&j->answer));
	(void)xlate_end(j->xlate);
	print_notices(j->xlate);
	switch (xlate_state(j->xlate)) {
	case XLATE_FAILED:
		return print_failure(j, xlate_failure(j->xlate));
	case XLATE_BROKEN:
		/* The status was sent with the first piece. */
		(void)fprintf(stderr,
			"glmproxy translate: the stream breaks off: %.*s\n",
			SPAN_ARG(xlate_failure(j->xlate)->message));
		(void)write_out(&j->out);
		return EXIT_FAILED;
	case XLATE_PENDING:
	case XLATE_OPEN:
	case XLATE_DONE:
		break;
	}
	return write_out(&j->out);
}

/* --- the command ---------------------------------------------------------- */

static int
translate(struct job *j)
{
	struct gp_error err;
	struct llm_failure f;
	int code = read_file(j->opt[OPT_REQUEST], &j->request);

	if (code == EXIT_DONE && j->opt[OPT_ANSWER] != NULL)
		code = read_file(j->opt[OPT_ANSWER], &j->answer);
	if (code != EXIT_DONE)
		return code;
	if (translate_request(j, &err) != GP_OK) {
		f = xlate_state(j->xlate) == XLATE_FAILED ?
			*xlate_failure(j->xlate) :
			llm_failure_from(&err, &j->arena);
		return print_failure(j, &f);
	}
	if (j->opt[OPT_ANSWER] != NULL)
		return translate_answer(j);
	print_notices(j->xlate);
	return write_out(&j->up);
}

static int
run_job(struct job *j)
{
	const struct xlate_env env = make_env(j);
	int code;

	arena_init(&j->arena);
	xlate_scratch_init(&j->scratch);
	buf_init(&j->request, (size_t)j->conf->max_body_bytes + READ_PIECE);
	buf_init(&j->answer, ANSWER_MAX);
	buf_init(&j->up, ANSWER_MAX);
	buf_init(&j->out, ANSWER_MAX);
	j->xlate = xlate_new(&j->arena, &j->scratch, &profile_zai, j->from,
		LLM_CHAT, &env, &j->out);
	code = translate(j);
	xlate_fini(j->xlate);
	buf_fini(&j->request);
	buf_fini(&j->answer);
	buf_fini(&j->up);
	buf_fini(&j->out);
	xlate_scratch_fini(&j->scratch);
	arena_fini(&j->arena);
	return code;
}

int
cmd_translate(struct cli *cli)
{
	struct job j = { 0 };
	struct conf *c;
	int code = take_options(cli, &j);

	if (code != EXIT_DONE)
		return code;
	c = cli_load(cli);
	if (c == NULL)
		return EXIT_CONFIG;
	j.conf = c;
	code = run_job(&j);
	conf_free(&c);
	return code;
}
