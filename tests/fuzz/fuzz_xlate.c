/* SPDX-License-Identifier: MIT */
/*
 * fuzz_xlate.c - the whole translation: request there, answer back.
 *
 *	byte 0   bit 0 client, bit 1 upstream (in the order of dialects.def),
 *	         bits 2-3 what is fuzzed: both, the answer, the request, both
 *	         of a count of tokens;
 *	         bit 4 upstream answers with a body, bit 5 with an error,
 *	         bit 6 its connection breaks, bit 7 a sign of life comes first
 *	byte 1   bits 0-2 the model (6 and 7: the first two, scaled, told of
 *	         the context and too long for it; 7 also with old images left
 *	         out), bit 3 arguments are held until they are
 *	         whole, bits 4-6 the fixed request, bit 7 tool markup is looked
 *	         for
 *	byte 2-3 where the answer is cut in two
 *	then     the request, a NUL, the answer; or only one of them
 *
 * Whatever comes in, upstream gets JSON that its own dialect reads and the
 * client an answer that its own dialect reads, of bounded size, and the same
 * however the answer is cut.
 */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/json/jscan.h"
#include "shared/translate/llm_guard.h"
#include "tests/lib/golden.h"
#include "tests/lib/mutate.h"

#define HEADER 4
/* Tokens; requests of the seeds are a little shorter and a lot longer. */
#define SMALL_WINDOW 4000
/* Each byte in may become so many, and every answer has an envelope. */
#define GROWTH   64
#define ENVELOPE 65536

/* NOLINTBEGIN: libFuzzer's names. The second is not there without it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
	__attribute__((weak));
size_t LLVMFuzzerCustomMutator(
	uint8_t *data, size_t size, size_t max, unsigned seed);

/* NOLINTEND */

enum what {
	FUZZ_BOTH,
	FUZZ_ANSWER,
	FUZZ_REQUEST,
	FUZZ_COUNT
};

struct input {
	struct golden way;
	bool beats; /* a sign of life comes before the answer */
	struct span request, answer;
	size_t cut;
};

/* --- what is fixed -------------------------------------------------------- */

#define HI   "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define ASK  "{\"model\":\"glm-4.6\",\"max_tokens\":4096,"
#define LIVE ASK "\"stream\":true,"
#define FUNCTION                                                               \
	"{\"name\":\"w\",\"parameters\":{\"type\":\"object\",\"properties\""   \
	":{}}}"
#define FUNCTIONS                                                              \
	"\"tools\":[{\"type\":\"function\",\"function\":" FUNCTION "}],"
#define TOOLS                                                                  \
	"\"tools\":[{\"name\":\"w\",\"input_schema\":{\"type\":\"object\"}},"  \
	"{\"name\":\"a.b\",\"input_schema\":{\"type\":\"object\"}}],"
#define THINK  "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024},"

#define NFIXED 8

static const struct {
	const char *dialect;
	const char *requests[NFIXED];
} fixed[] = {
	{ "openai",
		{ LIVE FUNCTIONS HI "}",
			LIVE "\"stream_options\":{\"include_usage\":true}," HI
			     "}",
			ASK FUNCTIONS HI "}",
			LIVE "\"stop\":[\"ab\",\"b\\n\"]," HI "}",
			LIVE FUNCTIONS "\"parallel_tool_calls\":false," HI "}",
			LIVE "\"functions\":[" FUNCTION "]," HI "}",
			LIVE "\"response_format\":{\"type\":\"json_schema\","
			     "\"json_schema\":{\"name\":\"n\",\"schema\":{}}}"
			     "," HI "}",
			LIVE FUNCTIONS "\"tool_choice\":\"none\"," HI "}" } },
	{ "anthropic",
		{ LIVE TOOLS HI "}", LIVE THINK TOOLS HI "}",
			ASK THINK TOOLS HI "}",
			LIVE "\"stop_sequences\":[\"ab\",\"b\\n\"]," HI "}",
			LIVE TOOLS "\"tool_choice\":{\"type\":\"auto\","
				   "\"disable_parallel_tool_use\":true}," HI
				   "}",
			LIVE HI "}", ASK HI "}",
			ASK "\"stop_sequences\":[\"ab\"]," TOOLS HI "}" } },
};

#define CHUNK(delta, more)                                                     \
	"data: {\"id\":\"x1\",\"choices\":[{\"index\":0,\"delta\":{" delta     \
	"}" more "}]}\n\n"
#define EVENT(type, more)                                                      \
	"event: " type "\ndata: {\"type\":\"" type "\"" more "}\n\n"

