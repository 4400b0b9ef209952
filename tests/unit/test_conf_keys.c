/* SPDX-License-Identifier: MIT */
/* test_conf_keys.c - the configuration's keys: where they may stand, who may
 * use them, and that they are shown nowhere. */
#include "tests/lib/t.h"

#include <mbedtls/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/sys/conf.h"
#include "tests/lib/conf_files.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static bool
key_is(const struct secret *k, const char *want)
{
	return span_eq(span_of(k->bytes, k->n), span_cstr(want));
}

/* Load with this text as the file (of this mode), of which %s is the path of
 * the file "k". */
static struct conf *
load(const char *text, mode_t mode, struct gp_error *err)
{
	struct conf_source src = { .environ = NULL };
	struct buf filled;
	struct conf *c;
	struct span rest = span_cstr(text);

	buf_init(&filled, 65536);
	for (;;) {
		const size_t at = span_find(rest, SPAN("%s"));

		buf_put(&filled, span_head(rest, at));
		if (at == rest.n)
			break;
		buf_puts(&filled, conf_file_path("k"));
		rest = span_from(rest, at + 2);
	}
	src.file = conf_file_make("t.conf", buf_span(&filled), mode);
	c = conf_load(&src, err);
	conf_file_remove("t.conf");
	buf_fini(&filled);
	return c;
}

/* --- the server's key ----------------------------------------------------- */

static void
test_key_in_the_file(void **state)
{
	struct gp_error err;
	struct buf out;
	struct conf *c = load("server_api_key = sk-1", 0640, &err);

	(void)state;
	assert_non_null(c);
	assert_true(key_is(&c->server_key, "sk-1"));
	assert_true(secret_is_none(&c->env_key));
	assert_int_equal(c->server_api_key.n, 0);
	assert_int_equal(c->warnings.n, 0);
	buf_init(&out, 65536);
	conf_print(c, &out);
	assert_true(span_find(buf_span(&out), SPAN("sk-1")) == buf_len(&out));
	assert_true(span_find(buf_span(&out),
			    SPAN("\nserver_api_key = ********  # file\n")) <
		buf_len(&out));
	buf_fini(&out);
	conf_free(&c);

	c = load("server_api_key = sk-1", 0644, &err);
	assert_non_null(c);
	assert_int_equal(c->warnings.n, 1);
	assert_non_null(strstr(c->warnings.v[0], "t.conf"));
	assert_null(strstr(c->warnings.v[0], "sk-1"));
	conf_free(&c);

	c = load("server_api_key =", 0644, &err);
	assert_non_null(c);
	assert_true(secret_is_none(&c->server_key));
	assert_int_equal(c->warnings.n, 0);
	conf_free(&c);
	assert_null(load("server_api_key = a b", 0600, &err));
	assert_non_null(strstr(err.text, "t.conf:1: server_api_key: "));
}

