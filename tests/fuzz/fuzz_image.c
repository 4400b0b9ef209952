/* SPDX-License-Identifier: MIT */
/*
 * fuzz_image.c - width and height of an image, read from its first bytes.
 *
 * The first byte chooses: the rest is an image, which is put into base64, or
 * what a client calls base64. What is cut off says the same or nothing.
 */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/translate/llm_image_size.h"

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* In memory of exactly its size, to be freed. */
static struct span
encode(const uint8_t *data, size_t size)
{
	const size_t n = (size + 2) / 3 * 4;
	char *const out = malloc(MAX(n, 1));

	GP_ASSERT(out != NULL);
	for (size_t i = 0, o = 0; i < size; i += 3, o += 4) {
		const uint32_t v = (uint32_t)data[i] << 16 |
			(i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0) |
			(i + 2 < size ? data[i + 2] : 0);

		out[o] = digits[v >> 18];
		out[o + 1] = digits[v >> 12 & 63];
		out[o + 2] = i + 1 < size ? digits[v >> 6 & 63] : '=';
		out[o + 3] = i + 2 < size ? digits[v & 63] : '=';
	}
	return (struct span){ out, n };
}

/* What stands in a JSON string without escapes. */
static struct span
lend(const uint8_t *data, size_t size)
{
	char *const out = malloc(MAX(size, 1));

	GP_ASSERT(out != NULL);
	for (size_t i = 0; i < size; i++)
		out[i] = data[i] < ' ' || data[i] > '~' || data[i] == '"' ||
				data[i] == '\\' ?
			'=' :
			(char)data[i];
	return (struct span){ out, size };
}

static bool
look(struct span base64, uint32_t *width, uint32_t *height)
{
	struct llm_image img;
	struct arena a;
	bool is_read;

	arena_init(&a);
	is_read = llm_image_from_base64(&a, JESC_EMPTY, (struct jesc){ base64 },
			  &img, NULL) == GP_OK &&
		llm_image_size(&img, width, height);
	if (is_read) {
		GP_ASSERT(*width > 0 && *width <= IMAGE_SIDE_MAX);
		GP_ASSERT(*height > 0 && *height <= IMAGE_SIDE_MAX);
	}
	arena_fini(&a);
	return is_read;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t width, height, part_width, part_height;
	struct span whole;
	bool is_image;

	if (size < 2)
		return 0;
	is_image = data[0] % 2 == 0;
	whole = is_image ? encode(data + 2, size - 2) :
			   lend(data + 2, size - 2);
	if (look(whole, &width, &height) && is_image) {
		/* Cut between two groups of base64. */
		const size_t n = whole.n * data[1] / 256 / 4 * 4;

		if (look(span_head(whole, n), &part_width, &part_height))
			GP_ASSERT(part_width == width && part_height == height);
	}
	free((void *)(uintptr_t)whole.p);
	return 0;
}
