/* SPDX-License-Identifier: MIT */
/* scenario.h - the name and the options of what is to be played. */
#ifndef UPSTREAM_SCENARIO_H
#define UPSTREAM_SCENARIO_H

#include "shared/base/arena.h"
#include "shared/base/err.h"

struct plan;

enum {
	SC_TOOL = 1,  /* calls a tool: plays text once results are there */
	SC_FAULT = 2, /* its arg is a fault that fault=NAME may name */
};

struct scenario_row {
	const char *name;
	void (*make)(struct plan *p, int arg);
	int arg;
	unsigned flags;
};

struct scenario {
	const struct scenario_row *row;
	struct span source;                   /* the text it was read from */
	const struct scenario_row *fault_row; /* of option fault; NULL: none */
#define NUMBER(name) int64_t name;
#define WORD(name)   struct span name;
#include "tests/upstream/option.def"
#undef NUMBER
#undef WORD
};

/* The number, or what it is when nobody gave it. */
static inline int64_t
scenario_number(int64_t given, int64_t otherwise)
{
	return given < 0 ? otherwise : given;
}

/* "NAME key=value ...". GP_E_SCHEMA names what is unknown; s is usable even
 * then. Words point into the arena. */
enum gp_code scenario_parse(struct scenario *s, struct arena *a,
	struct span text, struct gp_error *err) GP_WUR;

/* The inside of the last [[NAME ...]] of text; false if there is none. */
bool scenario_marker(struct span text, struct span *inside) GP_WUR;
/* It begins with the name of a scenario. */
bool scenario_is_known(struct span text) GP_WUR;

/* The table; defined in plan.c, beside the functions that it names. */
extern const struct scenario_row scenario_rows[];
extern const size_t scenario_nrows;

/* POST /__standin/default and /next. The texts are copied. */
void scenario_set_default(struct span text);
void scenario_push_next(struct span lines);
struct span scenario_default(void);
/* The next one-shot, moved into the arena; false if there is none. */
bool scenario_take_next(struct arena *a, struct span *text) GP_WUR;
/* Forget one-shots and how often `flaky` failed. */
void scenario_forget(void);

/* Counts the calls with this text since the last scenario_forget. */
int64_t scenario_count(struct span text);

#endif
