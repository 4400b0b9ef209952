/* SPDX-License-Identifier: MIT */
/* xlate.c - one request's way there and back. */
#include "shared/translate/xlate.h"

#include "shared/base/check.h"
#include "shared/http/date.h"
#include "shared/translate/llm_estimate.h"
#include "shared/translate/llm_normal.h"
#include "shared/translate/xlate_private.h"

#define ANSWER_MAX (64u << 20) /* bytes of an unstreamed answer */
#define ERROR_MAX  65536       /* bytes of an error answer that are read */

void
xlate_scratch_init(struct xlate_scratch *s)
{
	jdoc_init(&s->request);
	jdoc_init(&s->answer);
	buf_init(&s->repaired, ANSWER_MAX);
}

void
xlate_scratch_fini(struct xlate_scratch *s)
{
	jdoc_fini(&s->request);
	jdoc_fini(&s->answer);
	buf_fini(&s->repaired);
}

void
xlate_make_id(const uint64_t random[XLATE_ID_WORDS], char out[XLATE_ID_LEN + 1])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
				     "fghijklmnopqrstuvwxyz";
	uint64_t r = 0;

	for (size_t i = 0; i < XLATE_ID_LEN; i++) {
		/* Eight digits leave bits to spare, so all are alike. */
		if (i % 8 == 0)
			r = random[i / 8];
		out[i] = digits[r % 62];
		r /= 62;
	}
	out[XLATE_ID_LEN] = '\0';
}

struct xlate *
xlate_new(struct arena *a, struct xlate_scratch *scratch,
	const struct profile *p, const struct dialect *client,
	enum llm_purpose purpose, const struct xlate_env *env, struct buf *out)
{
	struct xlate *x = arena_alloc(a, sizeof(*x));

	x->arena = a;
	x->scratch = scratch;
	x->profile = p;
	x->client = client;
	x->purpose = purpose;
	x->env = *env;
	x->out = out;
	x->out_start = buf_len(out);
	memcpy(x->request_id, "req_", 4);
	xlate_make_id(env->random, x->request_id + 4);
	arena_init(&x->tree);
	llm_req_init(&x->req, &x->tree, purpose);
	x->sent = SPAN_EMPTY;
	x->upstream_id = SPAN_EMPTY;
	x->tap.tally.usage = LLM_USAGE_NONE;
	buf_init(&x->collected, ERROR_MAX);
	return x;
}

void
xlate_fini(struct xlate *x)
{
	arena_fini(&x->tree);
	buf_fini(&x->collected);
	if (x->has_sse)
		sse_fini(&x->sse);
	x->has_sse = false;
}

/* --- the request ---------------------------------------------------------- */

static void
note_dedup(struct xlate *x)
{
	if (x->dedup.blocks > 0)
		notice_add(&x->req.notices, "deduplicated",
			SPAN("environment_details"));
}

enum gp_code
xlate_read(struct xlate *x, struct span body, struct gp_error *err)
{
	struct jdoc *doc = &x->scratch->request;
	enum gp_code rc = jdoc_parse(doc, body, err);

	if (rc != GP_OK)
		return rc == GP_E_LIMIT ? gp_fail(err, GP_E_SYNTAX,
						  "the body nests too deep or "
						  "holds too many values") :
					  rc;
	if (jdoc_type(doc, jdoc_root(doc)) != J_OBJ)
		return gp_fail(err, GP_E_SCHEMA,
			"the body must be a JSON object, not %s",
			jdoc_type_name(jdoc_type(doc, jdoc_root(doc))));
	rc = jdoc_refuse_duplicates(doc, jdoc_root(doc), err);
	if (rc == GP_OK)
		rc = x->client->req_decode(doc, &x->req, err);
	if (rc == GP_OK)
		rc = x->profile->adopt(doc, &x->req, err);
	if (rc != GP_OK)
		return rc;
	if (x->env.dedups_env)
		llm_dedup(&x->req, &x->dedup);
	note_dedup(x);
	x->wants_json = x->req.format != LLM_FORMAT_TEXT;
	x->is_stream = x->req.stream && x->purpose == LLM_CHAT;
	x->estimate = llm_estimate(&x->req);
	return GP_OK;
}

const struct llm_req *
xlate_request(const struct xlate *x)
{
	return &x->req;
}

int64_t
xlate_estimate(const struct xlate *x)
{
	return x->estimate;
}

