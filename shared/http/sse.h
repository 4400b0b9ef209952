/* SPDX-License-Identifier: MIT */
/*
 * sse.h - incremental Server-Sent Events parser.
 *
 * Lines end in LF, CR or CRLF; comments, `id` and `retry` are skipped; several
 * `data` lines are joined by LF; one leading BOM is skipped. An event without
 * data is not delivered. Works on bytes: UTF-8 may be cut anywhere.
 * spec: WHATWG HTML, 9.2 Server-sent events
 */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include "shared/base/buf.h"

#define SSE_EVENT_MAX (16u << 20) /* bytes of one event's data */
#define SSE_NAME_MAX  128

struct sse_event {
	struct span name; /* empty if the event had no `event` line */
	struct span data;
};

enum sse_step {
	SSE_MORE,
	SSE_EVENT,
	SSE_FAIL
};

struct sse {
	struct buf line; /* a line that was cut */
	struct buf data; /* joined data lines */
	char name[SSE_NAME_MAX];
	size_t name_len;
	bool has_data;
	bool after_cr;
	bool started;
	bool is_torn;      /* bytes were pending at the end */
	uint64_t comments; /* lines that were comments: signs of life */
};

void sse_init(struct sse *s);
void sse_fini(struct sse *s);

/* Consume up to the end of the next event. SSE_EVENT: *ev is valid until the
 * next call; call again with what is left of the input. SSE_MORE: all input
 * was used. SSE_FAIL: an event passed SSE_EVENT_MAX. Where a line is whole in
 * the input no byte is copied. */
enum sse_step sse_feed(struct sse *s, struct span in, size_t *used,
	struct sse_event *ev, struct gp_error *err) GP_WUR;

/* End of the stream: delivers an event whose blank line is missing. */
enum sse_step sse_end(struct sse *s, struct sse_event *ev) GP_WUR;

/* Append one event: `event:` line if name is not empty, `data:` line, blank
 * line. data must not hold CR or LF. */
void sse_put(struct buf *out, struct span name, struct span data);

#endif
