/* SPDX-License-Identifier: MIT */
/* shm.c - the shared memory of all processes. */
#include "shared/sys/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/clock.h"

#define MAGIC 0x676c6d70726f7879u /* "glmproxy" */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
/* How often a reader looks again when a writer came between. */
#define READ_TRIES 8
/* The same for totals: between two looks a child must be buried every time. */
#define TOTALS_TRIES 64
/* Starts in a row that the same memory may have spoilt. */
#define HEIRS_MOST 3u

/* The whole mapping: struct shm, the rings, the tables of live chats, those of
 * permits. */
#define RINGS_AT                                                               \
	((sizeof(struct shm) + _Alignof(struct ring) - 1) /                    \
		_Alignof(struct ring) * _Alignof(struct ring))
#define LIVE_AT    (RINGS_AT + SHM_SLOTS * sizeof(struct ring))
#define PERMITS_AT (LIVE_AT + SHM_SLOTS * sizeof(struct live))
#define SHM_BYTES  (PERMITS_AT + SHM_SLOTS * sizeof(struct permits))

_Static_assert(_Alignof(struct ring) % _Alignof(struct live) == 0,
	"the tables follow the rings");
_Static_assert(_Alignof(struct live) % _Alignof(struct permits) == 0,
	"those of permits follow them");

/* --- the mapping ---------------------------------------------------------- */

