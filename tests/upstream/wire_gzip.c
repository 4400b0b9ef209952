/* SPDX-License-Identifier: MIT */
/* wire_gzip.c - bodies with content-encoding gzip. */
#define ZLIB_CONST
#include <zlib.h>

#include "shared/base/check.h"
#include "tests/upstream/wire.h"

#define GZIP_BITS (15 + 16)
#define ROOM      16384

static void
deflate_piece(z_stream *z, struct span s, int flush, struct buf *out)
{
	int rc;

	z->next_in = (const Bytef *)s.p;
	z->avail_in = (uInt)s.n;
	do {
		char *room = buf_reserve(out, ROOM);

		GP_ASSERT(room != NULL);
		z->next_out = (Bytef *)room;
		z->avail_out = ROOM;
		rc = deflate(z, flush);
		GP_ASSERT(rc != Z_STREAM_ERROR);
		buf_commit(out, ROOM - z->avail_out);
	} while (z->avail_out == 0);
}

/* Bits in the middle and in the checksum. */
static void
damage(struct buf *b)
{
	if (b->len < 24)
		return;
	b->data[b->len / 2] ^= 0x55;
	b->data[b->len / 2 + 1] ^= 0x2a;
	b->data[b->len - 6] ^= 0x7f;
}

void
body_gzip(struct body *b, bool is_damaged)
{
	z_stream z = { 0 };
	struct buf packed;
	size_t from = 0;
	int rc = deflateInit2(
		&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY);

	GP_ASSERT(rc == Z_OK);
	buf_init(&packed, SIZE_MAX / 2);
	for (size_t i = 0; i < b->pieces.n; i++) {
		struct span s = span_of(
			b->bytes.data + from, b->pieces.v[i].end - from);
		bool is_last = i + 1 == b->pieces.n;

		deflate_piece(
			&z, s, is_last ? Z_FINISH : Z_SYNC_FLUSH, &packed);
		from = b->pieces.v[i].end;
		b->pieces.v[i].end = packed.len;
	}
	(void)deflateEnd(&z);
	if (is_damaged)
		damage(&packed);
	buf_fini(&b->bytes);
	b->bytes = packed;
	b->declared = packed.len;
}
