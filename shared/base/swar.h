/* SPDX-License-Identifier: MIT */
/*
 * swar.h - eight bytes at a time in one register.
 *
 * A mask has the top bit set in every byte that was found. Unless it says
 * "exactly", bytes above the first found one may be marked wrongly; the first
 * mark is always right.
 */
#ifndef BASE_SWAR_H
#define BASE_SWAR_H

#include <stdint.h>
#include <string.h>

#define SWAR_BYTES  8
#define SWAR_ALL(c) (UINT64_C(0x0101010101010101) * (uint8_t)(c))
#define SWAR_TOP    SWAR_ALL(0x80)

/* The byte at p becomes the lowest one. */
static inline uint64_t
swar_load(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

/* Bytes equal to c. */
static inline uint64_t
swar_equal(uint64_t w, uint8_t c)
{
	w ^= SWAR_ALL(c);
	return (w - SWAR_ALL(1)) & ~w & SWAR_TOP;
}

/* Bytes that are 0, each marked exactly. */
static inline uint64_t
swar_zeros(uint64_t w)
{
	return ~((w & ~SWAR_TOP) + ~SWAR_TOP) & ~w & SWAR_TOP;
}

/* The marks of a mask as the lowest eight bits, the first byte's the lowest. */
static inline uint64_t
swar_bits(uint64_t mask)
{
	return (mask >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

/* Bytes that cannot be copied unseen into or out of a JSON string: controls,
 * quote, backslash, and everything outside ASCII. */
static inline uint64_t
swar_json_special(uint64_t w)
{
	return (w | (w - SWAR_ALL(0x20)) | ((w ^ SWAR_ALL('"')) - SWAR_ALL(1)) |
		       ((w ^ SWAR_ALL('\\')) - SWAR_ALL(1))) &
		SWAR_TOP;
}

/* Position of the first marked byte; mask is not 0. */
static inline unsigned
swar_first(uint64_t mask)
{
	return (unsigned)__builtin_ctzll(mask) / 8;
}

#endif
