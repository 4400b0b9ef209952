/* SPDX-License-Identifier: MIT */
/*
 * fuzz_jdoc.c - whatever the scanner accepts must parse, lie inside the text,
 * survive unescaping and escaping, and mean the same after being written anew.
 */
#include <stdint.h>
#include <string.h>

#include "shared/base/check.h"
#include "shared/base/utf8.h"
#include "shared/json/jdoc.h"
#include "shared/json/jout.h"
#include "shared/json/jscan.h"

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_inside(struct span s, struct span text)
{
	return s.n == 0 || (s.p >= text.p && s.p + s.n <= text.p + text.n);
}

static void
check_string(struct jesc e)
{
	struct buf plain, again, back;
	struct arena a;

	buf_init(&plain, SIZE_MAX / 2);
	buf_init(&again, SIZE_MAX / 2);
	buf_init(&back, SIZE_MAX / 2);
	arena_init(&a);
	jtext_unescape(e, &plain);
	GP_ASSERT(utf8_valid_len(buf_span(&plain)) == buf_len(&plain));
	GP_ASSERT(jesc_decoded_len(e) == buf_len(&plain));
	GP_ASSERT(jesc_eq(e, buf_span(&plain)));
	GP_ASSERT(span_eq(jtext_unescape_dup(&a, e), buf_span(&plain)));
	GP_ASSERT(jesc_is_blank(e) == span_is_blank(buf_span(&plain)));
	jtext_escape(buf_span(&plain), &again);
	GP_ASSERT(span_eq(
		jtext_escape_dup(&a, buf_span(&plain)).s, buf_span(&again)));
	jtext_unescape((struct jesc){ buf_span(&again) }, &back);
	GP_ASSERT(span_eq(buf_span(&back), buf_span(&plain)));
	GP_ASSERT(jesc_cmp(e, (struct jesc){ buf_span(&again) }) == 0);
	(void)jesc_ends_in_high_surrogate(e);
	arena_fini(&a);
	buf_fini(&plain);
	buf_fini(&again);
	buf_fini(&back);
}

/* Every token by its number: views inside the text, readers without effects
 * that a sanitizer would see. */
static void
check_tokens(const struct jdoc *d)
{
	for (jref r = 0; r < d->n; r++) {
		const struct span raw = jdoc_raw(d, r).s;
		const enum jtype type = jdoc_type(d, r);
		size_t n = 0;
		int64_t i;
		double x;

		GP_ASSERT(raw.n > 0 && is_inside(raw, d->text));
		GP_ASSERT(type != J_NONE);
		if (type == J_STR) {
			GP_ASSERT(raw.p[0] == '"' && raw.p[raw.n - 1] == '"');
			check_string(jdoc_str(d, r));
		}
		GP_ASSERT((type == J_OBJ) ==
			(raw.p[0] == '{' && raw.p[raw.n - 1] == '}'));
		GP_ASSERT((type == J_ARR) ==
			(raw.p[0] == '[' && raw.p[raw.n - 1] == ']'));
		GP_ASSERT(jdoc_double(d, r, &x) == (type == J_NUM));
		if (jdoc_int(d, r, &i)) {
			GP_ASSERT(x - (double)i < 4096 && (double)i - x < 4096);
		}
		JDOC_EACH (d, r, it) {
			GP_ASSERT(it > r && is_inside(jdoc_raw(d, it).s, raw));
			GP_ASSERT(type == J_ARR || jdoc_value(d, it) == it + 1);
			n++;
		}
		GP_ASSERT(n == jdoc_count(d, r));
		(void)!jdoc_refuse_duplicates(d, r, NULL);
	}
}

/* Write the document anew by walking it; values at the writer's own limit of
 * nesting are copied whole. */
struct level {
	jref container, it;
};

