/* SPDX-License-Identifier: MIT */
/* inflate.h - content codings gzip and deflate, undone as bytes come. */
#ifndef WORKER_INFLATE_H
#define WORKER_INFLATE_H

#include "shared/base/buf.h"

struct inflate;

/* For a content-encoding value; NULL if it is neither gzip, x-gzip nor
 * deflate. */
struct inflate *inflate_new(struct span coding);
void inflate_free(struct inflate **z);

/* Append what `in` decodes to; out's maximum bounds it (GP_E_LIMIT). Bytes
 * behind the end and corrupt ones are GP_E_PEER. */
enum gp_code inflate_feed(struct inflate *z, struct span in, struct buf *out,
	struct gp_error *err) GP_WUR;
/* True once the coded stream has come to its own end. */
bool inflate_is_done(const struct inflate *z);

#endif
