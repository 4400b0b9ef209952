/* SPDX-License-Identifier: MIT */
/* facts.h - what an answer depends on, read out of a request's tree. */
#ifndef UPSTREAM_FACTS_H
#define UPSTREAM_FACTS_H

#include "tests/upstream/request.h"

/* Fill r's members from r->root; the wrong type is taken as absent. */
void facts_read(struct request *r);

/* The scenario that the user text of the current turn, or else system text,
 * names. Also counts r->rounds. */
bool facts_marker(struct request *r, struct span *inside) GP_WUR;

#endif