static void
write_value(struct jout *j, const struct jdoc *d, jref r)
{
	struct level stack[JOUT_DEPTH_MAX];
	size_t depth = 0;

	for (;;) {
		const enum jtype type = jdoc_type(d, r);

		if ((type == J_ARR || type == J_OBJ) &&
			depth < JOUT_DEPTH_MAX) {
			if (type == J_OBJ)
				jout_obj(j);
			else
				jout_arr(j);
			stack[depth++] = (struct level){ r, jdoc_first(d, r) };
		} else if (type == J_STR) {
			jout_jesc(j, jdoc_str(d, r));
		} else {
			jout_raw(j, jdoc_raw(d, r));
		}
		while (depth > 0 && stack[depth - 1].it == JREF_NONE) {
			depth--;
			if (jdoc_type(d, stack[depth].container) == J_OBJ)
				jout_obj_end(j);
			else
				jout_arr_end(j);
		}
		if (depth == 0)
			return;
		r = stack[depth - 1].it;
		stack[depth - 1].it =
			jdoc_next(d, stack[depth - 1].container, r);
		if (jdoc_type(d, stack[depth - 1].container) == J_OBJ) {
			jout_key_jesc(j, jdoc_key(d, r));
			r = jdoc_value(d, r);
		}
	}
}

static bool
has(struct span s, struct span needle)
{
	return span_find(s, needle) < s.n;
}

static void
check_rewritten(const struct jdoc *d)
{
	struct gp_error err;
	struct jdoc again;
	struct jout j;
	struct buf b;
	jref leaf;

	buf_init(&b, SIZE_MAX / 2);
	jdoc_init(&again);
	jout_init(&j, &b);
	write_value(&j, d, jdoc_root(d));
	GP_ASSERT(!has(buf_span(&b), SPAN("\n")));
	GP_ASSERT(!has(buf_span(&b), SPAN("\r")));
	GP_ASSERT(!has(buf_span(&b), SPAN("\xc2\x85")));
	GP_ASSERT(!has(buf_span(&b), SPAN("\xe2\x80\xa8")));
	GP_ASSERT(!has(buf_span(&b), SPAN("\xe2\x80\xa9")));
	GP_ASSERT(jdoc_parse(&again, buf_span(&b), &err) == GP_OK);
	GP_ASSERT(again.n == d->n);
	for (jref r = 0; r < d->n; r++) {
		GP_ASSERT(jdoc_type(d, r) == jdoc_type(&again, r));
		GP_ASSERT(jdoc_count(d, r) == jdoc_count(&again, r));
		if (jdoc_type(d, r) == J_STR)
			GP_ASSERT(jesc_cmp(jdoc_str(d, r),
					  jdoc_str(&again, r)) == 0);
		else if (jdoc_type(d, r) == J_NUM)
			GP_ASSERT(span_eq(
				jdoc_raw(d, r).s, jdoc_raw(&again, r).s));
	}
	/* The whole as the text of a string, and back. */
	buf_reset(&b, SIZE_MAX);
	jout_init(&j, &b);
	jout_str_begin(&j);
	jout_str_raw(&j, jdoc_raw(d, jdoc_root(d)));
	jout_str_end(&j);
	GP_ASSERT(jdoc_parse(&again, buf_span(&b), &err) == GP_OK);
	leaf = jdoc_root(&again);
	GP_ASSERT(jdoc_is(&again, leaf, jdoc_raw(d, jdoc_root(d)).s));
	jdoc_fini(&again);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span text = span_of((const char *)data, size);
	uint32_t tokens = 0;
	enum gp_code rc;
	struct jdoc d, inner;

	jdoc_init(&d);
	jdoc_init(&inner);
	rc = jdoc_parse(&d, text, NULL);
	GP_ASSERT(rc == jscan_text(text, &tokens, NULL));
	if (rc == GP_OK) {
		const struct span root = jdoc_raw(&d, jdoc_root(&d)).s;

		GP_ASSERT(d.n == tokens);
		GP_ASSERT(span_eq(root, span_trim(text)));
		GP_ASSERT(jdoc_parse(&inner, root, NULL) == GP_OK);
		GP_ASSERT(inner.n == d.n);
		check_tokens(&d);
		check_rewritten(&d);
	} else {
		GP_ASSERT(jdoc_root(&d) == JREF_NONE);
	}
	jdoc_fini(&inner);
	jdoc_fini(&d);
	return 0;
}
