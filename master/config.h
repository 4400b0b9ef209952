/* SPDX-License-Identifier: MIT */
/* config.h - a configuration that the program can run with: what conf.h reads,
 * plus the checks that need URLs, JSON or the system's users. */
#ifndef MASTER_CONFIG_H
#define MASTER_CONFIG_H

#include "master/sources.h"
#include "shared/sys/conf_parse.h"
#include "shared/sys/link.h"

/* NULL with *err naming place, key and reason. For start, check and reload
 * alike, so that what `check` accepts can be run. */
struct conf *config_load(struct sources *s, struct gp_error *err) GP_WUR;

/* Judge one value alone, before it is a configuration's. *err holds the rest of
 * a sentence that begins with the key, and never the value. */
enum gp_code config_check_value(const struct conf_row *row, struct span text,
	struct gp_error *err) GP_WUR;

/* Take the values of all keys that need a restart from `now`, and log which
 * would have been different. */
void config_keep_restart_keys(struct conf *next, const struct conf *now);
/* The same across a change of the program: what is written by the one is
 * applied by the other. Entries are "key value". */
typedef void config_entry_fn(void *ctx, const char *entry);
void config_each_restart_key(
	const struct conf *c, config_entry_fn *fn, void *ctx);
void config_keep_restart_entry(struct conf *next, struct span entry);

/* Log (to_log) or print to stderr what the loading warned about. */
void config_warn(const struct conf *c, bool to_log);

/* Calls fn for each address of a comma list; stops at a failure, which *err
 * then describes. */
typedef enum gp_code config_address_fn(void *ctx, struct span text,
	struct span host, uint16_t port, bool is_unix, struct gp_error *err);
enum gp_code config_each_address(struct span list, config_address_fn *fn,
	void *ctx, struct gp_error *err) GP_WUR;

/* The upstreams' host names in the order of link.h; returns how many. Views
 * into c. */
size_t config_hosts(const struct conf *c, struct span out[LINK_HOSTS_MAX]);

#endif
