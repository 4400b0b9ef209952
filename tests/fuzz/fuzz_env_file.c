/* SPDX-License-Identifier: MIT */
/* fuzz_env_file.c - environment files: names are names, values hold no more
 * than the file did, lines grow, and what was read reads the same when it is
 * written in quotes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/check.h"
#include "shared/sys/env_file.h"

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	struct span text;
	unsigned last_line;
	size_t bytes;
};

static enum gp_code
same(void *arg, const struct env_entry *e, struct gp_error *err)
{
	const struct env_entry *const want = arg;

	(void)err;
	GP_ASSERT(e->kind == ENV_SET && e->line == 1 && !e->is_open);
	GP_ASSERT(span_eq(e->name, want->name));
	GP_ASSERT(span_eq(e->value, want->value));
	return GP_OK;
}

static void
check_again(const struct env_entry *e)
{
	struct env_entry want = *e;
	struct gp_error err;
	struct buf out;

	buf_init(&out, SIZE_MAX);
	buf_put(&out, e->name);
	buf_puts(&out, "=\"");
	for (size_t i = 0; i < e->value.n; i++) {
		if (memchr("\"\\`$", e->value.p[i], 4) != NULL)
			buf_putc(&out, '\\');
		buf_putc(&out, e->value.p[i]);
	}
	buf_puts(&out, "\"\n");
	GP_ASSERT(env_file_each(buf_span(&out), same, &want, &err) == GP_OK);
	buf_fini(&out);
}

static enum gp_code
on_entry(void *arg, const struct env_entry *e, struct gp_error *err)
{
	struct walk *const w = arg;

	(void)err;
	GP_ASSERT(e->line > w->last_line || e->kind != ENV_SET ||
		memchr(w->text.p, '\r', w->text.n) != NULL);
	w->last_line = e->line;
	w->bytes += e->name.n + e->value.n;
	GP_ASSERT(w->bytes <= w->text.n);
	if (e->kind == ENV_NO_EQUALS || e->kind == ENV_SWALLOWED)
		GP_ASSERT(e->name.n == 0 && e->value.n == 0);
	if (e->kind == ENV_SET)
		check_again(e);
	return GP_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct walk w = { .text = span_of((const char *)data, size) };
	struct gp_error err;

	GP_ASSERT(env_file_each(w.text, on_entry, &w, &err) == GP_OK);
	return 0;
}
