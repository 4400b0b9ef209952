/* SPDX-License-Identifier: MIT */
/* date.h - times in header fields. spec: RFC 9110, 5.6.7 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/span.h"

/* "Wed, 21 Oct 2026 07:28:00 GMT" as seconds since 1970 (wall clock); years
 * 1970 to 9999. The two obsolete forms are not read: false, as for anything
 * else, with *wall_s as it was. The name of the day is not compared. */
bool http_date(struct span s, int64_t *wall_s);

/* Seconds from 1970 to the beginning of a day (UTC); year from 1970 on, month 1
 * to 12, day from 1 on: one behind the month's end is in the next month. */
int64_t http_date_day_s(int64_t year, int64_t month, int64_t day);

#endif
