/* SPDX-License-Identifier: MIT */
/* xlate_mend.c - what an upstream's bytes suffered on their way. */
#include "shared/base/utf8.h"
#include "shared/json/jscan.h"
#include "shared/translate/xlate_private.h"

#define KEEP_BYTES 65536
#define FIELD      SPAN("data:")
/* Places in one frame at which another may begin: the text of an answer may
 * look like some. */
#define TRIES_MAX 16

struct span
xlate_mend_text(struct xlate *x, struct span s)
{
	struct buf *b = &x->scratch->repaired;

	if (utf8_valid_len(s) == s.n)
		return s;
	buf_reset(b, KEEP_BYTES);
	utf8_repair(s, b);
	notice_add(&x->req.notices, "repaired", SPAN("utf8"));
	return b->bad ? SPAN_EMPTY : buf_span(b);
}

/* What stands behind the next place where a frame may begin: its field's name,
 * or, where the name has been taken off, the line's. */
static struct span
next_frame(struct span s)
{
	const size_t line = span_find_char(s, '\n') + 1;
	const size_t field = span_find(s, FIELD) + FIELD.n;

	return span_trim(span_from(s, MIN(line, field)));
}

bool
xlate_mend_frame(struct xlate *x, struct sse_event *ev)
{
	struct span s = ev->data;
	uint32_t tokens;

	for (unsigned i = 0; i < TRIES_MAX && s.n > 0; i++) {
		s = next_frame(s);
		/* {} may be text of the half; text that holds quotes is none,
		 * they are escaped there. */
		if (s.n == 0 || *s.p != '{' ||
			jscan_text(s, &tokens, NULL) != GP_OK || tokens < 2)
			continue;
		/* The name was the other's. */
		*ev = (struct sse_event){ .name = SPAN_EMPTY, .data = s };
		notice_add(&x->req.notices, "repaired", SPAN("torn_frame"));
		return true;
	}
	return false;
}
