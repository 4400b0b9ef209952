/* SPDX-License-Identifier: MIT */
/* url.c - upstream base URLs and addresses in configuration. */
#include "shared/http/url.h"

#define URL_LABEL_MAX 63
#define PORT_DIGITS   5
/* What fits into a socket address with its NUL. */
#define UNIX_PATH_MAX 107

#define NO_GAP        17 /* not a position in an IPv6 address */

/* host[:port], taken apart but not judged. */
struct authority {
	struct span host; /* without brackets */
	struct span port; /* digits, it is hoped */
	bool has_port;
	bool has_brackets;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The value of a hex digit, -1 for anything else. */
static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
ip4_parse(struct span s, uint8_t out[4])
{
	struct span part;
	uint64_t v;

	if (s.n == 0 || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < 4; i++) {
		if (!span_split(&s, '.', &part) || part.n > 3 ||
			!span_u64(part, &v) || v > 255)
			return false;
		/* Some readers would take it for octal. */
		if (part.n > 1 && part.p[0] == '0')
			return false;
		/* More must follow the first three, nothing the last. */
		if ((i < 3) != (s.n > 0))
			return false;
		out[i] = (uint8_t)v;
	}
	return true;
}

/* One group of at most four hex digits at the start of s: its length, 0 if
 * there is none. */
static size_t
ip6_group(struct span s, uint8_t out[2])
{
	unsigned v = 0;
	size_t n;

	for (n = 0; n < s.n && n < 4; n++) {
		int digit = hex_value(s.p[n]);

		if (digit < 0)
			break;
		v = v << 4 | (unsigned)digit;
	}
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)(v & 0xff);
	return n;
}

/* Groups up to the end; `gap` is where "::" stood. Bytes written, 17 if s is
 * malformed. */
static size_t
ip6_groups(struct span s, uint8_t out[18], size_t *gap)
{
	size_t n = 0;

	while (s.n > 0 && n < 16) {
		size_t len = ip6_group(s, out + n);

		if (n <= 12 && len < s.n && s.p[len] == '.')
			return ip4_parse(s, out + n) ? n + 4 : 17;
		if (len == 0)
			return 17;
		n += 2;
		s = span_from(s, len);
		if (s.n == 0)
			break;
		if (s.n == 1 || s.p[0] != ':')
			return 17;
		s = span_from(s, 1);
		if (s.p[0] != ':')
			continue;
		if (*gap != NO_GAP)
			return 17;
		*gap = n;
		s = span_from(s, 1);
	}
	return s.n == 0 ? n : 17;
}

static bool
ip6_parse(struct span s, uint8_t out[16])
{
	uint8_t bytes[18];
	size_t gap = NO_GAP;
	size_t n;

	if (span_starts(s, SPAN("::"))) {
		gap = 0;
		s = span_from(s, 2);
	}
	n = ip6_groups(s, bytes, &gap);
	if (gap == NO_GAP ? n != 16 : n > 14)
		return false;
	memset(out, 0, 16);
	gap = MIN(gap, n);
	memcpy(out, bytes, gap);
	memcpy(out + 16 - (n - gap), bytes + gap, n - gap);
	return true;
}

static bool
is_label(struct span s)
{
	if (s.n == 0 || s.n > URL_LABEL_MAX || s.p[0] == '-' ||
		s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

/* A DNS name; its last label is not a number, which would be an address. */
static bool
is_name(struct span s)
{
	struct span label = SPAN_EMPTY;
	uint64_t number;

	if (s.n == 0 || s.n > URL_HOST_MAX || s.p[s.n - 1] == '.')
		return false;
	while (span_split(&s, '.', &label))
		if (!is_label(label))
			return false;
	return !span_u64(label, &number);
}

static enum gp_code
split_authority(struct span s, struct authority *out, struct gp_error *err)
{
	size_t end;

	*out = (struct authority){ .port = SPAN_EMPTY };
	if (s.n > 0 && s.p[0] == '[') {
		out->has_brackets = true;
		s = span_from(s, 1);
		end = span_find_char(s, ']');
		if (end == s.n)
			return gp_fail(err, GP_E_SYNTAX,
				"The bracket of the IPv6 address is not "
				"closed.");
		out->host = span_head(s, end);
		s = span_from(s, end + 1);
		if (s.n > 0 && s.p[0] != ':')
			return gp_fail(err, GP_E_SYNTAX,
				"Only ':' and a port may follow the "
				"bracket.");
	} else {
		end = span_find_char(s, ':');
		out->host = span_head(s, end);
		s = span_from(s, end);
		if (span_find_char(span_from(s, 1), ':') + 1 < s.n)
			return gp_fail(err, GP_E_SYNTAX,
				"An IPv6 address must stand in brackets.");
	}
	out->has_port = s.n > 0;
	out->port = span_from(s, 1);
	return GP_OK;
}

static enum gp_code
check_host(const struct authority *a, bool *is_ip, struct gp_error *err)
{
	uint8_t bytes[16];

	*is_ip = true;
	if (a->has_brackets) {
		if (!ip6_parse(a->host, bytes))
			return gp_fail(err, GP_E_SYNTAX,
				"What stands in brackets is not an IPv6 "
				"address.");
		return GP_OK;
	}
	if (a->host.n == 0)
		return gp_fail(err, GP_E_SYNTAX, "The host is missing.");
	if (ip4_parse(a->host, bytes))
		return GP_OK;
	*is_ip = false;
	if (!is_name(a->host))
		return gp_fail(err, GP_E_SYNTAX,
			"The host is neither a name nor an IP address.");
	return GP_OK;
}

static enum gp_code
parse_port(struct span s, uint16_t lowest, uint16_t *out, struct gp_error *err)
{
	uint64_t v = 0;

	if (s.n > PORT_DIGITS || !span_u64(s, &v) || v < lowest ||
		v > UINT16_MAX)
		return gp_fail(err, GP_E_SYNTAX,
			"The port is not a number from %u to 65535.",
			(unsigned)lowest);
	*out = (uint16_t)v;
	return GP_OK;
}

static bool
is_path_char(char c)
{
	return is_alnum(c) ||
		(c != '\0' && strchr("/-._~!$&'()*+,;=:@", c) != NULL);
}

static enum gp_code
check_path(struct span path, struct gp_error *err)
{
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '?')
			return gp_fail(err, GP_E_SYNTAX,
				"The URL may not have a query.");
		if (path.p[i] == '#')
			return gp_fail(err, GP_E_SYNTAX,
				"The URL may not have a fragment.");
		if (path.p[i] == '%') {
			if (path.n - i < 3 || hex_value(path.p[i + 1]) < 0 ||
				hex_value(path.p[i + 2]) < 0)
				return gp_fail(err, GP_E_SYNTAX,
					"A '%%' in the URL's path is not "
					"followed by two hex digits.");
			continue;
		}
		if (!is_path_char(path.p[i]))
			return gp_fail(err, GP_E_SYNTAX,
				"The URL's path has a character that must be "
				"percent-encoded.");
	}
	return GP_OK;
}

