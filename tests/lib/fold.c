/* SPDX-License-Identifier: MIT */
/* fold.c - what an answer means. */
#include "tests/lib/fold.h"

#include <stdio.h>

static const char *const block_names[] = { "text", "think", "tool" };

static void
fold_close(struct fold *f)
{
	buf_printf(&f->line, "%s[%s", block_names[f->open.block], f->head);
	if (f->open.block == LLM_TOOL && buf_len(&f->text) == 0)
		buf_puts(&f->line, "{}"); /* no arguments are an empty object */
	jtext_unescape((struct jesc){ buf_span(&f->text) }, &f->line);
	buf_puts(&f->line, "] ");
}

static enum gp_code
fold_put(struct llm_sink *sink, const struct llm_event *e, struct gp_error *err)
{
	struct fold *f = CONTAINER_OF(sink, struct fold, sink);

	(void)err;
	switch (e->kind) {
	case LLM_OPEN:
		f->open = *e;
		f->head[0] = '\0';
		if (e->block == LLM_TOOL)
			snprintf(f->head, sizeof(f->head), "%.*s %.*s ",
				SPAN_ARG(e->id.s), SPAN_ARG(e->name.s));
		buf_reset(&f->text, 4096);
		break;
	case LLM_DELTA:
		buf_put(&f->text, e->text.s);
		break;
	case LLM_CLOSE:
		fold_close(f);
		break;
	case LLM_USAGE:
		llm_usage_merge(&f->usage, &e->usage);
		break;
	case LLM_STOP:
		f->stop = e->stop;
		f->has_stop = true;
		break;
	case LLM_ERROR:
		f->has_error = true;
		break;
	case LLM_START:
	case LLM_PING:
		break;
	}
	return GP_OK;
}

struct llm_sink *
fold_init(struct fold *f)
{
	memset(f, 0, sizeof(*f));
	f->sink.put = fold_put;
	f->usage = LLM_USAGE_NONE;
	buf_init(&f->line, 1u << 20);
	buf_init(&f->text, 1u << 20);
	return &f->sink;
}

void
fold_fini(struct fold *f)
{
	buf_fini(&f->line);
	buf_fini(&f->text);
}

const char *
fold_line(struct fold *f, bool with_usage)
{
	if (f->has_stop)
		buf_printf(&f->line, "stop=%d", (int)f->stop);
	if (f->has_error)
		buf_puts(&f->line, "error");
	if (with_usage)
		buf_printf(&f->line, " in=%lld read=%lld out=%lld",
			(long long)f->usage.input,
			(long long)f->usage.cache_read,
			(long long)f->usage.output);
	buf_putc(&f->line, '\0');
	return buf_span(&f->line).p;
}
