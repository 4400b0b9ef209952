/* SPDX-License-Identifier: MIT */
/*
 * wire.h - an answer as bytes and as times at which they are sent.
 *
 *	bytes:  | head | chunk | chunk |      last chunk |
 *	cues:   ^ wait 500     ^ wait 100
 */
#ifndef UPSTREAM_WIRE_H
#define UPSTREAM_WIRE_H

#include "tests/upstream/answer.h"

enum play_end {
	PLAY_KEEP, /* the connection carries another request */
	PLAY_CLOSE,
	PLAY_CUT,   /* closed as if by accident: no close_notify */
	PLAY_RESET, /* RST */
	PLAY_HANG,  /* nothing more, until the peer closes */
};

/* A write of its own begins at `at`, this much later than the one before. */
struct cue {
	size_t at;
	int64_t wait_ms;
};

struct play {
	struct span bytes; /* of `own`, or of a copy that all plays share */
	struct buf own;
	VEC_OF(struct cue) cues; /* by rising `at` */
	size_t write_max;        /* bytes a write */
	enum play_end end;
	unsigned status; /* 0: no answer */
};

/* What `r` is answered with. To be released with play_fini. */
void play_make(struct play *play, struct request *r);
/* A simple answer with a JSON body, for /__standin/ and broken HTTP. */
void play_make_plain(
	struct play *play, unsigned status, struct span body, bool close);
void play_fini(struct play *play);

/* --- for wire*.c: the body before it is framed --------------------------- */

struct piece {
	size_t end; /* in body.bytes */
};

struct body {
	struct plan *p;
	struct arena *arena;
	struct buf bytes;
	VEC_OF(struct piece) pieces; /* what is sent at once */
	size_t declared;             /* the length that the head names */
	bool is_sse;
	bool has_end; /* HTTP ends properly behind it */
	enum play_end end;
};

void body_piece_end(struct body *b);
/* wire_body.c: the plan's answer with its faults. */
void body_make(struct body *b, struct plan *p);
/* wire_sse.c: one event in the form that the options ask for. */
void body_put_event(struct body *b, struct span event);
/* wire_gzip.c: the same pieces compressed; damaged on demand. */
void body_gzip(struct body *b, bool is_damaged);

#endif
