/* SPDX-License-Identifier: MIT */
/* test_openai_out.c - the request tree written as Chat Completions. */
#include <stdlib.h>

#include "shared/translate/dialect_openai.h"
#include "tests/lib/t.h"

#define OUT_MAX (1u << 20)

struct fixture {
	struct arena arena;
	struct llm_req req;
	struct llm_wire wire;
	struct buf out;
};

static int
set_up(void **state)
{
	struct fixture *const f = calloc(1, sizeof(*f));

	assert_non_null(f);
	arena_init(&f->arena);
	llm_req_init(&f->req, &f->arena, LLM_CHAT);
	buf_init(&f->out, OUT_MAX);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *const f = *state;

	buf_fini(&f->out);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

static struct span
encode(struct fixture *f)
{
	struct jout j;

	jout_init(&j, &f->out);
	dialect_openai.req_encode(&f->req, SPAN("glm-4.6"), &f->wire, &j);
	assert_false(f->out.bad);
	return buf_span(&f->out);
}

#define HEAD     "{\"model\":\"glm-4.6\",\"messages\":["
#define HI       "{\"role\":\"user\",\"content\":\"hi\"}"
#define HEAD_HI  HEAD HI "]"
#define FUNCTION "{\"type\":\"function\",\"function\":{"

static struct llm_parts *
turn(struct fixture *f, enum llm_role role)
{
	return &llm_add_turn(&f->req, role, 0)->parts;
}

static void
say_hi(struct fixture *f)
{
	llm_add_text(&f->req, turn(f, LLM_USER), JESC("hi"));
}

static struct llm_part *
add_result(struct fixture *f, struct llm_parts *to, struct jesc id)
{
	struct llm_part *const p = llm_add_part(&f->req, to, LLM_PART_RESULT);

	p->id = id;
	return p;
}

static void
add_image(struct fixture *f, struct llm_parts *to)
{
	llm_add_part(&f->req, to, LLM_PART_IMAGE)->image = (struct llm_image){
		.media_type = JESC("image/png"),
		.data = JESC("iVBO"),
	};
}

static void
add_call(struct fixture *f, struct llm_parts *to, struct jesc id,
	struct llm_args args)
{
	struct llm_part *const p = llm_add_part(&f->req, to, LLM_PART_CALL);

	p->id = id;
	p->name = JESC("shot");
	p->args = args;
}

static const struct llm_args no_args = { .text = { SPAN_INIT("") },
	.value = { SPAN_INIT("") } };

/* --- messages ------------------------------------------------------------- */

/* The worked example with an image in a result: texts and order. */
static void
row_073_image_in_result(void **state)
{
	struct fixture *const f = *state;
	struct llm_parts *t;
	struct llm_part *r;

	llm_add_text(&f->req, turn(f, LLM_USER), JESC("look"));
	add_call(f, turn(f, LLM_ASSISTANT), JESC("t1"), no_args);
	t = turn(f, LLM_USER);
	r = add_result(f, t, JESC("t1"));
	llm_add_text(&f->req, &r->parts, JESC("shot"));
	add_image(f, &r->parts);
	llm_add_text(&f->req, t, JESC("what is it?"));
	assert_span_eq(encode(f),
		HEAD "{\"role\":\"user\",\"content\":\"look\"},"
		     "{\"role\":\"assistant\",\"content\":\"\","
		     "\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\","
		     "\"function\":{\"name\":\"shot\","
		     "\"arguments\":\"{}\"}}]},"
		     "{\"role\":\"tool\",\"tool_call_id\":\"t1\","
		     "\"content\":\"shot [image 1 follows]\"},"
		     "{\"role\":\"user\",\"content\":["
		     "{\"type\":\"text\",\"text\":"
		     "\"[image 1 from tool result t1]\"},"
		     "{\"type\":\"image_url\",\"image_url\":"
		     "{\"url\":\"data:image/png;base64,iVBO\"}},"
		     "{\"type\":\"text\",\"text\":\"what is it?\"}]}]}");
}

/* All tool messages first, numbers run on through the turn. */
static void
row_074_results_text_image(void **state)
{
	struct fixture *const f = *state;
	struct llm_parts *const t = turn(f, LLM_USER);
	struct llm_part *r;

	llm_add_text(&f->req, t, JESC("a"));
	r = add_result(f, t, JESC("t1"));
	add_image(f, &r->parts);
	add_image(f, &r->parts);
	llm_add_part(&f->req, t, LLM_PART_IMAGE)->image = (struct llm_image){
		.is_url = true,
		.media_type = JESC_EMPTY,
		.data = JESC("https://h/i"),
	};
	r = add_result(f, t, JESC("t2"));
	llm_add_text(&f->req, &r->parts, JESC("x"));
	llm_add_text(&f->req, &r->parts, JESC("y"));
	add_image(f, &r->parts);
#define IMAGE(url)                                                             \
	"{\"type\":\"image_url\",\"image_url\":{\"url\":\"" url "\"}}"
#define DATA       "data:image/png;base64,iVBO"
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"},"
	assert_span_eq(encode(f),
		HEAD
		"{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":"
		"\"[image 1 follows] [image 2 follows]\"},"
		"{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":"
		"\"x\\ny [image 3 follows]\"},"
		"{\"role\":\"user\",\"content\":[" TEXT(
			"[image 1 from tool result t1]")
			IMAGE(DATA) "," TEXT("[image 2 from tool result t1]")
				IMAGE(DATA) "," TEXT(
					"[image 3 from tool result t2]")
					IMAGE(DATA) "," TEXT("a")
						IMAGE("https://h/i") "]}]}");
}

static struct {
	const char *name;
	struct span text;
	bool is_error;
	struct span want;
} result_samples[] = {
	{ "row_075_result_absent", SPAN_INIT(""), false,
		SPAN_INIT("(no output)") },
	{ "result_blank", SPAN_INIT(" \\n"), false, SPAN_INIT("(no output)") },
	{ "row_076_result_error", SPAN_INIT("no"), true,
		SPAN_INIT("Error: no") },
	{ "result_error_said", SPAN_INIT("Error: no"), true,
		SPAN_INIT("Error: no") },
	{ "result_error_marked",
		SPAN_INIT("a <tool_use_error>no</tool_use_error>"), true,
		SPAN_INIT("a <tool_use_error>no</tool_use_error>") },
	{ "result_error_empty", SPAN_INIT(""), true,
		SPAN_INIT("Error: (no output)") },
};

static void
test_results(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(result_samples); i++) {
		struct fixture *f;
		void *inner;
		struct llm_part *r;
		struct buf want;

		print_message("%s\n", result_samples[i].name);
		assert_int_equal(set_up(&inner), 0);
		f = inner;
		r = add_result(f, turn(f, LLM_USER), JESC("t1"));
		r->is_error = result_samples[i].is_error;
		llm_add_text(&f->req, &r->parts,
			(struct jesc){ result_samples[i].text });
		buf_init(&want, OUT_MAX);
		buf_printf(&want,
			HEAD "{\"role\":\"tool\",\"tool_call_id\":\"t1\","
			     "\"content\":\"%.*s\"}]}",
			SPAN_ARG(result_samples[i].want));
		assert_spans_eq(encode(f), buf_span(&want));
		buf_fini(&want);
		tear_down(&inner);
	}
}

