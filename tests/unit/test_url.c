/* SPDX-License-Identifier: MIT */
/* test_url.c - base URLs and listen addresses. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/http/url.h"

#define IS_TLS  1
#define IS_IP   2
#define IS_IPV6 4

static void
test_urls(void **state)
{
	static const struct {
		const char *text;
		unsigned is, port;
		const char *host;
		const char *path;
	} cases[] = {
		{ "https://api.example/v4", IS_TLS, 443, "api.example", "/v4" },
		{ "http://h", 0, 80, "h", "" },
		{ "http://h/", 0, 80, "h", "" },
		{ "http://h///", 0, 80, "h", "" },
		{ "HTTPS://H/a/b//", IS_TLS, 443, "H", "/a/b" },
		{ "http://h//a", 0, 80, "h", "//a" },
		{ "http://h:1", 0, 1, "h", "" },
		{ "https://h:65535/x", IS_TLS, 65535, "h", "/x" },
		{ "http://h:00080", 0, 80, "h", "" },
		{ "http://a-b.c_d.e1", 0, 80, "a-b.c_d.e1", "" },
		{ "http://1a", 0, 80, "1a", "" },
		{ "http://1.2.3.4.example", 0, 80, "1.2.3.4.example", "" },
		{ "http://127.0.0.1:5000/v1", IS_IP, 5000, "127.0.0.1", "/v1" },
		{ "http://255.255.255.255", IS_IP, 80, "255.255.255.255", "" },
		{ "https://[::1]", IS_TLS | IS_IP | IS_IPV6, 443, "::1", "" },
		{ "http://[2001:DB8::]:8080/x", IS_IP | IS_IPV6, 8080,
			"2001:DB8::", "/x" },
		{ "http://h/%7Ea/b-._~!$&'()*+,;=:@", 0, 80, "h",
			"/%7Ea/b-._~!$&'()*+,;=:@" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span text = span_cstr(cases[i].text);
		struct gp_error err;
		struct url u;

		assert_ok(url_parse(text, &u, &err), &err);
		assert_int_equal(u.is_tls, (cases[i].is & IS_TLS) != 0);
		assert_int_equal(u.is_ip, (cases[i].is & IS_IP) != 0);
		assert_int_equal(u.is_ipv6, (cases[i].is & IS_IPV6) != 0);
		assert_spans_eq(u.host, span_cstr(cases[i].host));
		assert_int_equal(u.port, cases[i].port);
		assert_spans_eq(u.path, span_cstr(cases[i].path));
		assert_true(u.host.p > text.p && u.host.p < text.p + text.n);
	}
}

static void
test_refused_urls(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "https://" },
		{ "h", "https://" },
		{ "ftp://h", "https://" },
		{ "https:/h", "https://" },
		{ "//h", "https://" },
		{ " http://h", "https://" },
		{ "http://", "missing" },
		{ "http:///x", "missing" },
		{ "http://:80", "missing" },
		{ "http://u@h", "user" },
		{ "http://u:p@h/", "user" },
		{ "http://h?q", "query" },
		{ "http://h/?q", "query" },
		{ "http://h#f", "fragment" },
		{ "http://h/a#f", "fragment" },
		{ "http://h:", "port" },
		{ "http://h:0", "port" },
		{ "http://h:65536", "port" },
		{ "http://h:000080", "port" },
		{ "http://h:-1", "port" },
		{ "http://h:8o", "port" },
		{ "http://h:80 ", "port" },
		{ "http://[::1]:", "port" },
		{ "http://h/ x", "percent-encoded" },
		{ "http://h/x\n", "percent-encoded" },
		{ "http://h/\xc3\xa4", "percent-encoded" },
		{ "http://h/<", "percent-encoded" },
		{ "http://h/%", "hex" },
		{ "http://h/%4", "hex" },
		{ "http://h/%4g", "hex" },
		{ "http://h /x", "neither" },
		{ "http://h\\x", "neither" },
		{ "http://a..b", "neither" },
		{ "http://a.", "neither" },
		{ "http://.a", "neither" },
		{ "http://-a", "neither" },
		{ "http://a-.b", "neither" },
		{ "http://\xc3\xa4", "neither" },
		{ "http://1", "neither" },
		{ "http://1.2.3", "neither" },
		{ "http://1.2.3.4.", "neither" },
		{ "http://1.2.3.4.5", "neither" },
		{ "http://1.2.3.256", "neither" },
		{ "http://1.2.3.04", "neither" },
		{ "http://1..2.3", "neither" },
		{ "http://1.2.3.0004", "neither" },
		{ "http://::1", "brackets" },
		{ "http://a:b:80", "brackets" },
		{ "http://[::1", "not closed" },
		{ "http://[::1]x", "follow" },
		{ "http://[]", "not an IPv6" },
		{ "http://[1.2.3.4]", "not an IPv6" },
		{ "http://[fe80::1%25eth0]", "not an IPv6" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gp_error err = { .code = GP_OK };
		struct url u;
		enum gp_code rc = url_parse(span_cstr(cases[i].text), &u, &err);

		if (rc != GP_E_SYNTAX || strstr(err.text, cases[i].why) == NULL)
			print_error("%s: %s\n", cases[i].text, err.text);
		assert_int_equal(rc, GP_E_SYNTAX);
		assert_non_null(strstr(err.text, cases[i].why));
	}
}

/* Which texts are IPv6 addresses. */
static void
test_ipv6(void **state)
{
	static const char *const good[] = { "::", "::1", "1::", "1::2",
		"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
		"1:2:3::5:6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4",
		"abcd:EF01::", "0000:0000:0000:0000:0000:0000:0000:0001",
		"::1.2.3.4" };
	static const char *const bad[] = { ":", ":::", "1", "1:", ":1",
		"1::2:", ":1::2", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:", "1:2:3:4::5:6:7:8",
		"::1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7:8::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3",
		"::1.2.3.4.5", "::1.2.3.4:5", "::1.2.3.400", "1.2.3.4",
		"1.2.3.4::", "::.2.3.4", ":: 1" };

	(void)state;
	for (int is_good = 0; is_good < 2; is_good++) {
		const char *const *v = is_good ? good : bad;
		size_t n = is_good ? ARRAY_LEN(good) : ARRAY_LEN(bad);

		for (size_t i = 0; i < n; i++) {
			struct buf text;
			struct url u;
			enum gp_code rc;

			buf_init(&text, 200);
			buf_printf(&text, "http://[%s]", v[i]);
			rc = url_parse(buf_span(&text), &u, NULL);
			if ((rc == GP_OK) != is_good)
				print_error("%s\n", v[i]);
			assert_int_equal(rc == GP_OK, is_good);
			buf_fini(&text);
		}
	}
}

