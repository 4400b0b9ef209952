/* SPDX-License-Identifier: MIT */
/* test_openai_dec.c - upstream's Chat Completions answers as events. */
#include <stdio.h>
#include <stdlib.h>

#include "shared/translate/dialect_openai.h"
#include "shared/translate/llm_filter.h"
#include "shared/translate/llm_guard.h"
#include "tests/lib/t.h"

#define OUT_MAX (1u << 20)

struct sample {
	const char *name;
	/* Data of events, one a line; or one body. The end always follows. */
	const char *input;
	/* As recorder_put writes it; "!" for a failed call. */
	const char *want;
};

/* --- events as one line --------------------------------------------------- */

struct recorder {
	struct llm_sink sink;
	struct buf out;
};

static enum gp_code
recorder_put(
	struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	static const char *const blocks[] = { "text", "think", "tool" };
	static const char *const stops[] = { "end", "tool", "length",
		"sequence", "refusal", "context", "pause", "unknown" };
	struct buf *const b = &CONTAINER_OF(s, struct recorder, sink)->out;

	(void)err;
	switch (e->kind) {
	case LLM_START:
		buf_printf(b, "start:%.*s:%.*s ", SPAN_ARG(e->id.s),
			SPAN_ARG(e->name.s));
		break;
	case LLM_OPEN:
		buf_printf(b, "%s", blocks[e->block]);
		if (e->block == LLM_TOOL)
			buf_printf(b, ":%.*s:%.*s", SPAN_ARG(e->id.s),
				SPAN_ARG(e->name.s));
		buf_puts(b, "[");
		break;
	case LLM_DELTA:
		buf_put(b, e->text.s);
		buf_puts(b, "|");
		break;
	case LLM_CLOSE:
		buf_puts(b, "] ");
		break;
	case LLM_USAGE:
		buf_printf(b, "usage:%d/%d/%d/%d/%d ", (int)e->usage.input,
			(int)e->usage.cache_read, (int)e->usage.cache_write,
			(int)e->usage.output, (int)e->usage.reasoning);
		break;
	case LLM_PING:
		buf_puts(b, "ping ");
		break;
	case LLM_STOP:
		buf_printf(b, "stop:%s", stops[e->stop]);
		break;
	case LLM_ERROR:
		buf_puts(b, "error:");
		if (jraw_is_none(e->error))
			buf_puts(b, e->why);
		else
			buf_put(b, e->error.s);
		break;
	}
	return GP_OK;
}

struct fixture {
	struct arena arena;
	struct notices notices;
	struct recorder recorder;
	struct llm_guard guard;
	struct openai_dec dec;
	struct jdoc doc;
};

static void
begin(struct fixture *f)
{
	*f = (struct fixture){ .recorder = { .sink = { recorder_put } } };
	arena_init(&f->arena);
	notices_init(&f->notices, &f->arena);
	buf_init(&f->recorder.out, OUT_MAX);
	jdoc_init(&f->doc);
	assert_int_equal(dialect_openai.dec_size, sizeof(f->dec));
	dialect_openai.dec_init(&f->dec, &f->arena, &f->notices,
		llm_guard_init(&f->guard, &f->recorder.sink));
}

static void
end(struct fixture *f)
{
	jdoc_fini(&f->doc);
	buf_fini(&f->recorder.out);
	arena_fini(&f->arena);
}

/* Each frame in memory of its own, which is gone after the call. */
static enum gp_code
feed(struct fixture *f, struct span frame, struct gp_error *err)
{
	char *const data = t_exact(frame);
	const struct sse_event ev = { SPAN_EMPTY, span_of(data, frame.n) };
	const enum gp_code rc =
		dialect_openai.dec_sse(&f->dec, &f->doc, &ev, err);

	free(data);
	return rc;
}

static void
check(struct fixture *f, const char *want)
{
	struct buf *const out = &f->recorder.out;

	if (f->notices.total > 0) {
		buf_puts(out, " notices:");
		notices_print(&f->notices, out);
	}
	assert_spans_eq(buf_span(out), span_cstr(want));
}

