/* SPDX-License-Identifier: MIT */
/* sha256.h - the hash that makes short names out of long ones. Not for
 * secrets: nothing is wiped. spec: FIPS 180-4 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "shared/base/span.h"

#define SHA256_BYTES 32
#define SHA256_HEX   64

/* Linear, allocates nothing. */
void sha256(struct span s, uint8_t out[SHA256_BYTES]);

/* The first n (at most SHA256_HEX) lower-case hex digits of the hash, and a
 * NUL behind them. */
void sha256_hex(struct span s, char *out, size_t n);

#endif
