/* SPDX-License-Identifier: MIT */
/* control.h - /__standin/: what tests ask and tell the stand-in. */
#ifndef UPSTREAM_CONTROL_H
#define UPSTREAM_CONTROL_H

#include "tests/upstream/wire.h"

void control_answer(struct play *play, const struct request *r);

#endif
