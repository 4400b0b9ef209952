/* SPDX-License-Identifier: MIT */
/* session_bodies.c - bodies of requests and answers, for the log files. */
#include "worker/session_bodies.h"

#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/json/jscrub.h"
#include "shared/sys/bodypart.h"

/* Bytes of a body that are looked at: this costs time that others wait. */
#define SCAN_MAX (4u << 20)
/* Records are to find room, whatever bodies there are. */
#define RING_SHARE (RING_BYTES / 2)
#define SLICE      16384
/* Marks of what was cut may be longer than that was. */
#define SLACK (8 * SLICE)

enum {
	KEY_UPSTREAM,
	KEY_SERVER,
	KEY_BEARER,
	KEY_FIELD,
	KEYS
};

_Static_assert(KEYS <= JSCRUB_SECRETS_MAX, "all keys are looked for");

struct body {
	struct jscrub scrub;
	struct buf text;
	uint64_t scanned, missing;
};

struct session_bodies {
	struct worker *worker;
	struct secret keys[KEYS];
	struct body v[BODYPART_KINDS];
	size_t held; /* bytes, of worker->buffered */
};

static void
begin(struct session_bodies *b, struct body *body)
{
	struct span keys[KEYS];

	for (size_t i = 0; i < KEYS; i++)
		keys[i] = span_of(b->keys[i].bytes, b->keys[i].n);
	jscrub_init(&body->scrub, keys, KEYS);
	buf_reset(&body->text, 0);
	body->scanned = body->missing = 0;
}

static void
set_key(struct secret *k, struct span s)
{
	if (!secret_set(k, s))
		k->n = 0;
}

struct session_bodies *
session_bodies_new(struct worker *w, const struct http_head *from)
{
	struct session_bodies *b;
	struct span bearer;

	if (!w->conf->upstream_log || w->conf->upstream_log_bodies == 0)
		return NULL;
	b = calloc(1, sizeof(*b));
	GP_ASSERT(b != NULL);
	b->worker = w;
	bearer = http_head_get(from, SPAN("authorization"));
	if (span_istarts(bearer, SPAN("bearer")))
		bearer = span_from(bearer, 6);
	set_key(&b->keys[KEY_BEARER], span_trim(bearer));
	set_key(&b->keys[KEY_FIELD],
		span_trim(http_head_get(from, SPAN("x-api-key"))));
	b->keys[KEY_SERVER] = w->conf->server_key;
	for (size_t i = 0; i < BODYPART_KINDS; i++) {
		buf_init(&b->v[i].text, BODYPART_BODY_MAX + SLACK);
		begin(b, &b->v[i]);
	}
	return b;
}

void
session_bodies_free(struct session_bodies **bp)
{
	struct session_bodies *const b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	worker_release(b->worker, b->held);
	for (size_t i = 0; i < KEYS; i++)
		secret_wipe(&b->keys[i]);
	for (size_t i = 0; i < BODYPART_KINDS; i++)
		buf_fini(&b->v[i].text);
	free(b);
}

/* Account for what the text has grown. */
static bool
scrub(struct session_bodies *b, struct body *body, struct span slice)
{
	const size_t was = buf_len(&body->text);
	size_t grown;

	if (!worker_reserve(b->worker, slice.n))
		return false;
	worker_release(b->worker, slice.n);
	jscrub_feed(&body->scrub, slice, &body->text);
	body->scanned += slice.n;
	grown = buf_len(&body->text) - was;
	b->worker->buffered += grown;
	b->held += grown;
	return true;
}

/* Once something is missing, so is all behind it: what is there is one piece.
 */
static void
add(struct session_bodies *b, struct body *body, struct span bytes)
{
	while (bytes.n > 0 && body->missing == 0 && body->scanned < SCAN_MAX &&
		buf_len(&body->text) < BODYPART_BODY_MAX &&
		scrub(b, body, span_head(bytes, SLICE)))
		bytes = span_from(bytes, SLICE);
	body->missing += bytes.n;
}

void
session_bodies_sent(
	struct session_bodies *b, struct span body, const struct secret *key)
{
	if (b == NULL)
		return;
	b->keys[KEY_UPSTREAM] = *key;
	worker_release(b->worker, b->held);
	b->held = 0;
	for (size_t i = 0; i < BODYPART_KINDS; i++)
		begin(b, &b->v[i]);
	add(b, &b->v[BODYPART_REQUEST], body);
}

void
session_bodies_received(struct session_bodies *b, struct span bytes)
{
	if (b != NULL)
		add(b, &b->v[BODYPART_ANSWER], bytes);
}

/* --- into the ring -------------------------------------------------------- */

static bool
put(struct ring *ring, struct bodypart *p, struct span text)
{
	char entry[BODYPART_MAX];

	do {
		p->text = span_head(
			span_from(text, p->offset), BODYPART_TEXT_MAX);
		if (ring_put(ring, span_of(entry, bodypart_write(p, entry))) !=
			RING_PUT)
			return false;
		p->offset += (uint32_t)p->text.n;
	} while (p->offset < p->total);
	return true;
}

static void
put_body(struct session_bodies *b, enum bodypart_of of, struct span id)
{
	struct worker *const w = b->worker;
	struct ring *const ring = shm_ring(w->link->shm, w->link->slot);
	struct body *const body = &b->v[of];
	struct bodypart p = { .of = of, .id = id };
	struct span text;

	jscrub_end(&body->scrub, &body->text);
	text = span_head(buf_span(&body->text), BODYPART_BODY_MAX);
	p.total = (uint32_t)text.n;
	p.missing_bytes = body->missing + (buf_len(&body->text) - text.n);
	/* Records come first. */
	if (ring_waiting(ring) + text.n + text.n / 32 > RING_SHARE ||
		!put(ring, &p, text))
		metrics_add(&w->metrics->log_bodies_cut, 1);
}

void
session_bodies_put(struct session_bodies *b, struct span id)
{
	if (b == NULL || b->v[BODYPART_REQUEST].scanned == 0)
		return;
	put_body(b, BODYPART_REQUEST, id);
	put_body(b, BODYPART_ANSWER, id);
}
