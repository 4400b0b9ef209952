/* SPDX-License-Identifier: MIT */
/* cmd_keygen.c - `glmproxy keygen [NAME]`: a key for a client. */
#include <stdio.h>
#include <string.h>

#include "master/commands.h"
#include "shared/base/check.h"
#include "shared/sys/proc.h"

#define KEY_PREFIX    "gp-"
#define KEY_BYTES     16
#define NAME_MAX_LEN  64
#define HEX_OF(bytes) (2 * (bytes) + 1)

static void
to_hex(const unsigned char *bytes, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* What a line of client_keys_file can hold. */
static bool
is_name(const char *s)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const size_t n = strlen(s);

	return n > 0 && n <= NAME_MAX_LEN && strspn(s, ok) == n;
}

int
cmd_keygen(struct cli *cli)
{
	const char *const name = cli->nargs > 0 ? cli->args[0] : "client";
	unsigned char random[KEY_BYTES];
	unsigned char hash[32];
	char key[sizeof(KEY_PREFIX) + HEX_OF(KEY_BYTES)] = KEY_PREFIX;
	char hash_hex[HEX_OF(sizeof(hash))];
	struct secret secret;
	bool is_set;

	if (cli->nargs > 1 || name[0] == '-')
		return cli_usage(
			cli, "unknown argument %s", cli->args[cli->nargs - 1]);
	if (!is_name(name))
		return cli_usage(cli,
			"a name has 1 to %d letters, digits, '.', '_' or '-'",
			NAME_MAX_LEN);
	proc_random(random, sizeof(random));
	to_hex(random, sizeof(random), key + strlen(KEY_PREFIX));
	is_set = secret_set(&secret, span_cstr(key));
	GP_ASSERT(is_set);
	secret_hash(&secret, hash);
	to_hex(hash, sizeof(hash), hash_hex);
	(void)printf("%s\n%s:%s\n", key, name, hash_hex);
	if (fflush(stdout) != 0)
		return EXIT_FAILED;
	(void)fprintf(stderr,
		"The first line is the key: give it to the client, it is kept "
		"nowhere.\nThe second line goes into client_keys_file.\n");
	secret_wipe(&secret);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(random, sizeof(random));
	return EXIT_DONE;
}
