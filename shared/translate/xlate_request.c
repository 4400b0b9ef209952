/* SPDX-License-Identifier: MIT */
/* xlate_request.c - a request's way to the upstream. */
#include "shared/base/check.h"
#include "shared/translate/llm_estimate.h"
#include "shared/translate/llm_images.h"
#include "shared/translate/llm_normal.h"
#include "shared/translate/xlate_private.h"

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
	x->images = llm_count_images(&x->req);
	x->estimate = llm_estimate(&x->req);
	return GP_OK;
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
		.removed = x->removed,
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
	e->estimated_input = xlate_input_tokens(x);
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

void
xlate_leave_out_images(struct xlate *x, const struct model_info *m)
{
	if (x->images == 0 || m->is_vision || !x->env.images_of_last_turn)
		return;
	x->images_left_out = llm_leave_out_images(&x->req);
	x->estimate = llm_estimate(&x->req);
	notice_add(&x->req.notices, "dropped", SPAN("images"));
}

static void
take_route(struct xlate *x, const struct xlate_route *route)
{
	x->upstream = route->upstream;
	x->model = arena_dup(x->arena, route->model);
	x->info = route->info;
	x->unmoved_tokens = route->unmoved_tokens;
	xlate_leave_out_images(x, route->info);
}

enum gp_code
xlate_write(struct xlate *x, const struct xlate_route *route, struct buf *to,
	struct gp_error *err)
{
	const struct dialect *d = route->upstream;
	struct llm_req *r = &x->req;
	struct llm_wire wire = { 0 };
	struct model_info fitting = *route->info;
	bool copies;
	enum gp_code rc;

	take_route(x, route);
	copies = profile_copies(&x->env.options, x->client, d) &&
		x->images_left_out == 0;
	/* What the decoder could not put into the tree is still in the bytes
	 * that are copied. */
	if (copies) {
		notices_init(&r->notices, &x->tree);
		note_dedup(x);
	}
	rc = xlate_fit_input(x, err);
	if (rc == GP_OK)
		rc = xlate_fit_output(x, &fitting, err);
	if (rc == GP_OK)
		rc = x->profile->adapt(
			r, x->client, d, &fitting, &x->env.options, &wire, err);
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