/* The scheme; *rest is what follows "://". */
static enum gp_code
parse_scheme(struct span text, struct url *u, struct span *rest,
	struct gp_error *err)
{
	struct span plain = SPAN("http://");
	struct span tls = SPAN("https://");

	u->is_tls = span_istarts(text, tls);
	if (!u->is_tls && !span_istarts(text, plain))
		return gp_fail(err, GP_E_SYNTAX,
			"The URL does not start with https:// or http://.");
	*rest = span_from(text, u->is_tls ? tls.n : plain.n);
	u->port = u->is_tls ? 443 : 80;
	return GP_OK;
}

/* Length of the authority at the start of s. */
static size_t
authority_len(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
		n++;
	return n;
}

enum gp_code
url_parse(struct span text, struct url *out, struct gp_error *err)
{
	struct url u = { .is_tls = false };
	struct authority a;
	struct span rest = SPAN_EMPTY;
	enum gp_code rc;
	size_t n;

	rc = parse_scheme(text, &u, &rest, err);
	if (rc != GP_OK)
		return rc;
	n = authority_len(rest);
	u.path = span_from(rest, n);
	rest = span_head(rest, n);
	if (span_find_char(rest, '@') < rest.n)
		return gp_fail(err, GP_E_SYNTAX,
			"The URL may not have a user or password.");
	rc = split_authority(rest, &a, err);
	if (rc == GP_OK)
		rc = check_host(&a, &u.is_ip, err);
	if (rc == GP_OK && a.has_port)
		rc = parse_port(a.port, 1, &u.port, err);
	if (rc == GP_OK)
		rc = check_path(u.path, err);
	if (rc != GP_OK)
		return rc;
	u.host = a.host;
	u.is_ipv6 = a.has_brackets;
	while (u.path.n > 0 && u.path.p[u.path.n - 1] == '/')
		u.path.n--;
	*out = u;
	return GP_OK;
}

static enum gp_code
parse_unix(struct span path, struct span *host, uint16_t *port,
	struct gp_error *err)
{
	if (path.n == 0 || path.p[0] != '/')
		return gp_fail(err, GP_E_SYNTAX,
			"The path behind unix: must start with '/'.");
	if (path.n > UNIX_PATH_MAX)
		return gp_fail(err, GP_E_SYNTAX,
			"The path behind unix: is longer than %d bytes.",
			UNIX_PATH_MAX);
	if (span_find_char(path, '\0') < path.n)
		return gp_fail(err, GP_E_SYNTAX,
			"The path behind unix: has a NUL byte.");
	*host = path;
	*port = 0;
	return GP_OK;
}

enum gp_code
url_parse_listen(struct span text, struct span *host, uint16_t *port,
	bool *is_unix, struct gp_error *err)
{
	struct span prefix = SPAN("unix:");
	struct authority a;
	enum gp_code rc;
	bool is_ip;

	*is_unix = span_starts(text, prefix);
	if (*is_unix)
		return parse_unix(span_from(text, prefix.n), host, port, err);
	rc = split_authority(text, &a, err);
	if (rc == GP_OK)
		rc = check_host(&a, &is_ip, err);
	if (rc != GP_OK)
		return rc;
	if (!a.has_port)
		return gp_fail(
			err, GP_E_SYNTAX, "The address lacks ':' and a port.");
	rc = parse_port(a.port, 0, port, err);
	if (rc == GP_OK)
		*host = a.host;
	return rc;
}

bool
url_host_is_loopback(struct span host)
{
	static const uint8_t ip6_loopback[16] = { [15] = 1 };
	uint8_t bytes[16];

	if (ip4_parse(host, bytes))
		return bytes[0] == 127;
	if (ip6_parse(host, bytes))
		return memcmp(bytes, ip6_loopback, sizeof(bytes)) == 0;
	return span_ieq(host, SPAN("localhost"));
}
