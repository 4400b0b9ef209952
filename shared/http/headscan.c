/* SPDX-License-Identifier: MIT */
/* headscan.c - line structure of a head or a trailer section. */
#include "shared/http/headscan.h"

/* The version that ends a request line, as eight bytes read big-endian. */
#define LAST8_HTTP_1_0 UINT64_C(0x485454502f312e30)
#define LAST8_HTTP_1_1 UINT64_C(0x485454502f312e31)

void
headscan_init(struct headscan *s, enum headscan_kind kind)
{
	*s = (struct headscan){ .kind = kind };
}

/* A line has ended in CRLF. */
static void
line_end(struct headscan *s)
{
	s->after_cr = false;
	if (s->line_len > 0)
		s->is_past_first = true;
	else if (s->has_begun || s->kind == HEADSCAN_TRAILER)
		s->is_done = true;
	/* else: an empty line before the first one, which is ignored */
	s->line_len = 0;
	s->last8 = 0;
}

/* The fault of c as a byte inside a line, NULL if it may be there. */
static const char *
byte_fault(const struct headscan *s, unsigned char c)
{
	bool is_blank = c == ' ' || c == '\t';
	bool is_request_line = s->kind == HEADSCAN_REQUEST && !s->is_past_first;

	if ((c < 0x20 && c != '\t') || c == 0x7f)
		return "a control character";
	if (is_blank && s->line_len == 0)
		return s->is_past_first ? "a folded header line" :
					  "a blank at its start";
	if (is_blank && is_request_line &&
		(c == '\t' || (s->last8 & 0xff) == ' '))
		return "more than one blank between words";
	return NULL;
}

/* The fault of a CR at this place: the line is complete. */
static const char *
cr_fault(const struct headscan *s)
{
	if (s->kind != HEADSCAN_REQUEST || s->is_past_first || s->line_len == 0)
		return NULL;
	if (s->last8 != LAST8_HTTP_1_0 && s->last8 != LAST8_HTTP_1_1)
		return "a request line without HTTP/1.0 or HTTP/1.1 at its end";
	return NULL;
}

size_t
headscan_feed(struct headscan *s, struct span in)
{
	size_t i;

	for (i = 0; i < in.n && !s->is_done; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (s->after_cr) {
			s->fault = c == '\n' ? NULL : "CR without LF";
		} else if (c == '\r') {
			s->fault = cr_fault(s);
		} else {
			s->fault =
				c == '\n' ? "LF without CR" : byte_fault(s, c);
		}
		if (s->fault != NULL)
			break;
		if (s->after_cr) {
			line_end(s);
		} else if (c == '\r') {
			s->after_cr = true;
		} else {
			s->has_begun = true;
			s->line_len++;
			s->last8 = s->last8 << 8 | c;
		}
	}
	return i;
}
