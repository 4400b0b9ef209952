/* SPDX-License-Identifier: MIT */
/*
 * out.h - writes HTTP/1.1 heads and chunk framing into a buf.
 *
 * Values from peers pass http_out_field only: bytes that could end a field
 * (CR, LF, NUL, other controls) are replaced by '?', so a head can never be
 * split.
 */
#ifndef HTTP_OUT_H
#define HTTP_OUT_H

#include "shared/base/buf.h"

/* "HTTP/1.1 200 OK"; "POST /path HTTP/1.1" with method and path checked by the
 * caller (url.h). */
void http_out_status(struct buf *out, unsigned status);
void http_out_request(struct buf *out, const char *method, struct span path);
void http_out_field(struct buf *out, const char *name, struct span value);
void http_out_field_cstr(struct buf *out, const char *name, const char *value);
void http_out_field_u64(struct buf *out, const char *name, uint64_t value);
/* The empty line. */
void http_out_end(struct buf *out);

/* The reason phrase of a status; "Unknown" for others. */
const char *http_reason(unsigned status);

/* One chunk around the bytes of s (none if s is empty); the last chunk. */
void http_out_chunk(struct buf *out, struct span s);
void http_out_last_chunk(struct buf *out);

/* A chunk whose size is not known yet: reserve HTTP_CHUNK_HEAD bytes at the
 * end of out, write content, then close with the position that open returned.
 * A chunk without content is removed. The size is written with leading zeros.
 */
#define HTTP_CHUNK_HEAD 10
size_t http_out_chunk_open(struct buf *out);
void http_out_chunk_close(struct buf *out, size_t at);

#endif
