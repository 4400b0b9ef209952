/* SPDX-License-Identifier: MIT */
/* hosts.h - which entries of shm->hosts belong to whose upstreams. */
#ifndef MASTER_HOSTS_H
#define MASTER_HOSTS_H

#include "master/children.h"

/*
 * Choose gen->hosts for the upstreams of gen->conf. An entry that living
 * children use never changes its name; a new name gets a free one. Addresses
 * that need no looking up (literals, localhost) are published at once, so that
 * a start does not wait for the admin process.
 *
 * GP_E_LIMIT when too many old names are still in use.
 */
enum gp_code hosts_assign(struct shm *shm, const struct children *c,
	struct generation *gen, int64_t now_ms, struct gp_error *err) GP_WUR;

#endif
