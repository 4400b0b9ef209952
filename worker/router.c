/* SPDX-License-Identifier: MIT */
/* router.c - names of models, aliases, suffixes and where they lead. */
#include "worker/router.h"

#include "shared/base/check.h"
#include "shared/xlate_conf.h"

#define LONG_CONTEXT_MARK "[1m]"

/* --- construction --------------------------------------------------------- */

static enum gp_code
add_upstream(struct router *r, const struct dialect *d, struct span base,
	const struct link *link, struct gp_error *err)
{
	struct upstream_conf *u = &r->upstreams[r->nupstreams];
	struct span host;
	enum gp_code rc = url_parse(base, &u->url, err);

	if (rc != GP_OK)
		return rc;
	host = r->has_proxy ? r->proxy.host : u->url.host;
	for (size_t i = 0; i < link->nhosts && u->host == NULL; i++) {
		struct shm_host *h = &link->shm->hosts[link->hosts[i]];

		if (span_ieq(span_cstr(h->name), host))
			u->host = h;
	}
	if (u->host == NULL)
		return gp_fail(err, GP_E_STATE,
			"no shared memory for the addresses of %.*s",
			SPAN_ARG(host));
	r->speaks[r->nupstreams++] = d;
	return GP_OK;
}

static struct model_info *
find_model(struct model_info *v, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(v[i].name, name))
			return &v[i];
	return NULL;
}

/* The vendor's table with what the configuration says over it. */
static void
merge_models(struct router *r, const struct conf *conf)
{
	const struct profile *p = r->profile;
	struct model_info *v =
		arena_array(&r->arena, p->nmodels + conf->models.n, sizeof(*v));
	size_t n = p->nmodels;

	memcpy(v, p->models, n * sizeof(*v));
	for (size_t i = 0; i < conf->models.n; i++) {
		const struct conf_model *c = &conf->models.v[i];

		if (find_model(v, n, c->name) == NULL)
			v[n++] = profile_unknown_model(c->name);
	}
	for (size_t i = 0; i < n; i++)
		xlate_conf_model(conf, &v[i]);
	r->models = v;
	r->nmodels = n;
}

static const struct model_info *
known_model(const struct router *r, struct span name)
{
	for (size_t i = 0; i < r->nmodels; i++)
		if (span_eq(r->models[i].name, name))
			return &r->models[i];
	return NULL;
}

static struct model_info
default_model(const struct router *r, const struct conf *conf, struct span name,
	bool is_vision)
{
	const struct model_info *m = known_model(r, name);
	struct model_info info = m != NULL ? *m : profile_unknown_model(name);

	info.is_vision = info.is_vision || is_vision;
	xlate_conf_model(conf, &info);
	return info;
}

static enum gp_code
read_aliases(struct router *r, struct span json, struct gp_error *err)
{
	struct jdoc d;
	enum gp_code rc;

	jdoc_init(&d);
	rc = jdoc_parse(&d, json, err);
	if (rc == GP_OK) {
		JDOC_EACH_MEMBER (&d, jdoc_root(&d), it) {
			struct router_alias *a =
				VEC_PUSH(&r->arena, &r->aliases);

			a->from = arena_dup(&r->arena,
				jtext_unescape_dup(
					&r->arena, jdoc_key(&d, it)));
			a->to = arena_dup(&r->arena,
				jtext_unescape_dup(&r->arena,
					jdoc_str(&d, jdoc_value(&d, it))));
		}
	}
	jdoc_fini(&d);
	return rc;
}

static void
list_name(struct router *r, struct span name)
{
	struct router_choice c;
	struct router_listed *l;

	if (router_listed(r, name) != NULL)
		return;
	router_pick(r, name, false, r->profile->text, &r->arena, &c);
	l = VEC_PUSH(&r->arena, &r->listed);
	l->name = name;
	l->info = c.route.info;
}

