/* SPDX-License-Identifier: MIT */
/* tree.c - a request body as a tree of libjansson. */
#include "tests/upstream/tree.h"

#include "shared/base/vec.h"

/* Index behind the string that begins with the quote at `i`. */
static size_t
string_end(struct span s, size_t i)
{
	while (i + 1 < s.n) {
		const char *quote = memchr(s.p + i + 1, '"', s.n - i - 1);
		size_t slashes = 0;

		if (quote == NULL)
			break;
		i = (size_t)(quote - s.p);
		/* The opening quote ends this at the latest. */
		while (s.p[i - 1 - slashes] == '\\')
			slashes++;
		if (slashes % 2 == 0)
			return i + 1;
	}
	return s.n;
}

static bool
is_number_char(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' ||
		c == 'e' || c == 'E';
}

/* Blank out a number that does not fit; what stands there instead is no
 * integer, so a field that wants one still refuses it. */
static size_t
number_fix(struct span s, char *out, size_t i)
{
	static const char half[] = { '0', '.', '5' };
	size_t end = i;
	bool has_exponent = false;

	while (end < s.n && is_number_char(s.p[end])) {
		has_exponent |= s.p[end] == 'e' || s.p[end] == 'E';
		end++;
	}
	if (end - i >= 3 && (has_exponent || end - i > 17)) {
		memset(out + i, ' ', end - i);
		memcpy(out + i, half, sizeof(half));
	}
	return end;
}

static unsigned
hex4(struct span s, size_t i)
{
	unsigned v = 0;

	for (size_t k = i; k < i + 4 && k < s.n; k++) {
		char c = s.p[k];

		v = v * 16 +
			(unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

static bool
is_escape_u(struct span s, size_t i)
{
	return i + 5 < s.n && s.p[i] == '\\' && s.p[i + 1] == 'u';
}

/* Replace halves of surrogate pairs that stand alone by U+FFFD. */
static void
surrogates_fix(struct span s, char *out, size_t from, size_t end)
{
	static const char replacement[] = { 'f', 'f', 'f', 'd' };

	for (size_t i = from; i < end; i++) {
		unsigned v;

		if (s.p[i] != '\\')
			continue;
		v = is_escape_u(s, i) ? hex4(s, i + 2) : 0;
		if (v < 0xd800 || v > 0xdfff) {
			i++;
			continue;
		}
		if (v < 0xdc00 && is_escape_u(s, i + 6) &&
			hex4(s, i + 8) >= 0xdc00 && hex4(s, i + 8) <= 0xdfff) {
			i += 11;
			continue;
		}
		memcpy(out + i + 2, replacement, sizeof(replacement));
		i += 5;
	}
}

static struct span
repaired(struct arena *a, struct span s)
{
	char *out = arena_alloc(a, s.n + 1);

	memcpy(out, s.p, s.n);
	for (size_t i = 0; i < s.n;) {
		if (s.p[i] == '"') {
			size_t end = string_end(s, i);

			surrogates_fix(s, out, i, end);
			i = end;
		} else if (is_number_char(s.p[i])) {
			i = number_fix(s, out, i);
		} else {
			i++;
		}
	}
	return span_of(out, s.n);
}

/* s is valid JSON. The name of a key that the root holds twice, quotes
 * included; empty if there is none. */
static struct span
root_duplicate(struct span s)
{
	struct span keys[TREE_KEYS_MAX];
	size_t n = 0, depth = 0;
	bool is_key = false;

	for (size_t i = 0; i < s.n; i++) {
		size_t end;

		if (s.p[i] == '{' || s.p[i] == '[') {
			depth++;
			is_key = s.p[i] == '{';
		} else if (s.p[i] == '}' || s.p[i] == ']') {
			depth--;
		} else if (s.p[i] == ',') {
			is_key = true;
		} else if (s.p[i] == ':') {
			is_key = false;
		} else if (s.p[i] == '"') {
			end = string_end(s, i);
			if (depth == 1 && is_key && n < ARRAY_LEN(keys)) {
				keys[n] = span_of(s.p + i, end - i);
				for (size_t k = 0; k < n; k++)
					if (span_eq(keys[k], keys[n]))
						return keys[n];
				n++;
			}
			i = end - 1;
		}
	}
	return SPAN_EMPTY;
}

json_t *
tree_load(struct arena *a, struct span text, struct gp_error *err)
{
	json_error_t why;
	json_t *root = json_loadb(text.p, text.n, JSON_ALLOW_NUL, &why);

	if (root == NULL) {
		struct span fixed = repaired(a, text);

		root = json_loadb(fixed.p, fixed.n, JSON_ALLOW_NUL, &why);
	}
	if (root == NULL)
		(void)gp_fail(err, GP_E_SYNTAX, "bad JSON at byte %d: %s",
			why.position, why.text);
	return root;
}

json_t *
tree_parse(struct arena *a, struct span text, struct gp_error *err)
{
	struct span twice;
	json_t *root = tree_load(a, text, err);

	if (root == NULL)
		return NULL;
	if (!json_is_object(root)) {
		(void)gp_fail(err, GP_E_SYNTAX, "the body is no object");
		json_decref(root);
		return NULL;
	}
	twice = root_duplicate(text);
	if (twice.n > 0) {
		(void)gp_fail(err, GP_E_SYNTAX, "key %.*s twice",
			SPAN_ARG(span_head(twice, 64)));
		json_decref(root);
		return NULL;
	}
	return root;
}

struct todo {
	json_t *v;
};

void
tree_strings(struct arena *a, json_t *v, tree_fn *fn, void *arg)
{
	VEC_OF(struct todo) todo = { 0 };

	VEC_PUSH(a, &todo)->v = v;
	while (todo.n > 0) {
		json_t *at = todo.v[--todo.n].v;
		void *it;

		if (json_is_string(at))
			fn(arg,
				span_of(json_string_value(at),
					json_string_length(at)));
		for (size_t i = 0; i < json_array_size(at); i++)
			VEC_PUSH(a, &todo)->v = json_array_get(at, i);
		it = json_object_iter(at);
		while (it != NULL) {
			VEC_PUSH(a, &todo)->v = json_object_iter_value(it);
			it = json_object_iter_next(at, it);
		}
	}
}
