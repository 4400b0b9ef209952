/* SPDX-License-Identifier: MIT */
/* jdoc.c - a parsed JSON text: building it and walking it. */
#include "shared/json/jdoc.h"

#include <limits.h>
#include <stdlib.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "shared/base/check.h"
#include "shared/json/jscan.h"

#define FIRST_CAP 64u
/* Up to here comparing each key with each is cheaper than sorting. */
#define FEW_KEYS 16u

/* While jsmn runs, jsmn.parent is the parent. Afterwards nobody needs that, and
 * the field holds the index behind the subtree. */
struct jdoc_token {
	jsmntok_t jsmn;
};

_Static_assert(
	sizeof(struct jdoc_token) == sizeof(jsmntok_t), "jsmn walks the array");

void
jdoc_init(struct jdoc *d)
{
	*d = (struct jdoc){ .text = SPAN_EMPTY };
	jbones_init(&d->bones);
}

void
jdoc_fini(struct jdoc *d)
{
	free(d->tok);
	jbones_fini(&d->bones);
	jdoc_init(d);
}

/* Room for n tokens; what was there is lost. */
static void
make_room(struct jdoc *d, uint32_t n)
{
	uint32_t cap = MAX(n, FIRST_CAP);

	if (n <= d->cap && (d->cap <= JDOC_KEEP_TOKENS || n > JDOC_KEEP_TOKENS))
		return;
	/* Doubling, so that texts that grow slowly do not allocate each. */
	if (n < JDOC_KEEP_TOKENS)
		cap = MAX(cap, MIN(2 * d->cap, JDOC_KEEP_TOKENS));
	free(d->tok);
	d->tok = malloc(cap * sizeof(*d->tok));
	if (d->tok == NULL)
		GP_NOMEM();
	d->cap = cap;
}

/* jsmn in strict mode refuses a primitive that nothing follows. */
static bool
is_bare_primitive(struct span text)
{
	return text.p[0] != '{' && text.p[0] != '[' && text.p[0] != '"';
}

static bool
is_container(const jsmntok_t *t)
{
	return t != NULL && (t->type == JSMN_OBJECT || t->type == JSMN_ARRAY);
}

/* jscan has counted n. */
static void
tokenise(struct jdoc *d, struct span text, uint32_t n)
{
	jsmn_parser parser;
	int found;

	jsmn_init(&parser);
	found = jsmn_parse(&parser, text.p, text.n, &d->tok->jsmn, n);
	GP_ASSERT(found >= 0 && (uint32_t)found == n);
}

/* Tokens of the bones become tokens of the text. */
static void
leave_bones(struct jdoc *d, uint32_t n)
{
	const struct jbones *const b = &d->bones;
	size_t k = 0;

	for (uint32_t i = 0; i < n; i++) {
		jsmntok_t *const t = &d->tok[i].jsmn;
		const uint32_t start = (uint32_t)t->start;
		const uint32_t end = (uint32_t)t->end;

		t->start = (int)jbones_seek(b, start, &k);
		if (is_container(t))
			t->end = (int)jbones_find(b, end);
		else if (k < b->n && (uint32_t)t->start == b->cuts[k].at)
			t->end = t->start + (int)b->cuts[k].n;
		else
			t->end = t->start + (int)(end - start);
	}
}

/* Replace the parent links; see struct jdoc_token. Children stand behind their
 * parent, so going backwards they are done before it is. */
static void
link_subtrees(struct jdoc *d)
{
	for (uint32_t i = d->n; i-- > 0;) {
		uint32_t next = i + 1;

		for (int k = d->tok[i].jsmn.size; k > 0; k--)
			next = (uint32_t)d->tok[next].jsmn.parent;
		d->tok[i].jsmn.parent = (int)next;
	}
}

