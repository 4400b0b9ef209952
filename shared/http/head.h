/* SPDX-License-Identifier: MIT */
/* head.h - the rules that a complete head must keep. Private to shared/http. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "shared/http/msg.h"

/*
 * Check the fields and derive from them what the framing needs.
 *
 * Expects method, target, status, minor and fields of *h; sets path, query,
 * is_chunked, has_length, length and expects_continue.
 *
 * Returns GP_OK or GP_E_SYNTAX. spec: RFC 9112, 3.2, 6.1 and 6.3
 */
enum gp_code http_head_check(
	struct http_head *h, enum http_kind kind, struct gp_error *err) GP_WUR;

#endif
