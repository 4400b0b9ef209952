/* SPDX-License-Identifier: MIT */
/* main.c - the command line: which command, with which configuration. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/commands.h"
#include "master/config.h"
#include "shared/sys/log.h"
#include "shared/sys/proc.h"
#include "shared/vocab_file.h"

#include "version.h"

#define HELP_HINT "try `glmproxy help`"

static command_fn cmd_version;
static command_fn cmd_help;

static const struct command {
	const char *name;
	command_fn *run;
	const char *args;
	const char *summary;
} commands[] = {
	{ "run", cmd_run, "[-b]",
		"serve in the foreground (the default); -b: as start" },
	{ "start", cmd_start, "", "serve in the background" },
	{ "stop", cmd_stop, "", "let live requests finish, then end" },
	{ "restart", cmd_restart, "", "stop, then start" },
	{ "status", cmd_status, "",
		"tell whether the service runs and answers, and what next" },
	{ "health", cmd_health, "[OPTIONS]",
		"ask the proxy's port once, for health checks" },
	{ "reload", cmd_reload, "", "read the configuration again" },
	{ "upgrade", cmd_upgrade, "",
		"go on as the program file that is there now" },
	{ "drain", cmd_drain, "",
		"tell load balancers to send nothing; serve all the same" },
	{ "undrain", cmd_undrain, "", "tell them to send requests again" },
	{ "check", cmd_check, "[OPTIONS]",
		"check the configuration; print every value; explain a .env" },
	{ "keygen", cmd_keygen, "[NAME]", "make a key for a client" },
	{ "translate", cmd_translate, "OPTIONS",
		"translate a request or an answer, for bug reports" },
	{ "count", cmd_count, "[OPTIONS]",
		"count the tokens of a text or a request" },
	{ "stats", cmd_stats, "[OPTIONS]",
		"sums of the history, as a table, CSV or JSON" },
	{ "top", cmd_top, "[OPTIONS]",
		"watch the running service in the terminal" },
	{ "logs", cmd_logs, "[OPTIONS]", "list the log files, tidy up" },
	{ "version", cmd_version, "", "tell the version" },
	{ "help", cmd_help, "", "this text" },
};

int
cli_usage(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "glmproxy %s: ", cli->command);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "; " HELP_HINT "\n");
	return EXIT_USAGE;
}

int
cli_no_args(const struct cli *cli)
{
	if (cli->nargs == 0)
		return EXIT_DONE;
	return cli_usage(cli, "unknown %s %s",
		cli->args[0][0] == '-' ? "option" : "argument", cli->args[0]);
}

struct conf *
cli_load(struct cli *cli)
{
	struct gp_error err;
	struct conf *const c = config_load(&cli->sources, &err);

	if (c == NULL)
		(void)fprintf(stderr, "glmproxy: %s\n", err.text);
	return c;
}

/* Whether tokens can be counted exactly. */
static int
print_vocab(void)
{
	struct vocab_file v;
	struct gp_error err;

	if (vocab_file_open(&v, &err) == GP_OK)
		(void)printf("vocabulary: %s, %" PRIu32 " tokens\n",
			v.vocab.name, v.vocab.tokens);
	else
		(void)printf("vocabulary: none, token counts are estimates "
			     "(%s)\n",
			err.text);
	vocab_file_close(&v);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int
cmd_version(struct cli *cli)
{
	const int code = cli_no_args(cli);

	if (code != EXIT_DONE)
		return code;
	(void)puts("glmproxy " GLMPROXY_VERSION);
	return print_vocab();
}

static int
cmd_help(struct cli *cli)
{
	(void)cli;
	(void)puts("usage: glmproxy [command] [-c FILE] [-o KEY=VALUE]...\n"
		   "\n"
		   "  -c FILE       configuration file, else "
		   "/etc/glmproxy/glmproxy.conf if there\n"
		   "  -o KEY=VALUE  a setting that wins over file and "
		   "environment\n"
		   "\n"
		   "commands:");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)printf("  %-9s %-10s %s\n", commands[i].name,
			commands[i].args, commands[i].summary);
	(void)puts("\nexit codes:");
#define EXIT_CODE(constant, value, meaning)                                    \
	(void)printf("  %2d  %s\n", value, meaning);
	EXIT_CODES(EXIT_CODE)
#undef EXIT_CODE
	return EXIT_DONE;
}

