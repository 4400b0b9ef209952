/* SPDX-License-Identifier: MIT */
/* api_json.c - what several answers of the interface write. */
#include "admin/api_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/base/utf8.h"

void
api_put_milli(struct jout *j, const char *key, int64_t thousandths)
{
	char text[32];
	size_t n;

	(void)snprintf(text, sizeof(text), "%" PRId64 ".%03d",
		thousandths / 1000, (int)(thousandths % 1000));
	n = strlen(text);
	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	jout_kv_raw(j, key, (struct jraw){ span_of(text, n) });
}

const char *
api_state_word(const struct shm_slot *s, int64_t now_ms)
{
	switch (atomic_load(&s->state)) {
	case SHM_READY:
		return now_ms - atomic_load(&s->heartbeat_ms) >
				HEALTH_SILENT_MS ?
			"silent" :
			"ready";
	case SHM_DRAINING:
		return "draining";
	default:
		return "starting";
	}
}

void
api_put_text(struct jout *j, struct span text)
{
	struct buf whole;

	if (utf8_valid_len(text) == text.n) {
		jout_span(j, text);
		return;
	}
	buf_init(&whole, 3 * text.n + 16);
	utf8_repair(text, &whole);
	jout_span(j, buf_span(&whole));
	buf_fini(&whole);
}
