/* SPDX-License-Identifier: MIT */
/* check_util.c - what the checks have in common. */
#include <stdarg.h>
#include <stdio.h>

#include "tests/upstream/check.h"
#include "tests/upstream/text.h"

struct check_path
check_path(const char *fmt, ...)
{
	struct check_path path;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(path.s, sizeof(path.s), fmt, args);
	va_end(args);
	return path;
}

bool
check_is_one_of(struct span text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (span_eq(text, span_cstr(*words)))
			return true;
	return false;
}

bool
check_is_name(struct span s, size_t max)
{
	if (s.n < 1 || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], small = (char)(c | 0x20);

		if (!(small >= 'a' && small <= 'z') &&
			!(c >= '0' && c <= '9') && c != '_' && c != '-')
			return false;
	}
	return true;
}

bool
check_closed(struct request *r, json_t *v, const char *where,
	const char *const *keys)
{
	const char *dot = *where == '\0' ? "" : ".";

	if (!json_is_object(v))
		return refuse(r, 1214, "%s: must be an object", where);
	for (void *it = json_object_iter(v); it != NULL;
		it = json_object_iter_next(v, it)) {
		struct span key = span_cstr(json_object_iter_key(it));

		if (!check_is_one_of(key, keys))
			return refuse(r, 1210, "%s%s%.*s: unknown field", where,
				dot, CHECK_ARG(key));
	}
	return true;
}

bool
check_string(struct request *r, json_t *obj, const char *key, const char *where)
{
	json_t *v = json_object_get(obj, key);

	if (v == NULL)
		return refuse(r, 1213, "%s.%s: not received", where, key);
	if (!json_is_string(v) || json_string_length(v) == 0)
		return refuse(r, 1214, "%s.%s: must be a string, not empty",
			where, key);
	return true;
}

bool
check_bool(struct request *r, const char *key)
{
	json_t *v = json_object_get(r->root, key);

	if (v == NULL || json_is_boolean(v))
		return true;
	return refuse(r, 1214, "%s: must be true or false", key);
}

bool
check_number(struct request *r, const char *key, double low, double high)
{
	json_t *v = json_object_get(r->root, key);

	if (v == NULL)
		return true;
	if (!json_is_number(v) || json_number_value(v) < low ||
		json_number_value(v) > high)
		return refuse(r, 1214, "%s: must be a number in [%g, %g]", key,
			low, high);
	return true;
}

bool
check_count(struct request *r, const char *key, uint64_t high)
{
	json_t *v = json_object_get(r->root, key);

	if (v == NULL)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < 1 ||
		(uint64_t)json_integer_value(v) > high)
		return refuse(r, 1214, "%s: must be an integer in [1, %llu]",
			key, (unsigned long long)high);
	return true;
}
