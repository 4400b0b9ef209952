/* SPDX-License-Identifier: MIT */
/* advice.h - what an operator does next: whose key is used, where tools and
 * people go. Shown by `status` and in the log of a start. */
#ifndef MASTER_ADVICE_H
#define MASTER_ADVICE_H

#include "shared/sys/conf.h"

#define ADVICE_LINES_MAX 3
#define ADVICE_TEXT_MAX  768

struct advice {
	size_t n;
	char lines[ADVICE_LINES_MAX][ADVICE_TEXT_MAX];
};

/* proxy, admin: an address of each port, empty for an admin port that is not
 * there. Holds no secret. */
void advice_make(struct advice *a, const struct conf *c, struct span proxy,
	struct span admin);

#endif
