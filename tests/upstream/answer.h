/* SPDX-License-Identifier: MIT */
/* answer.h - plans written in the two dialects. */
#ifndef UPSTREAM_ANSWER_H
#define UPSTREAM_ANSWER_H

#include "tests/upstream/plan.h"

enum frame_kind {
	FRAME_EVENT,
	FRAME_FINISH, /* says why the answer ends, and what follows it */
	FRAME_END,    /* the last one: [DONE], message_stop */
};

struct frame {
	size_t end; /* where it ends in frames.bytes */
	enum frame_kind kind;
};

/* A streamed answer: SSE events with LF line ends, one behind the other. */
struct frames {
	struct buf bytes;
	VEC_OF(struct frame) list;
};

/* The event that was just written ends here. */
void frame_end(struct plan *p, struct frames *f, enum frame_kind kind);

/* answer.c: any route; the body is a failure's or an answer's. */
void answer_body(struct plan *p, struct buf *out);
void answer_stream(struct plan *p, struct frames *f);
/* p->failure as an event. */
void answer_failure_event(struct plan *p, struct frames *f);

/* answer_anthropic.c */
void answer_anthropic_body(struct plan *p, struct buf *out);
void answer_anthropic_stream(struct plan *p, struct frames *f);
/* answer_openai.c, answer_openai_stream.c */
void answer_openai_body(struct plan *p, struct buf *out);
void answer_openai_stream(struct plan *p, struct frames *f);
void answer_openai_usage(const struct plan *p, struct buf *out);
const char *answer_openai_finish(enum finish finish);

/* The texts of all acts of one kind, joined: the inside of a JSON string. */
void answer_join(const struct plan *p, enum act_kind kind, struct buf *out);

#endif