static void
test_name_lengths(void **state)
{
	char *label = t_repeat("a", 64);
	struct url u;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_printf(&b, "http://%.63s", label);
	assert_int_equal(url_parse(buf_span(&b), &u, NULL), GP_OK);
	buf_reset(&b, 0);
	buf_printf(&b, "http://%.64s", label);
	assert_int_equal(url_parse(buf_span(&b), &u, NULL), GP_E_SYNTAX);
	for (int n = 61; n <= 62; n++) {
		buf_reset(&b, 0);
		buf_printf(&b, "http://%.63s.%.63s.%.63s.%.*s", label, label,
			label, n, label);
		assert_int_equal(url_parse(buf_span(&b), &u, NULL),
			n == 61 ? GP_OK : GP_E_SYNTAX);
	}
	assert_int_equal(buf_len(&b), 7 + URL_HOST_MAX + 1);
	buf_fini(&b);
	free(label);
}

static void
test_listen(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
		bool is_unix;
	} cases[] = {
		{ "127.0.0.1:5000", "127.0.0.1", 5000, false },
		{ "0.0.0.0:0", "0.0.0.0", 0, false },
		{ "localhost:65535", "localhost", 65535, false },
		{ "[::]:80", "::", 80, false },
		{ "[::1]:0", "::1", 0, false },
		{ "unix:/run/a b:c", "/run/a b:c", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gp_error err;
		struct span host;
		uint16_t port = 1;
		bool is_unix;

		assert_ok(url_parse_listen(span_cstr(cases[i].text), &host,
				  &port, &is_unix, &err),
			&err);
		assert_spans_eq(host, span_cstr(cases[i].host));
		assert_int_equal(port, cases[i].port);
		assert_int_equal(is_unix, cases[i].is_unix);
	}
}

static void
test_refused_listen(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "missing" },
		{ ":5000", "missing" },
		{ "5000", "neither" },
		{ "h", "lacks" },
		{ "[::1]", "lacks" },
		{ "h:", "port" },
		{ "h:65536", "port" },
		{ "h:80/", "port" },
		{ "*:80", "neither" },
		{ "::1:80", "brackets" },
		{ "[::1:80", "not closed" },
		{ "http://h:80", "brackets" },
		{ "unix:", "start with '/'" },
		{ "unix:x", "start with '/'" },
		{ "unix:@x", "start with '/'" },
		{ "UNIX:/x", "port" },
	};
	struct gp_error err;
	struct span host;
	uint16_t port;
	bool is_unix;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum gp_code rc = url_parse_listen(
			span_cstr(cases[i].text), &host, &port, &is_unix, &err);

		if (rc != GP_E_SYNTAX || strstr(err.text, cases[i].why) == NULL)
			print_error("%s: %s\n", cases[i].text, err.text);
		assert_int_equal(rc, GP_E_SYNTAX);
		assert_non_null(strstr(err.text, cases[i].why));
	}
	assert_fails(url_parse_listen(
			     SPAN("unix:/a\0b"), &host, &port, &is_unix, &err),
		GP_E_SYNTAX, &err, "NUL");
}

/* The path must fit into a socket address. */
static void
test_unix_length(void **state)
{
	char *path = t_repeat("p", 107);
	struct gp_error err;
	struct span host;
	uint16_t port;
	bool is_unix;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_printf(&b, "unix:/%.106s", path);
	assert_ok(url_parse_listen(buf_span(&b), &host, &port, &is_unix, &err),
		&err);
	assert_int_equal(host.n, 107);
	buf_putc(&b, 'p');
	assert_fails(
		url_parse_listen(buf_span(&b), &host, &port, &is_unix, &err),
		GP_E_SYNTAX, &err, "longer than 107");
	buf_fini(&b);
	free(path);
}

static void
test_loopback(void **state)
{
	static const char *const yes[] = { "localhost", "LocalHost",
		"127.0.0.1", "127.255.0.3", "::1", "0:0:0:0:0:0:0:1",
		"0000::0001" };
	static const char *const no[] = { "", "localhos", "localhost.",
		"localhost.example", "128.0.0.1", "12.7.0.1", "127.0.0",
		"127.0.0.1.example", "0.0.0.0", "::", "::2", "1::1", "[::1]" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(url_host_is_loopback(span_cstr(yes[i])));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(url_host_is_loopback(span_cstr(no[i])));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_refused_urls),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_name_lengths),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_refused_listen),
		cmocka_unit_test(test_unix_length),
		cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