const struct llm_dedup_report *
xlate_dedup(const struct xlate *x)
{
	return &x->dedup;
}

/* A stop sequence that only we can find is worth a stream that can be
 * cancelled when it comes. */
static bool
wants_upstream_stream(const struct xlate *x)
{
	return x->is_stream ||
		(x->purpose == LLM_CHAT && x->client != x->upstream &&
			x->client->reports_stop && x->req.stop.n > 0);
}

/* What clients of either side take for the window of this model. */
static struct llm_scale
scale_of(const struct xlate *x, bool is_vision)
{
	const struct xlate_counting *c = &x->env.counting;
	const struct llm_scale f = {
		.to = c->expected[dialect_index(x->client)],
		.from = is_vision ? x->info->context_tokens :
				    c->expected[dialect_index(x->upstream)],
	};

	return c->scales && f.from > 0 ? f : LLM_SCALE_NONE;
}

static struct llm_context
context_of(const struct xlate *x)
{
	const bool is_vision =
		x->info->is_vision && x->upstream == x->profile->vision;

	return (struct llm_context){
		.scale = scale_of(x, is_vision),
		.is_shown = x->env.counting.shows_context,
		.is_vision = is_vision,
		.limit = x->info->context_tokens,
	};
}

static void
prepare_encoder(struct xlate *x)
{
	struct llm_enc_env *e = &x->enc_env;

	e->mode = x->is_stream ? LLM_SSE : LLM_BODY;
	e->now_wall_s = x->env.now_wall_s;
	xlate_make_id(x->env.random + XLATE_ID_WORDS, e->fallback_id);
	e->model.s = arena_dup(x->arena, x->req.model.s);
	if (jesc_is_empty(e->model))
		e->model = jtext_escape_dup(x->arena, x->model);
	e->wants_usage = x->req.wants_usage;
	e->has_functions = x->req.has_functions;
	e->estimated_input = x->estimate;
	e->context = context_of(x);
	e->seen = &x->tap.tally.usage;
	e->arena = x->arena;
	e->notices = &x->req.notices;
}

static struct jesc
keep(struct xlate *x, struct jesc e)
{
	return (struct jesc){ arena_dup(x->arena, e.s) };
}

/* A stream may last an hour: keep only what its answer needs of the request,
 * whose bytes and tree may be megabytes. */
static void
detach(struct xlate *x)
{
	const struct llm_req *old = &x->req;
	struct llm_req r = *old;

	r.arena = x->arena;
	r.notices.arena = x->arena;
	for (size_t i = 0; i < r.notices.n; i++)
		r.notices.items[i] = arena_dup(x->arena, r.notices.items[i]);
	memset(&r.turns, 0, sizeof(r.turns));
	memset(&r.tools, 0, sizeof(r.tools));
	memset(&r.extra, 0, sizeof(r.extra));
	memset(&r.stop, 0, sizeof(r.stop));
	memset(&r.renames, 0, sizeof(r.renames));
	memset(&r.cuts, 0, sizeof(r.cuts));
	/* Markup names its tool. */
	for (size_t i = 0; x->env.markup != LLM_MARKUP_OFF && i < old->tools.n;
		i++)
		VEC_PUSH(x->arena, &r.tools)->name =
			keep(x, old->tools.v[i].name);
	for (size_t i = 0; i < old->stop.n; i++)
		*VEC_PUSH(x->arena, &r.stop) = keep(x, old->stop.v[i]);
	for (size_t i = 0; i < old->renames.n; i++)
		*VEC_PUSH(x->arena, &r.renames) = (struct llm_rename){
			keep(x, old->renames.v[i].original),
			keep(x, old->renames.v[i].wire),
		};
	r.model = x->enc_env.model;
	r.choice_name = JESC_EMPTY;
	r.user_id = JESC_EMPTY;
	r.format_name = JESC_EMPTY;
	r.format_schema = JRAW_NONE;
	r.temperature.raw = JRAW_NONE;
	r.top_p.raw = JRAW_NONE;
	x->req = r;
	arena_fini(&x->tree);
}

/* Only now it is known what the way to this upstream costs. One loss that is a
 * field of the request is the error's field, too. */
