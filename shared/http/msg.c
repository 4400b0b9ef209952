/* SPDX-License-Identifier: MIT */
/* msg.c - incremental HTTP/1.1 messages, parsed by llhttp. */
#include "shared/http/msg.h"

#include <stdlib.h>

/* llhttp.h has enumerators of its own with three of our names. */
#define HTTP_REQUEST  LLHTTP_TYPE_REQUEST
#define HTTP_RESPONSE LLHTTP_TYPE_RESPONSE
#define HTTP_HEAD     LLHTTP_METHOD_HEAD
#include <llhttp.h>
#undef HTTP_REQUEST
#undef HTTP_RESPONSE
#undef HTTP_HEAD

#include "shared/base/buf.h"
#include "shared/base/check.h"
#include "shared/http/head.h"
#include "shared/http/headscan.h"

#define HTTP_INTERIMS_MAX  16   /* 1xx answers before the real one */
#define HTTP_CHUNK_EXT_MAX 4096 /* bytes of extensions on one chunk */
/* There are many messages at a time, and few with so many fields. */
#define FIRST_FIELDS 16

enum phase {
	PHASE_HEAD,
	PHASE_BODY,
	PHASE_TRAILER,
	PHASE_DONE,
	PHASE_FAILED
};

/* Why a callback stopped llhttp. */
enum mark {
	MARK_NONE,
	MARK_HEAD,
	MARK_PIECE,
	MARK_LAST_CHUNK,
	MARK_DONE
};

/* A field while the bytes of the head may still move. */
struct place {
	uint32_t name_at, name_len;
	uint32_t value_at, value_len;
};

struct http_msg {
	llhttp_t parser;
	enum http_kind kind;
	enum phase phase;
	enum mark mark;
	bool must_lack_body; /* by http_msg_expect_no_body */
	bool ends_at_eof;
	bool is_in_name; /* between two parts of a field name */
	struct headscan scan;
	unsigned interims;
	/* Of the head, interim heads and trailers together. */
	size_t line_bytes;
	size_t fields_seen;
	size_t chunk_ext_bytes;
	/* Target, then name and value of each field. Keeps its memory from one
	 * message to the next. */
	struct buf store;
	size_t target_len;
	struct place *places;
	size_t nplaces;
	struct http_field *fields;
	size_t fields_cap; /* of both */
	/* Has no fields before they are all there. */
	struct http_head head;
	struct span piece;
	struct gp_error failure;
};

/* --- callbacks of llhttp --- */

static int
stop_at(struct http_msg *m, enum mark mark)
{
	m->mark = mark;
	return HPE_PAUSED;
}

static int
on_url(llhttp_t *p, const char *at, size_t n)
{
	struct http_msg *m = p->data;

	buf_put(&m->store, span_of(at, n));
	m->target_len += n;
	return HPE_OK;
}

/* At most HTTP_HEAD_MAX. */
static uint32_t
store_end(const struct http_msg *m)
{
	return (uint32_t)buf_len(&m->store);
}

/* For one more field. */
static void
make_room(struct http_msg *m)
{
	size_t cap = MAX(2 * m->fields_cap, FIRST_FIELDS);

	if (m->nplaces < m->fields_cap)
		return;
	m->places = realloc(m->places, cap * sizeof(*m->places));
	m->fields = realloc(m->fields, cap * sizeof(*m->fields));
	if (m->places == NULL || m->fields == NULL)
		GP_NOMEM();
	m->fields_cap = cap;
}

static int
on_field(llhttp_t *p, const char *at, size_t n)
{
	struct http_msg *m = p->data;
	struct place *place;

	/* A field over the limit is refused when its name is complete, so that
	 * the verdict is the same wherever the input was cut. */
	if (m->phase != PHASE_HEAD || m->fields_seen >= HTTP_FIELDS_MAX)
		return HPE_OK;
	place = &m->places[m->nplaces];
	if (!m->is_in_name)
		*place = (struct place){ .name_at = store_end(m) };
	m->is_in_name = true;
	buf_put(&m->store, span_of(at, n));
	place->name_len += (uint32_t)n;
	return HPE_OK;
}

static int
on_field_complete(llhttp_t *p)
{
	struct http_msg *m = p->data;

	if (m->fields_seen >= HTTP_FIELDS_MAX) {
		(void)gp_fail(&m->failure, GP_E_LIMIT,
			"The head has more than %d fields.", HTTP_FIELDS_MAX);
		return HPE_USER;
	}
	m->fields_seen++;
	m->is_in_name = false;
	if (m->phase == PHASE_HEAD) {
		m->places[m->nplaces].value_at = store_end(m);
		m->nplaces++;
		make_room(m);
	}
	return HPE_OK;
}

