/* SPDX-License-Identifier: MIT */
/* session_quota.c - an upstream has refused a key because of a limit. */
#include "shared/sys/clock.h"
#include "worker/session_private.h"

_Static_assert((int)LLM_WINDOW_MINUTES == (int)QUOTA_MINUTES &&
		(int)LLM_WINDOW_MONTHS == (int)QUOTA_MONTHS &&
		LLM_WINDOW_MAX == QUOTA_WINDOW_MAX,
	"windows are copied");

/* What of a failure's kinds is about limits. */
static const struct {
	bool is_limit;
	enum quota_class class;
	size_t metric; /* offset */
} limits[LLM_FAIL_COUNT] = {

#define QUOTA_CLASS(name, word, meaning)                                       \
	[LLM_FAIL_##name] = { true, QUOTA_##name,                              \
		offsetof(struct metrics, limits_##name) },
#include "shared/sys/quota.def"
#undef QUOTA_CLASS
};

static struct quota_said
said_of(const struct llm_failure *f)
{
	return (struct quota_said){
		.code = (unsigned)MIN(MAX(f->vendor_code, 0), UINT32_MAX),
		.unit = (enum quota_unit)f->window.unit,
		.units = f->window.units,
		.reset_wall_s = f->reset_wall_s,
	};
}

void
session_note_limit(const struct session *s)
{
	const struct llm_failure *const f = xlate_failure(s->xlate);
	struct metrics *const m = s->worker->metrics;
	struct quota_said said;
	char tag[SECRET_TAG_LEN + 1];
	struct secret key;

	if (!f->is_upstreams || !limits[f->kind].is_limit)
		return;
	said = said_of(f);
	metrics_add((_Atomic uint64_t *)(void *)((char *)m +
			    limits[f->kind].metric),
		1);
	session_key(s, &key);
	secret_tag(&key, tag);
	secret_wipe(&key);
	quota_note(&s->worker->link->shm->quota, tag, limits[f->kind].class,
		&said, clock_wall_us() / 1000000);
}
