/* SPDX-License-Identifier: MIT */
/* cmd_run.c - `glmproxy run`: this process becomes the master. */
#include "master/commands.h"
#include "master/master.h"

int
cmd_run(struct cli *cli)
{
	const int code = cli_no_args(cli);
	struct master_options options = {
		.sources = &cli->sources,
		.handover = cli->has_handover ? &cli->handover : NULL,
		.program = cli->program,
		.started_fd = -1,
	};

	return code != EXIT_DONE ? code : master_run(&options);
}