static void
test_assistant(void **state)
{
	struct fixture *const f = *state;
	const struct llm_args text = { .text = JESC("{\\\"a\\\":"),
		.has_text = true,
		.value = JRAW_NONE };
	const struct llm_args value = { .text = JESC_EMPTY,
		.value = JRAW("{\"a\": \"\\n\"}") };
	struct llm_parts *t;

	say_hi(f);
	t = turn(f, LLM_ASSISTANT);
	llm_add_part(&f->req, t, LLM_PART_THINK)->text = JESC("h");
	llm_add_part(&f->req, t, LLM_PART_THINK)->text = JESC("m");
	llm_add_text(&f->req, t, JESC("a"));
	llm_add_text(&f->req, t, JESC("b"));
	add_call(f, t, JESC("c1"), text);
	add_call(f, t, JESC("c2"), value);
	assert_span_eq(encode(f),
		HEAD HI ",{\"role\":\"assistant\",\"content\":\"ab\","
			"\"reasoning_content\":\"h\\nm\",\"tool_calls\":["
			"{\"id\":\"c1\","
			"\"type\":\"function\",\"function\":{"
			"\"name\":\"shot\",\"arguments\":\"{\\\"a\\\":\"}},"
			"{\"id\":\"c2\",\"type\":\"function\",\"function\":{"
			"\"name\":\"shot\","
			"\"arguments\":\"{\\\"a\\\": \\\"\\\\n\\\"}\"}}]}]}");
}

