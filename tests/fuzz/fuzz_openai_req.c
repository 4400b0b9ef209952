/* SPDX-License-Identifier: MIT */
/*
 * fuzz_openai_req.c - Chat Completions requests: read, put in order, written.
 *
 * What was written must be read again, and written again the same.
 */
#include "shared/base/check.h"
#include "shared/translate/dialect_openai.h"
#include "shared/translate/llm_normal.h"

#define OUT_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* False if the text is refused. */
static bool
carry(struct span text, struct buf *out)
{
	static const struct llm_wire wire = { .fills_description = true,
		.streams_usage = true };
	struct arena a;
	struct jdoc doc;
	struct llm_req r;
	struct gp_error err = { .code = GP_OK };
	struct jout j;
	enum gp_code rc;

	arena_init(&a);
	jdoc_init(&doc);
	llm_req_init(&r, &a, LLM_CHAT);
	rc = jdoc_parse(&doc, text, &err);
	if (rc == GP_OK)
		rc = dialect_openai.req_decode(&doc, &r, &err);
	if (rc == GP_OK) {
		llm_normalise(&r);
		jout_init(&j, out);
		dialect_openai.req_encode(&r, SPAN("m"), &wire, &j);
		GP_ASSERT(!out->bad);
	} else {
		GP_ASSERT(err.code == rc && err.text[0] != '\0');
	}
	jdoc_fini(&doc);
	arena_fini(&a);
	return rc == GP_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf first, second;

	buf_init(&first, OUT_MAX);
	buf_init(&second, OUT_MAX);
	if (carry(span_of((const char *)data, size), &first)) {
		GP_ASSERT(carry(buf_span(&first), &second));
		GP_ASSERT(span_eq(buf_span(&first), buf_span(&second)));
	}
	buf_fini(&first);
	buf_fini(&second);
	return 0;
}