/* Reasoning, text and a call, by dialect of the upstream. */
static const struct {
	const char *dialect, *stream, *body;
} answers[] = {
	{ "openai",
		CHUNK("\"role\":\"assistant\",\"reasoning_content\":\"h\"",
			"") CHUNK("\"content\":\"```json\\nab\"",
			"") CHUNK("\"content\":\"\\n``\"",
			"") CHUNK("\"content\":\"`\"",
			"") CHUNK("\"tool_calls\":[{\"index\":0,\"id\":"
				  "\"c1\",\"function\":{\"name\":\"w\","
				  "\"arguments\":\"{}\"}}]",
			"") CHUNK("",
			",\"finish_reason\":\"tool_calls\"") "data: [DONE]\n\n",
		"{\"id\":\"x1\",\"choices\":[{\"message\":{\"content\":\"ab\","
		"\"reasoning_content\":\"h\",\"tool_calls\":[{\"id\":\"c1\","
		"\"function\":{\"name\":\"w\",\"arguments\":\"{}\"}}]},"
		"\"finish_reason\":\"tool_calls\"}]}" },
	{ "anthropic",
		EVENT("message_start",
			",\"message\":{\"id\":\"msg_x1\",\"usage\":{}}")
			EVENT("content_block_start",
				",\"index\":0,\"content_block\":{\"type\":"
				"\"thinking\","
				"\"thinking\":\"h\"}") EVENT("content_block_"
							     "stop",
				",\"index\":0") EVENT("content_block_start",
				",\"index\":1,\"content_block\":{\"type\":"
				"\"text\","
				"\"text\":\"ab\"}") EVENT("content_block_stop",
				",\"index\":1") EVENT("content_block_start",
				",\"index\":2,\"content_block\":{\"type\":"
				"\"tool_use\","
				"\"id\":\"t1\",\"name\":\"w\",\"input\":{\"a\":"
				"1}}") EVENT("content_block_stop",
				",\"index\":2") EVENT("message_delta",
				",\"delta\":{\"stop_reason\":\"tool_use\"},"
				"\"usage\":{\"output_tokens\":1}")
				EVENT("message_stop", ""),
		"{\"id\":\"msg_x1\",\"type\":\"message\",\"content\":[{"
		"\"type\":\"text\",\"text\":\"ab\"},{\"type\":\"tool_use\","
		"\"id\":\"t1\",\"name\":\"w\",\"input\":{}}],"
		"\"stop_reason\":\"tool_use\",\"usage\":{}}" },
};

static const char *const models[] = { "glm-4.6", "glm-4.6v", "glm-4.5v",
	"glm-5.2", "glm-5.3", "glm-4-32b-0414-128k" };

static struct span
fixed_request(const struct dialect *d, size_t i)
{
	for (size_t k = 0; k < ARRAY_LEN(fixed); k++) {
		if (strcmp(fixed[k].dialect, d->name) == 0)
			return span_cstr(fixed[k].requests[i % NFIXED]);
	}
	GP_UNREACHED();
}

static struct span
fixed_answer(const struct dialect *d, bool is_body)
{
	for (size_t k = 0; k < ARRAY_LEN(answers); k++) {
		if (strcmp(answers[k].dialect, d->name) == 0)
			return span_cstr(
				is_body ? answers[k].body : answers[k].stream);
	}
	GP_UNREACHED();
}

/* --- the input ------------------------------------------------------------ */

static bool
read_input(struct input *in, struct span s)
{
	const uint8_t *const head = (const uint8_t *)s.p;
	struct golden *const g = &in->way;
	unsigned flags, choice;
	enum what what;

	if (s.n < HEADER)
		return false;
	flags = head[0];
	choice = head[1];
	what = (enum what)(flags >> 2 & 3);
	*in = (struct input){ .way = { .status = 200,
				      .retry_after = SPAN_EMPTY,
				      .replays_reasoning = true,
				      .dedups_env = true } };
	g->client = dialects[flags & 1];
	g->upstream = dialects[flags >> 1 & 1];
	g->model = profile_model(&profile_zai,
		span_cstr(models[(choice & 7) % ARRAY_LEN(models)]));
	if ((choice & 7) >= ARRAY_LEN(models)) {
		g->has_context = true;
		g->overflow = XLATE_OVERFLOW_TRUNCATE;
		g->context_tokens = SMALL_WINDOW;
		g->input_tokens = SMALL_WINDOW + 1;
		g->images_of_last_turn = (choice & 7) > ARRAY_LEN(models);
	}
	g->holds_args = (choice & 8) != 0;
	g->markup = (choice & 128) != 0 ? LLM_MARKUP_RECOVER : LLM_MARKUP_OFF;
	g->content_type = (flags & 16) != 0 ? SPAN("application/json") :
					      SPAN("text/event-stream");
	g->purpose = what == FUZZ_COUNT ? LLM_COUNT : LLM_CHAT;
	g->status = (flags & 32) != 0 ? 429 : 200;
	if ((flags & 64) != 0)
		g->end = (choice & 8) != 0 ? GOLDEN_CORRUPT : GOLDEN_RESET;
	in->beats = (flags & 128) != 0;
	in->cut = (size_t)head[2] << 8 | head[3];
	s = span_from(s, HEADER);
	in->request = fixed_request(g->client, choice >> 4 & 7);
	in->answer = fixed_answer(g->upstream, (flags & 16) != 0);
	if (what == FUZZ_ANSWER) {
		in->answer = s;
	} else if (what == FUZZ_REQUEST) {
		in->request = s;
	} else {
		in->request = span_head(s, span_find_char(s, '\0'));
		in->answer = span_from(s, in->request.n + 1);
	}
	in->cut = in->answer.n == 0 ? 0 : in->cut % in->answer.n;
	return true;
}