static void
run_stream(void **state)
{
	const struct sample *const s = *state;
	struct span rest = span_cstr(s->input), frame;
	struct fixture f;
	struct gp_error err;
	enum gp_code rc = GP_OK;

	begin(&f);
	while (rc == GP_OK && span_split(&rest, '\n', &frame))
		rc = feed(&f, frame, &err);
	if (rc == GP_OK)
		rc = dialect_openai.dec_end(&f.dec, &err);
	if (rc != GP_OK)
		buf_puts(&f.recorder.out, "!");
	check(&f, s->want);
	end(&f);
}

static void
run_body(void **state)
{
	const struct sample *const s = *state;
	struct fixture f;
	struct gp_error err;

	begin(&f);
	assert_ok(jdoc_parse(&f.doc, span_cstr(s->input), &err), &err);
	assert_ok(dialect_openai.dec_body(&f.dec, &f.doc, &err), &err);
	check(&f, s->want);
	end(&f);
}

/* A chunk with a delta; with a delta and a finish; the usual beginning. */
#define CHUNK(choice)                                                          \
	"{\"id\":\"a1\",\"model\":\"m\",\"choices\":[{\"index\":0," choice     \
	"}]}\n"
#define D(delta) CHUNK("\"delta\":{" delta "}")
#define DF(delta, finish)                                                      \
	CHUNK("\"delta\":{" delta "},"                                         \
	      "\"finish_reason\":\"" finish "\"")
#define TEXT(text)   "\"content\":\"" text "\""
#define THINK(text)  "\"reasoning_content\":\"" text "\""
#define CALLS(calls) "\"tool_calls\":[" calls "]"
#define ARGS(i, args)                                                          \
	"{\"index\":" #i ",\"function\":{\"arguments\":\"" args "\"}}"
#define CALL(i, id, name, args)                                                \
	"{\"index\":" #i ",\"id\":\"" id "\",\"type\":\"function\","           \
	"\"function\":{\"name\":\"" name "\",\"arguments\":\"" args "\"}}"
#define FINISH(reason) DF("", reason)
#define DONE           "[DONE]\n"
#define USAGE                                                                  \
	"\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":30,"           \
	"\"total_tokens\":150,"                                                \
	"\"prompt_tokens_details\":{\"cached_tokens\":64}}"
#define START "start:a1:m "
#define U     "usage:56/64/-1/30/-1 "
#define OSLO  "{\\\"q\\\":\\\"Oslo\\\"}"
#define ROME  "{\\\"q\\\":\\\"Rome\\\"}"

/* --- text and reasoning --------------------------------------------------- */

