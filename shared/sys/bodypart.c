/* SPDX-License-Identifier: MIT */
/* bodypart.c - a piece of a body for the log files. */
#include "shared/sys/bodypart.h"

#define TAG 0x676c6d62u

struct head {
	uint32_t tag;
	uint16_t of;
	uint16_t id_n;
	uint32_t offset, total;
	uint64_t missing_bytes;
};

_Static_assert(sizeof(struct head) + BODYPART_ID_MAX + BODYPART_TEXT_MAX <=
		BODYPART_MAX,
	"the longest fits");

size_t
bodypart_write(const struct bodypart *p, char to[BODYPART_MAX])
{
	const struct span id = span_head(p->id, BODYPART_ID_MAX);
	const struct span text = span_head(p->text, BODYPART_TEXT_MAX);
	const struct head h = { TAG, (uint16_t)p->of, (uint16_t)id.n, p->offset,
		p->total, p->missing_bytes };

	memcpy(to, &h, sizeof(h));
	memcpy(to + sizeof(h), id.p, id.n);
	memcpy(to + sizeof(h) + id.n, text.p, text.n);
	return sizeof(h) + id.n + text.n;
}

bool
bodypart_is(struct span bytes)
{
	uint32_t tag;

	if (bytes.n < sizeof(struct head))
		return false;
	memcpy(&tag, bytes.p, sizeof(tag));
	return tag == TAG;
}

bool
bodypart_read(struct bodypart *p, struct span bytes)
{
	struct head h;

	if (!bodypart_is(bytes))
		return false;
	memcpy(&h, bytes.p, sizeof(h));
	bytes = span_from(bytes, sizeof(h));
	if (h.of >= BODYPART_KINDS || h.id_n > BODYPART_ID_MAX ||
		h.id_n > bytes.n || bytes.n - h.id_n > BODYPART_TEXT_MAX ||
		h.total > BODYPART_BODY_MAX || h.offset > h.total ||
		bytes.n - h.id_n > h.total - h.offset)
		return false;
	*p = (struct bodypart){
		.of = (enum bodypart_of)h.of,
		.offset = h.offset,
		.total = h.total,
		.missing_bytes = MIN(h.missing_bytes, INT64_MAX / 2),
		.id = span_head(bytes, h.id_n),
		.text = span_from(bytes, h.id_n),
	};
	return true;
}
