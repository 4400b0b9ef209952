/* SPDX-License-Identifier: MIT */
/* wire.c - heads, framing and times of answers. */
#include "tests/upstream/wire.h"

#include <stdio.h>

#include "shared/http/out.h"

#define BIG_HEAD_FIELDS 100
#define MODEL_NAME_MAX  64

enum framing {
	BY_LENGTH,
	BY_CHUNKS,
	BY_CLOSE
};

struct writer {
	struct play *play;
	struct plan *p;
	const struct scenario *sc;
	struct body *body;
	struct buf *out;
	enum framing framing;
};

static void
cue_at_end(struct writer *w, int64_t wait_ms)
{
	struct cue *cue = VEC_PUSH(w->p->arena, &w->play->cues);

	cue->at = w->out->len;
	cue->wait_ms = wait_ms;
}

/* --- head ---------------------------------------------------------------- */

static enum framing
choose_framing(const struct writer *w)
{
	struct span said = w->sc->framing;

	if (w->p->odd == ODD_HTTP10 || span_eq(said, SPAN("close")))
		return BY_CLOSE;
	if (said.n > 0)
		return span_eq(said, SPAN("length")) ? BY_LENGTH : BY_CHUNKS;
	if (w->p->odd == ODD_TRAILERS)
		return BY_CHUNKS;
	return w->body->is_sse ? BY_CHUNKS : BY_LENGTH;
}

static void
put_odd_fields(struct writer *w)
{
	enum odd odd = w->p->odd;

	if (odd == ODD_GZIP || odd == ODD_BAD_GZIP)
		http_out_field_cstr(w->out, "content-encoding", "gzip");
	if (odd == ODD_BROTLI)
		http_out_field_cstr(w->out, "content-encoding", "br");
	if (odd == ODD_TRAILERS)
		http_out_field_cstr(w->out, "trailer", "x-trailer");
	if (odd == ODD_TWO_LENGTHS)
		http_out_field_u64(
			w->out, "content-length", w->body->declared + 5);
	for (int i = 0; odd == ODD_BIG_HEAD && i < BIG_HEAD_FIELDS; i++)
		buf_printf(w->out, "x-big-%d: %01024d\r\n", i, 0);
	if (w->p->is_redirect)
		http_out_field_cstr(
			w->out, "location", "http://127.0.0.1:9/elsewhere");
	if (w->sc->retry_after >= 0)
		http_out_field_u64(
			w->out, "retry-after", (uint64_t)w->sc->retry_after);
}

static const char *
content_type(const struct writer *w)
{
	if (w->p->is_failure || (w->p->fails_first && !w->body->is_sse))
		return failure_content_type(&w->p->failure);
	return w->body->is_sse ? "text/event-stream;charset=UTF-8" :
				 "application/json; charset=UTF-8";
}

static void
put_head(struct writer *w)
{
	unsigned status = w->p->is_failure ? w->p->failure.status : 200;

	w->play->status = status;
	if (w->p->odd == ODD_INTERIM)
		buf_puts(w->out,
			"HTTP/1.1 103 Early Hints\r\n"
			"link: </hint>; rel=preload\r\n\r\n");
	if (w->p->odd == ODD_HTTP10)
		buf_printf(w->out, "HTTP/1.0 %u %s\r\n", status,
			http_reason(status));
	else
		http_out_status(w->out, status);
	http_out_field_cstr(w->out, "server", "standin");
	if (w->p->odd != ODD_NO_TYPE)
		http_out_field_cstr(w->out, "content-type", content_type(w));
	if (w->framing == BY_LENGTH)
		http_out_field_u64(w->out, "content-length", w->body->declared);
	if (w->framing == BY_CHUNKS)
		http_out_field_cstr(w->out, "transfer-encoding", "chunked");
	put_odd_fields(w);
	if (w->body->end == PLAY_CLOSE)
		http_out_field_cstr(w->out, "connection", "close");
	buf_printf(w->out,
		"x-log-id: %s\r\n"
		"set-cookie: acw_tc=%s;path=/;HttpOnly;Max-Age=1800\r\n",
		w->p->trace, w->p->trace + 14);
	http_out_end(w->out);
}

/* --- body ---------------------------------------------------------------- */

static void
put_bytes(struct writer *w, struct span s)
{
	if (w->framing == BY_CHUNKS)
		http_out_chunk(w->out, s);
	else
		buf_put(w->out, s);
}

/* s in parts of `chunk` bytes, each a write of its own. */
static void
put_small(struct writer *w, struct span s, size_t chunk)
{
	while (s.n > 0) {
		put_bytes(w, span_head(s, chunk));
		s = span_from(s, chunk);
		if (s.n > 0)
			cue_at_end(w, 0);
	}
}