static struct sample text_samples[] = {
	{ "text",
		D("\"role\":\"assistant\",\"content\":\"\"") D(TEXT("a"))
			D(TEXT("b")) FINISH("stop") DONE,
		START "text[a|b|] stop:end" },
	{ "row_120_no_envelope_role_everywhere",
		"{\"choices\":[{\"delta\":{\"role\":\"assistant\","
		"\"content\":\"a\"}}]}\n"
		"{\"choices\":[{\"delta\":{\"role\":\"assistant\","
		"\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n" DONE,
		"start:: text[a|b|] stop:end" },
	{ "row_101_content_null_or_absent",
		D("\"content\":null") D(TEXT("")) CHUNK("\"x\":1")
			CHUNK("\"delta\":null") FINISH("stop") DONE,
		START "stop:end" },
	{ "row_102_reasoning_again",
		D(THINK("a")) D(THINK("b")) D(TEXT("c")) D(THINK("d"))
			FINISH("stop") DONE,
		START "think[a|b|] text[c|] think[d|] stop:end" },
	{ "reasoning_alias",
		D("\"reasoning\":\"a\"") D(TEXT("b")) FINISH("stop") DONE,
		START "think[a|] text[b|] stop:end" },
	{ "reasoning_and_text_in_one",
		DF(TEXT("b") "," THINK("a"), "stop") DONE,
		START "think[a|] text[b|] stop:end" },
	{ "row_007_halves_of_a_pair",
		D(TEXT("\\ud83d")) D(TEXT("\\ude00")) FINISH("stop") DONE,
		START "text[\\ud83d|\\ude00|] stop:end" },
	{ "content_parts",
		D("\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
		  "{\"type\":\"text\",\"text\":\"b\"}]") FINISH("stop") DONE,
		START "text[a|b|] stop:end" },
	{ "refusal_text", D("\"refusal\":\"no\"") FINISH("stop") DONE,
		START "text[no|] stop:end" },
	{ "row_118_done_inside_text",
		D(TEXT("data: [DONE]\\n\\n")) FINISH("stop") DONE,
		START "text[data: [DONE]\\n\\n|] stop:end" },
	{ "nothing_after_done",
		D(TEXT("a")) FINISH("stop") DONE D(TEXT("b")) "nonsense\n",
		START "text[a|] stop:end" },
	{ "other_choices_ignored",
		D(TEXT("a")) "{\"choices\":[{\"index\":1,\"delta\":{"
			     "\"content\":\"x\"}}]}\n" FINISH("stop") DONE,
		START "text[a|] stop:end" },
	{ "row_108_whole_message_in_a_stream",
		"{\"id\":\"a1\",\"model\":\"m\",\"choices\":[{\"message\":"
		"{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n" DONE,
		START "text[a|] stop:end" },
};

/* --- the end -------------------------------------------------------------- */

