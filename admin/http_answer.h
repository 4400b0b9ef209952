/* SPDX-License-Identifier: MIT */
/* http_answer.h - answers of the admin port and their heads; for http_conn.c
 * only. */
#ifndef ADMIN_HTTP_ANSWER_H
#define ADMIN_HTTP_ANSWER_H

#include "admin/http_server.h"

#define HTTP_ANSWER_MAX (8u << 20) /* bytes of a body */

void http_answer_init(struct http_answer *a);
void http_answer_fini(struct http_answer *a);

/* head: of the request; NULL if it could not be read. The length is told unless
 * it is a stream, which ends with its connection. */
void http_answer_put_head(const struct http_answer *a,
	const struct http_head *head, bool closes, struct buf *out);

#endif
