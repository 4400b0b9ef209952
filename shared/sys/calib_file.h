/* SPDX-License-Identifier: MIT */
/*
 * calib_file.h - what has been learned of token counts, as a file's text.
 *
 *	glmproxy-calibration 1
 *	NAME \t WAY \t RATIO \t SAMPLES
 *
 * A line for each row of calib.h and way of counting that has samples; without
 * the blanks, RATIO with six decimals. The text may come from anybody.
 */
#ifndef SYS_CALIB_FILE_H
#define SYS_CALIB_FILE_H

#include "shared/base/buf.h"
#include "shared/sys/calib.h"

#define CALIB_FILE_MAX 65536 /* bytes: many times a full table */

struct calib_file_report {
	unsigned lines;   /* that were understood */
	unsigned ignored; /* the others; all, if the head is another's */
	unsigned first;   /* number of the first ignored line, from 1 */
};

/* Append the table; false, with nothing but the head, if nothing has been
 * learned. */
bool calib_file_print(const struct calib *c, struct buf *out);

/* A ratio as it stands there: "0.700012". */
void calib_file_put_ratio(struct buf *out, uint32_t ratio);

/* Put back what is not known better (calib_restore). Lines that are wrong are
 * left out. Cost: linear. */
void calib_file_restore(
	struct calib *c, struct span text, struct calib_file_report *report);

#endif
