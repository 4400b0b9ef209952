/* SPDX-License-Identifier: MIT */
/* date.c - times in header fields. */
#include "shared/http/date.h"

#include "shared/base/check.h"

#define EPOCH_YEAR 1970
#define DAY_S      86400

/* d: a digit, a: a letter, others are themselves. */
static const char form[] = "aaa, dd aaa dddd dd:dd:dd GMT";

static bool
has_form(struct span s)
{
	if (s.n != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool is_digit = c >= '0' && c <= '9';
		const bool is_letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (form[i] == 'd'             ? !is_digit :
				form[i] == 'a' ? !is_letter :
						 c != form[i])
			return false;
	}
	return true;
}

static int64_t
number_at(struct span s, size_t at, size_t n)
{
	int64_t value = 0;

	for (size_t i = at; i < at + n; i++)
		value = value * 10 + (s.p[i] - '0');
	return value;
}

/* 1 to 12, or 0. */
static int64_t
month_at(struct span s, size_t at)
{
	static const char names[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (span_eq(span_of(s.p + at, 3), span_of(names[i], 3)))
			return (int64_t)i + 1;
	}
	return 0;
}

static bool
is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days in front of that month of that year. */
static int64_t
days_before(int64_t year, int64_t month)
{
	static const int64_t days[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243,
		273, 304, 334 };

	return days[month - 1] + (month > 2 && is_leap(year) ? 1 : 0);
}

/* Days from the epoch to the first day of the year. */
static int64_t
days_of_years(int64_t year)
{
	const int64_t y = year - 1, e = EPOCH_YEAR - 1;

	return 365 * (y - e) + (y / 4 - e / 4) - (y / 100 - e / 100) +
		(y / 400 - e / 400);
}

int64_t
http_date_day_s(int64_t year, int64_t month, int64_t day)
{
	GP_ASSERT(year >= EPOCH_YEAR && month >= 1 && month <= 12);
	return (days_of_years(year) + days_before(year, month) + day - 1) *
		DAY_S;
}

bool
http_date(struct span s, int64_t *wall_s)
{
	int64_t day, month, year, hour, minute, second;

	s = span_trim(s);
	if (!has_form(s))
		return false;
	day = number_at(s, 5, 2);
	month = month_at(s, 8);
	year = number_at(s, 12, 4);
	hour = number_at(s, 17, 2);
	minute = number_at(s, 20, 2);
	second = number_at(s, 23, 2);
	/* 60 is a leap second. */
	if (month == 0 || year < EPOCH_YEAR || day < 1 || day > 31 ||
		hour > 23 || minute > 59 || second > 60)
		return false;
	*wall_s = http_date_day_s(year, month, day) + hour * 3600 +
		minute * 60 + second;
	return true;
}
