/* SPDX-License-Identifier: MIT */
/* fuzz_calib_file.c - whatever stands in the file, what is printed afterwards
 * is understood whole and says the same. */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/sys/calib_file.h"

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct calib empty;
	struct calib first = empty;
	struct calib second = empty;
	struct calib_file_report report;
	struct buf once;
	struct buf again;
	/* Of exactly the size, so that reads behind the end show. */
	char *const copy = malloc(MAX(size, 1));
	unsigned read;
	bool has_any;

	GP_ASSERT(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	calib_file_restore(&first, span_of(copy, size), &report);
	GP_ASSERT((report.ignored > 0) == (report.first > 0));
	read = report.lines;
	buf_init(&once, CALIB_FILE_MAX);
	buf_init(&again, CALIB_FILE_MAX);
	has_any = calib_file_print(&first, &once);
	GP_ASSERT(!once.bad && has_any == (read > 0));
	calib_file_restore(&second, buf_span(&once), &report);
	GP_ASSERT(report.ignored == 0 && report.lines <= read);
	/* Which row a name has depends on the order of the names. */
	GP_ASSERT(calib_file_print(&second, &again) == has_any);
	GP_ASSERT(buf_len(&once) == buf_len(&again));
	buf_fini(&once);
	buf_fini(&again);
	free(copy);
	return 0;
}