static struct sample end_samples[] = {
	{ "row_099_usage_before_finish",
		D(TEXT("a")) "{\"choices\":[]," USAGE "}\n" FINISH("stop") DONE,
		START "text[a|] " U "stop:end" },
	{ "row_099_usage_with_finish",
		D(TEXT("a")) "{\"choices\":[{\"delta\":{},\"finish_reason\":"
			     "\"stop\"}]," USAGE "}\n" DONE,
		START "text[a|] " U "stop:end" },
	{ "row_099_usage_after_finish",
		D(TEXT("a")) FINISH("stop") "{\"choices\":[]," USAGE "}\n" DONE,
		START "text[a|] " U "stop:end" },
	{ "usage_in_the_choice",
		D(TEXT("a")) CHUNK("\"delta\":{}," USAGE ","
				   "\"finish_reason\":\"stop\"") DONE,
		START "text[a|] " U "stop:end" },
	{ "usage_null",
		D(TEXT("a")) "{\"choices\":[],\"usage\":null}\n" FINISH("stop")
			DONE,
		START "text[a|] stop:end" },
	{ "usage_all",
		"{\"choices\":[],\"usage\":{\"prompt_tokens\":100,"
		"\"completion_tokens\":9,\"prompt_tokens_details\":"
		"{\"cached_tokens\":60,\"cache_write_tokens\":10},"
		"\"completion_tokens_details\":{\"reasoning_tokens\":4}}}"
		"\n" FINISH("stop") DONE,
		"start:: usage:30/60/10/9/4 stop:end" },
	{ "usage_prompt_excludes_cached",
		"{\"choices\":[],\"usage\":{\"prompt_tokens\":14,"
		"\"completion_tokens\":9,\"prompt_tokens_details\":"
		"{\"cached_tokens\":100}}}\n" FINISH("stop") DONE,
		"start:: usage:14/100/-1/9/-1 stop:end" },
	{ "usage_nonsense",
		"{\"choices\":[],\"usage\":{\"prompt_tokens\":-5,"
		"\"completion_tokens\":\"9\"}}\n" FINISH("stop") DONE,
		"start:: stop:end" },
	{ "row_100_empty_choices",
		D(TEXT("a")) "{\"choices\":[]}\n" D(TEXT("b")) FINISH("stop")
			DONE,
		START "text[a|b|] stop:end" },
	{ "length", D(TEXT("a")) FINISH("length") DONE,
		START "text[a|] stop:length" },
	{ "row_104_content_filter", D(TEXT("a")) FINISH("content_filter") DONE,
		START "text[a|] stop:refusal" },
	{ "row_104_sensitive", D(TEXT("a")) FINISH("sensitive") DONE,
		START "text[a|] stop:refusal" },
	{ "context_window",
		D(TEXT("a")) FINISH("model_context_window_exceeded") DONE,
		START "text[a|] stop:context" },
	{ "finish_unknown", D(TEXT("a")) FINISH("odd") DONE,
		START "text[a|] stop:end notices:degraded:finish_reason" },
	{ "finish_never", D(TEXT("a")) DONE,
		START "text[a|] stop:end notices:degraded:finish_reason" },
	{ "network_error", D(TEXT("a")) FINISH("network_error") DONE,
		START "text[a|error:the upstream lost its model while it was "
		      "answering (network_error)" },
	{ "row_105_eof_after_finish", D(TEXT("a")) FINISH("stop"),
		START "text[a|] stop:end notices:early_eof" },
	{ "row_106_eof_before_finish", D(TEXT("a")),
		START "text[a|error:the upstream closed the stream before its "
		      "end" },
	{ "eof_at_once", "",
		"error:the upstream closed the stream before its end" },
	{ "done_at_once", DONE, "error:the upstream's answer was empty" },
	{ "row_085_error_first",
		"{\"error\":{\"code\":\"1305\",\"message\":\"busy\"}}\n",
		"error:{\"error\":{\"code\":\"1305\",\"message\":\"busy\"}}" },
	{ "error_later", D(TEXT("a")) "{\"error\":\"gone\"}\n" DONE,
		START "text[a|error:{\"error\":\"gone\"}" },
	{ "error_beside_choices",
		"{\"choices\":[{\"delta\":{\"content\":\"\"}}],"
		"\"error\":{\"message\":\"x\"}}\n",
		"error:{\"choices\":[{\"delta\":{\"content\":\"\"}}],"
		"\"error\":{\"message\":\"x\"}}" },
	{ "error_null",
		"{\"error\":null,\"choices\":[{\"delta\":"
		"{\"content\":\"a\"}}]}\n" FINISH("stop") DONE,
		"start:: text[a|] stop:end" },
	{ "error_flat", "{\"code\":500,\"msg\":\"x\",\"success\":false}\n",
		"error:{\"code\":500,\"msg\":\"x\",\"success\":false}" },
	{ "bad_frame", D(TEXT("a")) "{\"choices\":[{\"del\n",
		START "text[a|!" },
	{ "frame_is_no_object", "[1]\n", "!" },
	{ "blank_frame", " \n" D(TEXT("a")) FINISH("stop") DONE,
		START "text[a|] stop:end" },
};

/* --- calls ---------------------------------------------------------------- */