enum gp_code
jdoc_parse(struct jdoc *d, struct span text, struct gp_error *err)
{
	uint32_t n = 0;
	enum gp_code rc;
	struct span inner;

	d->n = 0;
	d->text = text;
	if (text.n > INT_MAX)
		return gp_fail(
			err, GP_E_LIMIT, "a JSON text of %zu bytes", text.n);
	jbones_reset(&d->bones);
	rc = jscan_text_bones(text, &n, &d->bones, err);
	if (rc != GP_OK)
		return rc;
	make_room(d, n);
	inner = span_trim(text);
	if (is_bare_primitive(inner)) {
		const int start = (int)(inner.p - text.p);

		d->tok[0].jsmn = (jsmntok_t){ .type = JSMN_PRIMITIVE,
			.start = start,
			.end = start + (int)inner.n };
	} else if (jbones_lost(&d->bones) > text.n / 2) {
		tokenise(d, jbones_text(&d->bones, text), n);
		leave_bones(d, n);
	} else {
		tokenise(d, text, n);
	}
	d->n = n;
	link_subtrees(d);
	return GP_OK;
}

static const jsmntok_t *
token(const struct jdoc *d, jref r)
{
	return r < d->n ? &d->tok[r].jsmn : NULL;
}

static struct span
token_span(const struct jdoc *d, const jsmntok_t *t)
{
	return span_of(d->text.p + t->start, (size_t)(t->end - t->start));
}

jref
jdoc_root(const struct jdoc *d)
{
	return d->n > 0 ? 0 : JREF_NONE;
}

enum jtype
jdoc_type(const struct jdoc *d, jref r)
{
	const jsmntok_t *const t = token(d, r);

	if (t == NULL)
		return J_NONE;
	if (t->type == JSMN_OBJECT)
		return J_OBJ;
	if (t->type == JSMN_ARRAY)
		return J_ARR;
	if (t->type == JSMN_STRING)
		return J_STR;
	switch (d->text.p[t->start]) {
	case 'n':
		return J_NULL;
	case 't':
	case 'f':
		return J_BOOL;
	default:
		return J_NUM;
	}
}

const char *
jdoc_type_name(enum jtype t)
{
	switch (t) {
	case J_NONE:
		return "nothing";
	case J_NULL:
		return "null";
	case J_BOOL:
		return "a boolean";
	case J_NUM:
		return "a number";
	case J_STR:
		return "a string";
	case J_ARR:
		return "an array";
	case J_OBJ:
		return "an object";
	}
	GP_UNREACHED();
}

jref
jdoc_first(const struct jdoc *d, jref container)
{
	const jsmntok_t *const t = token(d, container);

	return is_container(t) && t->size > 0 ? container + 1 : JREF_NONE;
}

jref
jdoc_next(const struct jdoc *d, jref container, jref it)
{
	const jsmntok_t *const t = token(d, container);
	const jsmntok_t *const i = token(d, it);

	if (t == NULL || i == NULL || i->parent >= t->parent)
		return JREF_NONE;
	return (jref)i->parent;
}

struct jesc
jdoc_key(const struct jdoc *d, jref it)
{
	return jdoc_str(d, it);
}

jref
jdoc_value(const struct jdoc *d, jref it)
{
	const jsmntok_t *const t = token(d, it);

	if (t == NULL || t->type != JSMN_STRING || t->size == 0)
		return JREF_NONE;
	return it + 1;
}

jref
jdoc_get(const struct jdoc *d, jref obj, struct span key)
{
	if (jdoc_type(d, obj) != J_OBJ)
		return JREF_NONE;
	/* Keys are strings, and their values stand behind them. */
	JDOC_EACH_MEMBER (d, obj, it) {
		const struct jesc k = { token_span(d, &d->tok[it].jsmn) };

		if (jesc_eq(k, key))
			return it + 1;
	}
	return JREF_NONE;
}

jref
jdoc_get_set(const struct jdoc *d, jref obj, struct span key)
{
	const jref r = jdoc_get(d, obj, key);

	return jdoc_type(d, r) == J_NULL ? JREF_NONE : r;
}

jref
jdoc_at(const struct jdoc *d, jref arr, size_t i)
{
	if (jdoc_type(d, arr) != J_ARR)
		return JREF_NONE;
	JDOC_EACH (d, arr, it) {
		if (i-- == 0)
			return it;
	}
	return JREF_NONE;
}

size_t
jdoc_count(const struct jdoc *d, jref r)
{
	const jsmntok_t *const t = token(d, r);

	return is_container(t) ? (size_t)t->size : 0;
}

