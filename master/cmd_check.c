/* SPDX-License-Identifier: MIT */
/* cmd_check.c - `glmproxy check [--print]`. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "master/commands.h"
#include "master/config.h"

int
cmd_check(struct cli *cli)
{
	bool prints = false;
	struct conf *c;
	struct buf out;

	for (size_t i = 0; i < cli->nargs; i++) {
		if (strcmp(cli->args[i], "--print") != 0)
			return cli_usage(
				cli, "unknown argument %s", cli->args[i]);
		prints = true;
	}
	c = cli_load(cli);
	if (c == NULL)
		return EXIT_CONFIG;
	config_warn(c, false);
	if (prints) {
		buf_init(&out, SIZE_MAX);
		conf_print(c, &out);
		(void)fwrite(buf_span(&out).p, 1, buf_len(&out), stdout);
		buf_fini(&out);
	} else {
		(void)printf("configuration ok%s%s\n",
			cli->sources.file != NULL ? ": " : "",
			cli->sources.file != NULL ? cli->sources.file : "");
	}
	conf_free(&c);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
