/* SPDX-License-Identifier: MIT */
/* fuzz_failure.c - whatever an upstream sends with an error, the client gets a
 * sentence of bounded length and a status of an error. */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/base/utf8.h"
#include "shared/translate/profile.h"

/* Bytes of the text, and what is put around it. */
#define MESSAGE_MAX 2600

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_clean(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return utf8_valid_len(s) == s.n;
}

static void
check_failure(const struct llm_failure *f)
{
	GP_ASSERT(f->kind < LLM_FAIL_COUNT);
	GP_ASSERT(f->message.n > 0 && f->message.n <= MESSAGE_MAX);
	GP_ASSERT(is_clean(f->message) && is_clean(f->param));
	GP_ASSERT(f->param.n <= 128 && f->trace.n <= 128);
	GP_ASSERT(is_clean(f->trace) &&
		span_find_char(f->trace, ' ') == f->trace.n);
	GP_ASSERT(f->reset.n == 0 || f->reset.n == 25);
	GP_ASSERT(f->reset_wall_s >= 0);
	GP_ASSERT(f->reset.n > 0 || f->reset_wall_s == 0);
	GP_ASSERT(f->window.unit <= LLM_WINDOW_MONTHS &&
		f->window.units <= LLM_WINDOW_MAX);
	GP_ASSERT((f->window.unit == LLM_NO_WINDOW) == (f->window.units == 0));
	GP_ASSERT(f->is_upstreams);
	GP_ASSERT(f->keep_status == 0 ||
		(f->keep_status >= 400 && f->keep_status <= 599));
	GP_ASSERT(f->retry_after_s >= -1);
	GP_ASSERT(f->retry_after_s == -1 || llm_fail_is_retryable(f->kind));
	GP_ASSERT(f->input_tokens >= 0 && f->completion_tokens >= 0 &&
		f->limit_tokens >= 0);
}

/* Each dialect finds a status and valid JSON for it. */
static void
check_dialect(const struct dialect *d, const struct llm_failure *f)
{
	const unsigned status = d->fail_status(f);
	struct jdoc doc;
	struct buf out;

	GP_ASSERT(status >= 400 && status <= 599);
	buf_init(&out, 65536);
	d->fail_encode(f, LLM_BODY, SPAN("req_1"), &out);
	jdoc_init(&doc);
	GP_ASSERT(jdoc_parse(&doc, buf_span(&out), NULL) == GP_OK);
	jdoc_fini(&doc);
	buf_fini(&out);
}

static void
check_body(const struct profile_reply *reply, struct span body)
{
	const struct profile_asked asked = {
		.estimated_input = 1000,
		.max_tokens = 32768,
		.limit_tokens = 202752,
		.model = SPAN("glm-4.6"),
	};
	struct llm_failure f;
	struct arena a;

	arena_init(&a);
	profile_zai.failure(reply, body, &asked, &a, &f);
	check_failure(&f);
	for (size_t i = 0; i < ndialects; i++)
		check_dialect(dialects[i], &f);
	arena_fini(&a);
}

static void
check_disguise(struct span body)
{
	struct jdoc d;

	jdoc_init(&d);
	if (jdoc_parse(&d, body, NULL) == GP_OK)
		(void)profile_zai.is_failure(&d);
	jdoc_fini(&d);
}

/* Two bytes of status, one that says how the rest is parted. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile_reply reply = { .retry_after = SPAN_EMPTY,
		.trace = SPAN_EMPTY };
	struct span body;
	size_t head;
	char *copy;

	if (size < 3)
		return 0;
	reply.status = (unsigned)(data[0] << 8 | data[1]) % 1000;
	reply.is_in_stream = (data[2] & 0x80) != 0;
	head = MIN((size_t)(data[2] & 0x3f), size - 3);
	copy = malloc(size - 3 + 1);
	GP_ASSERT(copy != NULL);
	memcpy(copy, data + 3, size - 3);
	reply.retry_after = span_of(copy, head / 2);
	reply.trace = span_of(copy + head / 2, head - head / 2);
	body = span_of(copy + head, size - 3 - head);
	check_body(&reply, body);
	check_disguise(body);
	free(copy);
	return 0;
}