static struct sample call_samples[] = {
	{ "call_in_pieces",
		D(CALLS(CALL(0, "c1", "w", ""))) D(CALLS(ARGS(0, "{\\\"q\\\"")))
			D(CALLS(ARGS(0, ":1}"))) FINISH("tool_calls") DONE,
		START "tool:c1:w[{\\\"q\\\"|:1}|] stop:tool" },
	{ "row_094_interleaved",
		D(CALLS(CALL(0, "c1", "w", "{\\\"q\\\":"))) D(
			CALLS(CALL(1, "c2", "w", "{\\\"r\\\":")))
			D(CALLS(ARGS(0, "\\\"}\\\""))) D(CALLS(ARGS(1, "2")))
				D(CALLS(ARGS(0, "}"))) D(CALLS(ARGS(1, "}")))
					FINISH("tool_calls") DONE,
		START "tool:c1:w[{\\\"q\\\":|\\\"}\\\"|}|] "
		      "tool:c2:w[{\\\"r\\\":2|}|] stop:tool" },
	{ "three_interleaved_in_odd_order",
		D(CALLS(CALL(0, "c1", "w", "{"))) D(CALLS(CALL(
			2, "c3", "w", "{}"))) D(CALLS(CALL(1, "c2", "w", "{}")))
			D(CALLS(ARGS(0, "}"))) FINISH("tool_calls") DONE,
		START "tool:c1:w[{|}|] tool:c2:w[{}|] tool:c3:w[{}|] "
		      "stop:tool" },
	{ "row_095_name_late",
		D(CALLS("{\"index\":0,\"id\":\"c1\",\"function\":"
			"{\"arguments\":\"{\"}}"))
			D(CALLS("{\"index\":0,\"id\":null,\"function\":"
				"{\"name\":\"w\",\"arguments\":\"}\"}}"))
				FINISH("tool_calls") DONE,
		START "tool:c1:w[{}|] stop:tool" },
	{ "name_after_the_next_call",
		D(CALLS("{\"index\":0,\"id\":\"c1\",\"function\":"
			"{\"arguments\":\"{}\"}}"))
			D(CALLS(CALL(1, "c2", "w", "{}"))) D(CALLS(
				"{\"index\":0,\"function\":"
				"{\"name\":\"v\"}}")) FINISH("tool_calls") DONE,
		START "tool:c1:v[{}|] tool:c2:w[{}|] stop:tool" },
	{ "name_never",
		D(CALLS("{\"index\":0,\"id\":\"c1\",\"function\":"
			"{\"arguments\":\"{}\"}}")) D(TEXT("a"))
			FINISH("tool_calls") DONE,
		START "text[a|] stop:end notices:dropped:tool_call" },
	{ "id_late",
		D(CALLS("{\"index\":0,\"function\":{\"name\":\"w\"}}"))
			D(CALLS("{\"index\":0,\"id\":\"c1\"}")) D(
				CALLS(ARGS(0, "{}"))) FINISH("tool_calls") DONE,
		START "tool:c1:w[{}|] stop:tool" },
	{ "id_never",
		D(CALLS("{\"index\":0,\"function\":{\"name\":\"w\","
			"\"arguments\":\"{\"}}")) D(CALLS(ARGS(0, "}")))
			FINISH("tool_calls") DONE,
		START "tool::w[{|}|] stop:tool" },
	{ "row_096_same_index",
		D(CALLS(CALL(0, "c1", "w", OSLO))) D(CALLS(
			CALL(0, "c2", "w", ROME))) FINISH("tool_calls") DONE,
		START "tool:c1:w[" OSLO "|] tool:c2:w[" ROME "|] stop:tool" },
	{ "same_index_in_pieces",
		D(CALLS(CALL(0, "c1", "w", ""))) D(CALLS(ARGS(0, "{}"))) D(
			CALLS(CALL(0, "c2", "w", ""))) D(CALLS(ARGS(0, "{")))
			D(CALLS(ARGS(0, "}"))) FINISH("tool_calls") DONE,
		START "tool:c1:w[{}|] tool:c2:w[{|}|] stop:tool" },
	{ "id_repeated_in_each_piece",
		D(CALLS(CALL(0, "c1", "w", "{"))) D(CALLS(
			CALL(0, "c1", "w", "}"))) FINISH("tool_calls") DONE,
		START "tool:c1:w[{|}|] stop:tool" },
	{ "no_index_by_id",
		D(CALLS("{\"id\":\"c1\",\"function\":{\"name\":\"w\","
			"\"arguments\":\"{\"}}"))
			D(CALLS("{\"function\":{\"arguments\":\"}\"}}"))
				D(CALLS("{\"id\":\"c2\",\"function\":{\"name\":"
					"\"w\","
					"\"arguments\":\"{}\"}}"))
					FINISH("tool_calls") DONE,
		START "tool:c1:w[{|}|] tool:c2:w[{}|] stop:tool" },
	{ "neither_index_nor_id",
		D(CALLS("{\"function\":{\"name\":\"w\",\"arguments\":\"{}\"}},"
			"{\"function\":{\"name\":\"w\",\"arguments\":"
			"\"{}\"}}")) FINISH("tool_calls") DONE,
		START "tool::w[{}|] tool::w[{}|] stop:tool" },
	{ "id_used_again",
		D(CALLS(CALL(0, "c1", "w", "{}"))) D(CALLS(
			CALL(1, "c1", "v", "{}"))) FINISH("tool_calls") DONE,
		START "tool:c1:w[{}|] tool::v[{}|] stop:tool" },
	{ "row_097_all_in_one_chunk",
		"{\"id\":\"a1\",\"model\":\"m\",\"choices\":[{\"index\":0,"
		"\"delta\":{" CALLS(CALL(0, "c1", "w",
			OSLO)) "},"
			       "\"finish_reason\":\"tool_calls\"}]," USAGE
			       "}\n" DONE,
		START "tool:c1:w[" OSLO "|] " U "stop:tool" },
	{ "whole_calls_in_one_chunk",
		DF(CALLS(CALL(0, "c1", "w", OSLO) "," CALL(1, "c2", "w", ROME)),
			"tool_calls") DONE,
		START "tool:c1:w[" OSLO "|] tool:c2:w[" ROME "|] stop:tool" },
	{ "row_098_finish_stop",
		D(CALLS(CALL(0, "c1", "w", "{}"))) FINISH("stop") DONE,
		START "tool:c1:w[{}|] stop:tool" },
	{ "finish_tool_without_call", D(TEXT("a")) FINISH("tool_calls") DONE,
		START "text[a|] stop:end" },
	{ "row_093_cut_by_length",
		D(CALLS(CALL(0, "c1", "w", "{\\\"q\\\""))) FINISH("length")
			DONE,
		START "tool:c1:w[{\\\"q\\\"|] stop:length" },
	{ "no_arguments",
		D(CALLS(CALL(0, "c1", "w", ""))) FINISH("tool_calls") DONE,
		START "tool:c1:w[] stop:tool" },
	{ "no_arguments_then_another",
		D(CALLS(CALL(0, "c1", "w", "") "," CALL(1, "c2", "w", "{}")))
			FINISH("tool_calls") DONE,
		START "tool:c1:w[] tool:c2:w[{}|] stop:tool" },
	{ "text_then_call_then_text",
		D(TEXT("a")) D(CALLS(CALL(0, "c1", "w", "{}"))) D(TEXT("b"))
			FINISH("tool_calls") DONE,
		START "text[a|] tool:c1:w[{}|] text[b|] stop:tool" },
	{ "text_inside_a_call_waits",
		D(CALLS(CALL(0, "c1", "w", "{"))) D(TEXT("a")) D(TEXT("b"))
			D(THINK("t")) D(CALLS(ARGS(0, "}"))) D(THINK("u"))
				FINISH("tool_calls") DONE,
		START "tool:c1:w[{|}|] text[ab|] think[t|u|] stop:tool" },
	{ "late_fragment",
		D(CALLS(CALL(0, "c1", "w", "{}"))) D(TEXT("a"))
			D(CALLS(ARGS(0, " "))) D(CALLS(ARGS(0, "x")))
				FINISH("tool_calls") DONE,
		START "tool:c1:w[{}|] text[a|] stop:tool"
		      " notices:dropped:tool_arguments" },
	{ "behind_the_arguments",
		D(CALLS(CALL(0, "c1", "w", "{}\\n"))) D(CALLS(ARGS(0, "{}")))
			FINISH("tool_calls") DONE,
		START "tool:c1:w[{}|] stop:tool"
		      " notices:dropped:tool_arguments" },
	{ "brackets_in_strings",
		D(CALLS(CALL(0, "c1", "w", "{\\\"a\\\":\\\"}\\\\\\\"]\\u0022")))
			D(CALLS(CALL(1, "c2", "w", "{}"))) D(CALLS(
				ARGS(0, "\\u007d"))) FINISH("tool_calls") DONE,
		START "tool:c1:w[{\\\"a\\\":\\\"}\\\\\\\"]\\u0022|\\u007d|] "
		      "tool:c2:w[{}|] stop:tool" },
	{ "arguments_object",
		D(CALLS("{\"index\":0,\"id\":\"c1\",\"function\":"
			"{\"name\":\"w\",\"arguments\":{\"q\": 1}}}"))
			FINISH("tool_calls") DONE,
		START "tool:c1:w[{\\\"q\\\": 1}|] stop:tool" },
	{ "empty_call_ignored",
		D(CALLS("{\"index\":0,\"id\":\"\",\"function\":"
			"{\"name\":\"\",\"arguments\":\"\"}},{},1"))
			D(TEXT("a")) FINISH("stop") DONE,
		START "text[a|] stop:end" },
	{ "row_067_function_call",
		D("\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}")
			D("\"function_call\":{\"arguments\":\"{\"}")
				D("\"function_call\":{\"arguments\":\"}\"}")
					FINISH("function_call") DONE,
		START "tool::f[{|}|] stop:tool" },
	{ "eof_inside_a_call", D(CALLS(CALL(0, "c1", "w", "{"))),
		START "tool:c1:w[{|error:the upstream closed the stream "
		      "before its end" },
};

