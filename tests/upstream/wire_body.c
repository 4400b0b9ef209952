/* SPDX-License-Identifier: MIT */
/* wire_body.c - bodies of answers, and what goes wrong inside them. */
#include "tests/upstream/wire.h"

void
body_piece_end(struct body *b)
{
	struct piece *piece = VEC_PUSH(b->arena, &b->pieces);

	piece->end = b->bytes.len;
}

static struct span
frame_bytes(const struct frames *f, size_t i)
{
	size_t from = i == 0 ? 0 : f->list.v[i - 1].end;

	return span_of(f->bytes.data + from, f->list.v[i].end - from);
}

/* How many frames come before the first of this kind or a later one. */
static size_t
frames_before(const struct frames *f, enum frame_kind kind)
{
	size_t n = 0;

	while (n < f->list.n && f->list.v[n].kind < kind)
		n++;
	return n;
}

static void
put_frames(struct body *b, const struct frames *f, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		body_put_event(b, frame_bytes(f, i));
		body_piece_end(b);
	}
}

static void
put_part(struct body *b, struct span s, const char *tail)
{
	struct buf part;

	buf_init(&part, SIZE_MAX / 2);
	buf_put(&part, s);
	buf_puts(&part, tail);
	body_put_event(b, buf_span(&part));
	body_piece_end(b);
	buf_fini(&part);
}

static void
put_failure(struct body *b)
{
	struct frames f = { 0 };

	buf_init(&f.bytes, SIZE_MAX / 2);
	answer_failure_event(b->p, &f);
	put_frames(b, &f, 0, f.list.n);
	buf_fini(&f.bytes);
}

static void
set_end(struct body *b, enum play_end end)
{
	b->has_end = false;
	b->end = end;
}

/* The frames with a fault among them. */
static void
put_faulty(struct body *b, const struct frames *f)
{
	size_t n = f->list.n, good = frames_before(f, FRAME_FINISH);
	size_t at = (size_t)scenario_number(b->p->sc->at, (int64_t)good / 2);
	struct span last = frame_bytes(f, n - 1), half;

	if (b->p->fault == FAULT_SILENT && b->p->sc->at < 0)
		at = 1;
	at = MIN(at, good == n ? n - 1 : good);
	half = frame_bytes(f, at);
	half = span_head(half, half.n / 2);
	switch (b->p->fault) {
	case FAULT_NO_DONE:
		put_frames(b, f, 0, frames_before(f, FRAME_END));
		if (b->p->sc->clean <= 0)
			set_end(b, PLAY_CUT);
		break;
	case FAULT_ENDS_EARLY:
		put_frames(b, f, 0, good);
		break;
	case FAULT_BAD_JSON:
		put_frames(b, f, 0, at);
		put_part(b, half, "\n\n");
		put_frames(b, f, at + 1, n);
		break;
	case FAULT_GLUED:
		put_frames(b, f, 0, at);
		put_part(b, half, "");
		put_frames(b, f, at, n);
		break;
	case FAULT_NO_BLANK:
		put_frames(b, f, 0, n - 1);
		put_part(b, span_head(last, last.n - 1), "");
		break;
	case FAULT_ERROR_MID:
		put_frames(b, f, 0, at);
		put_failure(b);
		break;
	case FAULT_TORN:
		put_frames(b, f, 0, at);
		put_part(b, half, "");
		break;
	case FAULT_CUT:
	case FAULT_RESET:
	case FAULT_SILENT:
		put_frames(b, f, 0, at);
		break;
	case FAULT_NONE:
	case FAULT_NO_HEAD:
	case FAULT_CLOSE_EARLY:
	case FAULT_RESET_EARLY:
		put_frames(b, f, 0, n);
		break;
	}
}

/* How the connection ends, for faults where that is the point. */
static void
set_fault_end(struct body *b)
{
	switch (b->p->fault) {
	case FAULT_CUT:
	case FAULT_TORN:
		set_end(b, PLAY_CUT);
		break;
	case FAULT_RESET:
		set_end(b, PLAY_RESET);
		break;
	case FAULT_SILENT:
		set_end(b, PLAY_HANG);
		break;
	case FAULT_NONE:
	case FAULT_NO_HEAD:
	case FAULT_NO_DONE:
	case FAULT_ENDS_EARLY:
	case FAULT_BAD_JSON:
	case FAULT_GLUED:
	case FAULT_NO_BLANK:
	case FAULT_CLOSE_EARLY:
	case FAULT_RESET_EARLY:
	case FAULT_ERROR_MID:
		break;
	}
}

static void
make_stream(struct body *b)
{
	struct frames f = { 0 };

	buf_init(&f.bytes, SIZE_MAX / 2);
	answer_stream(b->p, &f);
	if (b->p->fault == FAULT_NONE)
		put_frames(b, &f, 0, f.list.n);
	else
		put_faulty(b, &f);
	buf_fini(&f.bytes);
	b->declared = b->bytes.len;
}

static void
make_whole(struct body *b)
{
	enum fault fault = b->p->fault;

	answer_body(b->p, &b->bytes);
	if (fault == FAULT_BAD_JSON)
		buf_truncate(&b->bytes, b->bytes.len / 2);
	b->declared = b->bytes.len;
	if (fault == FAULT_CUT || fault == FAULT_TORN || fault == FAULT_RESET)
		buf_truncate(&b->bytes, b->bytes.len / 2);
	body_piece_end(b);
}

void
body_make(struct body *b, struct plan *p)
{
	memset(b, 0, sizeof(*b));
	b->p = p;
	b->arena = p->arena;
	b->has_end = true;
	b->end = p->sc->close > 0 ? PLAY_CLOSE : PLAY_KEEP;
	b->is_sse = p->is_stream && !p->is_failure;
	buf_init(&b->bytes, SIZE_MAX / 2);
	set_fault_end(b);
	if (b->is_sse)
		make_stream(b);
	else
		make_whole(b);
	if (p->odd == ODD_GZIP || p->odd == ODD_BAD_GZIP)
		body_gzip(b, p->odd == ODD_BAD_GZIP);
}
