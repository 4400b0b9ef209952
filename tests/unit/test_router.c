/* SPDX-License-Identifier: MIT */
/* test_router.c - which upstream and model a name leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/t.h"
#include "worker/router.h"

struct fixture {
	struct conf *conf;
	struct shm shm;
	struct link link;
	struct router router;
	struct arena arena;
};

static struct fixture f;

static void
begin(const char *const *options)
{
	struct conf_source src = { .options = options };
	struct gp_error err;

	f.conf = conf_load(&src, &err);
	if (f.conf == NULL)
		fail_msg("%s", err.text);
	memset(&f.shm, 0, sizeof(f.shm));
	f.link = (struct link){ .conf = f.conf, .shm = &f.shm };
	f.link.hosts[0] = 0;
	f.link.nhosts = 1;
	strcpy(f.shm.hosts[0].name, "api.z.ai");
	if (router_init(&f.router, &f.link, &err) != GP_OK)
		fail_msg("%s", err.text);
	arena_init(&f.arena);
}

static void
end(void)
{
	arena_fini(&f.arena);
	router_fini(&f.router);
	conf_free(&f.conf);
}

static const struct dialect *
dialect_named(const char *name)
{
	for (size_t i = 0; i < ndialects; i++)
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	fail_msg("no dialect %s", name);
	return NULL;
}

struct row {
	const char *client, *model;
	bool has_image;
	const char *upstream, *wire;
	bool has_notice;
};

static void
check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		struct router_choice c;

		router_pick(&f.router, span_cstr(r->model), r->has_image,
			dialect_named(r->client), &f.arena, &c);
		if (strcmp(c.route.upstream->name, r->upstream) != 0 ||
			!span_eq(c.route.model, span_cstr(r->wire)) ||
			(c.notice != NULL) != r->has_notice)
			fail_msg("row %zu, model \"%s\": %s, %.*s, notice %s",
				i, r->model, c.route.upstream->name,
				SPAN_ARG(c.route.model),
				c.notice != NULL ? c.notice : "none");
		assert_non_null(c.route.info);
		assert_ptr_equal(f.router.speaks[c.upstream], c.route.upstream);
	}
}

static void
test_defaults(void **state)
{
	static const struct row rows[] = {
		{ "openai", "glm-4.6", false, "anthropic", "glm-4.6", false },
		{ "anthropic", "glm-4.6", false, "anthropic", "glm-4.6",
			false },
		/* row_116 */
		{ "openai", "GLM-4.6", false, "anthropic", "glm-4.6", false },
		{ "anthropic", "glm-4.6[1m]", false, "anthropic", "glm-4.6",
			false },
		{ "openai", "glm-4.6-openai", false, "openai", "glm-4.6",
			false },
		{ "openai", "glm-4.6[1m]-openai", false, "openai", "glm-4.6",
			false },
		{ "openai", "glm-4.6-openai[1m]", false, "openai", "glm-4.6",
			false },
		{ "openai", "glm-4.6-anthropic", false, "anthropic", "glm-4.6",
			false },
		/* Only at the end. */
		{ "openai", "my-openai-model", false, "anthropic",
			"my-openai-model", false },
		/* row_115 */
		{ "anthropic", "glm-4.6-anthropic", true, "openai", "glm-4.6v",
			false },
		{ "openai", "glm-4.5v", true, "openai", "glm-4.5v", false },
		{ "openai", "glm-4.6v", false, "openai", "glm-4.6v", false },
		{ "openai", "", false, "anthropic", "glm-4.6", false },
		{ "openai", "", true, "openai", "glm-4.6v", false },
		{ "anthropic", "claude-sonnet-4-5", false, "anthropic",
			"claude-sonnet-4-5", false },
		{ "anthropic", "claude-sonnet-4-5", true, "openai", "glm-4.6v",
			true },
		{ "openai", "claude-x-openai", false, "openai", "glm-4.6",
			true },
	};

	(void)state;
	begin(NULL);
	check(rows, ARRAY_LEN(rows));
	end();
}

static void
test_aliases(void **state)
{
	static const char *const options[] = {
		"model_map_json={\"fast\":\"glm-4.5-air\",\"See\":\"glm-4.5v\","
		"\"o\":\"glm-4.6-openai\",\"claude-opus\":\"GLM-4.6\"}",
		NULL
	};
	static const struct row rows[] = {
		{ "openai", "fast", false, "anthropic", "glm-4.5-air", false },
		{ "openai", "fast-openai", false, "openai", "glm-4.5-air",
			false },
		{ "openai", "FAST", false, "anthropic", "glm-4.5-air", false },
		{ "openai", "See", false, "openai", "glm-4.5v", false },
		{ "openai", "o", false, "openai", "glm-4.6", false },
		{ "anthropic", "claude-opus", false, "anthropic", "glm-4.6",
			false },
		{ "anthropic", "claude-opus[1m]", false, "anthropic", "glm-4.6",
			false },
	};

	(void)state;
	begin(options);
	check(rows, ARRAY_LEN(rows));
	assert_non_null(router_listed(&f.router, SPAN("fast")));
	assert_non_null(router_listed(&f.router, SPAN("glm-4.6-openai")));
	assert_null(router_listed(&f.router, SPAN("nothing")));
	end();
}

static void
test_preferences(void **state)
{
	static const char *const openai[] = { "text_endpoint_preference=openai",
		NULL };
	static const char *const client[] = { "text_endpoint_preference=client",
		NULL };
	static const struct row to_openai[] = {
		{ "anthropic", "glm-4.6", false, "openai", "glm-4.6", false },
		{ "anthropic", "glm-4.6-anthropic", false, "anthropic",
			"glm-4.6", false },
	};
	static const struct row to_client[] = {
		{ "anthropic", "glm-4.6", false, "anthropic", "glm-4.6",
			false },
		{ "openai", "glm-4.6", false, "openai", "glm-4.6", false },
		{ "anthropic", "glm-4.6", true, "openai", "glm-4.6v", false },
	};

	(void)state;
	begin(openai);
	check(to_openai, ARRAY_LEN(to_openai));
	end();
	begin(client);
	check(to_client, ARRAY_LEN(to_client));
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_preferences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