/* --- bodies --------------------------------------------------------------- */

#define BODY(message, rest)                                                    \
	"{\"id\":\"a1\",\"model\":\"m\",\"choices\":[{\"index\":0,"            \
	"\"message\":{" message "}" rest "}]," USAGE "}"
#define STOP ",\"finish_reason\":\"stop\""

static struct sample body_samples[] = {
	{ "body", BODY(THINK("t") "," TEXT("a"), STOP),
		START U "think[t|] text[a|] stop:end" },
	{ "body_calls",
		BODY("\"content\":null," CALLS(CALL(
			     0, "c1", "w", OSLO) "," CALL(0, "c2", "w", "")),
			STOP),
		START U "tool:c1:w[" OSLO "|] tool:c2:w[] stop:tool" },
	{ "body_calls_unnumbered",
		BODY(CALLS("{\"function\":{\"name\":\"w\"}},"
			   "{\"function\":{\"name\":\"w\"}}"),
			STOP),
		START U "tool::w[] tool::w[] stop:tool" },
	{ "body_function_call",
		BODY("\"function_call\":{\"name\":\"f\","
		     "\"arguments\":\"{}\"}",
			STOP),
		START U "tool::f[{}|] stop:tool" },
	{ "body_without_finish", BODY(TEXT("a"), ""),
		START U "text[a|] stop:end notices:degraded:finish_reason" },
	{ "body_network_error",
		BODY(TEXT("a"), ",\"finish_reason\":\"network_error\""),
		START U "text[a|error:the upstream lost its model while it was "
			"answering (network_error)" },
	{ "body_error", "{\"error\":{\"message\":\"x\"}}",
		"error:{\"error\":{\"message\":\"x\"}}" },
	{ "body_without_choices", "{\"id\":\"a1\"}", "error:{\"id\":\"a1\"}" },
	{ "body_choices_empty", "{\"choices\":[]}", "error:{\"choices\":[]}" },
	{ "body_is_no_object", "[]", "error:[]" },
};