static enum gp_code
refuse_losses(const struct xlate *x, struct gp_error *err)
{
	const struct jdoc *doc = &x->scratch->request;
	struct span name = SPAN_EMPTY;
	struct buf text;
	size_t n;

	if (!x->env.is_strict || x->purpose != LLM_CHAT)
		return GP_OK;
	buf_init(&text, 4096);
	n = notices_print_losses(&x->req.notices, &text, &name);
	if (n > 0)
		(void)gp_fail(err, GP_E_UNSUPPORTED,
			"strict: the upstream cannot do as asked: %.*s",
			SPAN_ARG(buf_span(&text)));
	buf_fini(&text);
	if (n == 0)
		return GP_OK;
	if (n == 1 && jdoc_get(doc, jdoc_root(doc), name) != JREF_NONE)
		(void)gp_fail_at(err, GP_E_UNSUPPORTED, "%.*s", SPAN_ARG(name));
	if (err != NULL)
		err->reason = "unsupported_value";
	return GP_E_UNSUPPORTED;
}

static void
encode(struct xlate *x, struct span model, const struct llm_wire *wire,
	struct buf *to)
{
	char names[XLATE_SENT_MAX];
	struct jout out;
	struct buf keys;

	buf_init(&keys, sizeof(names));
	keys.data = names;
	keys.cap = sizeof(names);
	jout_init_whole(&out, to);
	out.root_keys = &keys;
	x->upstream->req_encode(&x->req, model, wire, &out);
	xlate_take_sent(x, &keys);
}

enum gp_code
xlate_write(struct xlate *x, const struct xlate_route *route, struct buf *to,
	struct gp_error *err)
{
	const struct dialect *d = route->upstream;
	struct llm_req *r = &x->req;
	struct llm_wire wire = { 0 };
	bool copies = profile_copies(&x->env.options, x->client, d);
	enum gp_code rc;

	x->upstream = d;
	x->model = arena_dup(x->arena, route->model);
	x->info = route->info;
	/* What the decoder could not put into the tree is still in the bytes
	 * that are copied. */
	if (copies) {
		notices_init(&r->notices, &x->tree);
		note_dedup(x);
	}
	rc = x->profile->adapt(
		r, x->client, d, route->info, &x->env.options, &wire, err);
	if (rc != GP_OK)
		return rc;
	prepare_encoder(x);
	x->is_copy = d == x->client && d->ans_copy_sse != NULL &&
		!xlate_chain_is_needed(x);
	if (copies) {
		rc = d->req_copy(
			&x->scratch->request, r, route->model, to, err);
		xlate_take_copied(x, &x->scratch->request);
	} else {
		llm_normalise(r);
		r->stream = wants_upstream_stream(x);
		encode(x, route->model, &wire, to);
	}
	if (rc == GP_OK)
		rc = buf_check(to, err);
	if (rc == GP_OK)
		rc = refuse_losses(x, err);
	if (rc == GP_OK)
		detach(x);
	return rc;
}

/* --- failures ------------------------------------------------------------- */

enum xlate_state
xlate_fail_now(struct xlate *x, const struct llm_failure *f)
{
	switch (x->state) {
	case XLATE_PENDING:
		x->failure = *f;
		buf_truncate(x->out, x->out_start);
		x->state = XLATE_FAILED;
		break;
	case XLATE_OPEN:
		x->failure = *f;
		x->client->fail_encode(f, LLM_SSE, xlate_request_id(x), x->out);
		x->state = XLATE_BROKEN;
		break;
	case XLATE_DONE:
	case XLATE_FAILED:
	case XLATE_BROKEN:
		break;
	}
	return x->state;
}

enum xlate_state
xlate_fail_with(struct xlate *x, enum llm_fail kind, const char *message)
{
	struct llm_failure f = llm_failure_of(kind, span_cstr(message));

	f.trace = x->about.trace;
	return xlate_fail_now(x, &f);
}

enum xlate_state
xlate_fail_from(struct xlate *x, const struct gp_error *err)
{
	return xlate_fail_with(x, LLM_FAIL_UPSTREAM,
		arena_printf(x->arena, "the upstream's answer is unusable: %s",
			err->text)
			.p);
}

enum xlate_state
xlate_fail_upstream(struct xlate *x, struct span body, bool is_in_stream)
{
	struct profile_reply about = x->about;
	struct profile_asked asked = {
		.estimated_input = x->estimate,
		.max_tokens = x->req.max_tokens,
		.limit_tokens = x->info->context_tokens,
		.model = x->model,
	};
	struct llm_failure f;

	about.is_in_stream = is_in_stream;
	x->profile->failure(&about, body, &asked, x->arena, &f);
	return xlate_fail_now(x, &f);
}

