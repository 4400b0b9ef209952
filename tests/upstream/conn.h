/* SPDX-License-Identifier: MIT */
/* conn.h - one client's connection: requests in, answers out. */
#ifndef UPSTREAM_CONN_H
#define UPSTREAM_CONN_H

#include "shared/sys/ev.h"
#include "tests/upstream/tls.h"

/* Serve fd until either side closes it; tls: NULL for a plain one. */
void conn_start(struct ev *ev, int fd, struct tls_server *tls);

#endif
