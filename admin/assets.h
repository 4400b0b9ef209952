/* SPDX-License-Identifier: MIT */
/*
 * assets.h - the files of the admin page: HTML, style sheets, scripts,
 * licences.
 *
 * They are part of the program and say nothing about what it does, so they need
 * no token. Their addresses have a hash in them and may be kept for ever; pages
 * themselves are asked for again and answered with 304 as long as they are the
 * same.
 */
#ifndef ADMIN_ASSETS_H
#define ADMIN_ASSETS_H

#include "admin/http_server.h"

/* What a browser may do with pages of ours: nothing that is written inline runs
 * or has a style. */
#define ASSETS_POLICY                                                          \
	"default-src 'none'; script-src 'self'; style-src 'self'; "            \
	"img-src 'self' data:; connect-src 'self'; base-uri 'none'; "          \
	"form-action 'self'; frame-ancestors 'none'"

/* Answer with a file: /page/HASH/NAME, /licenses. False if path is none of
 * these. The method is the caller's to check. */
bool assets_answer(const struct http_head *head, struct http_answer *a);

/* Answer with the page of that name, say "index.html", whatever the path. */
void assets_answer_page(
	const struct http_head *head, const char *name, struct http_answer *a);

#endif