/* --- the answer ----------------------------------------------------------- */

/* Without a type it is taken for what was asked. */
static bool
is_event_stream(const struct xlate *x, const struct http_head *head)
{
	struct span type = http_head_get(head, SPAN("content-type"));

	return type.n > 0 ? span_istarts(type, SPAN("text/event-stream")) :
			    x->req.stream;
}

enum xlate_state
xlate_head(struct xlate *x, const struct http_head *head)
{
	GP_ASSERT(x->upstream != NULL && x->reply == REPLY_NONE);
	x->about.status = head->status;
	x->about.retry_after =
		arena_dup(x->arena, http_head_get(head, SPAN("retry-after")));
	x->about.trace =
		arena_dup(x->arena, http_head_get(head, SPAN("x-request-id")));
	xlate_take_upstream_id(x, x->about.trace);
	if (!http_date(http_head_get(head, SPAN("date")), &x->about.now_wall_s))
		x->about.now_wall_s = x->env.now_wall_s;
	if (head->status / 100 == 3)
		return xlate_fail_with(x, LLM_FAIL_UPSTREAM,
			"the upstream answered with a redirect, which is never "
			"followed");
	if (x->purpose == LLM_COUNT) {
		x->reply = REPLY_COUNT;
		return x->state;
	}
	if (head->status / 100 != 2) {
		x->reply = REPLY_ERROR;
		return x->state;
	}
	x->reply = is_event_stream(x, head) ? REPLY_SSE : REPLY_BODY;
	/* A stream cannot be copied into a body, nor a body into a stream. */
	x->is_copy = x->is_copy && (x->reply == REPLY_SSE) == x->is_stream;
	xlate_chain_build(x);
	if (x->reply == REPLY_SSE) {
		sse_init(&x->sse);
		x->has_sse = true;
	} else
		x->collected.max = ANSWER_MAX;
	return x->state;
}

static bool
is_over(const struct xlate *x)
{
	return x->state != XLATE_PENDING && x->state != XLATE_OPEN;
}

/* is_torn: it is the last one and lacks its end. */
static void
feed_event(struct xlate *x, struct sse_event *ev, bool is_torn,
	struct gp_error *err)
{
	struct jdoc *doc = &x->scratch->answer;
	enum gp_code rc;

	ev->data = xlate_mend_text(x, ev->data);
	rc = x->upstream->dec_sse(x->dec, doc, ev, err);
	if (rc == GP_E_SYNTAX && xlate_mend_frame(x, ev))
		rc = x->upstream->dec_sse(x->dec, doc, ev, err);
	/* It was cut before its own end: as if it had not begun. */
	if (rc == GP_E_SYNTAX && is_torn)
		return;
	if (rc != GP_OK) {
		xlate_fail_from(x, err);
		return;
	}
	if (x->is_copy && x->state != XLATE_FAILED && x->state != XLATE_BROKEN)
		x->client->ans_copy_sse(ev, doc, &x->enc_env, x->out);
}

static enum xlate_state
feed_sse(struct xlate *x, struct span bytes)
{
	struct sse_event ev;
	struct gp_error err;
	size_t used;

	while (!is_over(x)) {
		switch (sse_feed(&x->sse, bytes, &used, &ev, &err)) {
		case SSE_MORE:
			return x->state;
		case SSE_EVENT:
			feed_event(x, &ev, false, &err);
			break;
		case SSE_FAIL:
			return xlate_fail_from(x, &err);
		}
		bytes = span_from(bytes, used);
	}
	return x->state;
}

enum xlate_state
xlate_feed(struct xlate *x, struct span bytes)
{
	if (is_over(x))
		return x->state;
	switch (x->reply) {
	case REPLY_SSE:
		feed_sse(x, bytes);
		break;
	case REPLY_BODY:
		buf_put(&x->collected, bytes);
		if (x->collected.bad)
			xlate_fail_with(x, LLM_FAIL_UPSTREAM,
				"the upstream's answer is too large");
		break;
	case REPLY_ERROR:
	case REPLY_COUNT:
		/* The beginning tells what is wrong. */
		buf_put(&x->collected,
			span_head(bytes, ERROR_MAX - buf_len(&x->collected)));
		break;
	case REPLY_NONE:
		GP_UNREACHED();
	}
	if (x->out->bad)
		xlate_fail_with(x, LLM_FAIL_UPSTREAM,
			"the answer is too large to be held");
	return x->state;
}