/* The name alone and with the suffix of each dialect. */
static void
list_with_suffixes(struct router *r, struct span name)
{
	list_name(r, name);
	for (size_t i = 0; i < ndialects; i++)
		list_name(r,
			arena_printf(&r->arena, "%.*s%.*s", SPAN_ARG(name),
				SPAN_ARG(dialects[i]->suffix)));
}

static enum gp_code
list_models(struct router *r, const struct conf *conf, struct gp_error *err)
{
	struct jdoc d;
	enum gp_code rc = GP_OK;

	if (conf->openai_models_list_json.n == 0) {
		list_with_suffixes(r, r->text.name);
		list_name(r, r->vision.name);
	} else {
		jdoc_init(&d);
		rc = jdoc_parse(&d, conf->openai_models_list_json, err);
		if (rc == GP_OK) {
			JDOC_EACH (&d, jdoc_root(&d), it) {
				jref id = jdoc_type(&d, it) == J_OBJ ?
					jdoc_get(&d, it, SPAN("id")) :
					it;

				list_name(r,
					arena_dup(&r->arena,
						jtext_unescape_dup(&r->arena,
							jdoc_str(&d, id))));
			}
		}
		jdoc_fini(&d);
	}
	for (size_t i = 0; rc == GP_OK && i < r->aliases.n; i++)
		list_name(r, r->aliases.v[i].from);
	return rc;
}

static void
read_preference(struct router *r, const struct conf *conf)
{
	struct span want = conf_enum_text(
		"auto|anthropic|openai|client", conf->text_endpoint_preference);

	r->prefers_client = conf->text_endpoint_preference == PREFER_CLIENT;
	for (size_t i = 0; i < ndialects; i++)
		if (span_eq(span_cstr(dialects[i]->name), want))
			r->preferred = dialects[i];
}

enum gp_code
router_init(struct router *r, const struct link *link, struct gp_error *err)
{
	const struct conf *conf = link->conf;
	const struct span bases[] = {
#define DIALECT(name, base, expected, overflow) conf->base,
#include "shared/translate/dialects.def"
#undef DIALECT
	};
	enum gp_code rc = GP_OK;

	memset(r, 0, sizeof(*r));
	r->proxy.host = SPAN_EMPTY;
	arena_init(&r->arena);
	r->profile = &profile_zai;
	if (conf->upstream_proxy.n > 0) {
		rc = url_parse(conf->upstream_proxy, &r->proxy, err);
		r->has_proxy = true;
	}
	for (size_t i = 0; rc == GP_OK && i < ARRAY_LEN(bases); i++)
		rc = add_upstream(r, dialects[i], bases[i], link, err);
	if (rc != GP_OK)
		return rc;
	merge_models(r, conf);
	r->text = default_model(r, conf, conf->autotext_model, false);
	r->vision = default_model(r, conf, conf->autovision_model, true);
	r->unknown = profile_unknown_model(SPAN_EMPTY);
	xlate_conf_model(conf, &r->unknown);
	read_preference(r, conf);
	rc = read_aliases(r, conf->model_map_json, err);
	return rc == GP_OK ? list_models(r, conf, err) : rc;
}

void
router_fini(struct router *r)
{
	arena_fini(&r->arena);
}

/* --- picking -------------------------------------------------------------- */

static bool
apply_alias(const struct router *r, struct span *name)
{
	for (size_t i = 0; i < r->aliases.n; i++)
		if (span_eq(r->aliases.v[i].from, *name)) {
			*name = r->aliases.v[i].to;
			return true;
		}
	return false;
}

static struct span
lower_case(struct arena *a, struct span s)
{
	struct span copy = arena_dup(a, s);
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; i < copy.n; i++)
		p[i] = copy.p[i] >= 'A' && copy.p[i] <= 'Z' ?
			(char)(copy.p[i] + ('a' - 'A')) :
			copy.p[i];
	return span_of(p, s.n);
}

/* Take the mark of long contexts and one dialect's suffix off the end, in any
 * order. Returns the dialect of the suffix, NULL without one. */
