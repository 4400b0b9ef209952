/* SPDX-License-Identifier: MIT */
/* test_models.c - the list of models, whole and in pages. */
#include "tests/lib/t.h"

#include "worker/models.h"

#define CREATED 1700000000

static const struct model_info info = {
	.name = SPAN_INIT("x"),
	.context_tokens = 1000,
	.max_output_tokens = 200,
};

static struct router_listed listed[] = {
	{ SPAN_INIT("a"), &info },
	{ SPAN_INIT("b"), &info },
	{ SPAN_INIT("c\"\\"), &info },
	{ SPAN_INIT("d"), &info },
};

/* "a,b;more;first;last" of the page that a query asks for. */
static void
check(const char *query, const char *want)
{
	struct router r = { 0 };
	struct models_page page;
	struct buf json, got;
	struct jout out;
	struct jdoc d;
	struct gp_error err;
	jref root;

	r.listed.v = listed;
	r.listed.n = ARRAY_LEN(listed);
	buf_init(&json, 65536);
	buf_init(&got, 65536);
	jdoc_init(&d);
	models_parse_query(span_cstr(query), &page);
	jout_init(&out, &json);
	models_list(&r, &page, CREATED, &out);
	assert_ok(jdoc_parse(&d, buf_span(&json), &err), &err);
	root = jdoc_root(&d);
	JDOC_EACH (&d, jdoc_get(&d, root, SPAN("data")), it) {
		if (buf_len(&got) > 0)
			buf_putc(&got, ',');
		buf_put(&got, jdoc_str(&d, jdoc_get(&d, it, SPAN("id"))).s);
	}
	buf_puts(&got,
		jdoc_bool(&d, jdoc_get(&d, root, SPAN("has_more")), false) ?
			";more" :
			";end");
	for (int i = 0; i < 2; i++) {
		jref id = jdoc_get(
			&d, root, i == 0 ? SPAN("first_id") : SPAN("last_id"));

		buf_putc(&got, ';');
		if (jdoc_type(&d, id) == J_NULL)
			buf_puts(&got, "null");
		else
			buf_put(&got, jdoc_str(&d, id).s);
	}
	if (!span_eq(buf_span(&got), span_cstr(want)))
		fail_msg("%s: %.*s, not %s", query, SPAN_ARG(buf_span(&got)),
			want);
	jdoc_fini(&d);
	buf_fini(&json);
	buf_fini(&got);
}

#define C "c\\\"\\\\"

static void
test_pages(void **state)
{
	(void)state;
	check("", "a,b," C ",d;end;a;d");
	check("limit=2", "a,b;more;a;b");
	check("limit=4", "a,b," C ",d;end;a;d");
	check("limit=99&beta=true", "a,b," C ",d;end;a;d");
	check("limit=0", "a,b," C ",d;end;a;d");
	check("after_id=a", "b," C ",d;end;b;d");
	check("after_id=a&limit=1", "b;more;b;b");
	check("limit=1&after_id=b", C ";more;" C ";" C);
	check("after_id=d", ";end;null;null");
	check("after_id=nobody", ";end;null;null");
	check("before_id=d", "a,b," C ";end;a;" C);
	check("before_id=d&limit=2", "b," C ";more;b;" C);
	check("before_id=a", ";end;null;null");
	check("before_id=nobody", "a,b," C ",d;end;a;d");
	check("after_id=a&before_id=d", "b," C ";end;b;" C);
	check("after_id=d&before_id=a", ";end;null;null");
	check("after_id=d&before_id=a&limit=1", ";end;null;null");
}

static void
test_odd_queries(void **state)
{
	static const char *const all[] = { "&&&", "limit", "limit=", "limit=x",
		"limit=-1", "limit=99999999999999999999999", "=", "a=b=c",
		"after_id", "LIMIT=1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		check(all[i], "a,b," C ",d;end;a;d");
}

static void
test_one(void **state)
{
	struct buf json;
	struct jout out;

	(void)state;
	buf_init(&json, 65536);
	jout_init(&out, &json);
	models_one(&listed[2], CREATED, &out);
	assert_buf_eq(&json,
		"{\"id\":\"" C "\",\"object\":\"model\",\"created\":1700000000,"
		"\"owned_by\":\"z-ai\",\"type\":\"model\",\"display_name\":\"" C
		"\",\"created_at\":\"2023-11-14T22:13:20Z\","
		"\"max_input_tokens\":1000,\"max_tokens\":200,"
		"\"context_length\":1000}");
	buf_fini(&json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_odd_queries),
		cmocka_unit_test(test_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
