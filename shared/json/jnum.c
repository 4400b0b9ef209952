/* SPDX-License-Identifier: MIT */
/* jnum.c - reading numbers of a document without strtod, which heeds the
 * locale, and without rounding where that matters. */
#include "shared/json/jdoc.h"

/* More significant digits than this never fit an int64. */
#define DIGITS_MAX 19
/* Far outside what a double can hold, far inside int64. */
#define EXP_LIMIT 1000000000000
/* 10 to this power is a double. */
#define POWER_MAX INT64_C(300)

/* digits * 10^exp, plus less than one unit of the last digit if is_cut. */
struct decimal {
	uint64_t digits;
	int64_t exp;
	bool is_negative;
	bool is_cut;
};

static void
add_digit(struct decimal *d, unsigned *significant, char c, bool is_fraction)
{
	const unsigned v = (unsigned)(c - '0');

	if (*significant < DIGITS_MAX) {
		d->digits = d->digits * 10 + v;
		/* Leading zeros do not count. */
		if (d->digits > 0)
			++*significant;
		d->exp -= is_fraction;
		return;
	}
	d->is_cut = d->is_cut || v > 0;
	d->exp += !is_fraction;
}

static int64_t
read_exponent(struct span s)
{
	const bool is_negative = s.n > 0 && s.p[0] == '-';
	int64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9' && v < EXP_LIMIT)
			v = v * 10 + (s.p[i] - '0');
	}
	return is_negative ? -v : v;
}

/* s is a number that jscan has accepted. */
static struct decimal
read_decimal(struct span s)
{
	struct decimal d = { 0 };
	bool is_fraction = false;
	unsigned significant = 0;

	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];

		if (c == 'e' || c == 'E') {
			d.exp += read_exponent(span_from(s, i + 1));
			break;
		}
		if (c == '-')
			d.is_negative = true;
		else if (c == '.')
			is_fraction = true;
		else
			add_digit(&d, &significant, c, is_fraction);
	}
	return d;
}

bool
jdoc_int(const struct jdoc *d, jref r, int64_t *out)
{
	struct decimal v;

	if (jdoc_type(d, r) != J_NUM)
		return false;
	v = read_decimal(jdoc_raw(d, r).s);
	if (v.digits == 0) {
		*out = 0;
		return true;
	}
	/* Both loops end after DIGITS_MAX turns at most. */
	for (; v.exp < 0 && v.digits % 10 == 0; v.exp++)
		v.digits /= 10;
	/* What is cut is a fraction, or a digit more than an int64 has. */
	if (v.exp < 0 || v.is_cut)
		return false;
	for (; v.exp > 0; v.exp--) {
		if (__builtin_mul_overflow(v.digits, UINT64_C(10), &v.digits))
			return false;
	}
	if (v.digits > (uint64_t)INT64_MAX + v.is_negative)
		return false;
	*out = v.is_negative ? (int64_t)(0 - v.digits) : (int64_t)v.digits;
	return true;
}

/* 10^n; infinite above the range. */
static double
power_of_ten(unsigned n)
{
	static const double squares[] = { 1e1, 1e2, 1e4, 1e8, 1e16, 1e32, 1e64,
		1e128, 1e256 };
	double v = 1;

	for (unsigned i = 0; i < ARRAY_LEN(squares); i++) {
		if ((n >> i & 1) != 0)
			v *= squares[i];
	}
	return v;
}

/* x * 10^exp for x > 0; infinite or 0 outside the range. */
static double
scale(double x, int64_t exp)
{
	/* The quotient may be above 0 where the power is infinite already: in
	 * two steps. */
	const int64_t n = MIN(exp < 0 ? -exp : exp, 2 * POWER_MAX);
	const unsigned first = (unsigned)MIN(n, POWER_MAX);
	const unsigned second = (unsigned)n - first;

	if (exp < 0)
		return x / power_of_ten(first) / power_of_ten(second);
	return x * power_of_ten(first) * power_of_ten(second);
}

bool
jdoc_double(const struct jdoc *d, jref r, double *out)
{
	struct decimal v;
	double x = 0;

	if (jdoc_type(d, r) != J_NUM)
		return false;
	v = read_decimal(jdoc_raw(d, r).s);
	if (v.digits > 0)
		x = scale((double)v.digits, v.exp);
	*out = v.is_negative ? -x : x;
	return true;
}
