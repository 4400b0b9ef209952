/* SPDX-License-Identifier: MIT */
/*
 * msg.h - incremental HTTP/1.1 messages, parsed by llhttp.
 *
 * A pull parser: feed bytes, get the next thing that is complete.
 *
 *	while ((step = http_msg_feed(m, in, &used, &err)) != HTTP_MORE) {
 *		consume `used` bytes of the input;
 *		HTTP_HEAD  the head is complete: see http_msg_head()
 *		HTTP_BODY  http_msg_piece() is the next part of the body, a
 *		           view of `in`
 *		HTTP_DONE  the message is over; http_msg_next() for another
 *		HTTP_FAIL  err says why
 *	}
 *
 * Stricter than llhttp in requests: two or no Host with HTTP/1.1, obs-fold,
 * Transfer-Encoding with HTTP/1.0, a second authorization, x-api-key or
 * content-type, and a target that is not origin-form are failures. In both
 * kinds lines end in CRLF, there are no control characters but tab, and chunked
 * is the only transfer-encoding. Upgrade fields are ignored; CONNECT and 101
 * are failures.
 * spec: RFC 9112; limits: HTTP_HEAD_MAX bytes, HTTP_FIELDS_MAX fields.
 */
#ifndef HTTP_MSG_H
#define HTTP_MSG_H

#include "shared/base/arena.h"
#include "shared/base/err.h"

#define HTTP_HEAD_MAX   65536
#define HTTP_FIELDS_MAX 128

enum http_kind {
	HTTP_REQUEST,
	HTTP_RESPONSE
};

enum http_method {
	HTTP_METHOD_OTHER,
	HTTP_METHOD_GET,
	HTTP_METHOD_HEAD,
	HTTP_METHOD_POST,
	HTTP_METHOD_OPTIONS,
};

enum http_step {
	HTTP_MORE,
	HTTP_HEAD,
	HTTP_BODY,
	HTTP_DONE,
	HTTP_FAIL
};

struct http_field {
	struct span name;  /* as sent; compare with span_ieq */
	struct span value; /* trimmed */
};

struct http_msg; /* opaque: holds llhttp's state and the head's bytes */

/* The finished head; without fields and target before that, also when it was
 * refused half-way. Spans live until http_msg_next or http_msg_free. */
struct http_head {
	enum http_method method;
	struct span target; /* path and query as sent */
	struct span path;   /* the target before '?' */
	struct span query;  /* behind '?', may be empty */
	unsigned status;    /* responses */
	unsigned minor;     /* HTTP/1.minor */
	bool keep_alive;    /* the connection may carry another message */
	bool has_body;      /* content-length > 0, or chunked, or until EOF */
	bool is_chunked;
	bool expects_continue;
	bool has_length;
	uint64_t length; /* content-length, if has_length */
	const struct http_field *fields;
	size_t nfields;
};

struct http_msg *http_msg_new(enum http_kind kind);
void http_msg_free(struct http_msg **m);
/* Ready for the next message on the same connection. */
void http_msg_next(struct http_msg *m);
/* The next response answers a HEAD request: it has no body. */
void http_msg_expect_no_body(struct http_msg *m);

/* See above. *used is set on every return but only counts bytes that need not
 * be fed again. HTTP_FAIL: err->code is GP_E_SYNTAX (answer 400) or
 * GP_E_LIMIT (answer 431). Interim (1xx) responses are skipped, trailers are
 * ignored, and both count against the limits. */
enum http_step http_msg_feed(struct http_msg *m, struct span in, size_t *used,
	struct gp_error *err) GP_WUR;
/* The peer closed: HTTP_DONE if that ends a body without length, HTTP_MORE if
 * no message had begun, else HTTP_FAIL with GP_E_CLOSED. */
enum http_step http_msg_eof(struct http_msg *m, struct gp_error *err) GP_WUR;

const struct http_head *http_msg_head(const struct http_msg *m);
/* After HTTP_BODY. */
struct span http_msg_piece(const struct http_msg *m);

/* The first field of that name (any case); empty span if there is none. */
struct span http_head_get(const struct http_head *h, struct span name);
bool http_head_has(const struct http_head *h, struct span name);
/* True if the comma list in field `name` (all its lines) has token. */
bool http_head_has_token(
	const struct http_head *h, struct span name, struct span token);

#endif