/* --- limits --------------------------------------------------------------- */

static void
test_too_many_calls(void **state)
{
	struct fixture f;
	struct gp_error err;
	enum gp_code rc = GP_OK;
	char frame[256];
	int i;

	(void)state;
	begin(&f);
	for (i = 0; i <= OPENAI_CALLS_MAX && rc == GP_OK; i++) {
		(void)snprintf(frame, sizeof(frame),
			"{\"choices\":[{\"delta\":{\"tool_calls\":["
			"{\"index\":%d,\"id\":\"c%d\",\"function\":"
			"{\"name\":\"w\",\"arguments\":\"{\"}}]}}]}",
			i, i);
		rc = feed(&f, span_cstr(frame), &err);
	}
	assert_fails(rc, GP_E_LIMIT, &err, "tool calls");
	assert_int_equal(i, OPENAI_CALLS_MAX + 1);
	end(&f);
}

/* Text behind a call that never ends is held up to a limit. */
static void
test_too_much_held(void **state)
{
	static const char call[] = "{\"choices\":[{\"delta\":{" CALLS(
		CALL(0, "c1", "w", "{")) "}}]}";
	char *const text = t_repeat("x", 1u << 20);
	struct fixture f;
	struct gp_error err;
	struct buf frame;
	enum gp_code rc;
	unsigned i;

	(void)state;
	begin(&f);
	buf_init(&frame, 2u << 20);
	buf_printf(&frame, "{\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}",
		text);
	rc = feed(&f, span_cstr(call), &err);
	for (i = 0; i <= LLM_HOLD_MAX >> 20 && rc == GP_OK; i++)
		rc = feed(&f, buf_span(&frame), &err);
	assert_fails(rc, GP_E_LIMIT, &err, "bytes");
	assert_int_equal(i, (LLM_HOLD_MAX >> 20) + 1);
	buf_fini(&frame);
	end(&f);
	free(text);
}

