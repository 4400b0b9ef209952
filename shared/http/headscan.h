/* SPDX-License-Identifier: MIT */
/*
 * headscan.h - line structure of a head or a trailer section, byte by byte.
 *
 * Runs over the raw bytes before llhttp sees them, so that what counts as the
 * end of a line or of a head does not depend on the llhttp release: lines end
 * in CRLF and nothing else, there are no control characters but tab, and no
 * line is folded. Private to shared/http.
 * spec: RFC 9112, 2.2 and 5.2
 */
#ifndef HTTP_HEADSCAN_H
#define HTTP_HEADSCAN_H

#include "shared/base/span.h"

enum headscan_kind {
	HEADSCAN_REQUEST,
	HEADSCAN_RESPONSE,
	HEADSCAN_TRAILER,
};

struct headscan {
	enum headscan_kind kind;
	bool after_cr;
	bool is_done;       /* the empty line has been seen */
	bool has_begun;     /* something other than leading empty lines came */
	bool is_past_first; /* the first line is complete */
	size_t line_len;    /* bytes of the current line so far */
	uint64_t last8;     /* the last eight bytes of the current line */
	const char *fault;  /* what is wrong with the next byte; static */
};

void headscan_init(struct headscan *s, enum headscan_kind kind);

/* Returns how many bytes of `in` are sound and belong to the section; fewer
 * than in.n only if is_done or fault is set afterwards. */
size_t headscan_feed(struct headscan *s, struct span in);

#endif