struct jraw
jdoc_raw(const struct jdoc *d, jref r)
{
	const jsmntok_t *const t = token(d, r);
	struct span s;

	if (t == NULL)
		return JRAW_NONE;
	s = token_span(d, t);
	/* jsmn leaves the quotes out. */
	if (t->type == JSMN_STRING)
		s = (struct span){ d->text.p + t->start - 1, s.n + 2 };
	return (struct jraw){ s };
}

struct jesc
jdoc_str(const struct jdoc *d, jref r)
{
	const jsmntok_t *const t = token(d, r);

	if (t == NULL || t->type != JSMN_STRING)
		return JESC_EMPTY;
	return (struct jesc){ token_span(d, t) };
}

bool
jdoc_is(const struct jdoc *d, jref r, struct span text)
{
	return jdoc_type(d, r) == J_STR && jesc_eq(jdoc_str(d, r), text);
}

bool
jdoc_bool(const struct jdoc *d, jref r, bool otherwise)
{
	if (jdoc_type(d, r) != J_BOOL)
		return otherwise;
	return d->text.p[token(d, r)->start] == 't';
}

static enum gp_code
refuse_key(struct jesc key, struct gp_error *err)
{
	const struct span shown = span_head(key.s, GP_ERROR_PARAM_MAX);

	(void)gp_fail(err, GP_E_SCHEMA, "the key \"%.*s\" stands twice",
		SPAN_ARG(shown));
	return gp_fail_at(err, GP_E_SCHEMA, "%.*s", SPAN_ARG(shown));
}

/* Let keys[i] sink in the max-heap of the first n. */
static void
sink(const struct jdoc *d, jref *keys, size_t i, size_t n)
{
	for (;;) {
		size_t child = 2 * i + 1;
		jref swap;

		if (child >= n)
			return;
		if (child + 1 < n &&
			jesc_cmp(jdoc_key(d, keys[child]),
				jdoc_key(d, keys[child + 1])) < 0)
			child++;
		if (jesc_cmp(jdoc_key(d, keys[i]), jdoc_key(d, keys[child])) >=
			0)
			return;
		swap = keys[i];
		keys[i] = keys[child];
		keys[child] = swap;
		i = child;
	}
}

/* Heap sort: n log n whatever the keys are, without recursion. */
static jref
find_duplicate_sorted(const struct jdoc *d, jref obj)
{
	const size_t n = jdoc_count(d, obj);
	jref *const keys = calloc(n, sizeof(*keys));
	jref found = JREF_NONE;
	size_t at = 0;

	if (keys == NULL)
		GP_NOMEM();
	JDOC_EACH_MEMBER (d, obj, it) {
		keys[at++] = it;
	}
	for (size_t i = n / 2; i-- > 0;)
		sink(d, keys, i, n);
	for (size_t left = n - 1; left > 0 && found == JREF_NONE; left--) {
		const jref largest = keys[0];

		keys[0] = keys[left];
		sink(d, keys, 0, left);
		if (jesc_cmp(jdoc_key(d, largest), jdoc_key(d, keys[0])) == 0)
			found = largest;
	}
	free(keys);
	return found;
}

static jref
find_duplicate(const struct jdoc *d, jref obj)
{
	JDOC_EACH_MEMBER (d, obj, a) {
		for (jref b = jdoc_next(d, obj, a); b != JREF_NONE;
			b = jdoc_next(d, obj, b)) {
			if (jesc_cmp(jdoc_key(d, a), jdoc_key(d, b)) == 0)
				return b;
		}
	}
	return JREF_NONE;
}

enum gp_code
jdoc_refuse_duplicates(const struct jdoc *d, jref obj, struct gp_error *err)
{
	jref found;

	if (jdoc_type(d, obj) != J_OBJ)
		return GP_OK;
	if (jdoc_count(d, obj) <= FEW_KEYS)
		found = find_duplicate(d, obj);
	else
		found = find_duplicate_sorted(d, obj);
	return found == JREF_NONE ? GP_OK : refuse_key(jdoc_key(d, found), err);
}
