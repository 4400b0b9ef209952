/* SPDX-License-Identifier: MIT */
/* toolargs.c - arguments that fit a tool's JSON schema, as far as simple. */
#include <stdlib.h>

#include "tests/upstream/plan.h"
#include "tests/upstream/text.h"

#define DEPTH_MAX 6

struct todo {
	json_t *schema;
	json_t *into; /* the object that its properties are put into */
	unsigned depth;
};

struct work {
	struct arena *arena;
	VEC_OF(struct todo) todo;
};

/* The schema's type: a word, or the first of a list; "string" if unsaid. */
static struct span
type_of(json_t *schema)
{
	json_t *type = json_object_get(schema, "type");
	struct span word = json_is_array(type) ?
		text_of(json_array_get(type, 0)) :
		text_of(type);

	if (word.n > 0)
		return word;
	return json_object_get(schema, "properties") != NULL ? SPAN("object") :
							       SPAN("string");
}

static json_t *
simple_value(json_t *schema, struct span type, const char *name)
{
	json_t *low = json_object_get(schema, "minimum");

	if (span_eq(type, SPAN("boolean")))
		return json_true();
	if (span_eq(type, SPAN("null")))
		return json_null();
	if (span_eq(type, SPAN("integer")))
		return json_integer(
			json_is_integer(low) ? json_integer_value(low) : 1);
	if (span_eq(type, SPAN("number")))
		return json_is_number(low) ? json_copy(low) : json_real(1.5);
	return json_sprintf("a %s", name);
}

/* A new value; objects in it are filled in later. */
static json_t *
value_new(struct work *w, json_t *schema, const char *name, unsigned depth)
{
	json_t *list = json_object_get(schema, "enum");
	json_t *fixed = json_object_get(schema, "const");
	struct span type = type_of(schema);
	struct todo *todo;
	json_t *v;

	if (fixed != NULL)
		return json_deep_copy(fixed);
	if (json_array_size(list) > 0)
		return json_deep_copy(json_array_get(list, 0));
	if (span_eq(type, SPAN("object"))) {
		v = json_object();
		todo = VEC_PUSH(w->arena, &w->todo);
		todo->schema = schema;
		todo->into = v;
		todo->depth = depth + 1;
		return v;
	}
	if (span_eq(type, SPAN("array"))) {
		json_t *items = json_object_get(schema, "items");

		v = json_array();
		if (depth < DEPTH_MAX)
			(void)json_array_append_new(
				v, value_new(w, items, name, depth + 1));
		return v;
	}
	return simple_value(schema, type, name);
}

static void
properties_put(struct work *w, struct todo at)
{
	json_t *properties = json_object_get(at.schema, "properties");
	json_t *required = json_object_get(at.schema, "required");

	if (at.depth > DEPTH_MAX)
		return;
	for (size_t i = 0; i < json_array_size(required); i++) {
		json_t *name = json_array_get(required, i);
		const char *key = json_string_value(name);

		if (key != NULL)
			(void)json_object_set_new(at.into, key,
				value_new(w, json_object_get(properties, key),
					key, at.depth));
	}
	if (json_array_size(required) > 0)
		return;
	for (void *it = json_object_iter(properties); it != NULL;
		it = json_object_iter_next(properties, it)) {
		const char *key = json_object_iter_key(it);

		(void)json_object_set_new(at.into, key,
			value_new(
				w, json_object_iter_value(it), key, at.depth));
	}
}

struct span
toolargs_make(struct arena *a, json_t *schema)
{
	struct work w = { .arena = a };
	json_t *root = json_object();
	struct todo *first = VEC_PUSH(a, &w.todo);
	struct span s = SPAN("{}");
	char *text;

	first->schema = schema;
	first->into = root;
	while (w.todo.n > 0) {
		w.todo.n--;
		properties_put(&w, w.todo.v[w.todo.n]);
	}
	text = json_dumps(root, JSON_COMPACT);
	if (text != NULL)
		s = arena_dup(a, span_cstr(text));
	free(text);
	json_decref(root);
	return s;
}