static int
on_value(llhttp_t *p, const char *at, size_t n)
{
	struct http_msg *m = p->data;

	if (m->phase != PHASE_HEAD || m->nplaces == 0)
		return HPE_OK;
	buf_put(&m->store, span_of(at, n));
	m->places[m->nplaces - 1].value_len += (uint32_t)n;
	return HPE_OK;
}

static int
on_headers_complete(llhttp_t *p)
{
	return stop_at(p->data, MARK_HEAD);
}

static int
on_body(llhttp_t *p, const char *at, size_t n)
{
	struct http_msg *m = p->data;

	/* llhttp may flush an empty part when it is resumed without input. */
	if (n == 0)
		return HPE_OK;
	m->piece = span_of(at, n);
	return stop_at(m, MARK_PIECE);
}

static int
on_chunk_extension(llhttp_t *p, const char *at, size_t n)
{
	struct http_msg *m = p->data;

	(void)at;
	m->chunk_ext_bytes += n;
	if (m->chunk_ext_bytes <= HTTP_CHUNK_EXT_MAX)
		return HPE_OK;
	/* Not GP_E_LIMIT: at some cuts a syntax error further on is found
	 * first, and the verdict must not depend on the cut. */
	(void)gp_fail(&m->failure, GP_E_SYNTAX,
		"The extensions of a chunk are longer than %d bytes.",
		HTTP_CHUNK_EXT_MAX);
	return HPE_USER;
}

static int
on_chunk_header(llhttp_t *p)
{
	struct http_msg *m = p->data;

	m->chunk_ext_bytes = 0;
	return p->content_length == 0 ? stop_at(m, MARK_LAST_CHUNK) : HPE_OK;
}

static int
on_message_complete(llhttp_t *p)
{
	return stop_at(p->data, MARK_DONE);
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_field_complete = on_field_complete,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_chunk_extension_name = on_chunk_extension,
	.on_chunk_extension_value = on_chunk_extension,
	.on_chunk_header = on_chunk_header,
	.on_message_complete = on_message_complete,
};

/* --- life --- */

/* Ready for a head, which may be one more after an interim answer. */
static void
head_begin(struct http_msg *m)
{
	bool is_request = m->kind == HTTP_REQUEST;

	llhttp_init(&m->parser,
		is_request ? LLHTTP_TYPE_REQUEST : LLHTTP_TYPE_RESPONSE,
		&settings);
	m->parser.data = m;
	m->phase = PHASE_HEAD;
	m->mark = MARK_NONE;
	m->is_in_name = false;
	m->ends_at_eof = false;
	headscan_init(
		&m->scan, is_request ? HEADSCAN_REQUEST : HEADSCAN_RESPONSE);
	buf_reset(&m->store, HTTP_HEAD_MAX);
	m->target_len = 0;
	m->nplaces = 0;
	make_room(m);
	m->chunk_ext_bytes = 0;
	m->head = (struct http_head){
		.target = SPAN_EMPTY,
		.path = SPAN_EMPTY,
		.query = SPAN_EMPTY,
	};
}

struct http_msg *
http_msg_new(enum http_kind kind)
{
	struct http_msg *m = malloc(sizeof(*m));

	if (m == NULL)
		GP_NOMEM();
	m->kind = kind;
	buf_init(&m->store, HTTP_HEAD_MAX);
	m->places = NULL;
	m->fields = NULL;
	m->fields_cap = 0;
	http_msg_next(m);
	return m;
}

void
http_msg_free(struct http_msg **m)
{
	if (*m == NULL)
		return;
	buf_fini(&(*m)->store);
	free((*m)->places);
	free((*m)->fields);
	free(*m);
	*m = NULL;
}

void
http_msg_next(struct http_msg *m)
{
	m->must_lack_body = false;
	m->interims = 0;
	m->line_bytes = 0;
	m->fields_seen = 0;
	m->piece = SPAN_EMPTY;
	m->failure.code = GP_OK;
	head_begin(m);
}

void
http_msg_expect_no_body(struct http_msg *m)
{
	m->must_lack_body = true;
}

const struct http_head *
http_msg_head(const struct http_msg *m)
{
	return &m->head;
}

struct span
http_msg_piece(const struct http_msg *m)
{
	return m->piece;
}

/* --- feeding --- */

static enum http_step
fail_stored(struct http_msg *m, struct gp_error *err)
{
	m->phase = PHASE_FAILED;
	if (err != NULL)
		*err = m->failure;
	return HTTP_FAIL;
}

static const char *
kind_name(const struct http_msg *m)
{
	return m->kind == HTTP_REQUEST ? "request" : "answer";
}

/* Let llhttp go on with s. Returns false and sets m->failure if it refuses;
 * else *used bytes were read and m->mark says why it stopped. */
