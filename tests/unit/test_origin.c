/* SPDX-License-Identifier: MIT */
/* test_origin.c - is a browser being used against us? */
#include "tests/lib/t.h"

#include <stdio.h>

#include "shared/http/origin.h"

static struct http_msg *
parse(const char *fields)
{
	struct http_msg *m = http_msg_new(HTTP_REQUEST);
	struct gp_error err;
	char text[1024];
	size_t used;

	(void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n", fields);
	assert_int_equal(
		http_msg_feed(m, span_cstr(text), &used, &err), HTTP_HEAD);
	return m;
}

static void
test_host(void **state)
{
	static const struct {
		const char *host, *allowed;
		bool is_ours;
	} cases[] = {
		{ "localhost", "", true },
		{ "LOCALHOST:5000", "", true },
		{ "127.0.0.1:5000", "", true },
		{ "127.8.9.1", "", true },
		{ "[::1]:5000", "", true },
		{ "[::1]", "", true },
		{ "evil.example", "", false },
		{ "localhost.evil.example", "", false },
		{ "127.0.0.1.evil.example", "", false },
		{ "[::2]:5000", "", false },
		{ "proxy.lan", "proxy.lan", true },
		{ "proxy.lan:5000", "a, proxy.lan ,b", true },
		{ "proxy.lan:5000", "proxy.lan:5000", true },
		{ "proxy.lan:6000", "proxy.lan:5000", false },
		{ "other.lan", "proxy.lan,", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char fields[256];
		struct http_msg *m;

		(void)snprintf(
			fields, sizeof(fields), "host: %s\r\n", cases[i].host);
		m = parse(fields);
		if (origin_host_is_ours(http_msg_head(m),
			    span_cstr(cases[i].allowed)) != cases[i].is_ours)
			fail_msg("case %zu: %s", i, cases[i].host);
		http_msg_free(&m);
	}
}

static void
test_foreign(void **state)
{
	static const struct {
		const char *fields, *cors;
		bool is_foreign;
	} cases[] = {
		{ "host: a:1\r\n", "", false },
		{ "host: a:1\r\norigin: http://a:1\r\n", "", false },
		{ "host: a:1\r\norigin: http://a:2\r\n", "", true },
		{ "host: a:1\r\norigin: http://evil.example\r\n", "", true },
		{ "host: a:1\r\norigin: null\r\n", "", true },
		{ "host: a:1\r\norigin: null\r\n"
		  "sec-fetch-site: same-origin\r\n",
			"", false },
		{ "host: a:1\r\norigin: null\r\n"
		  "sec-fetch-site: same-site\r\n",
			"", true },
		{ "host: a:1\r\norigin: null\r\n"
		  "sec-fetch-site: cross-site\r\n",
			"", true },
		{ "host: a:1\r\norigin: http://b:1\r\n"
		  "sec-fetch-site: same-origin\r\n",
			"", true },
		{ "host: a:1\r\nsec-fetch-site: cross-site\r\n", "", true },
		{ "host: a:1\r\nsec-fetch-site: Cross-Site\r\n", "", true },
		{ "host: a:1\r\nsec-fetch-site: same-origin\r\n", "", false },
		{ "host: a:1\r\nsec-fetch-site: none\r\n", "", false },
		/* Welcome ones. */
		{ "host: a:1\r\norigin: http://b\r\n"
		  "sec-fetch-site: cross-site\r\n",
			"http://b", false },
		{ "host: a:1\r\norigin: http://c\r\n", "http://b, http://c",
			false },
		{ "host: a:1\r\norigin: http://d\r\n", "http://b,http://c",
			true },
		{ "host: a:1\r\norigin: http://d\r\n", "*", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_msg *m = parse(cases[i].fields);

		if (origin_is_foreign(http_msg_head(m),
			    span_cstr(cases[i].cors)) != cases[i].is_foreign)
			fail_msg("case %zu", i);
		http_msg_free(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