static void
test_key_in_a_file_of_its_own(void **state)
{
	static const struct {
		struct span text;
		mode_t mode;
		const char *key; /* NULL: refused */
		size_t warnings;
	} cases[] = {
		{ SPAN_INIT("sk-1"), 0600, "sk-1", 0 },
		{ SPAN_INIT("sk-1\n"), 0440, "sk-1", 0 },
		{ SPAN_INIT("sk-1\r\n\n"), 0444, "sk-1", 1 },
		{ SPAN_INIT(""), 0600, NULL, 0 },
		{ SPAN_INIT("\n"), 0600, NULL, 0 },
		{ SPAN_INIT("sk-1\nsk-2\n"), 0600, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gp_error err;
		struct conf *c;

		(void)conf_file_make("k", cases[i].text, cases[i].mode);
		c = load("server_api_key_file = %s", 0644, &err);
		conf_file_remove("k");
		if (cases[i].key == NULL) {
			assert_null(c);
			assert_non_null(
				strstr(err.text, "server_api_key_file: "));
			assert_null(strstr(err.text, "sk-"));
			continue;
		}
		assert_non_null(c);
		assert_true(key_is(&c->server_key, cases[i].key));
		assert_int_equal(c->warnings.n, cases[i].warnings);
		conf_free(&c);
	}
	{
		struct gp_error err;

		assert_null(load("server_api_key_file = %s", 0600, &err));
		assert_non_null(strstr(err.text, "/k: No such file"));
		assert_null(load("server_api_key_file = /", 0600, &err));
		assert_non_null(strstr(err.text, "directory"));
	}
}

static char *
entry(const char *name, const char *value)
{
	char *text = NULL;

	assert_true(asprintf(&text, "%s=%s", name, value) > 0);
	return text;
}

static void
test_the_stronger_origin_wins(void **state)
{
	static const struct {
		const char *file, *bare, *prefixed, *prefixed_file;
		const char *key; /* NULL: refused */
	} cases[] = {
		{ "server_api_key = f", "b", "p", NULL, "p" },
		{ "server_api_key = f", "b", NULL, NULL, "b" },
		{ "server_api_key = f", "", NULL, NULL, "f" },
		{ "server_api_key_file = %s", "b", NULL, NULL, "b" },
		{ "server_api_key_file = %s", NULL, "p", NULL, "p" },
		{ "server_api_key_file = %s", NULL, NULL, NULL, "in-file" },
		{ "", "b", NULL, "k", "in-file" },
		{ "server_api_key = f", NULL, NULL, "k", "in-file" },
		{ "", NULL, "p", "k", NULL },
		{ "server_api_key = f\nserver_api_key_file = %s", NULL, NULL,
			NULL, NULL },
	};

	(void)state;
	(void)conf_file_make("k", SPAN("in-file\n"), 0600);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const k = conf_file_path("k");
		char *env[4] = { NULL };
		size_t n = 0;
		char file[512];
		struct conf_source src = { .environ = env };
		struct gp_error err;
		struct conf *c;

		if (cases[i].prefixed != NULL)
			env[n++] = entry(
				"GLMPROXY_SERVER_API_KEY", cases[i].prefixed);
		if (cases[i].bare != NULL)
			env[n++] = entry("SERVER_API_KEY", cases[i].bare);
		if (cases[i].prefixed_file != NULL)
			env[n++] = entry("GLMPROXY_SERVER_API_KEY_FILE", k);
		(void)snprintf(file, sizeof(file), "%s%s", cases[i].file, "");
		if (strstr(file, "%s") != NULL)
			(void)snprintf(strstr(file, "%s"), 128, "%s", k);
		src.file = conf_file_make("t.conf", span_cstr(file), 0600);
		c = conf_load(&src, &err);
		if (cases[i].key == NULL) {
			assert_null(c);
			assert_non_null(strstr(err.text, "both"));
		} else {
			if (c == NULL || !key_is(&c->server_key, cases[i].key))
				fail_msg("case %zu: %s", i,
					c == NULL ? err.text : "another key");
		}
		conf_free(&c);
		while (n > 0)
			free(env[--n]);
		conf_file_remove("t.conf");
	}
	conf_file_remove("k");
}

static void
test_the_environment_is_wiped(void **state)
{
	char bare[] = "SERVER_API_KEY=sk-bare";
	char prefixed[] = "GLMPROXY_SERVER_API_KEY=sk-pre";
	char other[] = "SERVER_API_KEYS=stays";
	char bad[] = "GLMPROXY_LISEN=1";
	char *env[] = { bare, other, prefixed, NULL, NULL };
	struct conf_source src = { .environ = env };
	struct gp_error err;
	struct conf *c;
	struct conf *next;

	(void)state;
	c = conf_load(&src, &err);
	assert_non_null(c);
	assert_true(key_is(&c->server_key, "sk-pre"));
	assert_true(key_is(&c->env_key, "sk-pre"));
	assert_memory_equal(bare + 15, "\0\0\0\0\0\0\0", 7);
	assert_memory_equal(prefixed + 24, "\0\0\0\0\0\0", 6);
	assert_string_equal(other, "SERVER_API_KEYS=stays");

	/* A reload finds nothing there, but is given it. */
	src.environ = NULL;
	next = conf_load(&src, &err);
	assert_non_null(next);
	assert_true(secret_is_none(&next->server_key));
	conf_free(&next);
	src.env_key = &c->env_key;
	next = conf_load(&src, &err);
	assert_non_null(next);
	assert_true(key_is(&next->server_key, "sk-pre"));
	assert_true(key_is(&next->env_key, "sk-pre"));
	conf_free(&next);
	conf_free(&c);

	/* Also when the load fails. */
	(void)strcpy(bare, "SERVER_API_KEY=sk-bare");
	env[3] = bad;
	src.environ = env;
	src.env_key = NULL;
	assert_null(conf_load(&src, &err));
	assert_memory_equal(bare + 15, "\0\0\0\0\0\0\0", 7);
}