static bool
run(struct http_msg *m, struct span s, size_t *used)
{
	llhttp_errno_t rc;
	const char *reason;

	*used = 0;
	m->mark = MARK_NONE;
	llhttp_resume(&m->parser);
	rc = llhttp_execute(&m->parser, s.p, s.n);
	if (rc == HPE_OK) {
		*used = s.n;
		return true;
	}
	*used = (size_t)(llhttp_get_error_pos(&m->parser) - s.p);
	if (rc == HPE_PAUSED)
		return true;
	if (m->failure.code == GP_OK) {
		reason = llhttp_get_error_reason(&m->parser);
		(void)gp_fail(&m->failure, GP_E_SYNTAX,
			"Malformed HTTP %s: %s.", kind_name(m),
			reason == NULL || *reason == '\0' ? "no reason given" :
							    reason);
	}
	return false;
}

static enum http_method
method_of(uint8_t method)
{
	switch (method) {
	case HTTP_GET:
		return HTTP_METHOD_GET;
	case LLHTTP_METHOD_HEAD:
		return HTTP_METHOD_HEAD;
	case HTTP_POST:
		return HTTP_METHOD_POST;
	case HTTP_OPTIONS:
		return HTTP_METHOD_OPTIONS;
	default:
		return HTTP_METHOD_OTHER;
	}
}

/* Turn the places in the store, which no longer moves, into spans. */
static void
head_fix(struct http_msg *m)
{
	struct span all = buf_span(&m->store);

	m->head.target = span_head(all, m->target_len);
	m->head.fields = m->fields;
	m->head.nfields = m->nplaces;
	for (size_t i = 0; i < m->head.nfields; i++) {
		const struct place *place = &m->places[i];

		m->fields[i].name = span_head(
			span_from(all, place->name_at), place->name_len);
		m->fields[i].value = span_trim(span_head(
			span_from(all, place->value_at), place->value_len));
	}
	m->head.status = m->kind == HTTP_REQUEST ? 0 : m->parser.status_code;
	m->head.method = m->kind == HTTP_REQUEST ? method_of(m->parser.method) :
						   HTTP_METHOD_OTHER;
	m->head.minor = m->parser.http_minor;
}

/* Rules that need llhttp's view of the start line. */
static enum gp_code
check_start(struct http_msg *m)
{
	unsigned status = m->head.status;

	if (m->parser.http_major != 1 || m->parser.http_minor > 1)
		return gp_fail(&m->failure, GP_E_SYNTAX,
			"The HTTP version is neither 1.0 nor 1.1.");
	if (m->kind == HTTP_REQUEST && m->parser.method == HTTP_CONNECT)
		return gp_fail(&m->failure, GP_E_SYNTAX,
			"CONNECT is not offered here.");
	if (m->kind == HTTP_RESPONSE && (status < 100 || status > 599))
		return gp_fail(&m->failure, GP_E_SYNTAX,
			"The answer's status %u is not one of HTTP.", status);
	if (m->kind == HTTP_RESPONSE && status == 101)
		return gp_fail(&m->failure, GP_E_SYNTAX,
			"The answer switches protocols, which was not asked "
			"for.");
	return GP_OK;
}

/* Tell llhttp where the body ends and take over what it knows. */
static enum gp_code
head_frame(struct http_msg *m)
{
	struct http_head *h = &m->head;
	bool llhttp_chunked = (m->parser.flags & F_CHUNKED) != 0;

	/* Both have read the same fields; a difference would be a hole. */
	if (llhttp_chunked != h->is_chunked ||
		(h->has_length && m->parser.content_length != h->length))
		return gp_fail(&m->failure, GP_E_SYNTAX,
			"The length of the body is ambiguous.");
	if (m->kind == HTTP_RESPONSE &&
		(m->must_lack_body || h->status == 204 || h->status == 304))
		m->parser.flags |= F_SKIPBODY;
	/* Upgrade fields are ignored: never another protocol. */
	m->parser.upgrade = 0;
	m->ends_at_eof = llhttp_message_needs_eof(&m->parser) != 0;
	h->keep_alive = llhttp_should_keep_alive(&m->parser) != 0 &&
		!http_head_has_token(h, SPAN("connection"), SPAN("close"));
	/* RFC 9112, 6.1: such an answer's framing is not to be relied on. */
	if (h->minor == 0 && h->is_chunked)
		h->keep_alive = false;
	h->has_body = (m->parser.flags & F_SKIPBODY) == 0 &&
		(h->is_chunked || m->ends_at_eof ||
			(h->has_length && h->length > 0));
	return GP_OK;
}

