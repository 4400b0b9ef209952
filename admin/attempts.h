/* SPDX-License-Identifier: MIT */
/*
 * attempts.h - who may try a token, and when. Pure.
 *
 * A few wrong ones of an address cost nothing; then it waits, longer and
 * longer. Whoever waits is not looked at, so that what it sends says nothing.
 * For all addresses together there is a limit, too; those that have shown the
 * right token of late are not held to it.
 */
#ifndef ADMIN_ATTEMPTS_H
#define ADMIN_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/sys/sock.h"

#define ATTEMPTS_ROWS        256 /* addresses that are remembered */
#define ATTEMPTS_FREE        4
#define ATTEMPTS_WAIT_MS     1000 /* doubles with every one behind those */
#define ATTEMPTS_WAIT_MAX_MS 60000
/* An address is a stranger again. */
#define ATTEMPTS_FORGET_MS 900000
/* Of all addresses: saved up to so many, one comes back in a second. */
#define ATTEMPTS_ALL 60

/* An IPv4 address, the first half of an IPv6 one (the rest is the client's
 * choice); all Unix sockets are one. */
struct attempts_source {
	uint8_t bytes[9];
};

struct attempts_row {
	struct attempts_source source;
	bool is_used, was_right;
	unsigned wrong;   /* in a row */
	int64_t until_ms; /* waits */
	int64_t last_ms;
};

struct attempts {
	struct attempts_row rows[ATTEMPTS_ROWS];
	unsigned spent; /* of ATTEMPTS_ALL */
	int64_t paid_ms;
};

struct attempts_source attempts_source(const struct sock_addr *a);

/* Milliseconds that this address has to wait; 0: its token may be looked at. */
int64_t attempts_wait_ms(
	struct attempts *a, const struct attempts_source *s, int64_t now_ms);
/* What the look has shown. wrong returns how long it waits now. */
int64_t attempts_wrong(
	struct attempts *a, const struct attempts_source *s, int64_t now_ms);
void attempts_right(
	struct attempts *a, const struct attempts_source *s, int64_t now_ms);

#endif
