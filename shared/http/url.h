/* SPDX-License-Identifier: MIT */
/* url.h - upstream base URLs and addresses in configuration.
 * spec: RFC 3986, the http and https schemes only; no userinfo, query or
 * fragment. */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "shared/base/err.h"
#include "shared/base/span.h"

#define URL_HOST_MAX 253

struct url {
	bool is_tls;
	bool is_ip; /* host is an address, not a name */
	bool is_ipv6;
	struct span host; /* without brackets; a view of the text */
	uint16_t port;
	struct span path; /* without trailing '/'; "" for the root */
};

/* Views point into text. GP_E_SYNTAX with a sentence that says what is wrong.
 */
enum gp_code url_parse(
	struct span text, struct url *out, struct gp_error *err) GP_WUR;

/* host:port, [v6]:port, or unix:/path (then *port is 0 and host the path).
 * Port 0 is allowed (an ephemeral port). */
enum gp_code url_parse_listen(struct span text, struct span *host,
	uint16_t *port, bool *is_unix, struct gp_error *err) GP_WUR;

/* True for localhost, 127.0.0.0/8 and ::1. */
bool url_host_is_loopback(struct span host);

#endif