/* The empty line has come. HTTP_MORE: it was an interim answer. */
static enum http_step
head_complete(struct http_msg *m, struct gp_error *err)
{
	if (buf_check(&m->store, &m->failure) != GP_OK)
		return fail_stored(m, err);
	head_fix(m);
	if (check_start(m) != GP_OK)
		return fail_stored(m, err);
	if (m->kind == HTTP_RESPONSE && m->head.status < 200) {
		if (++m->interims > HTTP_INTERIMS_MAX) {
			(void)gp_fail(&m->failure, GP_E_LIMIT,
				"More than %d interim answers.",
				HTTP_INTERIMS_MAX);
			return fail_stored(m, err);
		}
		head_begin(m);
		return HTTP_MORE;
	}
	if (http_head_check(&m->head, m->kind, &m->failure) != GP_OK ||
		head_frame(m) != GP_OK)
		return fail_stored(m, err);
	m->phase = PHASE_BODY;
	return HTTP_HEAD;
}

/* Lines of a head or of trailers: at most up to their end. HTTP_MORE: all of
 * `in` is read, or the section is over and the phase is another. */
static enum http_step
feed_lines(
	struct http_msg *m, struct span in, size_t *used, struct gp_error *err)
{
	size_t room = HTTP_HEAD_MAX - m->line_bytes;
	size_t sound = headscan_feed(&m->scan, span_head(in, room));
	bool has_passed = run(m, span_head(in, sound), used);
	bool has_stopped = m->mark == MARK_HEAD || m->mark == MARK_DONE;

	m->line_bytes += *used;
	/* The earlier of two faults is reported, at every cut. */
	if (!has_passed)
		return fail_stored(m, err);
	if (*used != sound || has_stopped != m->scan.is_done) {
		(void)gp_fail(&m->failure, GP_E_SYNTAX,
			"Malformed HTTP %s: its head has no clear end.",
			kind_name(m));
		return fail_stored(m, err);
	}
	if (m->scan.fault != NULL) {
		(void)gp_fail(&m->failure, GP_E_SYNTAX,
			"Malformed HTTP %s: %s.", kind_name(m), m->scan.fault);
		return fail_stored(m, err);
	}
	if (m->scan.is_done) {
		if (m->phase == PHASE_HEAD)
			return head_complete(m, err);
		m->phase = PHASE_DONE;
		return HTTP_MORE;
	}
	if (m->line_bytes >= HTTP_HEAD_MAX) {
		(void)gp_fail(&m->failure, GP_E_LIMIT,
			"The head is larger than %d bytes.", HTTP_HEAD_MAX);
		return fail_stored(m, err);
	}
	return HTTP_MORE;
}

/* Part of a body. HTTP_MORE: as above. */
static enum http_step
feed_body(
	struct http_msg *m, struct span in, size_t *used, struct gp_error *err)
{
	if (!run(m, in, used))
		return fail_stored(m, err);
	if (m->mark == MARK_PIECE)
		return HTTP_BODY;
	if (m->mark == MARK_LAST_CHUNK) {
		m->phase = PHASE_TRAILER;
		headscan_init(&m->scan, HEADSCAN_TRAILER);
	} else if (m->mark == MARK_DONE) {
		m->phase = PHASE_DONE;
	}
	return HTTP_MORE;
}

enum http_step
http_msg_feed(
	struct http_msg *m, struct span in, size_t *used, struct gp_error *err)
{
	enum http_step step = HTTP_MORE;
	enum phase before;
	unsigned interims;

	*used = 0;
	m->piece = SPAN_EMPTY;
	/* Each turn ends a phase or an interim answer, or is the last one. */
	do {
		struct span rest = span_from(in, *used);
		size_t n = 0;

		if (m->phase == PHASE_DONE)
			return HTTP_DONE;
		if (m->phase == PHASE_FAILED)
			return fail_stored(m, err);
		before = m->phase;
		interims = m->interims;
		step = m->phase == PHASE_BODY ? feed_body(m, rest, &n, err) :
						feed_lines(m, rest, &n, err);
		*used += n;
	} while (step == HTTP_MORE &&
		(m->phase != before || m->interims != interims));
	return step;
}

enum http_step
http_msg_eof(struct http_msg *m, struct gp_error *err)
{
	if (m->phase == PHASE_FAILED)
		return fail_stored(m, err);
	if (m->phase == PHASE_DONE)
		return HTTP_MORE;
	if (m->phase == PHASE_HEAD && !m->scan.has_begun && m->interims == 0)
		return HTTP_MORE;
	if (m->phase == PHASE_BODY && (m->ends_at_eof || !m->head.has_body)) {
		m->phase = PHASE_DONE;
		return HTTP_DONE;
	}
	(void)gp_fail(&m->failure, GP_E_CLOSED,
		"The connection was closed before the %s was complete.",
		kind_name(m));
	return fail_stored(m, err);
}
