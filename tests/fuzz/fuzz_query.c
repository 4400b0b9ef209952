/* SPDX-License-Identifier: MIT */
/* fuzz_query.c - whatever stands in a query, what is taken of it is text, once
 * each, and questions made of it keep their bounds. */
#include <stdlib.h>

#include "admin/history_question.h"
#include "shared/base/check.h"
#include "shared/base/utf8.h"

#define NOW_US (INT64_C(1763786000) * HISTORY_US)

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const struct query *q, struct span s)
{
	GP_ASSERT(s.n == 0 ||
		(s.p >= q->room && s.p + s.n <= q->room + sizeof(q->room)));
	GP_ASSERT(utf8_valid_len(s) == s.n);
	for (size_t i = 0; i < s.n; i++)
		GP_ASSERT((uint8_t)s.p[i] >= 0x20 && s.p[i] != 0x7f);
}

static void
check_query(const struct query *q)
{
	GP_ASSERT(q->n <= QUERY_PARAMS_MAX);
	for (size_t i = 0; i < q->n; i++) {
		check_text(q, q->params[i].name);
		check_text(q, q->params[i].value);
		for (size_t k = 0; k < i; k++)
			GP_ASSERT(
				!span_eq(q->params[i].name, q->params[k].name));
	}
}

static void
check_cursor(const struct history_cursor *c)
{
	char text[HISTORY_CURSOR_MAX];
	struct history_cursor again = { .is_set = false };

	if (!c->is_set)
		return;
	GP_ASSERT(c->time_us >= 0 && c->id >= 0);
	history_cursor_write(c, text);
	GP_ASSERT(history_cursor_read(&again, span_cstr(text)));
	GP_ASSERT(again.time_us == c->time_us && again.id == c->id);
}

static void
check_question(const struct query *q, enum history_kind kind)
{
	struct history_question out;
	struct gp_error err = { .text = "" };

	if (history_question_read(&out, kind, q, NOW_US, &err) != GP_OK) {
		GP_ASSERT(err.text[0] != '\0');
		return;
	}
	GP_ASSERT(out.from_us >= 0 && out.from_us < out.to_us);
	GP_ASSERT(out.limit >= 1 && out.limit <= HISTORY_LIST_MOST);
	GP_ASSERT(out.status_from < out.status_to);
	if (kind == HISTORY_ASK_SERIES)
		GP_ASSERT(out.limit <= HISTORY_LINES &&
			(out.to_us - out.from_us) / HISTORY_US / out.step_s +
					2 <=
				HISTORY_BUCKETS);
	check_cursor(&out.cursor);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct query q;
	struct gp_error err;
	/* Of exactly the size, so that reads behind the end show. */
	char *const copy = malloc(MAX(size, 1));

	GP_ASSERT(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (query_parse(&q, span_of(copy, size), &err) == GP_OK) {
		check_query(&q);
		check_question(&q, HISTORY_ASK_LIST);
		check_question(&q, HISTORY_ASK_SERIES);
		check_question(&q, HISTORY_ASK_TOTALS);
	}
	free(copy);
	return 0;
}