/* So are blocks that wait, however small. */
static void
test_too_many_blocks(void **state)
{
	static const char *const frames[] = {
		"{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
		"{\"choices\":[{\"delta\":{\"reasoning\":\"b\"}}]}",
	};
	struct fixture f;
	struct gp_error err;
	enum gp_code rc;

	(void)state;
	begin(&f);
	rc = feed(&f,
		SPAN("{\"choices\":[{\"delta\":{" CALLS(
			CALL(0, "c1", "w", "{")) "}}]}"),
		&err);
	for (int i = 0; i < 100000 && rc == GP_OK; i++)
		rc = feed(&f, span_cstr(frames[i % 2]), &err);
	assert_fails(rc, GP_E_LIMIT, &err, "blocks");
	end(&f);
}

/* Without anything in the way nothing is kept. */
static void
test_memory_stays(void **state)
{
	struct fixture f;
	struct gp_error err;
	size_t used;

	(void)state;
	begin(&f);
	for (int i = 0; i < 2000; i++) {
		assert_ok(feed(&f,
				  SPAN("{\"choices\":[{\"delta\":"
				       "{\"content\":\"a\"}}]}"),
				  &err),
			&err);
		assert_ok(feed(&f,
				  SPAN("{\"choices\":[{\"delta\":"
				       "{\"reasoning\":\"b\"}}]}"),
				  &err),
			&err);
		if (i == 0)
			used = f.arena.used_bytes;
	}
	assert_int_equal(f.arena.used_bytes, used);
	end(&f);
}

#define NTESTS 4
#define NSAMPLES                                                               \
	(ARRAY_LEN(text_samples) + ARRAY_LEN(end_samples) +                    \
		ARRAY_LEN(call_samples) + ARRAY_LEN(body_samples))

static size_t
add_samples(struct CMUnitTest *tests, size_t at, CMUnitTestFunction run,
	struct sample *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		tests[at++] = (struct CMUnitTest){ s[i].name, run, NULL, NULL,
			&s[i] };
	return at;
}

int
main(void)
{
	struct CMUnitTest tests[NSAMPLES + NTESTS] = {
		cmocka_unit_test(test_too_many_calls),
		cmocka_unit_test(test_too_much_held),
		cmocka_unit_test(test_too_many_blocks),
		cmocka_unit_test(test_memory_stays),
	};
	size_t n = NTESTS;

	n = add_samples(
		tests, n, run_stream, text_samples, ARRAY_LEN(text_samples));
	n = add_samples(
		tests, n, run_stream, end_samples, ARRAY_LEN(end_samples));
	n = add_samples(
		tests, n, run_stream, call_samples, ARRAY_LEN(call_samples));
	add_samples(tests, n, run_body, body_samples, ARRAY_LEN(body_samples));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
