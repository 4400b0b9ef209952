/* SPDX-License-Identifier: MIT */
/* err.c - filling in the error type; the tables of err.def. */
#include "shared/base/err.h"

#include <stdio.h>

#include "shared/base/check.h"
#include "shared/base/utf8.h"

#define MULTIBYTE_MAX 4

static void format(char *out, size_t size, const char *fmt, va_list ap)
	GP_PRINTF(3, 0);

static const struct {
	unsigned status;
	const char *name;
	const char *sentence;
} codes[] = {

#define ERR(code, status, sentence) { (status), #code, (sentence) },
#include "shared/base/err.def"
#undef ERR
};

/* Make n bytes presentable in place; returns how many are left. */
static size_t
clean(char *text, size_t n, bool is_cut)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < 0x20)
			text[i] = '?';
	}
	while ((at += utf8_valid_len(span_of(text + at, n - at))) < n) {
		/* A cut leaves half a character at the end. */
		if (is_cut && n - at < MULTIBYTE_MAX)
			return at;
		text[at] = '?';
	}
	return n;
}

static void
format(char *out, size_t size, const char *fmt, va_list ap)
{
	const int n = vsnprintf(out, size, fmt, ap);
	const bool is_cut = n >= 0 && (size_t)n >= size;
	size_t len = 0;

	if (n >= 0)
		len = clean(out, is_cut ? size - 1 : (size_t)n, is_cut);
	out[len] = '\0';
}

enum gp_code
gp_fail(struct gp_error *err, enum gp_code code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, fmt);
	format(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	err->code = code;
	err->param[0] = '\0';
	err->reason = NULL;
	return code;
}

enum gp_code
gp_fail_at(struct gp_error *err, enum gp_code code, const char *param_fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, param_fmt);
	format(err->param, sizeof(err->param), param_fmt, ap);
	va_end(ap);
	return err->code;
}

unsigned
gp_code_status(enum gp_code code)
{
	GP_ASSERT((size_t)code < ARRAY_LEN(codes));
	return codes[code].status;
}

const char *
gp_code_name(enum gp_code code)
{
	GP_ASSERT((size_t)code < ARRAY_LEN(codes));
	return codes[code].name;
}

const char *
gp_code_sentence(enum gp_code code)
{
	GP_ASSERT((size_t)code < ARRAY_LEN(codes));
	return codes[code].sentence;
}
