/* SPDX-License-Identifier: MIT */
/* http_conn.h - one connection of the admin port; for http_server.c only. */
#ifndef ADMIN_HTTP_CONN_H
#define ADMIN_HTTP_CONN_H

#include "admin/http_server.h"

struct http_conn;

/* Called once, when the connection has closed itself. */
typedef void http_conn_gone_fn(void *ctx);

/* What all connections of a server share. */
struct http_conn_env {
	struct ev *ev;
	struct http_server_options options;
	bool is_draining;
	struct list conns;
	size_t nconns;
	size_t nstreams;
	uint64_t ntickets;
	http_conn_gone_fn *gone;
	void *gone_ctx;
};

/* Takes fd. */
void http_conn_open(
	struct http_conn_env *env, int fd, const struct sock_addr *peer);
/* Close one of env->conns without telling `gone`. */
void http_conn_drop(struct list *link);
/* The answer that it waits for, if it does and has this ticket. */
void http_conn_answer(
	struct list *link, uint64_t ticket, http_later_fn *fn, void *ctx);
/* If it is a stream. May close it. */
void http_conn_send(struct list *link, struct span text);
/* Close it after the answer; if no request is under way, after idle_ms, unless
 * one comes before that. */
void http_conn_retire(struct list *link, int64_t idle_ms);
/* The same if it is a stream. */
void http_conn_end_stream(struct list *link);

#endif
