/* SPDX-License-Identifier: MIT */
/* fuzz_jscrub.c - what is left is the same wherever the text is cut, no secret
 * is in it, and no long word. The first byte chooses the cut. */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/json/jscrub.h"

#define OUT_MAX (1u << 24)

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct span secret = SPAN_INIT("client-key.1");

static void
feed(struct jscrub *s, struct span bytes, struct buf *out)
{
	char *const copy = malloc(MAX(bytes.n, 1));

	GP_ASSERT(copy != NULL);
	memcpy(copy, bytes.p, bytes.n);
	jscrub_feed(s, span_of(copy, bytes.n), out);
	free(copy);
}

static void
scrub(struct span text, size_t first, size_t step, struct buf *out)
{
	struct jscrub s;
	size_t n = first;

	buf_init(out, OUT_MAX);
	jscrub_init(&s, &secret, 1);
	while (text.n > 0) {
		feed(&s, span_head(text, n), out);
		text = span_from(text, n);
		n = step;
	}
	jscrub_end(&s, out);
	GP_ASSERT(!out->bad);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span all = span_of((const char *)data, size);
	const size_t first = size > 0 ? data[0] : 0;
	const struct span text = span_from(all, 1);
	struct buf whole, cut;

	scrub(text, text.n, text.n, &whole);
	scrub(text, first, first % 7 + 1, &cut);
	GP_ASSERT(span_eq(buf_span(&whole), buf_span(&cut)));
	GP_ASSERT(span_find(buf_span(&whole), secret) == buf_len(&whole));
	GP_ASSERT(buf_len(&whole) <= 8 * text.n + 64);
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
