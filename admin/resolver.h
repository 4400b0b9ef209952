/* SPDX-License-Identifier: MIT */
/*
 * resolver.h - keeps the addresses of the upstreams' names in shared memory.
 *
 * One thread, since getaddrinfo blocks. Names are looked up every 30 seconds;
 * after a failure sooner, with growing pauses, and the old addresses stay.
 * Literals and localhost were published by the master. While an earlier admin
 * process still lives, this one publishes nothing: one writer at a time.
 */
#ifndef ADMIN_RESOLVER_H
#define ADMIN_RESOLVER_H

#include "shared/sys/link.h"

/* Position in link->hosts of the first name that workers connect to: with an
 * upstream_proxy only that one. */
size_t resolver_first(const struct link *link);
/* True for addresses and localhost, which are never looked up. */
bool resolver_is_constant(struct span name);

/* Start the thread if there is anything to look up. It lives as long as the
 * process; link must, too. */
void resolver_start(const struct link *link);

/* Pause after the n-th failure in a row (0: none), in milliseconds. */
int64_t resolver_pause_ms(unsigned failures);

/* False while there is an admin process of an earlier generation: it publishes
 * for the same entries, and empties the workers' rings, until it is gone. */
bool resolver_is_our_turn(const struct link *link);

#endif
