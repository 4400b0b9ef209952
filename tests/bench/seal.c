/* SPDX-License-Identifier: MIT */
/*
 * seal.c - how fast mbedTLS encrypts, without anything around it.
 *
 *	seal BYTES
 *
 * Encrypts BYTES in TLS records again and again with the ciphers that
 * upstreams and we have in common, and prints the microseconds of CPU that the
 * fastest takes for them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>

#include "shared/base/defs.h"

#define RECORD  16384
#define LOOK_US 300000 /* for each cipher */

static unsigned char key[32], nonce[12], head[13], tag[16];
static unsigned char from[RECORD], to[RECORD];

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
seal_chacha(void *ctx, size_t n)
{
	return mbedtls_chachapoly_encrypt_and_tag(
		ctx, n, nonce, head, sizeof(head), from, to, tag);
}

static int
seal_gcm(void *ctx, size_t n)
{
	return mbedtls_gcm_crypt_and_tag(ctx, MBEDTLS_GCM_ENCRYPT, n, nonce,
		sizeof(nonce), head, sizeof(head), from, to, sizeof(tag), tag);
}

static double
cost(int (*seal)(void *ctx, size_t n), void *ctx, size_t bytes)
{
	double begun = cpu_us();
	unsigned runs = 0;

	do {
		for (size_t left = bytes; left > 0;) {
			size_t n = MIN(left, (size_t)RECORD);

			if (seal(ctx, n) != 0)
				exit(1);
			left -= n;
		}
		runs++;
	} while (cpu_us() - begun < LOOK_US);
	return (cpu_us() - begun) / runs;
}

int
main(int argc, char **argv)
{
	mbedtls_chachapoly_context chacha;
	mbedtls_gcm_context gcm;
	long bytes = argc == 2 ? atol(argv[1]) : 0;
	double chacha_us, gcm_us;

	if (bytes < 1) {
		fprintf(stderr, "usage: seal BYTES\n");
		return 64;
	}
	mbedtls_chachapoly_init(&chacha);
	mbedtls_gcm_init(&gcm);
	if (mbedtls_chachapoly_setkey(&chacha, key) != 0 ||
		mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 128) != 0)
		return 1;
	chacha_us = cost(seal_chacha, &chacha, (size_t)bytes);
	gcm_us = cost(seal_gcm, &gcm, (size_t)bytes);
	printf("us=%.0f\n", MIN(chacha_us, gcm_us));
	mbedtls_chachapoly_free(&chacha);
	mbedtls_gcm_free(&gcm);
	return 0;
}
