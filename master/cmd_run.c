/* SPDX-License-Identifier: MIT */
/* cmd_run.c - `glmproxy run`: the service in the foreground, or, as the script
 * of that name took it, with -b in the background. */
#include <string.h>

#include "master/commands.h"
#include "master/master.h"

static bool
is_background(const char *arg)
{
	return strcmp(arg, "-b") == 0 || strcmp(arg, "--background") == 0;
}

int
cmd_run(struct cli *cli)
{
	const struct master_options options = {
		.sources = &cli->sources,
		.program = cli->program,
		.handover = cli->has_handover ? &cli->handover : NULL,
		.started_fd = -1,
	};
	int code;

	if (cli->nargs == 1 && is_background(cli->args[0])) {
		cli->nargs = 0;
		return cmd_start(cli);
	}
	code = cli_no_args(cli);
	return code == EXIT_DONE ? master_run(&options) : code;
}
