/* SPDX-License-Identifier: MIT */
/* conf_print.c - effective values for people, and differences for a reload. */
#include "shared/sys/conf_own.h"

#define ROOM_KEPT 1024

static void
print_value(
	const struct conf_row *row, const struct conf_value *v, struct buf *out)
{
	const int64_t n = v->number;

	switch (row->type) {
	case CONF_BOOL:
		buf_puts(out, n ? "true" : "false");
		break;
	case CONF_INT:
		buf_put_u64(out, (uint64_t)n);
		break;
	case CONF_MIB:
		buf_put_u64(out, (uint64_t)n >> 20);
		break;
	case CONF_SECONDS:
		buf_put_u64(out, (uint64_t)n / 1000);
		if (n % 100 != 0)
			buf_printf(out, ".%03d", (int)(n % 1000));
		else if (n % 1000 != 0)
			buf_printf(out, ".%d", (int)(n % 1000 / 100));
		break;
	case CONF_TEXT:
		buf_put(out, v->text);
		break;
	case CONF_ENUM:
		buf_put(out, conf_enum_text(row->choices, (int)n));
		break;
	}
}

static void
print_origin(
	const struct conf_row *row, enum conf_origin origin, struct buf *out)
{
	char name[CONF_ENV_NAME_MAX];

	switch (origin) {
	case CONF_BUILTIN:
		buf_puts(out, "built-in");
		break;
	case CONF_FILE:
		buf_puts(out, "file");
		break;
	case CONF_BARE_ENV:
		/* One name stands for a value of another key. */
		buf_printf(out, "environment %s",
			row->bare[0] != '\0' ? row->bare : "DEBUG");
		break;
	case CONF_ENV:
		conf_env_name(row, name);
		buf_printf(out, "environment %s", name);
		break;
	case CONF_COMMAND_LINE:
		buf_puts(out, "command line");
		break;
	}
}

/* Where values are shown to, and room for one of them. */
struct show {
	conf_show_fn *fn;
	void *ctx;
	struct buf key, value, origin;
};

static void
show(struct show *s, const struct conf_row *row, enum conf_origin origin)
{
	struct conf_shown shown = {
		.key = buf_span(&s->key),
		.value = buf_span(&s->value),
		.is_secret = (row->flags & SECRET) != 0,
	};

	print_origin(row, origin, &s->origin);
	shown.origin = buf_span(&s->origin);
	s->fn(s->ctx, &shown);
	buf_reset(&s->key, ROOM_KEPT);
	buf_reset(&s->value, ROOM_KEPT);
	buf_reset(&s->origin, ROOM_KEPT);
}

static void
show_models(const struct conf *c, struct show *s)
{
	for (size_t i = 0; i < c->models.n; i++) {
		const struct conf_model *const m = &c->models.v[i];

		for (size_t r = 0; r < CONF_MODEL_ROWS; r++) {
			const struct conf_row *const row = &conf_model_rows[r];
			const struct conf_value v = row->type == CONF_BOOL ?
				(struct conf_value){ .number = m->vision,
					.text = SPAN_EMPTY } :
				conf_field(m, row);

			if (v.number < 0)
				continue;
			buf_puts(&s->key, "model.");
			buf_put(&s->key, m->name);
			buf_printf(&s->key, ".%s", row->key);
			print_value(row, &v, &s->value);
			show(s, row, m->origin);
		}
	}
}

void
conf_each(const struct conf *c, conf_show_fn *fn, void *ctx)
{
	struct show s = { .fn = fn, .ctx = ctx };

	buf_init(&s.key, CONF_FILE_MAX);
	buf_init(&s.value, CONF_FILE_MAX);
	buf_init(&s.origin, CONF_FILE_MAX);
	for (size_t i = 0; i < conf_nrows; i++) {
		const struct conf_row *const row = &conf_rows[i];
		const enum conf_origin origin = (enum conf_origin)c->origins[i];
		const struct conf_value v = conf_field(c, row);

		buf_puts(&s.key, row->key);
		if (!(row->flags & SECRET))
			print_value(row, &v, &s.value);
		else if (origin != CONF_BUILTIN &&
			!secret_is_none(&c->server_key))
			buf_puts(&s.value, "********");
		show(&s, row, origin);
	}
	show_models(c, &s);
	buf_fini(&s.key);
	buf_fini(&s.value);
	buf_fini(&s.origin);
}

static void
print_one(void *ctx, const struct conf_shown *s)
{
	struct buf *const out = ctx;

	buf_put(out, s->key);
	buf_puts(out, " = ");
	buf_put(out, s->value);
	buf_puts(out, "  # ");
	buf_put(out, s->origin);
	buf_putc(out, '\n');
}

void
conf_print(const struct conf *c, struct buf *out)
{
	conf_each(c, print_one, out);
}

void
conf_diff_restart(
	const struct conf *now, const struct conf *next, struct buf *out)
{
	const char *comma = "";

	for (size_t i = 0; i < conf_nrows; i++) {
		const struct conf_row *const row = &conf_rows[i];
		const struct conf_value a = conf_field(now, row);
		const struct conf_value b = conf_field(next, row);

		if (!(row->flags & RESTART) ||
			(a.number == b.number && span_eq(a.text, b.text)))
			continue;
		buf_printf(out, "%s%s", comma, row->key);
		comma = ", ";
	}
}
