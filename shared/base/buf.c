/* SPDX-License-Identifier: MIT */
/* buf.c - a growable byte buffer with a hard maximum. */
#include "shared/base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/base/check.h"

#define FIRST_CAP  256
#define PRINTF_TRY 128

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .bad = true };
}

void
buf_reset(struct buf *b, size_t keep)
{
	b->head = 0;
	b->len = 0;
	b->bad = false;
	if (b->cap > keep) {
		free(b->data);
		b->data = NULL;
		b->cap = 0;
	}
}

/* Larger memory for need bytes in all, which is at most 2 * max. */
static void
grow(struct buf *b, size_t need)
{
	/* Growing past max is only ever needed because of a consumed part. */
	const size_t limit =
		need <= b->max || b->max > SIZE_MAX / 2 ? b->max : 2 * b->max;
	size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : 2 * b->cap;
	char *data;

	cap = MAX(cap, FIRST_CAP);
	cap = MAX(MIN(cap, limit), need);
	data = realloc(b->data, cap);
	if (data == NULL)
		GP_NOMEM();
	b->data = data;
	b->cap = cap;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	const size_t held = b->len - b->head;

	if (b->bad || n > b->max - held) {
		b->bad = true;
		return NULL;
	}
	if (n > b->cap - b->len && b->head > 0 && b->head >= held) {
		memmove(b->data, b->data + b->head, held);
		b->head = 0;
		b->len = held;
	}
	if (n > b->cap - b->len || b->data == NULL) {
		if (n > SIZE_MAX / 2 - b->len)
			GP_NOMEM();
		grow(b, MAX(b->len + n, 1));
	}
	return b->data + b->len;
}

void
buf_room(struct buf *b, size_t n)
{
	if (!b->bad && n <= b->max - buf_len(b) && buf_reserve(b, n) == NULL)
		GP_UNREACHED();
}

void
buf_commit(struct buf *b, size_t n)
{
	GP_ASSERT(n <= b->cap - b->len);
	b->len += n;
}

/* buf_reserve, but in place for what nearly every write finds: that n bytes
 * fit as they are. */
static inline char *
reserve(struct buf *b, size_t n)
{
	if (n <= b->cap - b->len && n <= b->max - (b->len - b->head) &&
		!b->bad && b->data != NULL)
		return b->data + b->len;
	return buf_reserve(b, n);
}

void
buf_put(struct buf *b, struct span s)
{
	char *const to = reserve(b, s.n);

	if (to == NULL)
		return;
	memcpy(to, s.p, s.n);
	b->len += s.n;
}

void
buf_putc(struct buf *b, char c)
{
	char *const to = reserve(b, 1);

	if (to == NULL)
		return;
	*to = c;
	b->len++;
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, span_cstr(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char first[PRINTF_TRY];
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(first, sizeof(first), fmt, ap);
	va_end(ap);
	GP_ASSERT(n >= 0);
	if ((size_t)n < sizeof(first)) {
		buf_put(b, span_of(first, (size_t)n));
		return;
	}
	/* One byte more for the NUL that vsnprintf writes. */
	if (buf_reserve(b, (size_t)n) == NULL)
		return;
	if (b->cap - b->len <= (size_t)n)
		grow(b, b->len + (size_t)n + 1);
	to = b->data + b->len;
	va_start(ap, fmt);
	n = vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	GP_ASSERT(n >= 0);
	b->len += (size_t)n;
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	buf_put(b, span_of(digits + at, sizeof(digits) - at));
}

void
buf_consume(struct buf *b, size_t n)
{
	GP_ASSERT(n <= b->len - b->head);
	b->head += n;
	if (b->head == b->len) {
		b->head = 0;
		b->len = 0;
	}
}

void
buf_truncate(struct buf *b, size_t n)
{
	if (n < b->len - b->head)
		b->len = b->head + n;
}

enum gp_code
buf_check(const struct buf *b, struct gp_error *err)
{
	if (!b->bad)
		return GP_OK;
	return gp_fail(
		err, GP_E_LIMIT, "more than %zu bytes of output", b->max);
}
