/* SPDX-License-Identifier: MIT */
/* conf_check.c - rules that take more than one value to check. */
#include <mbedtls/version.h>

#include "shared/base/check.h"
#include "shared/sys/conf_own.h"
#include "shared/sys/sock.h"

/* --- addresses ------------------------------------------------------------ */

/* The host of "host:port", without the brackets of IPv6. */
static struct span
host_of(struct span address)
{
	size_t end = address.n;

	if (address.n > 0 && address.p[0] == '[') {
		address = span_from(address, 1);
		return span_head(address, span_find_char(address, ']'));
	}
	for (size_t i = 0; i < address.n; i++)
		if (address.p[i] == ':')
			end = i;
	return span_head(address, end);
}

/* What is not understood counts as open; its syntax is judged elsewhere. */
static bool
is_local(struct span address)
{
	const struct span host = host_of(address);
	struct sock_addr a;

	if (span_starts(address, SPAN("unix:")) ||
		span_ieq(host, SPAN("localhost")))
		return true;
	return sock_addr_parse(&a, host, 0) && sock_addr_is_local(&a);
}

enum gp_code
conf_allow_open(const struct conf *c, bool is_admin, struct span address,
	struct gp_error *err)
{
	address = span_head(address, 128);
	if (is_admin && secret_is_none(&c->admin_token))
		return gp_fail(err, GP_E_SCHEMA,
			"admin_listen: %.*s can be reached from other hosts:"
			" set admin_token_file",
			SPAN_ARG(address));
	if (is_admin || secret_is_none(&c->server_key) ||
		c->client_keys_file.n > 0 || c->allow_open_server_key)
		return GP_OK;
	return gp_fail(err, GP_E_SCHEMA,
		"listen: %.*s can be reached from other hosts, who would use"
		" the server's key: set client_keys_file, or"
		" allow_open_server_key = true",
		SPAN_ARG(address));
}

static enum gp_code
check_listeners(const struct conf *c, bool is_admin, struct span list,
	struct gp_error *err)
{
	struct span address;

	while (span_split(&list, ',', &address)) {
		enum gp_code rc;

		address = span_trim(address);
		if (address.n == 0 || is_local(address))
			continue;
		rc = conf_allow_open(c, is_admin, address, err);
		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

/* --- upstreams ------------------------------------------------------------ */

/* mbedTLS 2.x ignores the IP addresses in certificates. That 3.x compares them
 * is relied on from its long-term version on. */
static bool
needs_host_name(struct span url)
{
	const struct span scheme = SPAN("https://");
	struct span authority;
	struct sock_addr a;

	if (MBEDTLS_VERSION_NUMBER >= 0x03060000 || !span_istarts(url, scheme))
		return false;
	authority = span_from(url, scheme.n);
	authority = span_head(authority, span_find_char(authority, '/'));
	return sock_addr_parse(&a, host_of(authority), 0);
}

static enum gp_code
check_upstream(const char *key, struct span url, struct gp_error *err)
{
	if (!needs_host_name(url))
		return GP_OK;
	return gp_fail(err, GP_E_SCHEMA,
		"%s: https needs a host name: mbedTLS " MBEDTLS_VERSION_STRING
		" does not check IP addresses in certificates",
		key);
}

/* --- all ------------------------------------------------------------------ */

static bool
parse_mode(struct span text, unsigned *out)
{
	unsigned mode = 0;

	if (text.n == 0 || text.n > 4)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			return false;
		mode = mode * 8 + (unsigned)(text.p[i] - '0');
	}
	*out = mode;
	return mode <= 0777;
}

unsigned
conf_unix_mode(const struct conf *c)
{
	unsigned mode = 0;

	GP_ASSERT(parse_mode(c->unix_mode, &mode));
	return mode;
}

static enum gp_code
check_keys(const struct conf *c, struct gp_error *err)
{
	if (!secret_is_none(&c->server_key))
		return GP_OK;
	if (!c->forward_client_key)
		return gp_fail(err, GP_E_SCHEMA,
			"forward_client_key = false serves everybody with the"
			" server's key: set server_api_key_file");
	if (c->client_keys_file.n > 0)
		return gp_fail(err, GP_E_SCHEMA,
			"client_keys_file: clients' keys are not sent upstream:"
			" set server_api_key_file");
	return GP_OK;
}

enum gp_code
conf_check(const struct conf *c, struct gp_error *err)
{
	unsigned mode;
	enum gp_code rc;

	if (span_is_blank(c->listen))
		return gp_fail(err, GP_E_SCHEMA,
			"listen: must name at least one address");
	if (!parse_mode(c->unix_mode, &mode))
		return gp_fail(err, GP_E_SCHEMA,
			"unix_mode: must be octal, from 0 to 0777");
	rc = check_keys(c, err);
	if (rc == GP_OK)
		rc = check_listeners(c, false, c->listen, err);
	if (rc == GP_OK)
		rc = check_listeners(c, true, c->admin_listen, err);
	if (rc == GP_OK)
		rc = check_upstream("upstream_base", c->upstream_base, err);
	if (rc == GP_OK)
		rc = check_upstream(
			"openai_upstream_base", c->openai_upstream_base, err);
	return rc;
}
