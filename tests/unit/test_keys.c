/* SPDX-License-Identifier: MIT */
/* test_keys.c - who may ask, and with which key upstream is asked. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "worker/keys.h"

#define FIELDS_MAX 4

static struct conf conf;
static struct conf_client_key listed[3];

static struct secret
secret_of(const char *text)
{
	struct secret k = { 0 };

	if (!secret_set(&k, span_cstr(text)))
		k.n = 0;
	return k;
}

static void
begin(bool forwards, const char *server, bool has_list)
{
	static const char *const names[] = { "ann", "bob", "cat" };

	memset(&conf, 0, sizeof(conf));
	conf.forward_client_key = forwards;
	conf.server_key = secret_of(server);
	conf.client_keys_file = has_list ? SPAN("keys") : SPAN_EMPTY;
	for (size_t i = 0; i < ARRAY_LEN(listed); i++) {
		char text[] = "listed.0";
		struct secret k;

		text[sizeof(text) - 2] = (char)('0' + i);
		k = secret_of(text);
		listed[i].name = span_cstr(names[i]);
		secret_hash(&k, listed[i].hash);
	}
	conf.client_keys.v = listed;
	conf.client_keys.n = has_list ? ARRAY_LEN(listed) : 0;
}

static const struct dialect *
dialect(bool prefers_api_key)
{
	for (size_t i = 0; i < ndialects; i++)
		if (dialects[i]->prefers_api_key_header == prefers_api_key)
			return dialects[i];
	fail_msg("no such dialect");
	return NULL;
}

struct row {
	const char *authorization, *api_key; /* NULL: not sent */
	const char *want[2]; /* without and with preference for x-api-key;
				NULL: refused */
};

static void
check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < 2 * n; i++) {
		const struct row *r = &rows[i / 2];
		const char *want = r->want[i % 2];
		struct http_field fields[FIELDS_MAX];
		struct http_head h = { .fields = fields };
		struct secret key;
		struct span name;
		struct gp_error err;
		struct buf out;
		enum gp_code rc;

		fields[h.nfields++] =
			(struct http_field){ SPAN("host"), SPAN("h") };
		if (r->authorization != NULL)
			fields[h.nfields++] =
				(struct http_field){ SPAN("Authorization"),
					span_cstr(r->authorization) };
		if (r->api_key != NULL)
			fields[h.nfields++] =
				(struct http_field){ SPAN("X-API-Key"),
					span_cstr(r->api_key) };
		rc = keys_pick(
			&conf, dialect(i % 2 == 1), &h, &key, &name, &err);
		if ((rc == GP_OK) != (want != NULL))
			fail_msg("row %zu: %d", i / 2, (int)rc);
		if (want == NULL) {
			assert_int_equal(rc, GP_E_SCHEMA);
			assert_true(err.text[0] != '\0');
			assert_true(secret_is_none(&key));
			continue;
		}
		buf_init(&out, 1000);
		secret_put(&key, &out);
		assert_spans_eq(buf_span(&out), span_cstr(want));
		buf_fini(&out);
	}
}

static void
test_forwarded(void **state)
{
	static const struct row rows[] = {
		{ "Bearer a.b", NULL, { "a.b", "a.b" } },
		{ "bearer a", NULL, { "a", "a" } },
		{ "BEARER \t a", NULL, { "a", "a" } },
		{ "a", NULL, { "a", "a" } },
		{ NULL, "k", { "k", "k" } },
		{ NULL, " k ", { "k", "k" } },
		{ "Bearer a", "k", { "a", "k" } },
		{ "Bearer", "k", { "k", "k" } },
		{ "Bearer a", "", { "a", "a" } },
		{ "Bearer a b", "k", { "k", "k" } },
		{ "Bearera", NULL, { NULL, NULL } },
		{ "Basic eDp5", NULL, { NULL, NULL } },
		{ "Bearer", NULL, { NULL, NULL } },
		{ "Bearer ", "", { NULL, NULL } },
		{ NULL, NULL, { NULL, NULL } },
	};

	(void)state;
	begin(true, "", false);
	check(rows, ARRAY_LEN(rows));
	assert_false(keys_are_ambient(&conf));
}

static void
test_server_key_fills_in(void **state)
{
	static const struct row rows[] = {
		{ "Bearer a", NULL, { "a", "a" } },
		{ NULL, "k", { "k", "k" } },
		{ "Bearer", NULL, { "srv", "srv" } },
		{ NULL, NULL, { "srv", "srv" } },
	};

	(void)state;
	begin(true, "srv", false);
	check(rows, ARRAY_LEN(rows));
	assert_true(keys_are_ambient(&conf));
}

