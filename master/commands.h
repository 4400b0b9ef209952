/* SPDX-License-Identifier: MIT */
/*
 * commands.h - the subcommands, their exit codes and what they are given.
 *
 * main.c reads -c and -o, which every command takes, and calls the command with
 * the rest. Another command is another line of the table in main.c.
 */
#ifndef MASTER_COMMANDS_H
#define MASTER_COMMANDS_H

#include "master/handover.h"
#include "master/paths.h"
#include "master/sources.h"

/*
 * EXIT_CODE(constant, value, meaning): also shown by `help`; the tables of the
 * manual page and of README.md are compared (tests/lint/exit_codes.py).
 *
 * What runs and what does not is told by 0 and 1, as by the scripts that these
 * commands replace.
 */
#define EXIT_CODES(EXIT_CODE)                                                  \
	EXIT_CODE(EXIT_DONE, 0, "done; for status: it runs and answers")       \
	EXIT_CODE(EXIT_FAILED, 1,                                              \
		"for stop, status, reload, upgrade: no service runs; for "     \
		"start: one runs already; for health: it does not serve; "     \
		"else: it failed")                                             \
	EXIT_CODE(EXIT_BARRED, 2, "no worker can run; do not try again")       \
	EXIT_CODE(EXIT_RUNNING, 4,                                             \
		"another instance uses the pid file or the directory of the "  \
		"state")                                                       \
	EXIT_CODE(EXIT_LATE, 5,                                                \
		"not done in time; for status: it runs and does not answer")   \
	EXIT_CODE(EXIT_USAGE, 64, "unknown command, option or argument")       \
	EXIT_CODE(EXIT_ADDRESS, 69,                                            \
		"an address to listen on is taken, not of this machine or "    \
		"not permitted")                                               \
	EXIT_CODE(EXIT_PLACES, 73,                                             \
		"the directory of the state or of the log, or the pid file, "  \
		"cannot be made or written")                                   \
	EXIT_CODE(EXIT_OTHER_VERSION, 76,                                      \
		"the running service is another version than the command")     \
	EXIT_CODE(EXIT_DENIED, 77, "only root may do that")                    \
	EXIT_CODE(EXIT_CONFIG, 78,                                             \
		"the configuration or a file that it names is wrong or "       \
		"cannot be read")

enum exit_code {
#define EXIT_CODE(constant, value, meaning) constant = (value),
	EXIT_CODES(EXIT_CODE)
#undef EXIT_CODE
};

struct cli {
	const char *command; /* as called */
	char *program;       /* path of this program, for running it again */
	struct sources sources;
	struct handover handover; /* has_handover: from an earlier image */
	bool has_handover;
	char **args; /* what is left for the command, NULL-terminated */
	size_t nargs;
};

/* A command; returns an exit code. */
typedef int command_fn(struct cli *cli);

command_fn cmd_run;   /* cmd_run.c */
command_fn cmd_start; /* cmd_start.c */
command_fn cmd_stop;  /* cmd_service.c, as the next ones */
command_fn cmd_restart;
command_fn cmd_reload;
command_fn cmd_upgrade;
command_fn cmd_drain;
command_fn cmd_undrain;
command_fn cmd_status; /* cmd_status.c, as the next one */
command_fn cmd_health;
command_fn cmd_check;     /* cmd_check.c */
command_fn cmd_keygen;    /* cmd_keygen.c */
command_fn cmd_translate; /* cmd_translate.c */
command_fn cmd_count;     /* cmd_count.c */
command_fn cmd_stats;     /* cmd_stats.c */
command_fn cmd_top;       /* cmd_top.c */
command_fn cmd_logs;      /* cmd_logs.c */

/* Complain on stderr and return EXIT_USAGE. */
int cli_usage(const struct cli *cli, const char *fmt, ...) GP_PRINTF(2, 3);
/* EXIT_USAGE with a message if anything is left in args. */
int cli_no_args(const struct cli *cli);

/* Load the configuration, or say on stderr why not and return NULL. */
struct conf *cli_load(struct cli *cli);

#endif
