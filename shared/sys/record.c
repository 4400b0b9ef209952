/* SPDX-License-Identifier: MIT */
/* record.c - what is known of one request, as bytes. */
#include "shared/sys/record.h"

#include "shared/base/utf8.h"

#define TAG 0x676c6d72u

static const struct {
	int64_t least, most;
} ranges[] = {

#define NUMBER(name, least, most, meaning) { (least), (most) },
#define TEXT(name, bytes, meaning)
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
};

static const struct {
	size_t offset;
	uint16_t most;
} texts[] = {

#define NUMBER(name, least, most, meaning)
#define TEXT(name, bytes, meaning) { offsetof(struct record, name), (bytes) },
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
};

_Static_assert(offsetof(struct record, request) == (size_t)8 * RECORD_NUMBERS,
	"the numbers stand in front, without gaps");

static const struct span *
text_at(const struct record *r, size_t i)
{
	const char *const at = (const char *)r + texts[i].offset;

	return (const struct span *)(const void *)at;
}

static struct span *
text_mut(struct record *r, size_t i)
{
	return (struct span *)(void *)((char *)r + texts[i].offset);
}

void
record_init(struct record *r)
{
	int64_t numbers[RECORD_NUMBERS];

	for (size_t i = 0; i < RECORD_NUMBERS; i++)
		numbers[i] = ranges[i].least;
	memcpy(r, numbers, sizeof(numbers));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*text_mut(r, i) = SPAN_EMPTY;
}

/* No more than `most` bytes, and no half of a character. */
static size_t
cut(struct span s, size_t most)
{
	size_t n = most;

	if (s.n <= most)
		return s.n;
	while (n > 0 && most - n < 4 && ((uint8_t)s.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

size_t
record_write(const struct record *r, char to[RECORD_MAX])
{
	static const uint32_t head[2] = { TAG, RECORD_VERSION };
	char *p = to;

	memcpy(p, head, sizeof(head));
	p += sizeof(head);
	memcpy(p, r, 8 * (size_t)RECORD_NUMBERS);
	p += 8 * (size_t)RECORD_NUMBERS;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct span s = *text_at(r, i);
		const uint16_t n = (uint16_t)cut(s, texts[i].most);

		memcpy(p, &n, sizeof(n));
		p += sizeof(n);
		memcpy(p, s.p, n);
		p += n;
	}
	return (size_t)(p - to);
}

/* --- reading -------------------------------------------------------------- */

/* U+0080 to U+009F: terminals obey them as they obey ESC. */
static bool
is_c1(const char *p, size_t step)
{
	return step == 2 && (uint8_t)p[0] == 0xc2 && (uint8_t)p[1] < 0xa0;
}

static void
clean(char *p, size_t n)
{
	const char *const end = p + n;

	while (p < end) {
		const size_t step = MAX(utf8_seq_len(p, end), 1);

		if (step == 1 && (*p < ' ' || *p > '~'))
			*p = '?';
		else if (is_c1(p, step))
			memset(p, '?', step);
		p += step;
	}
}

static void
read_numbers(struct record *r, const char *bytes)
{
	int64_t numbers[RECORD_NUMBERS];

	memcpy(numbers, bytes, sizeof(numbers));
	for (size_t i = 0; i < RECORD_NUMBERS; i++)
		numbers[i] =
			MIN(MAX(numbers[i], ranges[i].least), ranges[i].most);
	memcpy(r, numbers, sizeof(numbers));
}

bool
record_read(struct record *r, char *bytes, size_t n)
{
	const size_t fixed = 8 + 8 * (size_t)RECORD_NUMBERS;
	const char *const end = bytes + n;
	uint32_t head[2];

	if (n < fixed)
		return false;
	memcpy(head, bytes, sizeof(head));
	if (head[0] != TAG || head[1] != RECORD_VERSION)
		return false;
	read_numbers(r, bytes + 8);
	bytes += fixed;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		uint16_t length;

		if ((size_t)(end - bytes) < sizeof(length))
			return false;
		memcpy(&length, bytes, sizeof(length));
		bytes += sizeof(length);
		if (length > texts[i].most || (size_t)(end - bytes) < length)
			return false;
		clean(bytes, length);
		*text_mut(r, i) = span_of(bytes, length);
		bytes += length;
	}
	return bytes == end;
}