static void
test_the_real_environment_is_wiped(void **state)
{
	struct conf_source src = { .environ = NULL };
	struct gp_error err;
	struct conf *c;

	(void)state;
	/* One thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	assert_int_equal(setenv("SERVER_API_KEY", "sk-env", 1), 0);
	src.environ = environ;
	c = conf_load(&src, &err);
	assert_non_null(c);
	assert_true(key_is(&c->server_key, "sk-env"));
	/* NOLINTNEXTLINE(concurrency-mt-unsafe) */
	assert_null(getenv("SERVER_API_KEY"));
	conf_free(&c);
}

/* --- clients' keys -------------------------------------------------------- */

static void
test_client_keys(void **state)
{
	static const unsigned char abc[] = { 0xba, 0x78, 0x16, 0xbf };
	struct gp_error err;
	struct conf *c;

	(void)state;
	(void)conf_file_make(
		"k", SPAN("# mine\n\n anna : " HEX " \r\nbob:" HEX), 0600);
	c = load("client_keys_file = %s\nserver_api_key = s", 0600, &err);
	assert_non_null(c);
	assert_int_equal(c->client_keys.n, 2);
	assert_span_eq(c->client_keys.v[0].name, "anna");
	assert_span_eq(c->client_keys.v[1].name, "bob");
	assert_memory_equal(c->client_keys.v[1].hash, abc, sizeof(abc));
	assert_int_equal(c->warnings.n, 0);
	conf_free(&c);
	(void)conf_file_make("k", SPAN("# none\n"), 0600);
	c = load("client_keys_file = %s\nserver_api_key = s", 0600, &err);
	assert_non_null(c);
	assert_int_equal(c->warnings.n, 1);
	conf_free(&c);
	conf_file_remove("k");
}

