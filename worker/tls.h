/* SPDX-License-Identifier: MIT */
/*
 * tls.h - TLS towards upstreams, by mbedTLS 2.28 or 3.x.
 *
 * At least TLS 1.2; chain and host name are always verified and there is no
 * way to turn that off. Sessions are resumed. Works on bytes that the caller
 * has read and on a descriptor it may write to; never blocks.
 */
#ifndef WORKER_TLS_H
#define WORKER_TLS_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

struct tls; /* trust store, random generator, preferences: one a process */
struct tls_session; /* what is kept to resume, one an upstream */
struct tls_conn;

enum tls_step {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_CLOSED,
	TLS_FAIL
};

/* ca_file: PEM; empty for the system's bundle. NULL with *err. The random
 * generator is seeded here: call after the fork. */
struct tls *tls_new(struct span ca_file, struct gp_error *err) GP_WUR;
void tls_free(struct tls **t);

struct tls_session *tls_session_new(void);
void tls_session_free(struct tls_session **s);
/* There is something to resume. */
bool tls_session_is_known(const struct tls_session *s);

/* A client's side of a connection on fd to `host`. session: resumed from and
 * saved to; must outlive the connection. */
struct tls_conn *tls_conn_new(
	struct tls *t, struct tls_session *session, struct span host, int fd);
/* Says goodbye if it can without waiting. Does not close fd. */
void tls_conn_free(struct tls_conn **c);

/* Bytes that were read from fd, a view that the calls below take from. Before
 * the bytes go, tls_input_keep copies what was not used. */
void tls_input(struct tls_conn *c, struct span bytes);
void tls_input_keep(struct tls_conn *c);
/* There is input that was not used yet, or not handed out. */
bool tls_has_input(const struct tls_conn *c);
/* The peer has closed its side. */
void tls_input_eof(struct tls_conn *c);

/* Go on with the handshake. TLS_FAIL: err says what is wrong. */
enum tls_step tls_handshake(struct tls_conn *c, struct gp_error *err);
/* After TLS_DONE: the peer took up an earlier session. */
bool tls_was_resumed(const struct tls_conn *c);

/* Decrypt into out (n bytes at most, *got of them). TLS_DONE with *got > 0. */
enum tls_step tls_recv(struct tls_conn *c, char *out, size_t n, size_t *got,
	struct gp_error *err);
/* Encrypt and write; *used of the bytes are gone. TLS_DONE with fewer than all
 * when they are many: the rest is for the next turn of the loop. After
 * TLS_WANT_WRITE the next call must be for the same bytes, less those that are
 * gone. more: other bytes follow at once, so that these need no packet of their
 * own. */
enum tls_step tls_send(struct tls_conn *c, struct span bytes, bool more,
	size_t *used, struct gp_error *err);

#endif
