/* SPDX-License-Identifier: MIT */
/*
 * peek.h - looking into the memory of a running service, read-only.
 *
 * The memory has no name: it is found among the descriptors of the master,
 * which the kernel shows to root only, since the processes hold keys.
 */
#ifndef MASTER_PEEK_H
#define MASTER_PEEK_H

#include <sys/types.h>

#include "shared/sys/shm.h"

struct peek {
	const struct shm *shm; /* NULL: not open */
	char path[64];         /* of the master's descriptor */
	dev_t dev;
	ino_t ino;
};

/* pid: of the master. Else *err, of code GP_E_CLOSED: the process is gone;
 * GP_E_STATE: this user may not; GP_E_SCHEMA: it is another version's memory;
 * GP_E_SYSTEM. */
enum gp_code peek_open(struct peek *p, pid_t pid, struct gp_error *err) GP_WUR;
/* The master lives and still uses this memory. */
bool peek_is_current(const struct peek *p);
void peek_close(struct peek *p);

#endif