static void
test_server_key_for_all(void **state)
{
	static const struct row rows[] = {
		{ "Bearer a", "k", { "srv", "srv" } },
		{ NULL, NULL, { "srv", "srv" } },
	};

	(void)state;
	begin(false, "srv", false);
	check(rows, ARRAY_LEN(rows));
	assert_true(keys_are_ambient(&conf));
}

/* A listed key is a credential of the proxy: it never goes upstream. */
static void
test_listed(void **state)
{
	static const struct row rows[] = {
		{ "Bearer listed.0", NULL, { "srv", "srv" } },
		{ NULL, "listed.2", { "srv", "srv" } },
		{ "Bearer listed.1", "other", { "srv", NULL } },
		{ "Bearer other", "listed.1", { NULL, "srv" } },
		{ "Bearer listed.3", NULL, { NULL, NULL } },
		{ "Bearer listed.", NULL, { NULL, NULL } },
		{ "Bearer srv", NULL, { NULL, NULL } },
		{ "Bearer ann", NULL, { NULL, NULL } },
		{ NULL, NULL, { NULL, NULL } },
	};

	(void)state;
	for (int forwards = 0; forwards < 2; forwards++) {
		begin(forwards == 1, "srv", true);
		check(rows, ARRAY_LEN(rows));
		assert_false(keys_are_ambient(&conf));
	}
	/* An empty list lets nobody in. */
	conf.client_keys.n = 0;
	check(rows + 4, ARRAY_LEN(rows) - 4);
}

static void
test_names(void **state)
{
	struct http_field field = { SPAN("x-api-key"), SPAN("listed.1") };
	struct http_head h = { .fields = &field, .nfields = 1 };
	struct secret key;
	struct span name;
	struct gp_error err;

	(void)state;
	begin(true, "srv", true);
	assert_ok(keys_pick(&conf, dialects[0], &h, &key, &name, &err), &err);
	assert_span_eq(name, "bob");
	begin(true, "srv", false);
	assert_ok(keys_pick(&conf, dialects[0], &h, &key, &name, &err), &err);
	assert_span_eq(name, "");
}

/* What figures are kept under: never the key itself. */
static void
test_clients(void **state)
{
	static const struct {
		const char *key;
		bool has_list;
		const char *server, *want;
	} rows[] = {
		{ "listed.1", true, "srv", "bob" },
		/* spec: FIPS 180-4: SHA-256("k") begins with these digits */
		{ "k", false, "", "8254c329" },
		{ "k", false, "srv", "8254c329" },
		{ "", false, "srv", "-" },
		{ "a b", false, "srv", "-" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_field field = { SPAN("x-api-key"),
			span_cstr(rows[i].key) };
		struct http_head h = { .fields = &field, .nfields = 1 };
		char got[KEYS_CLIENT_MAX];

		/* Whether keys are forwarded says nothing about who asks. */
		for (int forwards = 0; forwards < 2; forwards++) {
			begin(forwards == 1, rows[i].server, rows[i].has_list);
			keys_client(&conf, dialects[0], &h, got);
			assert_string_equal(got, rows[i].want);
		}
	}
}

/* The longest name that client_keys_file may give fits. */
static void
test_long_client(void **state)
{
	struct http_field field = { SPAN("x-api-key"), SPAN("listed.1") };
	struct http_head h = { .fields = &field, .nfields = 1 };
	char *const name = t_repeat("n", KEYS_CLIENT_MAX - 1);
	char got[KEYS_CLIENT_MAX];

	(void)state;
	begin(true, "srv", true);
	listed[1].name = span_cstr(name);
	keys_client(&conf, dialects[0], &h, got);
	assert_string_equal(got, name);
	free(name);
}

/* Too long to be a key: as none at all. */
static void
test_lengths(void **state)
{
	char *longest = t_repeat("k", SECRET_MAX);
	char *longer = t_repeat("k", SECRET_MAX + 1);
	struct row rows[] = {
		{ NULL, longest, { longest, longest } },
		{ NULL, longer, { NULL, NULL } },
	};

	(void)state;
	begin(true, "", false);
	check(rows, ARRAY_LEN(rows));
	free(longest);
	free(longer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_server_key_fills_in),
		cmocka_unit_test(test_server_key_for_all),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_long_client),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
