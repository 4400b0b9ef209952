/* SPDX-License-Identifier: MIT */
/* cmd_check.c - `glmproxy check [--print] [--env FILE]`. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/commands.h"
#include "master/config.h"
#include "master/env_explain.h"
#include "shared/sys/log.h"

struct check {
	bool prints;
	const char *env_file; /* NULL: none */
};

static void
print_buf(struct buf *out)
{
	(void)fwrite(buf_span(out).p, 1, buf_len(out), stdout);
	buf_fini(out);
}

/* --- an environment file -------------------------------------------------- */

/* The text, to be freed; NULL with *err. A pipe is not waited for. */
static char *
read_env_file(const char *path, size_t *n, struct gp_error *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *const text = malloc(CONF_FILE_MAX + 1);
	char room[128];
	ssize_t got = -1;

	if (text == NULL)
		fatal(1, "%s", path);
	*n = 0;
	while (fd >= 0 && *n <= CONF_FILE_MAX) {
		got = read(fd, text + *n, CONF_FILE_MAX + 1 - *n);
		if (got > 0)
			*n += (size_t)got;
		else if (got == 0 || errno != EINTR)
			break;
	}
	if (got == 0) {
		(void)close(fd);
		return text;
	}
	(void)gp_fail(err, GP_E_SYSTEM, "%s: %s", path,
		got > 0 ? "larger than 1 MiB" :
			  strerror_r(errno, room, sizeof(room)));
	if (fd >= 0)
		(void)close(fd);
	free(text);
	return NULL;
}

static void
print_counts(const struct env_counts *c, const char *file)
{
	(void)printf("%s: %u taken over, %u of them changed, %u ignored, %u"
		     " bad\n",
		file, c->taken, c->changed, c->ignored, c->bad);
}

/* Explain the file and make it this process's environment. The lines stay
 * alive: the environment points into them. */
static enum gp_code
take_env_file(const char *path, struct gp_error *err)
{
	static struct env_lines lines;
	struct env_counts counts;
	struct buf out;
	size_t n;
	enum gp_code rc;
	char *const text = read_env_file(path, &n, err);

	if (text == NULL)
		return err->code;
	rc = env_lines_read(&lines, span_of(text, n), path, err);
	explicit_bzero(text, n);
	free(text);
	if (rc != GP_OK)
		return rc;
	buf_init(&out, SIZE_MAX);
	env_explain(&lines, path, &out, &counts);
	print_buf(&out);
	print_counts(&counts, path);
	environ = env_lines_environ(&lines);
	return GP_OK;
}

/* --- the command ---------------------------------------------------------- */

static int
read_args(const struct cli *cli, struct check *o)
{
	*o = (struct check){ .prints = false };
	for (size_t i = 0; i < cli->nargs; i++) {
		const char *const arg = cli->args[i];

		if (strcmp(arg, "--print") == 0)
			o->prints = true;
		else if (strcmp(arg, "--env") != 0)
			return cli_usage(cli, "unknown argument %s", arg);
		else if (cli->args[++i] == NULL)
			return cli_usage(cli, "--env takes a file");
		else
			o->env_file = cli->args[i];
	}
	return EXIT_DONE;
}

/* What came by the environment file has been told with its line. */
static void
print_warnings(const struct conf *c, bool is_env_told)
{
	for (size_t i = 0; i < c->warnings.n; i++)
		if (!is_env_told ||
			!span_starts(span_cstr(c->warnings.v[i]),
				SPAN("environment ")))
			(void)fprintf(stderr, "glmproxy: warning: %s\n",
				c->warnings.v[i]);
}

int
cmd_check(struct cli *cli)
{
	struct gp_error err;
	struct check o;
	struct conf *c;
	struct buf out;
	const int code = read_args(cli, &o);

	if (code != EXIT_DONE)
		return code;
	if (o.env_file != NULL && take_env_file(o.env_file, &err) != GP_OK) {
		(void)fprintf(stderr, "glmproxy: %s\n", err.text);
		return EXIT_CONFIG;
	}
	(void)fflush(stdout);
	c = cli_load(cli);
	if (c == NULL)
		return EXIT_CONFIG;
	print_warnings(c, o.env_file != NULL);
	if (o.prints) {
		buf_init(&out, SIZE_MAX);
		conf_print(c, &out);
		print_buf(&out);
	} else {
		(void)printf("configuration ok%s%s\n",
			cli->sources.file != NULL ? ": " : "",
			cli->sources.file != NULL ? cli->sources.file : "");
	}
	conf_free(&c);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
