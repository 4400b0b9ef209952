/* SPDX-License-Identifier: MIT */
/*
 * logs_bodies.h - puts the pieces of bodies together again.
 *
 * A worker's pieces come in order, and the record to which they belong right
 * behind them. What is missing is told by its size.
 */
#ifndef ADMIN_LOGS_BODIES_H
#define ADMIN_LOGS_BODIES_H

#include "admin/logs_lines.h"
#include "shared/sys/bodypart.h"

struct logs_bodies;

struct logs_bodies *logs_bodies_new(void);
void logs_bodies_free(struct logs_bodies **b);

/* slot: whose ring it came from, below SHM_SLOTS. */
void logs_bodies_take(
	struct logs_bodies *b, unsigned slot, const struct bodypart *p);
/* The body of that request; it stays until logs_bodies_drop. */
struct logs_body logs_bodies_get(struct logs_bodies *b, unsigned slot,
	enum bodypart_of of, struct span id);
/* Forget the slot's bodies. */
void logs_bodies_drop(struct logs_bodies *b, unsigned slot);

#endif
