/* SPDX-License-Identifier: MIT */
/*
 * tls.h - the server's side of TLS by mbedTLS 2.28 or 3.6, over descriptors
 * that do not block. Sessions are resumed by ticket and by id.
 */
#ifndef UPSTREAM_TLS_H
#define UPSTREAM_TLS_H

#include "shared/base/err.h"
#include "shared/base/span.h"

struct tls_server;
struct tls_conn;

enum tls_step {
	TLS_OK,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_EOF, /* close_notify, or the peer closed */
	TLS_FAIL,
};

struct tls_facts {
	const char *version, *cipher;
	char sni[256];
	bool is_resumed;
};

/* From PEM files: a chain and its key. NULL with *err. */
struct tls_server *tls_server_new(
	const char *cert, const char *key, struct gp_error *err) GP_WUR;
/* In each child: fresh random numbers. */
void tls_server_forked(struct tls_server *s);

/* fd stays the caller's. */
struct tls_conn *tls_conn_new(struct tls_server *s, int fd);
void tls_conn_free(struct tls_conn **c);

enum tls_step tls_handshake(struct tls_conn *c) GP_WUR;
enum tls_step tls_read(
	struct tls_conn *c, char *to, size_t n, size_t *got) GP_WUR;
/* After TLS_WANT_WRITE call again with the same bytes. */
enum tls_step tls_write(struct tls_conn *c, struct span s, size_t *put) GP_WUR;
void tls_close_notify(struct tls_conn *c);

/* After the handshake. */
const struct tls_facts *tls_conn_facts(const struct tls_conn *c);

#endif
