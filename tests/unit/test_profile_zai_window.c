/* SPDX-License-Identifier: MIT */
/* test_profile_zai_window.c - limits: over what time they are counted, when
 * they renew, what their numbers mean. */
#include <stdlib.h>

#include "shared/translate/profile_zai.h"
#include "tests/lib/t.h"

static void
test_window(void **state)
{
	static const struct {
		struct span text;
		struct llm_window window;
	} rows[] = {
		{ SPAN_INIT("Usage limit reached for 5 hour. Your limit will "
			    "reset at 2026-09-21 23:07:07"),
			{ LLM_WINDOW_HOURS, 5 } },
		{ SPAN_INIT("Usage limit reached for 5 hours."),
			{ LLM_WINDOW_HOURS, 5 } },
		{ SPAN_INIT("the 5-hour limit"), { LLM_WINDOW_HOURS, 5 } },
		{ SPAN_INIT("已达到 5 小时的使用上限。您的限额将在 2026-09-21 "
			    "23:07:07 重置"),
			{ LLM_WINDOW_HOURS, 5 } },
		{ SPAN_INIT("已达到5小时的使用上限"), { LLM_WINDOW_HOURS, 5 } },
		{ SPAN_INIT("1 个月"), { LLM_WINDOW_MONTHS, 1 } },
		{ SPAN_INIT("2 WEEKS"), { LLM_WINDOW_WEEKS, 2 } },
		{ SPAN_INIT("Weekly limit exhausted"),
			{ LLM_WINDOW_WEEKS, 1 } },
		{ SPAN_INIT("monthly limit, monthly"),
			{ LLM_WINDOW_MONTHS, 1 } },
		{ SPAN_INIT("该 API 已达今日调用次数限额"),
			{ LLM_WINDOW_DAYS, 1 } },
		/* Which of them is not said. */
		{ SPAN_INIT("Weekly/Monthly Limit Exhausted. Your limit will "
			    "reset at 2026-09-21 23:07:07"),
			{ LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("reset at 2026-09-21 23:07:07 hours"),
			{ LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("glm-4.5 hours"), { LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("0 hours"), { LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("256 hours"), { LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("255 hours"), { LLM_WINDOW_HOURS, 255 } },
		{ SPAN_INIT("1000 hours"), { LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("99999999999999999999 hours"),
			{ LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("5"), { LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("5 "), { LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("5  hours"), { LLM_NO_WINDOW, 0 } },
		{ SPAN_INIT("5 apples in 3 days"), { LLM_WINDOW_DAYS, 3 } },
		{ SPAN_INIT(""), { LLM_NO_WINDOW, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* Reads behind the end show under a sanitizer. */
		char *const text = t_exact(rows[i].text);
		const struct llm_window w =
			zai_window(span_of(text, rows[i].text.n));

		assert_int_equal(w.unit, rows[i].window.unit);
		assert_int_equal(w.units, rows[i].window.units);
		free(text);
	}
}

static void
test_reset(void **state)
{
	static const struct {
		struct span text;
		int64_t wall_s;
	} rows[] = {
		/* date -u -d '2026-09-21T23:07:07+08:00' +%s */
		{ SPAN_INIT("will reset at 2026-09-21 23:07:07"), 1790003227 },
		{ SPAN_INIT("reset at 1971-01-01 08:00:00"), 31536000 },
		{ SPAN_INIT("reset at 1970-01-01 00:00:00"), 0 },
		{ SPAN_INIT("reset at 0000-01-01 00:00:00"), 0 },
		{ SPAN_INIT("reset at 9999-12-31 23:59:59"), 253402271999 },
		{ SPAN_INIT("reset at 2026-13-21 23:07:07"), 0 },
		{ SPAN_INIT("2026-09-21 23:07:07"), 0 },
		{ SPAN_INIT("reset"), 0 },
		{ SPAN_INIT(""), 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			zai_reset_wall_s(rows[i].text), rows[i].wall_s);
}

static void
test_meaning(void **state)
{
	static const int64_t limits[] = { 1113, 1302, 1303, 1304, 1305, 1308,
		1309, 1310, 1313, 1314, 1316, 1321 };
	static const int64_t others[] = { -1, 0, 434, 1000, 1210, 1261, 1311,
		1315, 1322, INT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		assert_non_null(zai_meaning(limits[i]));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_null(zai_meaning(others[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