/* --- the command line ----------------------------------------------------- */

/* An option with a value, "-c FILE" or "-cFILE"; moves *i past it. NULL with a
 * message when the value is missing. */
static const char *
option_value(const struct cli *cli, char **argv, int argc, int *i)
{
	if (argv[*i][2] != '\0')
		return &argv[*i][2];
	if (*i + 1 < argc)
		return argv[++*i];
	(void)cli_usage(cli, "%s needs a value", argv[*i]);
	return NULL;
}

static int
read_options(struct cli *cli, int argc, char **argv, const char **file)
{
	for (int i = 1; i < argc; i++) {
		const bool is_c = strncmp(argv[i], "-c", 2) == 0;
		const bool is_o = strncmp(argv[i], "-o", 2) == 0;
		const char *value;

		if (!is_c && !is_o) {
			cli->args[cli->nargs++] = argv[i];
			continue;
		}
		value = option_value(cli, argv, argc, &i);
		if (value == NULL)
			return EXIT_USAGE;
		if (is_c)
			*file = value;
		else
			sources_add_option(&cli->sources, value);
	}
	return EXIT_DONE;
}

/* The first word that is no option; the usual spellings of help and version
 * count too. */
static void
take_command(struct cli *cli)
{
	static const char *const also[][2] = { { "-h", "help" },
		{ "--help", "help" }, { "-V", "version" },
		{ "--version", "version" } };
	const char *const first = cli->nargs > 0 ? cli->args[0] : "";

	for (size_t i = 0; i < ARRAY_LEN(also); i++)
		if (strcmp(first, also[i][0]) == 0)
			cli->command = also[i][1];
	if (first[0] != '\0' && first[0] != '-')
		cli->command = first;
	else if (strcmp(cli->command, "run") == 0)
		return;
	cli->nargs--;
	memmove(cli->args, cli->args + 1,
		(cli->nargs + 1) * sizeof(*cli->args));
}

/* A path that still names the program after its file has been replaced. */
static char *
program_path(const char *argv0)
{
	char room[PATH_MAX];
	char *path = NULL;
	ssize_t n;

	if (argv0[0] == '/')
		return strdup(argv0);
	if (strchr(argv0, '/') != NULL && getcwd(room, sizeof(room)) != NULL)
		return asprintf(&path, "%s/%s", room, argv0) < 0 ? NULL : path;
	n = readlink("/proc/self/exe", room, sizeof(room) - 1);
	return n <= 0 ? NULL : strndup(room, (size_t)n);
}

/* Where the standard ones are closed, a socket could get the number of stderr
 * and log lines would go to a peer. */
static void
open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

static int
run_command(struct cli *cli)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, cli->command) == 0)
			return commands[i].run(cli);
	(void)fprintf(stderr, "glmproxy: unknown command %s; " HELP_HINT "\n",
		cli->command);
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	struct cli cli = { .command = "run" };
	const char *file = NULL;
	int code;

	open_standard_files();
	proc_title_init(argc, argv);
	cli.program = program_path(argc > 0 ? argv[0] : "");
	cli.args = calloc((size_t)argc + 1, sizeof(*cli.args));
	if (cli.args == NULL || cli.program == NULL)
		fatal(EXIT_FAILED, "start");
	sources_init(&cli.sources);
	cli.has_handover = handover_take(&cli.handover, &cli.sources);
	code = read_options(&cli, argc, argv, &file);
	if (code == EXIT_DONE) {
		take_command(&cli);
		sources_set_file(&cli.sources, file);
		code = run_command(&cli);
	}
	handover_fini(&cli.handover);
	sources_fini(&cli.sources);
	free(cli.args);
	free(cli.program);
	return code;
}
