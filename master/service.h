/* SPDX-License-Identifier: MIT */
/*
 * service.h - what a command knows of the service that runs.
 *
 * Commands must find it when the configuration has been broken or may not be
 * read by this user. So the few keys that are needed are looked up alone.
 */
#ifndef MASTER_SERVICE_H
#define MASTER_SERVICE_H

#include "master/commands.h"
#include "master/pidfile.h"

#define SERVICE_LIST_MAX 512 /* bytes of a comma list of addresses */

struct service {
	char pid_file[PATH_MAX];
	char log_dir[PATH_MAX];
	/* As configured; cut at their size. */
	char listen[SERVICE_LIST_MAX];
	char admin_listen[SERVICE_LIST_MAX];
	int64_t stop_timeout_ms;
	pid_t pid; /* of ALIVE and STALE, else 0 */
};

/* Where the service should be, and whether it is. Warnings go to stderr. *err
 * is set for PIDFILE_BAD. */
enum pidfile_state service_find(
	const struct cli *cli, struct service *s, struct gp_error *err);

/* True if it runs; else a line on stderr says why not. */
bool service_need(const struct cli *cli, struct service *s);

/* The configuration as the service would read it, as far as can be told here:
 * it may have a server key from its own environment. NULL with *err. */
struct conf *service_conf(struct cli *cli, struct gp_error *err) GP_WUR;

/* The first address of a comma list, trimmed. */
struct span service_first(const char *list);

#endif