static void
row_053_sentinel(void **state)
{
	struct fixture *const f = *state;
	const struct llm_args value = { .text = JESC_EMPTY,
		.value = JRAW("{\"__raw_arguments\":\"{\\\"a\"}") };

	add_call(f, turn(f, LLM_ASSISTANT), JESC("c1"), value);
	assert_span_eq(encode(f),
		HEAD "{\"role\":\"assistant\",\"content\":\"\","
		     "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
		     "\"function\":{\"name\":\"shot\","
		     "\"arguments\":\"{\\\"a\"}}]}]}");
}

/* Reasoning alone is no message. */
static void
test_only_reasoning(void **state)
{
	struct fixture *const f = *state;

	say_hi(f);
	llm_add_part(&f->req, turn(f, LLM_ASSISTANT), LLM_PART_THINK)->text =
		JESC("h");
	assert_span_eq(encode(f), HEAD_HI "}");
	assert_int_equal(f->req.notices.total, 1);
}

static void
row_077_system(void **state)
{
	struct fixture *const f = *state;
	struct llm_parts *const t = turn(f, LLM_SYSTEM);

	llm_add_text(&f->req, t, JESC("a"));
	llm_add_text(&f->req, t, JESC("b"));
	say_hi(f);
	llm_add_text(&f->req, turn(f, LLM_SYSTEM), JESC("c"));
	llm_add_text(&f->req, &f->req.turns.v[1].parts, JESC("you"));
	assert_span_eq(encode(f),
		HEAD "{\"role\":\"system\",\"content\":\"a\\n\\nb\"},"
		     "{\"role\":\"user\",\"content\":\"hi\\nyou\"},"
		     "{\"role\":\"system\",\"content\":\"c\"}]}");
}

/* --- fields --------------------------------------------------------------- */

static void
test_all_fields(void **state)
{
	struct fixture *const f = *state;
	struct llm_req *const r = &f->req;

	say_hi(f);
	r->stream = true;
	r->max_tokens = 5;
	r->temperature.raw = JRAW("1.70");
	r->top_p.raw = JRAW("0.5");
	*VEC_PUSH(&f->arena, &r->stop) = JESC("a");
	*VEC_PUSH(&f->arena, &r->stop) = JESC("\\n");
	*VEC_PUSH(&f->arena, &r->tools) = (struct llm_tool){
		.name = JESC("w"),
		.description = JESC("d"),
		.schema = JRAW("{\"$schema\":1}"),
		.cache_control = JRAW("{}"),
	};
	r->choice = LLM_CHOICE_NAMED;
	r->choice_name = JESC("w");
	r->single_call = true;
	r->format = LLM_FORMAT_SCHEMA;
	r->format_name = JESC("n");
	r->format_schema = JRAW("{\"type\":\"object\"}");
	r->think.effort = LLM_EFFORT_XHIGH;
	llm_add_extra(r, &dialect_openai, JESC("foo"),
		JRAW("{\"n\": 12345678901234567890}"), false);
	assert_span_eq(encode(f),
		HEAD_HI ",\"stream\":true,\"max_tokens\":5,"
			"\"temperature\":1.70,\"top_p\":0.5,"
			"\"stop\":[\"a\",\"\\n\"],\"tools\":[" FUNCTION
			"\"name\":\"w\",\"description\":\"d\","
			"\"parameters\":{\"$schema\":1}}}],\"tool_choice\":"
			"{\"type\":\"function\",\"function\":"
			"{\"name\":\"w\"}},\"response_format\":"
			"{\"type\":\"json_schema\",\"json_schema\":"
			"{\"name\":\"n\",\"schema\":{\"type\":\"object\"}}},"
			"\"reasoning_effort\":\"xhigh\","
			"\"foo\":{\"n\": 12345678901234567890}}");
	assert_int_equal(r->notices.total, 0);
}

static void
test_wire_habits(void **state)
{
	struct fixture *const f = *state;

	say_hi(f);
	f->req.stream = true;
	f->wire = (struct llm_wire){ .fills_description = true,
		.streams_usage = true };
	*VEC_PUSH(&f->arena, &f->req.tools) = (struct llm_tool){
		.name = JESC("w"),
		.description = JESC_EMPTY,
		.schema = JRAW_NONE,
		.cache_control = JRAW_NONE,
	};
	f->req.choice = LLM_CHOICE_ANY;
	assert_span_eq(encode(f),
		HEAD_HI ",\"stream\":true,"
			"\"stream_options\":{\"include_usage\":true},"
			"\"tools\":[" FUNCTION
			"\"name\":\"w\",\"description\":\"w\",\"parameters\":"
			"{\"type\":\"object\",\"properties\":{}}}}],"
			"\"tool_choice\":\"required\"}");
}

