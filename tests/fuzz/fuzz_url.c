/* SPDX-License-Identifier: MIT */
/* fuzz_url.c - a URL that is accepted can be written from its parts and read
 * again; nothing in it could end a line or leave its place. */
#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/base/check.h"
#include "shared/http/url.h"

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
has_byte_below(struct span s, unsigned char lowest)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < lowest || s.p[i] == 0x7f)
			return true;
	return false;
}

static void
check_url(struct span text)
{
	struct gp_error err = { .code = GP_OK };
	struct url u, again;
	struct buf b;

	if (url_parse(text, &u, &err) != GP_OK) {
		GP_ASSERT(err.code == GP_E_SYNTAX && err.text[0] != '\0');
		return;
	}
	GP_ASSERT(u.host.n > 0 && u.host.n <= URL_HOST_MAX && u.port > 0);
	GP_ASSERT(
		!has_byte_below(u.host, 0x21) && !has_byte_below(u.path, 0x21));
	GP_ASSERT(u.path.n == 0 ||
		(u.path.p[0] == '/' && u.path.p[u.path.n - 1] != '/'));
	GP_ASSERT(!u.is_ipv6 || u.is_ip);
	GP_ASSERT(!url_host_is_loopback(u.host) || u.is_ip ||
		span_ieq(u.host, SPAN("localhost")));
	buf_init(&b, text.n + 32);
	buf_puts(&b, u.is_tls ? "https://" : "http://");
	buf_puts(&b, u.is_ipv6 ? "[" : "");
	buf_put(&b, u.host);
	buf_puts(&b, u.is_ipv6 ? "]:" : ":");
	buf_put_u64(&b, u.port);
	buf_put(&b, u.path);
	GP_ASSERT(url_parse(buf_span(&b), &again, NULL) == GP_OK);
	GP_ASSERT(again.is_tls == u.is_tls && again.is_ip == u.is_ip &&
		again.is_ipv6 == u.is_ipv6 && again.port == u.port);
	GP_ASSERT(span_eq(again.host, u.host) && span_eq(again.path, u.path));
	buf_fini(&b);
}

static void
check_listen(struct span text)
{
	struct gp_error err = { .code = GP_OK };
	struct span host;
	uint16_t port;
	bool is_unix;

	if (url_parse_listen(text, &host, &port, &is_unix, &err) != GP_OK) {
		GP_ASSERT(err.code == GP_E_SYNTAX && err.text[0] != '\0');
		return;
	}
	GP_ASSERT(host.n > 0 && host.p >= text.p &&
		host.p + host.n <= text.p + text.n);
	GP_ASSERT(is_unix ? host.p[0] == '/' && port == 0 :
			    !has_byte_below(host, 0x21));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly the size, so that reads behind the end show. */
	char *copy = malloc(MAX(size, 1));
	struct span text;

	GP_ASSERT(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	text = span_of(copy, size);
	check_url(text);
	check_listen(text);
	(void)url_host_is_loopback(text);
	free(copy);
	return 0;
}
