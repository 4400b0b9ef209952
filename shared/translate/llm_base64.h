/* SPDX-License-Identifier: MIT */
/* llm_base64.h - base64 as images carry it. For llm_image*.c and decoders
 * of files. */
#ifndef TRANSLATE_LLM_BASE64_H
#define TRANSLATE_LLM_BASE64_H

#include "shared/base/arena.h"
#include "shared/base/err.h"

/*
 * Base64 (RFC 4648) in its one proper form: standard alphabet, padded, no
 * blanks. Accepts blanks anywhere, the URL-safe alphabet and missing padding.
 * *out is s itself when there is nothing to change. GP_E_SCHEMA with a sentence
 * for anything else, nothing included. Linear; one pass for proper input.
 */
enum gp_code base64_normalise(struct arena *a, struct span s, struct span *out,
	struct gp_error *err) GP_WUR;

/* Number of bytes that normalised base64 means. */
size_t base64_len(struct span s);

/* Decode bytes from..from+n-1 of normalised base64; returns how many there
 * were. Costs the bytes that are read. */
size_t base64_read(struct span s, size_t from, uint8_t *out, size_t n);

#endif
