/* SPDX-License-Identifier: MIT */
/* models.c - the models that the stand-in knows. */
#include "tests/upstream/models.h"

#include "tests/upstream/standin.h"
#include "tests/upstream/text.h"

static const struct model models[] = {
#define MODEL(name, window, output, kind, thinking, effort, tools)             \
	{ name, window, output, MODEL_##kind, MODEL_##thinking,                \
		MODEL_##effort, MODEL_##tools },
#include "tests/upstream/models.def"
#undef MODEL
};

/* What --model adds and what claude-* stands for. */
static const struct model other = { "glm-4.6", 202750, 131072,
	MODEL_STREAMS_TOOLS, MODEL_YES, MODEL_NO, MODEL_YES };

static bool
is_claude(struct span name)
{
	if (!span_starts(name, SPAN("claude-")) ||
		span_ends(name, SPAN("-openai")) ||
		span_ends(name, SPAN("-anthropic")))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
			c != '-' && c != '.')
			return false;
	}
	return true;
}

const struct model *
model_find(struct span name, bool is_a)
{
	for (size_t i = 0; i < ARRAY_LEN(models); i++)
		if (span_eq(name, span_cstr(models[i].name)))
			return &models[i];
	for (size_t i = 0; i < standin.options.nmodels; i++)
		if (span_eq(name, span_cstr(standin.options.models[i])))
			return &other;
	return is_a && is_claude(name) ? &other : NULL;
}

static void
list_one(struct buf *out, const char *name)
{
	if (out->len > 0 && out->data[out->len - 1] == '}')
		buf_putc(out, ',');
	buf_puts(out, "{\"id\":");
	text_put_string(out, span_cstr(name));
	buf_puts(out,
		",\"object\":\"model\",\"created\":1753632000,"
		"\"owned_by\":\"z-ai\"}");
}

void
model_list(struct buf *out)
{
	buf_puts(out, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < ARRAY_LEN(models); i++)
		if (models[i].kind != MODEL_VISION)
			list_one(out, models[i].name);
	for (size_t i = 0; i < standin.options.nmodels; i++)
		list_one(out, standin.options.models[i]);
	buf_puts(out, "]}");
}
