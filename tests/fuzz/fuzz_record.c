/* SPDX-License-Identifier: MIT */
/* fuzz_record.c - whatever bytes come, a record that was read is plain, in its
 * ranges, and the same after another round. */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/base/utf8.h"
#include "shared/sys/bodypart.h"
#include "shared/sys/record.h"

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(struct span a, struct span b, size_t most)
{
	GP_ASSERT(a.n <= most && span_eq(a, b));
	GP_ASSERT(utf8_valid_len(a) == a.n);
	for (size_t i = 0; i < a.n; i++)
		GP_ASSERT((uint8_t)a.p[i] >= ' ' && a.p[i] != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly the size, so that reads behind the end show. */
	char *const copy = malloc(MAX(size, 1));
	char again[RECORD_MAX];
	struct record first, second;
	struct bodypart part;

	GP_ASSERT(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (bodypart_read(&part, span_of(copy, size)))
		GP_ASSERT(part.offset + part.text.n <= part.total &&
			part.total <= BODYPART_BODY_MAX &&
			part.id.n + part.text.n < size);
	if (record_read(&first, copy, size)) {
		const size_t n = record_write(&first, again);

		GP_ASSERT(n == size);
		GP_ASSERT(record_read(&second, again, n));
#define NUMBER(name, least, most, meaning)                                     \
	GP_ASSERT(first.name >= (least) && first.name <= (most));              \
	GP_ASSERT(first.name == second.name);
#define TEXT(name, bytes, meaning) check_text(first.name, second.name, bytes);
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
	}
	free(copy);
	return 0;
}