static void
put_body(struct writer *w)
{
	const struct body *b = w->body;
	size_t from = 0, chunk = (size_t)scenario_number(w->sc->chunk, 0);

	if (w->sc->first > 0)
		cue_at_end(w, w->sc->first);
	if (chunk > 0 && w->sc->delay <= 0) {
		cue_at_end(w, 0);
		put_small(w, buf_span(&b->bytes), chunk);
		return;
	}
	for (size_t i = 0; i < b->pieces.n; i++) {
		struct span s = span_of(
			b->bytes.data + from, b->pieces.v[i].end - from);

		if (i > 0 && w->sc->delay > 0)
			cue_at_end(w, w->sc->delay);
		put_small(w, s, chunk > 0 ? chunk : MAX(s.n, 1));
		from = b->pieces.v[i].end;
	}
}

static void
put_tail(struct writer *w)
{
	if (!w->body->has_end)
		return;
	if (w->framing == BY_CHUNKS && w->p->odd == ODD_TRAILERS)
		buf_puts(w->out, "0\r\nx-trailer: late\r\n\r\n");
	else if (w->framing == BY_CHUNKS)
		http_out_last_chunk(w->out);
	if (w->p->odd == ODD_EXTRA_BYTES)
		buf_puts(w->out, "extra bytes");
}

static void
write_all(struct writer *w)
{
	w->framing = choose_framing(w);
	if (w->framing == BY_CLOSE && w->body->has_end)
		w->body->end = PLAY_CLOSE;
	if (w->sc->head > 0)
		cue_at_end(w, w->sc->head);
	put_head(w);
	put_body(w);
	put_tail(w);
	w->play->end = w->body->end;
	if (w->sc->write > 0)
		w->play->write_max = (size_t)w->sc->write;
}

/* Faults that leave no answer at all. */
static bool
has_no_answer(struct play *play, const struct plan *p)
{
	if (p->fault == FAULT_CLOSE_EARLY)
		play->end = PLAY_CUT;
	else if (p->fault == FAULT_RESET_EARLY)
		play->end = PLAY_RESET;
	else if (p->fault == FAULT_NO_HEAD ||
		(p->fault == FAULT_SILENT && !p->is_stream))
		play->end = PLAY_HANG;
	else
		return false;
	return true;
}

static void
play_init(struct play *play)
{
	memset(play, 0, sizeof(*play));
	play->write_max = SIZE_MAX;
	play->bytes = SPAN_EMPTY;
	buf_init(&play->own, SIZE_MAX / 2);
}

/* --- answers that are made once ------------------------------------------ */

/* Plain `many`, by side: for benchmarks, where making it would be the
 * greater part of the cost. */
static struct {
	char model[MODEL_NAME_MAX];
	struct buf bytes;
} prebuilt[2];

static bool
is_prebuilt_case(const struct request *r)
{
	return r->refused == 0 && r->is_stream &&
		span_eq(r->scenario.source, SPAN("many")) &&
		r->model_name.n < MODEL_NAME_MAX &&
		(r->route == ROUTE_MESSAGES || r->route == ROUTE_CHAT);
}

static bool
prebuilt_take(struct play *play, const struct request *r)
{
	if (!is_prebuilt_case(r) || prebuilt[r->side].bytes.len == 0 ||
		!span_eq(span_cstr(prebuilt[r->side].model), r->model_name))
		return false;
	play->bytes = buf_span(&prebuilt[r->side].bytes);
	play->status = 200;
	return true;
}

static void
prebuilt_keep(const struct play *play, const struct request *r)
{
	/* Others may still be sending the first one: it stays. */
	if (!is_prebuilt_case(r) || prebuilt[r->side].bytes.len > 0)
		return;
	memcpy(prebuilt[r->side].model, r->model_name.p, r->model_name.n);
	buf_init(&prebuilt[r->side].bytes, SIZE_MAX / 2);
	buf_put(&prebuilt[r->side].bytes, play->bytes);
}

void
play_make(struct play *play, struct request *r)
{
	struct plan p;
	struct body body;
	struct writer w = { .play = play, .p = &p, .body = &body };

	play_init(play);
	if (prebuilt_take(play, r))
		return;
	plan_make(&p, r);
	if (has_no_answer(play, &p))
		return;
	if (p.odd == ODD_GARBAGE) {
		buf_puts(&play->own, "this is not HTTP\r\n\r\n");
		play->bytes = buf_span(&play->own);
		play->end = PLAY_CLOSE;
		return;
	}
	w.sc = p.sc;
	w.out = &play->own;
	body_make(&body, &p);
	write_all(&w);
	buf_fini(&body.bytes);
	play->bytes = buf_span(&play->own);
	prebuilt_keep(play, r);
}

void
play_make_plain(
	struct play *play, unsigned status, struct span body, bool close)
{
	play_init(play);
	http_out_status(&play->own, status);
	http_out_field_cstr(&play->own, "content-type", "application/json");
	http_out_field_u64(&play->own, "content-length", body.n);
	if (close)
		http_out_field_cstr(&play->own, "connection", "close");
	http_out_end(&play->own);
	buf_put(&play->own, body);
	play->bytes = buf_span(&play->own);
	play->status = status;
	play->end = close ? PLAY_CLOSE : PLAY_KEEP;
}

void
play_fini(struct play *play)
{
	buf_fini(&play->own);
	play->bytes = SPAN_EMPTY;
}
