/* SPDX-License-Identifier: MIT */
/* ring.c - a queue of entries of any length between two processes. */
#include "shared/sys/ring.h"

/* Positions are multiples of it. */
#define UNIT 8u

/* In front of every entry, a unit of memory. */
struct mark {
	uint32_t size; /* bytes behind it; SKIP: nothing, up to the end */
	uint32_t check;
};

#define SKIP UINT32_MAX

_Static_assert(sizeof(struct mark) == UNIT, "a mark is a unit");
_Static_assert((RING_BYTES & (RING_BYTES - 1)) == 0, "offsets are masked");

static uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static uint64_t
load_acquire(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire);
}

static void
store(_Atomic uint64_t *word, uint64_t v)
{
	atomic_store_explicit(word, v, memory_order_relaxed);
}

static void
store_release(_Atomic uint64_t *word, uint64_t v)
{
	atomic_store_explicit(word, v, memory_order_release);
}

static bool
are_sane(uint64_t tail, uint64_t head)
{
	return head - tail <= RING_BYTES && (head | tail) % UNIT == 0;
}

/* In bounds, and a multiple of UNIT, whatever was in the words. */
static uint32_t
offset_of(uint64_t at, uint64_t base)
{
	return (uint32_t)(at - base) & (RING_BYTES - 1) & ~(UNIT - 1);
}

static uint32_t
check_of(uint64_t at, uint32_t size)
{
	return (uint32_t)(at >> 3) * 2654435761u ^ size ^ 0x676c6d70u;
}

static uint32_t
units(uint32_t size)
{
	return (size + UNIT - 1) & ~(UNIT - 1);
}

/* --- writing -------------------------------------------------------------- */

void
ring_resume(struct ring *r)
{
	const uint64_t tail = load_acquire(&r->tail);

	/* The reader takes the same way out. */
	if (!are_sane(tail, load(&r->head)))
		store_release(&r->head, tail & ~(uint64_t)(UNIT - 1));
}

static void
put_mark(struct ring *r, uint64_t at, uint32_t offset, uint32_t size)
{
	const struct mark m = { size, check_of(at, size) };

	memcpy(&r->bytes[offset], &m, sizeof(m));
}

enum ring_put
ring_put(struct ring *r, struct span entry)
{
	const uint32_t size = (uint32_t)MIN(entry.n, RING_ENTRY_MAX);
	const uint32_t need = UNIT + units(size);
	const uint64_t tail = load_acquire(&r->tail);
	uint64_t at = load(&r->head);
	uint32_t offset, skipped;

	if (!are_sane(tail, at))
		return RING_FULL;
	/* The reader has nothing left for which it needs the base. */
	if (at == tail)
		store(&r->base, at);
	offset = offset_of(at, load(&r->base));
	skipped = RING_BYTES - offset < need ? RING_BYTES - offset : 0;
	if (RING_BYTES - (at - tail) < skipped + need)
		return RING_FULL;
	if (skipped > 0) {
		put_mark(r, at, offset, SKIP);
		at += skipped;
		offset = 0;
	}
	put_mark(r, at, offset, size);
	memcpy(&r->bytes[offset + UNIT], entry.p, size);
	store(&r->puts, load(&r->puts) + 1);
	store_release(&r->head, at + need);
	return size < entry.n ? RING_CUT : RING_PUT;
}

/* --- reading -------------------------------------------------------------- */

/* What is left of it cannot be understood. */
static void
give_up(struct ring_reader *k)
{
	const uint64_t gets = load(&k->ring->gets) + k->ngot;
	const uint64_t puts = load(&k->ring->puts);

	/* The writer may be dead and all its words nonsense. */
	k->nspoilt = puts - gets <= RING_BYTES / UNIT ? puts - gets : 1;
	store(&k->ring->gets, puts - k->ngot);
	k->at = k->end;
}

void
ring_begin(struct ring_reader *k, struct ring *r)
{
	*k = (struct ring_reader){ .ring = r };
	k->at = load(&r->tail);
	k->end = load_acquire(&r->head);
	k->base = load(&r->base);
	if (!are_sane(k->at, k->end)) {
		k->end &= ~(uint64_t)(UNIT - 1);
		give_up(k);
	}
}

/* The mark at the reader's place; false if there cannot be one. */
static bool
get_mark(const struct ring_reader *k, uint32_t offset, uint32_t *size)
{
	const uint64_t left = k->end - k->at;
	struct mark m;

	memcpy(&m, &k->ring->bytes[offset], sizeof(m));
	if (m.check != check_of(k->at, m.size))
		return false;
	*size = m.size;
	if (m.size == SKIP)
		return offset > 0 && RING_BYTES - offset < left;
	return m.size <= RING_ENTRY_MAX && UNIT + units(m.size) <= left &&
		UNIT + units(m.size) <= RING_BYTES - offset;
}

bool
ring_next(struct ring_reader *k, char room[RING_ENTRY_MAX], struct span *entry)
{
	while (k->at != k->end) {
		const uint32_t offset = offset_of(k->at, k->base);
		uint32_t size;

		if (!get_mark(k, offset, &size)) {
			give_up(k);
			return false;
		}
		if (size == SKIP) {
			k->at += RING_BYTES - offset;
			continue;
		}
		memcpy(room, &k->ring->bytes[offset + UNIT], size);
		*entry = span_of(room, size);
		k->at += UNIT + units(size);
		k->ngot++;
		return true;
	}
	return false;
}

void
ring_end(struct ring_reader *k)
{
	store(&k->ring->gets, load(&k->ring->gets) + k->ngot);
	k->ngot = 0;
	store_release(&k->ring->tail, k->at);
}

/* --- looking on ----------------------------------------------------------- */

bool
ring_is_empty(const struct ring *r)
{
	return load(&r->head) == load(&r->tail);
}

uint32_t
ring_waiting(const struct ring *r)
{
	const uint64_t tail = load(&r->tail);
	const uint64_t n = load(&r->head) - tail;

	return (uint32_t)MIN(n, RING_BYTES);
}
