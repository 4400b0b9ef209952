/* SPDX-License-Identifier: MIT */
/*
 * http_server.h - a small HTTP/1.1 server for the admin port.
 *
 * Answers are made by one callback, which also gets the request's body, up to a
 * limit. An answer is whole at once, or comes later, or is the beginning of a
 * stream without end. Keep-alive and pipelining work; a client that is slow to
 * send or to read is dropped. Knows nothing of what is served.
 */
#ifndef ADMIN_HTTP_SERVER_H
#define ADMIN_HTTP_SERVER_H

#include "shared/base/buf.h"
#include "shared/http/msg.h"
#include "shared/sys/ev.h"
#include "shared/sys/sock.h"

#define HTTP_SERVER_CONNECTIONS_MAX 128
#define HTTP_SERVER_BODY_MAX        65536
#define HTTP_SERVER_STREAMS_MAX     16
/* A stream that has so much to be sent belongs to a client that does not read.
 */
#define HTTP_SERVER_BACKLOG_MAX (1u << 20)
/* What all connections together may hold of answers that are not sent: with
 * more, an answer of more than HTTP_SERVER_SMALL bytes becomes 503. */
#define HTTP_SERVER_UNSENT_MAX (64u << 20)
#define HTTP_SERVER_SMALL      (256u << 10)
/* An answer that is to come later comes within this time, or 503 does. */
#define HTTP_SERVER_LATER_MS 10000

/* Valid during the call. */
struct http_request {
	const struct http_head *head;
	struct span body;
	const struct sock_addr *peer;
	uint64_t ticket; /* for http_server_answer; no two have the same */
};

enum http_answer_how {
	HTTP_ANSWER_WHOLE,
	/* http_server_answer makes it; what is in it is thrown away. */
	HTTP_ANSWER_LATER,
	/* The body is the beginning, http_server_send adds to it. 503 instead
	 * when there are HTTP_SERVER_STREAMS_MAX. */
	HTTP_ANSWER_STREAM,
};

struct http_answer {
	enum http_answer_how how;
	unsigned status;
	const char *content_type;
	const char *cache_control; /* "no-store" so far */
	struct buf fields;         /* further ones, by http_out_field */
	struct buf body;
};

/* Fill in the answer: whole, status 200, no fields and an empty body so far. */
typedef void http_server_fn(void *ctx, const struct http_request *request,
	struct http_answer *answer);

/* Forget what is in the answer; it becomes {"error": text}. */
void http_answer_refuse(
	struct http_answer *a, unsigned status, const char *text);

struct http_server_options {
	http_server_fn *fn;
	void *ctx;
	int64_t header_ms; /* to send a head */
	int64_t body_ms;   /* to send a body */
	int64_t write_ms;  /* to take some bytes */
	int64_t idle_ms;   /* between requests */
};

struct http_server;

/* The descriptors stay the caller's. */
struct http_server *http_server_new(struct ev *ev, const int *listeners,
	size_t n, const struct http_server_options *options);
void http_server_free(struct http_server **s);

/* A callback like http_server_fn. */
typedef void http_later_fn(void *ctx, struct http_answer *answer);

/* The answer to a request that was told to wait for it. fn is not called if its
 * client has left or was told 503 meanwhile. */
void http_server_answer(
	struct http_server *s, uint64_t ticket, http_later_fn *fn, void *ctx);

/* Add to all streams; those that have too much to be sent are dropped. */
void http_server_send(struct http_server *s, struct span text);
size_t http_server_streams(const struct http_server *s);
/* End them all, after what is still to be sent. */
void http_server_end_streams(struct http_server *s);

/* Accept nothing more, end streams, end the others after their answer. Idle
 * connections have idle_ms for another request, since one may be on its way: a
 * client that was not told before takes their end for a failure. */
void http_server_drain(struct http_server *s, int64_t idle_ms);
size_t http_server_connections(const struct http_server *s);

#endif