static const struct dialect *
strip_marks(struct span *name)
{
	const struct dialect *asked = NULL;
	struct span mark = SPAN(LONG_CONTEXT_MARK);
	bool again = true;

	while (again) {
		again = false;
		if (span_ends(*name, mark)) {
			name->n -= mark.n;
			again = true;
		}
		for (size_t i = 0; asked == NULL && i < ndialects; i++)
			if (span_ends(*name, dialects[i]->suffix)) {
				name->n -= dialects[i]->suffix.n;
				asked = dialects[i];
				again = true;
			}
	}
	return asked;
}

static size_t
upstream_of(const struct router *r, const struct dialect *d)
{
	for (size_t i = 0; i < r->nupstreams; i++)
		if (r->speaks[i] == d)
			return i;
	GP_UNREACHED();
	return 0;
}

static const struct dialect *
pick_dialect(const struct router *r, const struct dialect *asked,
	const struct dialect *client, bool is_vision)
{
	if (is_vision)
		return r->profile->vision;
	if (asked != NULL)
		return asked;
	if (r->prefers_client)
		return client;
	return r->preferred != NULL ? r->preferred : r->profile->text;
}

/* The model that is asked of upstream d, given the name that is left. */
static const struct model_info *
pick_model(const struct router *r, struct span name, bool has_image,
	const struct dialect *d, struct arena *a, struct router_choice *out)
{
	const struct model_info *m = known_model(r, name);
	const struct model_info *dflt = has_image ? &r->vision : &r->text;
	struct model_info *other;

	if (name.n == 0)
		return dflt;
	if (has_image && (m == NULL || !m->is_vision) &&
		!span_eq(name, r->vision.name)) {
		if (m == NULL)
			out->notice = "substituted";
		return &r->vision;
	}
	if (span_eq(name, r->vision.name))
		return &r->vision;
	if (m != NULL)
		return m;
	if (span_eq(name, r->text.name))
		return &r->text;
	/* The endpoint for images knows no other vendor's names. */
	if (d == r->profile->vision) {
		out->notice = "substituted";
		return dflt;
	}
	other = arena_alloc(a, sizeof(*other));
	*other = r->unknown;
	other->name = name;
	out->is_unknown = true;
	return other;
}

/* What the window would be if it were not for the images. */
static int64_t
unmoved_tokens(const struct router *r, struct span name,
	const struct model_info *picked)
{
	const struct model_info *asked = known_model(r, name);

	if (asked == NULL)
		asked = name.n == 0 || span_eq(name, r->text.name) ?
			&r->text :
			&r->unknown;
	return asked->is_vision || picked == asked ? 0 : asked->context_tokens;
}

void
router_pick(const struct router *r, struct span model, bool has_image,
	const struct dialect *client, struct arena *a,
	struct router_choice *out)
{
	struct span name = model;
	const struct dialect *asked = NULL, *d;
	const struct model_info *m;
	bool is_vision;

	*out = (struct router_choice){ 0 };
	if (!apply_alias(r, &name)) {
		name = lower_case(a, model);
		asked = strip_marks(&name);
		apply_alias(r, &name);
	}
	/* An alias may lead to a name with marks of its own. */
	name = lower_case(a, name);
	d = strip_marks(&name);
	if (d != NULL)
		asked = d;
	m = known_model(r, name);
	is_vision = has_image || (m != NULL && m->is_vision) ||
		span_eq(name, r->vision.name);
	d = pick_dialect(r, asked, client, is_vision);
	m = pick_model(r, name, has_image, d, a, out);
	out->route.upstream = d;
	out->route.model = m->name;
	out->route.info = m;
	if (has_image)
		out->route.unmoved_tokens = unmoved_tokens(r, name, m);
	out->upstream = upstream_of(r, d);
}

const struct router_listed *
router_listed(const struct router *r, struct span name)
{
	for (size_t i = 0; i < r->listed.n; i++)
		if (span_eq(r->listed.v[i].name, name))
			return &r->listed.v[i];
	return NULL;
}
