/* SPDX-License-Identifier: MIT */
/* api_json.h - what several answers of the interface write. */
#ifndef ADMIN_API_JSON_H
#define ADMIN_API_JSON_H

#include "admin/pages.h"
#include "shared/json/jout.h"

/* A number of thousandths, not negative: "0.017", "42", "412.5". */
void api_put_milli(struct jout *j, const char *key, int64_t thousandths);

/* A value of any bytes: what is no UTF-8 is replaced. */
void api_put_text(struct jout *j, struct span text);

/* The objects of /api/overview and /api/live, which are events too. */
void api_put_overview(const struct pages *p, struct jout *j);
void api_put_live(const struct pages *p, size_t most, struct jout *j);

/* Chats under way by what they wait for. */
struct api_phases {
	uint64_t n[LIVE_PHASES];
};

void api_count_phases(const struct shm *m, struct api_phases *out);

/* "ready", ... of a slot; a child wrote it. */
const char *api_state_word(const struct shm_slot *s, int64_t now_ms);

#endif