static uint64_t
hash_add(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *const p = bytes;

	/* FNV-1a: it only has to tell two builds apart. */
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

static uint64_t
layout_hash(void)
{
	static const char *const words[] = {
#define BUCKET(us, le)                          le,
#define STATUS(code)                            #code,
#define METRIC(field, kind, name, labels, help) #field " " #kind,
#define BY_STATUS(field, name, help)            #field,
#define BY_DIALECT(field, name, help)           #field,
#define BY_PAIR(field, name, help)              #field,
#define BY_UPSTREAM(field, name, labels, help)  #field,
#define HISTOGRAM(field, name, labels, help)    #field,
#include "shared/sys/metrics.def"
	};
	static const size_t sizes[] = { sizeof(struct shm),
		sizeof(struct shm_slot), sizeof(struct shm_host),
		sizeof(struct metrics), offsetof(struct shm, hosts),
		offsetof(struct shm, calib), sizeof(struct calib_row),
		offsetof(struct shm, usage), sizeof(struct usage_row),
		offsetof(struct usage_row, figures), USAGE_FIGURES,
		offsetof(struct shm, quota), sizeof(struct quota_cell),
		QUOTA_KEYS, QUOTA_CLASSES, offsetof(struct shm, retired),
		offsetof(struct shm, slots), offsetof(struct shm_slot, metrics),
		offsetof(struct shm_slot, panic),
		offsetof(struct shm_host, addrs), SHM_SLOTS, SHM_HOSTS,
		RINGS_AT, sizeof(struct ring), offsetof(struct ring, tail),
		offsetof(struct ring, bytes), RING_ENTRY_MAX, LIVE_AT,
		sizeof(struct live), sizeof(struct live_row),
		sizeof(struct live_names), offsetof(struct live_row, names),
		offsetof(struct live_row, phase), PERMITS_AT,
		sizeof(struct permits_row), PERMITS_PLACES,
		offsetof(struct shm_slot, has_permits) };
	uint64_t h = hash_add(0xcbf29ce484222325u, sizes, sizeof(sizes));

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		h = hash_add(h, words[i], strlen(words[i]) + 1);
	return h;
}

static void *
map(int fd, int protection, struct gp_error *err)
{
	char reason[128];
	void *const at = mmap(NULL, SHM_BYTES, protection, MAP_SHARED, fd, 0);

	if (at != MAP_FAILED)
		return at;
	(void)gp_fail(err, GP_E_SYSTEM, "shared memory: mmap: %s",
		strerror_r(errno, reason, sizeof(reason)));
	return NULL;
}

struct shm *
shm_create(int *fd, struct gp_error *err)
{
	char reason[128];
	struct shm *m = NULL;

	*fd = memfd_create("glmproxy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0 || ftruncate(*fd, (off_t)SHM_BYTES) != 0 ||
		fcntl(*fd, F_ADD_SEALS, SEALS) != 0)
		(void)gp_fail(err, GP_E_SYSTEM, "shared memory: %s",
			strerror_r(errno, reason, sizeof(reason)));
	else
		m = map(*fd, PROT_READ | PROT_WRITE, err);
	if (m == NULL) {
		if (*fd >= 0)
			(void)close(*fd);
		*fd = -1;
		return NULL;
	}
	m->magic = MAGIC;
	m->layout = layout_hash();
	atomic_store(&m->started_wall_us, clock_wall_us());
	atomic_store(&m->counted_wall_us, atomic_load(&m->started_wall_us));
	return m;
}

/* Without seals the file could be cut under our feet, which is a SIGBUS. */
static bool
is_ours(int fd)
{
	struct stat st;
	const int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
		st.st_size == (off_t)SHM_BYTES;
}

static void *
attach(int fd, int protection, struct gp_error *err)
{
	struct shm *m;

	if (!is_ours(fd)) {
		(void)gp_fail(err, GP_E_SCHEMA,
			"shared memory: another program's or another size");
		return NULL;
	}
	m = map(fd, protection, err);
	if (m == NULL)
		return NULL;
	if (m->magic == MAGIC && m->layout == layout_hash())
		return m;
	(void)munmap(m, SHM_BYTES);
	(void)gp_fail(err, GP_E_SCHEMA,
		"shared memory: made by a version with another layout");
	return NULL;
}

struct shm *
shm_attach(int fd, struct gp_error *err)
{
	return attach(fd, PROT_READ | PROT_WRITE, err);
}

const struct shm *
shm_peek(int fd, struct gp_error *err)
{
	return attach(fd, PROT_READ, err);
}

void
shm_detach(const struct shm *m)
{
	/* munmap takes no pointer to const; it writes nothing there. */
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	(void)munmap((void *)(uintptr_t)m, SHM_BYTES);
}

/* --- slots ---------------------------------------------------------------- */

static void
clear_slot(struct shm_slot *slot)
{
	metrics_clear(&slot->metrics);
	memset(slot->panic, 0, sizeof(slot->panic));
	atomic_store(&slot->pid, 0);
	atomic_store(&slot->generation, 0);
	atomic_store(&slot->state, SHM_STARTING);
	atomic_store(&slot->heartbeat_ms, 0);
	atomic_store(&slot->connections, 0);
}

struct ring *
shm_ring(struct shm *m, int slot)
{
	GP_ASSERT(slot >= 0 && slot < SHM_SLOTS);
	return (struct ring *)(void *)((char *)m + RINGS_AT) + slot;
}

const struct live *
shm_live(const struct shm *m, int slot)
{
	GP_ASSERT(slot >= 0 && slot < SHM_SLOTS);
	return (const struct live *)(const void *)((const char *)m + LIVE_AT) +
		slot;
}

struct live *
shm_live_mut(struct shm *m, int slot)
{
	GP_ASSERT(slot >= 0 && slot < SHM_SLOTS);
	return (struct live *)(void *)((char *)m + LIVE_AT) + slot;
}

const struct permits *
shm_permits(const struct shm *m, int slot)
{
	GP_ASSERT(slot >= 0 && slot < SHM_SLOTS);
	return (const struct permits *)(const void *)((const char *)m +
		       PERMITS_AT) +
		slot;
}

struct permits *
shm_permits_mut(struct shm *m, int slot)
{
	GP_ASSERT(slot >= 0 && slot < SHM_SLOTS);
	return (struct permits *)(void *)((char *)m + PERMITS_AT) + slot;
}

static int
find_free(struct shm *m)
{
	int found = -1;

	for (int i = 0; i < SHM_SLOTS; i++) {
		if (atomic_load(&m->slots[i].role) != SHM_FREE)
			continue;
		if (ring_is_empty(shm_ring(m, i)))
			return i;
		if (found < 0)
			found = i;
	}
	return found;
}

/*
 * The retired totals are there twice, and one word says which copy counts and
 * which slot is in it already: so there is no moment at which a child's figures
 * are in none of both or in both, wherever the master stands still.
 */
static uint64_t
retirement_word(uint64_t before, int gone, unsigned copy)
{
	return ((before >> 16) + 1) << 16 | (uint64_t)(gone + 1) << 8 | copy;
}

static int
gone_of(uint64_t word)
{
	return (int)(word >> 8 & 0xff) - 1;
}

_Static_assert(SHM_SLOTS < 0xff, "a slot's number has a byte");

/* A slot gets a new child: from now on it counts again. */
static void
count_again(struct shm *m, int slot)
{
	const uint64_t word = atomic_load(&m->retirement);

	if (gone_of(word) == slot)
		atomic_store(&m->retirement,
			retirement_word(word, -1, (unsigned)(word & 1)));
}

int
shm_claim(struct shm *m, enum shm_role role, uint32_t generation)
{
	const int i = find_free(m);
	struct shm_slot *slot;

	GP_ASSERT(role != SHM_FREE);
	if (i < 0)
		return -1;
	slot = &m->slots[i];
	clear_slot(slot);
	count_again(m, i);
	if (atomic_load(&m->slots_used) <= (uint32_t)i)
		atomic_store(&m->slots_used, (uint32_t)i + 1);
	ring_resume(shm_ring(m, i));
	live_clear(shm_live_mut(m, i));
	/* A child that has not beaten yet is not stuck. */
	atomic_store(&slot->heartbeat_ms, clock_mono_ms());
	atomic_store(&slot->generation, generation);
	atomic_store(&slot->role, role);
	return i;
}

void
shm_retire(struct shm *m, int slot_index)
{
	struct shm_slot *slot;
	uint64_t word;
	unsigned next;

	GP_ASSERT(slot_index >= 0 && slot_index < SHM_SLOTS);
	slot = &m->slots[slot_index];
	if (atomic_load(&slot->role) == SHM_FREE)
		return;
	/* What it had in flight died with it. */
	if (atomic_load(&slot->has_permits) != 0)
		permits_clear(shm_permits_mut(m, slot_index));
	atomic_store(&slot->has_permits, 0);
	word = atomic_load(&m->retirement);
	/* Unless an earlier master has died in the middle of this. */
	if (gone_of(word) != slot_index) {
		next = (unsigned)(~word & 1);
		metrics_clear(&m->retired[next]);
		metrics_sum(&m->retired[next], &m->retired[next ^ 1], false);
		metrics_sum(&m->retired[next], &slot->metrics, false);
		atomic_store(&m->retirement,
			retirement_word(word, slot_index, next));
	}
	clear_slot(slot);
	atomic_store(&slot->role, SHM_FREE);
}

struct shm *
shm_succeed(int fd, struct gp_error *err)
{
	struct shm *const m = shm_attach(fd, err);
	int gone;

	if (m == NULL)
		return NULL;
	if (atomic_fetch_add(&m->heirs, 1) >= HEIRS_MOST) {
		shm_detach(m);
		(void)gp_fail(err, GP_E_STATE,
			"shared memory: the last %u starts with it failed",
			HEIRS_MOST);
		return NULL;
	}
	/* First the one whose funeral was not over: no other may come between,
	 * since only the last that was counted is known. */
	gone = gone_of(atomic_load(&m->retirement));
	if (gone >= 0 && gone < SHM_SLOTS)
		shm_retire(m, gone);
	for (int i = 0; i < SHM_SLOTS; i++)
		shm_retire(m, i);
	/* To be drained outlives a crash, not a restart that was asked for. */
	if (atomic_exchange(&m->draining, 0) != 0)
		atomic_store(&m->drained, 0);
	atomic_store(&m->started_wall_us, clock_wall_us());
	return m;
}

void
shm_totals(const struct shm *m, struct metrics *out)
{
	for (int i = 0; i < TOTALS_TRIES; i++) {
		const uint64_t word = atomic_load(&m->retirement);
		const int gone = gone_of(word);

		metrics_clear(out);
		metrics_sum(out, &m->retired[word & 1], false);
		for (int s = 0; s < SHM_SLOTS; s++)
			if (s != gone &&
				atomic_load(&m->slots[s].role) != SHM_FREE)
				metrics_sum(out, &m->slots[s].metrics, true);
		if (word == atomic_load(&m->retirement))
			return;
	}
}

/* --- addresses ------------------------------------------------------------ */

/* Addresses move as words, each an atomic of its own: a reader that comes too
 * early sees a mixture, notices by the version and looks again. Stores release
 * and loads acquire so that the words stay between the two looks. */
typedef uint64_t word __attribute__((may_alias));

#define ADDRS_BYTES (sizeof(struct sock_addr) * SHM_ADDRS)
#define ADDRS_WORDS (ADDRS_BYTES / sizeof(word))

_Static_assert(
	ADDRS_BYTES % sizeof(word) == 0, "addresses are copied as whole words");

static void
store_addrs(struct sock_addr *to, const struct sock_addr *from)
{
	word *const t = (word *)(void *)to;
	const word *const f = (const word *)(const void *)from;

	for (size_t i = 0; i < ADDRS_WORDS; i++)
		__atomic_store_n(&t[i], f[i], __ATOMIC_RELEASE);
}

static void
load_addrs(struct sock_addr *to, const struct sock_addr *from)
{
	word *const t = (word *)(void *)to;
	const word *const f = (const word *)(const void *)from;

	for (size_t i = 0; i < ADDRS_WORDS; i++)
		t[i] = __atomic_load_n(&f[i], __ATOMIC_ACQUIRE);
}

void
shm_host_set(struct shm_host *h, const struct sock_addr *addrs, size_t n,
	int64_t now_ms)
{
	struct sock_addr all[SHM_ADDRS] = { 0 };
	/* Odd already when an earlier writer died half-way. */
	const uint32_t odd = atomic_load(&h->version) | 1;

	n = MIN(n, SHM_ADDRS);
	for (size_t i = 0; i < n; i++)
		all[i] = addrs[i];
	atomic_store(&h->version, odd);
	atomic_store(&h->count, (uint32_t)n);
	store_addrs(h->addrs, all);
	atomic_store(&h->resolved_ms, now_ms);
	atomic_store(&h->version, odd + 1);
}

/* What another process wrote must not lead a reader astray. */
static bool
are_sane(const struct sock_addr *addrs, uint32_t n)
{
	if (n > SHM_ADDRS)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (addrs[i].len > sizeof(addrs[i].ss))
			return false;
	return true;
}

size_t
shm_host_get(const struct shm_host *h, struct sock_addr out[SHM_ADDRS])
{
	for (int i = 0; i < READ_TRIES; i++) {
		const uint32_t before = atomic_load(&h->version);
		const uint32_t n = atomic_load(&h->count);

		load_addrs(out, h->addrs);
		if (before % 2 != 0 || before != atomic_load(&h->version))
			continue;
		return are_sane(out, n) ? n : 0;
	}
	return 0;
}

/* --- last words ----------------------------------------------------------- */

static struct shm_slot *panic_slot;

static void
keep_words(const char *words)
{
	(void)snprintf(
		panic_slot->panic, sizeof(panic_slot->panic), "%s", words);
}

void
shm_catch_panic(struct shm_slot *slot)
{
	panic_slot = slot;
	check_set_hook(keep_words);
}
