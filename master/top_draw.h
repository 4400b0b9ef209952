/* SPDX-License-Identifier: MIT */
/* top_draw.h - a picture of a sample, as lines of a terminal or of a file. */
#ifndef MASTER_TOP_DRAW_H
#define MASTER_TOP_DRAW_H

#include "master/top_sample.h"
#include "shared/base/buf.h"

/* How it is to be shown. */
struct top_look {
	int width, height; /* height 0: as many lines as there are */
	bool is_utf8;
	bool has_escapes; /* a terminal's; else lines only */
	bool has_color;
	bool is_paused, shows_help;
	enum top_sort sort;
	bool is_reversed;
	size_t skipped; /* chats above the first one that is shown */
	double interval_s;
	long pid;
};

/*
 * Append a picture: with escapes exactly look->height lines from the upper left
 * corner on, each of exactly the width, so that a picture can be drawn over
 * another one. Sorts the chats of the sample.
 */
void top_draw(struct top_sample *s, const struct top_rates *r,
	const struct top_look *look, struct buf *out);

#endif
