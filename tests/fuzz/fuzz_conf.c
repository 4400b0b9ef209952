/* SPDX-License-Identifier: MIT */
/* fuzz_conf.c - the configuration file's parser: it never fails a check, its
 * views stay inside the text, accepted numbers are in range, and a line that it
 * cut out reads the same when it stands alone. */
#include <stdint.h>
#include <stdio.h>

#include "shared/base/check.h"
#include "shared/sys/conf_parse.h"

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	struct span text;
	unsigned last_line;
	size_t lines;
};

static void
check_inside(struct span outer, struct span s)
{
	GP_ASSERT(
		s.n == 0 || (s.p >= outer.p && s.p + s.n <= outer.p + outer.n));
}

static void
check_value(const struct conf_row *row, struct span value)
{
	struct conf_value v;
	struct gp_error err = { .text = "" };

	if (conf_value(row, value, &v, &err) != GP_OK) {
		GP_ASSERT(err.text[0] != '\0');
		return;
	}
	if (row->type == CONF_TEXT)
		GP_ASSERT(span_eq(v.text, value));
	else if (row->type == CONF_BOOL)
		GP_ASSERT(v.number == 0 || v.number == 1);
	else if (row->type == CONF_ENUM)
		GP_ASSERT(conf_enum_text(row->choices, (int)v.number).n > 0);
	else
		GP_ASSERT(v.number == CONF_AUTO ||
			(v.number >= row->min && v.number <= row->max));
}

static enum gp_code
same_pair(void *arg, unsigned line, struct span key, struct span value,
	struct gp_error *err)
{
	const struct span *const want = arg;

	(void)err;
	GP_ASSERT(line == 2);
	GP_ASSERT(span_eq(key, want[0]) && span_eq(value, want[1]));
	return GP_OK;
}

static enum gp_code
on_line(void *arg, unsigned line, struct span key, struct span value,
	struct gp_error *err)
{
	struct walk *const w = arg;
	struct span pair[2] = { key, value };
	const struct conf_row *row = conf_find(key);
	struct span name;
	struct span last;
	struct buf again;

	GP_ASSERT(line > w->last_line && key.n > 0);
	w->last_line = line;
	w->lines++;
	check_inside(w->text, key);
	check_inside(w->text, value);
	if (conf_model_split(key, &name, &last)) {
		check_inside(key, name);
		check_inside(key, last);
		row = conf_nearest(conf_model_rows, CONF_MODEL_ROWS, last);
	}
	if (row == NULL)
		row = conf_nearest(conf_rows, conf_nrows, key);
	check_value(row, value);
	buf_init(&again, key.n + value.n + 8);
	/* Behind a line of its own, since the first may begin with a mark;
	 * without blanks, since "= #" would begin a comment. */
	buf_putc(&again, '\n');
	buf_put(&again, key);
	buf_putc(&again, '=');
	buf_put(&again, value);
	GP_ASSERT(conf_lines(buf_span(&again), "again", same_pair, pair, err) ==
		GP_OK);
	buf_fini(&again);
	return w->lines < 1000 ? GP_OK : GP_E_LIMIT;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct walk w = { .text = span_of((const char *)data, size) };
	struct gp_error err = { .code = GP_OK };
	const enum gp_code rc = conf_lines(w.text, "fuzz", on_line, &w, &err);

	GP_ASSERT(rc == GP_OK || rc == GP_E_SYNTAX || rc == GP_E_LIMIT);
	return 0;
}
