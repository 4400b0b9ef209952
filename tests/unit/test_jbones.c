/* SPDX-License-Identifier: MIT */
/* test_jbones.c - texts without their long strings, and documents of them. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/json/jdoc.h"
#include "shared/json/jscan.h"

#define S63 "012345678901234567890123456789012345678901234567890123456789abc"
#define S64 S63 "d"

static void
test_bones(void **state)
{
	static const struct {
		const char *text, *bones;
	} rows[] = {
		{ "[]", "[]" },
		{ "\"" S63 "\"", "\"" S63 "\"" },
		{ "\"" S64 "\"", "\"\"" },
		{ " [\"" S64 "\", \"a\"] ", " [\"\", \"a\"] " },
		{ "{\"" S64 "\":\"" S64 "\"}", "{\"\":\"\"}" },
		/* Cut as a whole, whatever is in it. */
		{ "[\"\\\"" S63 "\\u00e9\xc3\xa9\\\\\"]", "[\"\"]" },
	};
	struct jbones b;

	(void)state;
	jbones_init(&b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span text = span_cstr(rows[i].text);
		struct span bones = span_cstr(rows[i].bones);
		struct gp_error err = { 0 };

		jbones_reset(&b);
		assert_ok(jscan_text_bones(text, NULL, &b, &err), &err);
		assert_spans_eq(jbones_text(&b, text), bones);
		assert_int_equal(jbones_lost(&b), text.n - bones.n);
	}
	jbones_fini(&b);
}

static void
test_positions(void **state)
{
	/*   0         10
	 *   ab[64]cd[70]ef    bones: abcdef */
	struct jbones b;
	static const uint32_t where[] = { 0, 1, 2, 67, 68, 139, 140 };
	size_t k = 0;

	(void)state;
	jbones_init(&b);
	jbones_cut(&b, 2, 64);
	jbones_cut(&b, 68, 70);
	assert_int_equal(jbones_lost(&b), 134);
	for (uint32_t pos = 0; pos < ARRAY_LEN(where); pos++) {
		assert_int_equal(jbones_seek(&b, pos, &k), where[pos]);
		assert_int_equal(jbones_find(&b, pos), where[pos]);
	}
	jbones_reset(&b);
	assert_int_equal(jbones_lost(&b), 0);
	assert_int_equal(jbones_find(&b, 7), 7);
	jbones_fini(&b);
}

/* --- a document with strings of all lengths around the border ------------- */

#define MEMBERS 400

struct place {
	size_t at, n;
};

struct written {
	struct buf text;
	struct place key[MEMBERS], value[MEMBERS], list[MEMBERS];
};

static struct place
put_string(struct buf *b, size_t n)
{
	struct place p = { .at = buf_len(b), .n = n + 2 };

	buf_putc(b, '"');
	for (size_t i = 0; i < n; i++)
		buf_putc(b, (char)('a' + (i + n) % 26));
	buf_putc(b, '"');
	return p;
}

/* {"<i letters>":"<letters>","1":[[],"<letters>",i], ...} */
static void
write_members(struct written *w, size_t key, size_t value)
{
	buf_init(&w->text, SIZE_MAX / 2);
	buf_putc(&w->text, '{');
	for (size_t i = 0; i < MEMBERS; i++) {
		if (i > 0)
			buf_puts(&w->text, i % 3 == 0 ? " , " : ",");
		w->key[i] = put_string(&w->text, i % key);
		buf_puts(&w->text, i % 2 == 0 ? ":" : "\n: ");
		w->value[i] = put_string(&w->text, i * 7 % value);
		buf_puts(&w->text, ",\"1\":");
		w->list[i].at = buf_len(&w->text);
		buf_puts(&w->text, "[[],");
		(void)put_string(&w->text, i * 11 % value);
		buf_puts(&w->text, ",{}]");
		w->list[i].n = buf_len(&w->text) - w->list[i].at;
	}
	buf_putc(&w->text, '}');
}

static void
assert_place(const struct jdoc *d, jref r, struct place p)
{
	assert_ptr_equal(jdoc_raw(d, r).s.p, d->text.p + p.at);
	assert_int_equal(jdoc_raw(d, r).s.n, p.n);
}

static void
check_members(size_t key, size_t value, bool has_bones)
{
	struct gp_error err = { 0 };
	static struct written w;
	struct jdoc d;
	size_t i = 0;

	write_members(&w, key, value);
	jdoc_init(&d);
	assert_ok(jdoc_parse(&d, buf_span(&w.text), &err), &err);
	assert_int_equal(
		jbones_lost(&d.bones) > d.text.n / 2 ? 1 : 0, has_bones);
	JDOC_EACH_MEMBER (&d, jdoc_root(&d), it) {
		const jref v = jdoc_value(&d, it);

		if (i % 2 == 0) {
			assert_place(&d, it, w.key[i / 2]);
			assert_place(&d, v, w.value[i / 2]);
		} else {
			assert_place(&d, v, w.list[i / 2]);
			assert_int_equal(jdoc_count(&d, v), 3);
		}
		i++;
	}
	assert_int_equal(i, 2 * MEMBERS);
	assert_int_equal(jdoc_raw(&d, 0).s.n, d.text.n);
	jdoc_fini(&d);
	buf_fini(&w.text);
}

static void
test_documents(void **state)
{
	(void)state;
	check_members(20, 40, false);
	check_members(70, 70, false);
	check_members(100, 300, true);
	check_members(20, 1000, true);
	check_members(500, 500, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bones),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_documents),
	};

	return cmocka_run_group_tests_name("jbones", tests, NULL, NULL);
}
