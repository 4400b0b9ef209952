/* SPDX-License-Identifier: MIT */
/* unicode_classes.h - what kind of character a code point is, by Unicode 16.0.
 * The tables are made by unicode_classes.py from Debian's unicode-data;
 * `make unicode-check` proves it. */
#ifndef COUNT_UNICODE_CLASSES_H
#define COUNT_UNICODE_CLASSES_H

#include <stdint.h>

enum unicode_class {
	UNICODE_OTHER,
	UNICODE_LETTER, /* category L */
	UNICODE_NUMBER, /* category N */
	UNICODE_SPACE,  /* property White_Space, line ends too */
};

#define UNICODE_BLOCK  128 /* code points that share a row of words */
#define UNICODE_WORD   32  /* code points a word, two bits each */
#define UNICODE_GROUP  32  /* blocks */
#define UNICODE_TOP    51
#define UNICODE_GROUPS 30
#define UNICODE_WORDS  832

extern const uint8_t unicode_top[UNICODE_TOP];
extern const uint8_t unicode_groups[UNICODE_GROUPS * UNICODE_GROUP];
extern const uint64_t unicode_words[UNICODE_WORDS];

/* Any number; beyond U+10FFFF nothing is a letter. */
static inline enum unicode_class
unicode_class(uint32_t c)
{
	const uint32_t block = c / UNICODE_BLOCK, group = block / UNICODE_GROUP;
	uint32_t word;

	if (group >= UNICODE_TOP)
		return UNICODE_OTHER;
	word = unicode_groups[unicode_top[group] * UNICODE_GROUP +
		       block % UNICODE_GROUP] *
			(UNICODE_BLOCK / UNICODE_WORD) +
		c % UNICODE_BLOCK / UNICODE_WORD;
	return (enum unicode_class)(
		unicode_words[word] >> c % UNICODE_WORD * 2 & 3);
}

#endif
