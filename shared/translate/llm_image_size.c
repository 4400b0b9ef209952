/* SPDX-License-Identifier: MIT */
/* llm_image_size.c - width and height of an image from its first bytes. */
#include "shared/translate/llm_image_size.h"

#include "shared/translate/llm_base64.h"

/* All of the formats but JPEG tell their size within so many bytes. */
#define HEAD_LEN 30

/* Segments of a JPEG in front of the one with the size; real files have a
 * dozen, more with large profiles. */
#define JPEG_SEGMENTS_MAX 1000

struct size {
	uint32_t width, height;
};

static uint32_t
be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t
be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

static uint32_t
le16(const uint8_t *p)
{
	return (uint32_t)p[1] << 8 | p[0];
}

static uint32_t
le24(const uint8_t *p)
{
	return (uint32_t)p[2] << 16 | le16(p);
}

static bool
begins(const uint8_t *p, struct span with)
{
	return memcmp(p, with.p, with.n) == 0;
}

/* True for the segments that hold the size: SOF0 to SOF15, without the three
 * numbers that mean something else. spec: ITU-T T.81 table B.1 */
static bool
is_frame(uint8_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 &&
		marker != 0xc8 && marker != 0xcc;
}

static bool
read_jpeg(struct span base64, struct size *out)
{
	size_t at = 2;

	for (unsigned i = 0; i < JPEG_SEGMENTS_MAX; i++) {
		uint8_t p[9];

		if (base64_read(base64, at, p, sizeof(p)) < sizeof(p) ||
			p[0] != 0xff)
			return false;
		if (p[1] == 0xff) {
			/* A byte of filling. */
			at++;
			continue;
		}
		if (is_frame(p[1])) {
			*out = (struct size){ be16(p + 7), be16(p + 5) };
			return true;
		}
		at += 2 + be16(p + 2);
	}
	return false;
}

/* spec: RFC 9649 */
static bool
read_webp(const uint8_t *p, struct size *out)
{
	uint32_t bits;

	if (begins(p + 12, SPAN("VP8X"))) {
		*out = (struct size){ le24(p + 24) + 1, le24(p + 27) + 1 };
		return true;
	}
	if (begins(p + 12, SPAN("VP8 ")) &&
		begins(p + 23, SPAN("\x9d\x01\x2a"))) {
		*out = (struct size){ le16(p + 26) & 0x3fff,
			le16(p + 28) & 0x3fff };
		return true;
	}
	if (begins(p + 12, SPAN("VP8L")) && p[20] == 0x2f) {
		bits = le16(p + 21) | le16(p + 23) << 16;
		*out = (struct size){ (bits & 0x3fff) + 1,
			(bits >> 14 & 0x3fff) + 1 };
		return true;
	}
	return false;
}

static bool
read_size(struct span base64, struct size *out)
{
	uint8_t p[HEAD_LEN] = { 0 };
	const size_t n = base64_read(base64, 0, p, sizeof(p));

	if (n >= 24 && begins(p, SPAN("\x89PNG\r\n\x1a\n"))) {
		*out = (struct size){ be32(p + 16), be32(p + 20) };
		return true;
	}
	if (n >= 10 &&
		(begins(p, SPAN("GIF87a")) || begins(p, SPAN("GIF89a")))) {
		*out = (struct size){ le16(p + 6), le16(p + 8) };
		return true;
	}
	if (n >= 3 && begins(p, SPAN("\xff\xd8\xff")))
		return read_jpeg(base64, out);
	if (n == HEAD_LEN && begins(p, SPAN("RIFF")) &&
		begins(p + 8, SPAN("WEBP")))
		return read_webp(p, out);
	return false;
}

bool
llm_image_size(const struct llm_image *img, uint32_t *width, uint32_t *height)
{
	struct size size;

	if (img->is_url || !read_size(img->data.s, &size))
		return false;
	if (size.width == 0 || size.width > IMAGE_SIDE_MAX ||
		size.height == 0 || size.height > IMAGE_SIDE_MAX)
		return false;
	*width = size.width;
	*height = size.height;
	return true;
}
