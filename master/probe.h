/* SPDX-License-Identifier: MIT */
/* probe.h - ask a proxy's port on this host whether it serves. */
#ifndef MASTER_PROBE_H
#define MASTER_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/err.h"
#include "shared/base/span.h"

#define PROBE_TEXT_MAX 160

struct probe {
	unsigned status; /* of HTTP */
	int64_t took_ms;
	char text[PROBE_TEXT_MAX]; /* begin of the body, printable */
};

/* False for port 0: the system chose the port, and it is not known here. */
bool probe_can(struct span address);

/* GET /health at an address as in `listen` ("any address" means this host).
 * Blocks for at most timeout_ms. GP_E_SYSTEM: no connection; GP_E_TIMEOUT;
 * GP_E_PEER: not HTTP; GP_E_SYNTAX: not an address. */
enum gp_code probe_health(struct span address, int64_t timeout_ms,
	struct probe *out, struct gp_error *err) GP_WUR;

#endif