/* In memory of its own, for the address sanitizer. */
static struct span
lend(struct span s, char **memory)
{
	*memory = malloc(MAX(s.n, 1));
	GP_ASSERT(*memory != NULL);
	memcpy(*memory, s.p, s.n);
	return (struct span){ *memory, s.n };
}

/* --- the request for upstream --------------------------------------------- */

static void
check_size(struct span out, size_t in)
{
	GP_ASSERT(out.n <= GROWTH * in + ENVELOPE);
}

static void
check_upstream_request(const struct input *in, struct span up)
{
	struct gp_error err;
	struct llm_req r;
	struct arena a;
	struct jdoc doc;
	enum gp_code rc;

	check_size(up, in->request.n);
	rc = jscan_text(up, NULL, &err);
	/* Arguments nest by themselves inside a string, not so in an object. */
	if (rc == GP_E_LIMIT)
		return;
	GP_ASSERT(rc == GP_OK);
	arena_init(&a);
	jdoc_init(&doc);
	llm_req_init(&r, &a, in->way.purpose);
	GP_ASSERT(jdoc_parse(&doc, up, &err) == GP_OK);
	GP_ASSERT(jdoc_refuse_duplicates(&doc, jdoc_root(&doc), &err) == GP_OK);
	GP_ASSERT(in->way.upstream->req_decode(&doc, &r, &err) == GP_OK);
	jdoc_fini(&doc);
	arena_fini(&a);
}

/* --- the answer for the client -------------------------------------------- */

/* How an answer ended, as its reader sees it. */
struct ending {
	struct llm_sink sink;
	bool has_stop, has_error;
};

static enum gp_code
ending_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct ending *const f = CONTAINER_OF(s, struct ending, sink);

	(void)err;
	f->has_stop = f->has_stop || e->kind == LLM_STOP;
	f->has_error = f->has_error || e->kind == LLM_ERROR;
	return GP_OK;
}

/* A client of the dialect: decoder and guard. */
struct reader {
	struct arena arena;
	struct notices notices;
	struct jdoc doc;
	struct ending ending;
	struct llm_guard guard;
	void *dec;
};

static void
reader_init(struct reader *r, const struct dialect *d)
{
	arena_init(&r->arena);
	notices_init(&r->notices, &r->arena);
	jdoc_init(&r->doc);
	r->ending = (struct ending){ .sink = { ending_put } };
	r->dec = arena_alloc(&r->arena, d->dec_size);
	d->dec_init(r->dec, &r->arena, &r->notices,
		llm_guard_init(&r->guard, &r->ending.sink));
}

static void
reader_fini(struct reader *r)
{
	jdoc_fini(&r->doc);
	arena_fini(&r->arena);
}

static void
read_stream(struct reader *r, const struct dialect *d, struct span s)
{
	struct gp_error err;
	struct sse_event ev;
	struct sse sse;
	size_t used;

	sse_init(&sse);
	while (sse_feed(&sse, s, &used, &ev, &err) == SSE_EVENT) {
		s = span_from(s, used);
		GP_ASSERT(span_eq(ev.data, SPAN("[DONE]")) ||
			jscan_text(ev.data, NULL, &err) == GP_OK);
		GP_ASSERT(!r->ending.has_stop && !r->ending.has_error);
		GP_ASSERT(d->dec_sse(r->dec, &r->doc, &ev, &err) == GP_OK);
	}
	/* Whole frames only. */
	GP_ASSERT(sse_end(&sse, &ev) == SSE_MORE && !sse.is_torn);
	sse_fini(&sse);
}