static void
test_bad_client_keys(void **state)
{
	static const char *const cases[][2] = {
		{ "anna", "/k:1: not a line" },
		{ "anna:12", "/k:1: not a line" },
		{ "\nanna:" HEX "0", "/k:2: not a line" },
		{ "anna:g" HEX, "/k:1: not a line" },
		{ ":" HEX, "/k:1: not a line" },
		{ "a b:" HEX, "/k:1: not a line" },
		{ "sk-secret:key", "/k:1: not a line" },
		{ "a:" HEX "\na:" HEX, "/k:2: a second key" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gp_error err;

		(void)conf_file_make("k", span_cstr(cases[i][0]), 0600);
		assert_null(load("client_keys_file = %s\nserver_api_key = s",
			0600, &err));
		assert_non_null(strstr(err.text, cases[i][1]));
		assert_null(strstr(err.text, "secret"));
		conf_file_remove("k");
	}
}

/* --- rules ---------------------------------------------------------------- */

static void
test_rules(void **state)
{
	static const struct {
		const char *text;
		const char *refused; /* NULL: fine */
	} cases[] = {
		/* The server's key and strangers. */
		{ "server_api_key = s", NULL },
		{ "server_api_key = s\nlisten = localhost:1, [::1]:1, "
		  "127.9.9.9:1, unix:/x",
			NULL },
		{ "listen = 0.0.0.0:1", NULL },
		{ "server_api_key = s\nlisten = 0.0.0.0:1",
			"listen: 0.0.0.0:1 can be reached" },
		{ "server_api_key = s\nlisten = 127.0.0.1:1,[::]:1",
			"listen: [::]:1 can be reached" },
		{ "server_api_key = s\nlisten = 10.1.1.1:1", "10.1.1.1:1" },
		{ "server_api_key = s\nlisten = :1", "can be reached" },
		{ "server_api_key = s\nlisten = localhost.evil.org:1",
			"can be reached" },
		{ "server_api_key_file = %s\nlisten = 0.0.0.0:1",
			"can be reached" },
		{ "server_api_key = s\nlisten = 0.0.0.0:1\n"
		  "allow_open_server_key = true",
			NULL },
		{ "server_api_key = s\nlisten = 0.0.0.0:1\n"
		  "client_keys_file = /dev/null",
			NULL },

		/* Who pays. */
		{ "forward_client_key = false",
			"forward_client_key = false serves everybody" },
		{ "forward_client_key = false\nserver_api_key = s", NULL },
		{ "client_keys_file = /dev/null", "set server_api_key_file" },

		/* The admin port. */
		{ "admin_listen = unix:/x, [::1]:1", NULL },
		{ "admin_listen =", NULL },
		{ "admin_listen = 0.0.0.0:1",
			"admin_listen: 0.0.0.0:1 can be reached" },
		{ "admin_listen = 0.0.0.0:1\nadmin_token_file = %s", NULL },
		{ "admin_token_file = /dev/null",
			"admin_token_file: /dev/null: must hold" },

		/* Addresses instead of names. */
		{ "upstream_base = http://127.0.0.1:1/x", NULL },
		{ "upstream_base = https://localhost:1/x", NULL },
		{ "upstream_base = https://1.2.3.4.example.org/", NULL },
#if MBEDTLS_VERSION_NUMBER < 0x03000000
		{ "upstream_base = https://127.0.0.1:1/x",
			"upstream_base: https needs a host name" },
		{ "openai_upstream_base = HTTPS://[::1]/x",
			"openai_upstream_base: https needs a host name" },
#endif
	};

	(void)state;
	(void)conf_file_make("k", SPAN("token"), 0600);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gp_error err;
		struct conf *c = load(cases[i].text, 0600, &err);

		if (cases[i].refused == NULL && c == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
		if (cases[i].refused != NULL) {
			assert_null(c);
			if (strstr(err.text, cases[i].refused) == NULL)
				fail_msg("says: %s\nshould say: %s", err.text,
					cases[i].refused);
		}
		conf_free(&c);
	}
	conf_file_remove("k");
}

static void
test_inherited_listeners(void **state)
{
	const struct span at = SPAN("0.0.0.0:80");
	struct gp_error err;
	struct conf *c;

	(void)state;
	c = load("server_api_key = s", 0600, &err);
	assert_non_null(c);
	assert_fails(conf_allow_open(c, false, at, &err), GP_E_SCHEMA, &err,
		"0.0.0.0:80");
	assert_fails(conf_allow_open(c, true, at, &err), GP_E_SCHEMA, &err,
		"admin_token_file");
	conf_free(&c);
	(void)conf_file_make("k", SPAN("token"), 0600);
	c = load("admin_token_file = %s", 0600, &err);
	assert_non_null(c);
	assert_true(key_is(&c->admin_token, "token"));
	assert_ok(conf_allow_open(c, false, at, &err), &err);
	assert_ok(conf_allow_open(c, true, at, &err), &err);
	conf_free(&c);
	conf_file_remove("k");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_in_the_file),
		cmocka_unit_test(test_key_in_a_file_of_its_own),
		cmocka_unit_test(test_the_stronger_origin_wins),
		cmocka_unit_test(test_the_environment_is_wiped),
		cmocka_unit_test(test_the_real_environment_is_wiped),
		cmocka_unit_test(test_client_keys),
		cmocka_unit_test(test_bad_client_keys),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_inherited_listeners),
	};

	return cmocka_run_group_tests(tests, conf_files_begin, conf_files_end);
}
