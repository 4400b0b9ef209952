/* SPDX-License-Identifier: MIT */
/* fuzz_jscan.c - the scanner's verdict must not depend on cuts. The first byte
 * of the input chooses how the rest is cut. */
#include <stdint.h>

#include "shared/base/check.h"
#include "shared/json/jscan.h"

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	enum gp_code code;
	struct jscan s;
};

/* Pieces of step bytes; the scanner remembers at most what fits its struct. */
static struct outcome
run(struct span text, size_t step)
{
	struct outcome o = { .code = GP_OK };

	jscan_init(&o.s);
	while (text.n > 0 && o.code == GP_OK) {
		o.code = jscan_feed(&o.s, span_head(text, step), NULL);
		text = span_from(text, step);
	}
	if (o.code == GP_OK)
		o.code = jscan_end(&o.s, NULL);
	return o;
}

static void
check_same(const struct outcome *a, const struct outcome *b)
{
	GP_ASSERT(a->code == b->code);
	GP_ASSERT(a->s.offset == b->s.offset);
	GP_ASSERT(a->s.tokens == b->s.tokens);
	GP_ASSERT(a->s.depth == b->s.depth);
	GP_ASSERT(a->s.state == b->s.state);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;
	struct gp_error err;
	struct span text;
	uint32_t tokens;
	size_t step;

	if (size == 0)
		return 0;
	step = 1 + data[0] % 17;
	text = span_of((const char *)data + 1, size - 1);
	whole = run(text, SIZE_MAX);
	GP_ASSERT(whole.s.offset <= text.n);
	GP_ASSERT(jscan_text(text, &tokens, &err) == whole.code);
	GP_ASSERT(whole.code == GP_OK || err.code == whole.code);
	cut = run(text, step);
	check_same(&whole, &cut);
	cut = run(text, 1);
	check_same(&whole, &cut);
	return 0;
}