static void
end_body(struct xlate *x)
{
	struct jdoc *doc = &x->scratch->answer;
	struct span body = xlate_mend_text(x, buf_span(&x->collected));
	struct gp_error err;

	if (jdoc_parse(doc, body, &err) != GP_OK) {
		xlate_fail_upstream(x, body, false);
		return;
	}
	if (x->profile->is_failure(doc)) {
		xlate_fail_upstream(x, body, false);
		return;
	}
	if (x->upstream->dec_body(x->dec, doc, &err) != GP_OK) {
		xlate_fail_from(x, &err);
		return;
	}
	if (x->is_copy && x->state == XLATE_DONE)
		x->client->ans_copy_body(doc, &x->enc_env, x->out);
}

static void
end_sse(struct xlate *x)
{
	struct sse_event ev;
	struct gp_error err;

	if (sse_end(&x->sse, &ev) == SSE_EVENT)
		feed_event(x, &ev, true, &err);
	if (is_over(x))
		return;
	if (x->upstream->dec_end(x->dec, &err) != GP_OK)
		xlate_fail_from(x, &err);
	else if (x->is_copy && x->state == XLATE_DONE) {
		notice_add(&x->req.notices, "early_eof", SPAN_EMPTY);
		x->client->ans_copy_end(x->out);
	}
}

enum xlate_state
xlate_end(struct xlate *x)
{
	if (is_over(x))
		return x->state;
	switch (x->reply) {
	case REPLY_SSE:
		end_sse(x);
		break;
	case REPLY_BODY:
		end_body(x);
		break;
	case REPLY_ERROR:
		return xlate_fail_upstream(x, buf_span(&x->collected), false);
	case REPLY_COUNT:
		return xlate_count_end(x);
	case REPLY_NONE:
		return xlate_fail_with(
			x, LLM_FAIL_UPSTREAM, "the upstream gave no answer");
	}
	if (!is_over(x))
		return xlate_fail_with(x, LLM_FAIL_UPSTREAM,
			"the upstream's answer ended before it was complete");
	return x->state;
}

enum xlate_state
xlate_fail(struct xlate *x, const struct llm_failure *f)
{
	if (x->reply != REPLY_SSE || is_over(x))
		return xlate_fail_now(x, f);
	/* If upstream has said how its answer ends, nothing of it is lost. */
	x->cut = f;
	return xlate_end(x);
}

enum xlate_state
xlate_heartbeat(struct xlate *x)
{
	if (!x->is_stream || is_over(x))
		return x->state;
	x->client->heartbeat(
		buf_len(x->out) > x->out_start || x->gate.started, x->out);
	x->state = XLATE_OPEN;
	return x->state;
}

/* --- what the caller may ask ---------------------------------------------- */

enum xlate_state
xlate_state(const struct xlate *x)
{
	return x->state;
}

const struct llm_failure *
xlate_failure(const struct xlate *x)
{
	return &x->failure;
}

const struct llm_tally *
xlate_tally(const struct xlate *x)
{
	return &x->tap.tally;
}

void
xlate_notices(const struct xlate *x, struct buf *to)
{
	notices_print(&x->req.notices, to);
}

void
xlate_notice(struct xlate *x, const char *verb, struct span name)
{
	notice_add(&x->req.notices, verb, name);
}

uint32_t
xlate_notice_count(const struct xlate *x)
{
	return x->req.notices.total;
}

bool
xlate_is_stream(const struct xlate *x)
{
	return x->is_stream;
}

bool
xlate_upstream_streams(const struct xlate *x)
{
	return x->req.stream;
}

void
xlate_context_field(const struct xlate *x, struct buf *to)
{
	struct llm_fill fill = llm_fill_of(&x->tap.tally.usage);

	if (fill.input < 0)
		fill = (struct llm_fill){ x->estimate, -1, true };
	llm_context_put_field(to, &x->enc_env.context, &fill);
}

struct span
xlate_request_id(const struct xlate *x)
{
	return span_cstr(x->request_id);
}
