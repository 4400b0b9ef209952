/* SPDX-License-Identifier: MIT */
/* io.h - the same two calls for plain and for TLS connections. */
#ifndef UPSTREAM_IO_H
#define UPSTREAM_IO_H

#include "tests/upstream/tls.h"

/* tls: NULL for a plain one. The steps and rules of tls.h. */
enum tls_step io_read(
	int fd, struct tls_conn *tls, char *to, size_t n, size_t *got) GP_WUR;
enum tls_step io_write(
	int fd, struct tls_conn *tls, struct span s, size_t *put) GP_WUR;

#endif
