/* SPDX-License-Identifier: MIT */
/*
 * origin.h - is a browser being used against us?
 *
 * Where a request needs no credential of its own, any page that a user visits
 * could make the user's browser send one. Two checks stop that: the Host must
 * be one of ours (DNS rebinding), and the page must not be a foreign one.
 */
#ifndef HTTP_ORIGIN_H
#define HTTP_ORIGIN_H

#include "shared/http/msg.h"

/* True if the Host header names localhost, a loopback address, a unix socket
 * (no host at all) or one of `allowed` (comma list, with or without port). */
bool origin_host_is_ours(const struct http_head *h, struct span allowed);

/* True if Origin names another host than Host does (also "null", unless
 * Sec-Fetch-Site says same-origin), or Sec-Fetch-Site says cross-site. cors:
 * origins that are welcome, comma list, "*" for all. */
bool origin_is_foreign(const struct http_head *h, struct span cors);

/* True if origin stands in the comma list, or that is "*". */
bool origin_is_listed(struct span origin, struct span list);

#endif