/* Upstream may take fewer stop sequences than are looked for. */
static void
test_stops(void **state)
{
	struct fixture *const f = *state;

	say_hi(f);
	*VEC_PUSH(&f->arena, &f->req.stop) = JESC("a");
	*VEC_PUSH(&f->arena, &f->req.stop) = JESC("b");
	assert_span_eq(encode(f), HEAD_HI ",\"stop\":[\"a\",\"b\"]}");
	buf_reset(&f->out, 0);
	f->wire.stops = LLM_STOPS_FIRST;
	assert_span_eq(encode(f), HEAD_HI ",\"stop\":[\"a\"]}");
	buf_reset(&f->out, 0);
	f->wire.stops = LLM_STOPS_NONE;
	assert_span_eq(encode(f), HEAD_HI "}");
}

/* Neither choice nor usage without what they belong to. */
static void
test_nothing_alone(void **state)
{
	struct fixture *const f = *state;

	say_hi(f);
	f->wire.streams_usage = true;
	f->req.wants_usage = true;
	f->req.choice = LLM_CHOICE_AUTO;
	f->req.format = LLM_FORMAT_JSON;
	assert_span_eq(encode(f),
		HEAD_HI ",\"response_format\":{\"type\":\"json_object\"}}");
}

static void
test_foreign_fields(void **state)
{
	struct fixture *const f = *state;
	static const struct dialect other = { .name = "other" };
	struct buf notices;

	say_hi(f);
	f->req.top_k = 3;
	llm_add_extra(&f->req, &other, JESC("foo"), JRAW("1"), false);
	llm_add_extra(&f->req, &other, JESC("minor"), JRAW("1"), true);
	llm_add_extra(&f->req, &other, JESC("used"), JRAW("1"), false);
	f->req.extra.v[2].is_used = true;
	assert_span_eq(encode(f), HEAD_HI "}");
	buf_init(&notices, OUT_MAX);
	notices_print(&f->req.notices, &notices);
	assert_buf_eq(&notices, "dropped:top_k,dropped:foo");
	buf_fini(&notices);
}

/* --- there and back ------------------------------------------------------- */

/* What an agent of this dialect sends comes out as it was. */
static void
test_round_trip(void **state)
{
	struct fixture *const f = *state;
	static const char request[] = HEAD
		"{\"role\":\"system\",\"content\":\"s \\u00e9 \\/\"},"
		"{\"role\":\"user\",\"content\":\"u\"},"
		"{\"role\":\"assistant\",\"content\":\"\","
		"\"reasoning_content\":\"hm\",\"tool_calls\":["
		"{\"id\":\"c1\",\"type\":\"function\",\"function\":"
		"{\"name\":\"w\",\"arguments\":\"{\\\"q\\\":1}\"}}]},"
		"{\"role\":\"tool\",\"tool_call_id\":\"c1\","
		"\"content\":\"3C\"},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"text\","
		"\"text\":\"see\"},{\"type\":\"image_url\","
		"\"image_url\":{\"url\":"
		"\"data:image/png;base64,iVBORw0KGgo=\"}}]}],"
		"\"stream\":true,"
		"\"stream_options\":{\"include_usage\":true},"
		"\"max_tokens\":8192,\"temperature\":0,"
		"\"tools\":[" FUNCTION "\"name\":\"w\",\"description\":\"d\","
		"\"parameters\":{\"type\":\"object\"}}}],"
		"\"tool_choice\":\"auto\"}";
	struct gp_error err;
	struct jdoc doc;

	jdoc_init(&doc);
	assert_ok(jdoc_parse(&doc, span_cstr(request), &err), &err);
	assert_ok(dialect_openai.req_decode(&doc, &f->req, &err), &err);
	assert_spans_eq(encode(f), span_cstr(request));
	jdoc_fini(&doc);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(row_073_image_in_result),
		TEST(row_074_results_text_image),
		cmocka_unit_test(test_results),
		TEST(test_assistant),
		TEST(row_053_sentinel),
		TEST(test_only_reasoning),
		TEST(row_077_system),
		TEST(test_all_fields),
		TEST(test_wire_habits),
		TEST(test_stops),
		TEST(test_nothing_alone),
		TEST(test_foreign_fields),
		TEST(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
