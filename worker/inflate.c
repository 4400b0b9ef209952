/* SPDX-License-Identifier: MIT */
/* inflate.c - content codings, by zlib. */
#include "worker/inflate.h"

#include <stdlib.h>
#define ZLIB_CONST /* zlib does not write to its input */
#include <zlib.h>

#include "shared/base/check.h"

#define PIECE     65536
#define AUTOMATIC 32 /* zlib tells gzip from zlib format by the header */

struct inflate {
	z_stream z;
	bool is_done;
};

struct inflate *
inflate_new(struct span coding)
{
	struct inflate *z;

	coding = span_trim(coding);
	if (!span_ieq(coding, SPAN("gzip")) &&
		!span_ieq(coding, SPAN("x-gzip")) &&
		!span_ieq(coding, SPAN("deflate")))
		return NULL;
	z = calloc(1, sizeof(*z));
	GP_ASSERT(z != NULL);
	if (inflateInit2(&z->z, MAX_WBITS + AUTOMATIC) != Z_OK)
		GP_UNREACHED();
	return z;
}

void
inflate_free(struct inflate **z)
{
	if (*z == NULL)
		return;
	inflateEnd(&(*z)->z);
	free(*z);
	*z = NULL;
}

/* Decode into what room there is in out. One byte more than fits is what tells
 * a body that is too large from one that fits exactly. */
static int
inflate_piece(struct inflate *z, struct buf *out)
{
	size_t room = MIN(PIECE, out->max - buf_len(out));
	Bytef spare = 0;
	int rc;

	z->z.next_out = &spare;
	z->z.avail_out = 1;
	if (room > 0) {
		z->z.next_out = (Bytef *)buf_reserve(out, room);
		z->z.avail_out = (uInt)room;
	}
	rc = inflate(&z->z, Z_NO_FLUSH);
	if (room > 0)
		buf_commit(out, room - z->z.avail_out);
	else if (z->z.avail_out == 0)
		buf_putc(out, (char)spare);
	return rc;
}

enum gp_code
inflate_feed(struct inflate *z, struct span in, struct buf *out,
	struct gp_error *err)
{
	z->z.next_in = (const Bytef *)in.p;
	z->z.avail_in = (uInt)in.n;
	GP_ASSERT(in.n <= UINT32_MAX);
	while (z->z.avail_in > 0 || z->z.avail_out == 0) {
		int rc;

		if (z->is_done)
			return z->z.avail_in == 0 ?
				GP_OK :
				gp_fail(err, GP_E_PEER,
					"bytes behind the end of a compressed "
					"body");
		rc = inflate_piece(z, out);
		if (out->bad)
			return buf_check(out, err);
		if (rc == Z_STREAM_END)
			z->is_done = true;
		else if (rc == Z_BUF_ERROR)
			break;
		else if (rc != Z_OK)
			return gp_fail(
				err, GP_E_PEER, "a compressed body is corrupt");
	}
	return GP_OK;
}

bool
inflate_is_done(const struct inflate *z)
{
	return z->is_done;
}