static void
check_answer(const struct input *in, const struct golden_way *w)
{
	const struct dialect *const d = in->way.client;
	const bool is_broken = xlate_state(w->xlate) == XLATE_BROKEN;
	struct gp_error err;
	struct reader r;

	check_size(buf_span(&w->out), in->request.n + in->answer.n);
	if (in->way.purpose == LLM_COUNT) {
		GP_ASSERT(jscan_text(buf_span(&w->out), NULL, &err) == GP_OK);
		return;
	}
	reader_init(&r, d);
	if (xlate_is_stream(w->xlate)) {
		read_stream(&r, d, buf_span(&w->out));
	} else {
		GP_ASSERT(jdoc_parse(&r.doc, buf_span(&w->out), &err) == GP_OK);
		GP_ASSERT(d->dec_body(r.dec, &r.doc, &err) == GP_OK);
	}
	GP_ASSERT(r.ending.has_stop == !is_broken);
	GP_ASSERT(r.ending.has_error == is_broken);
	reader_fini(&r);
}

static void
check_failure(const struct input *in, const struct golden_way *w)
{
	const struct dialect *const d = in->way.client;
	const struct llm_failure *const f = xlate_failure(w->xlate);
	struct buf b;

	GP_ASSERT(in->beats || buf_len(&w->out) == 0);
	GP_ASSERT(d->fail_status(f) >= 400 && d->fail_status(f) <= 599);
	buf_init(&b, GOLDEN_BYTES_MAX);
	d->fail_encode(f, LLM_BODY, xlate_request_id(w->xlate), &b);
	GP_ASSERT(jscan_text(buf_span(&b), NULL, NULL) == GP_OK);
	buf_fini(&b);
}

/* --- both ways ------------------------------------------------------------ */

static bool
ask(const struct input *in, struct golden_way *w)
{
	struct gp_error err;
	enum gp_code rc;
	char *memory;

	rc = golden_ask(w, &in->way, lend(in->request, &memory), &err);
	free(memory);
	if (rc == GP_OK && in->beats)
		(void)xlate_heartbeat(w->xlate);
	return rc == GP_OK;
}

static void
play(const struct input *in, struct golden_way *w, size_t cut)
{
	char *memory[2];
	const struct span pieces[] = {
		lend(span_head(in->answer, cut), &memory[0]),
		lend(span_from(in->answer, cut), &memory[1]),
	};

	(void)golden_answer(w, &in->way, pieces, ARRAY_LEN(pieces));
	free(memory[0]);
	free(memory[1]);
}

static void
compare(const struct golden_way *a, const struct golden_way *b)
{
	struct buf x, y;

	GP_ASSERT(span_eq(buf_span(&a->up), buf_span(&b->up)));
	GP_ASSERT(xlate_state(a->xlate) == xlate_state(b->xlate));
	GP_ASSERT(span_eq(buf_span(&a->out), buf_span(&b->out)));
	buf_init(&x, ENVELOPE);
	buf_init(&y, ENVELOPE);
	xlate_notices(a->xlate, &x);
	xlate_notices(b->xlate, &y);
	GP_ASSERT(span_eq(buf_span(&x), buf_span(&y)));
	buf_fini(&x);
	buf_fini(&y);
}

static void
check_cut(const struct input *in, const struct golden_way *whole)
{
	struct golden_way w;

	GP_ASSERT(ask(in, &w));
	play(in, &w, in->cut);
	compare(whole, &w);
	golden_way_fini(&w);
}

static void
run(const struct input *in)
{
	struct golden_way w;

	if (!ask(in, &w)) {
		golden_way_fini(&w);
		return;
	}
	check_upstream_request(in, buf_span(&w.up));
	play(in, &w, in->answer.n);
	switch (xlate_state(w.xlate)) {
	case XLATE_DONE:
	case XLATE_BROKEN:
		check_answer(in, &w);
		break;
	case XLATE_FAILED:
		check_failure(in, &w);
		break;
	case XLATE_PENDING:
	case XLATE_OPEN:
		GP_UNREACHED();
	}
	check_cut(in, &w);
	golden_way_fini(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;

	if (read_input(&in, span_of((const char *)data, size)))
		run(&in);
	return 0;
}

/* Every other change leaves JSON and frames whole. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	char *const text = (char *)data + HEADER;

	if (seed % 2 == 0 && LLVMFuzzerMutate != NULL)
		return LLVMFuzzerMutate(data, size, max);
	if (size <= HEADER)
		return size;
	return HEADER + mutate_text(text, size - HEADER, max - HEADER, seed);
}
