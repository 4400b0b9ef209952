/* SPDX-License-Identifier: MIT */
/* standin.h - what the whole program knows: its options and its counters. */
#ifndef UPSTREAM_STANDIN_H
#define UPSTREAM_STANDIN_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/span.h"

#define STANDIN_LISTENERS_MAX 16
#define STANDIN_MODELS_MAX    16
#define STANDIN_BODY_MAX      (64u << 20)

struct options {
	bool is_quiet;
	bool has_lax_headers;   /* look at no header but the key */
	bool has_no_checks;     /* look at nothing at all */
	const char *record_dir; /* NULL: none */
	const char *default_scenario;
	const char *tls_cert, *tls_key; /* NULL: no TLS */
	const char *models[STANDIN_MODELS_MAX];
	size_t nmodels;
	uint64_t keep;    /* requests */
	uint64_t idle_ms; /* 0: for ever */
	uint64_t max_body;
	uint64_t processes;

	struct {
		const char *where;
		bool is_plain; /* even when there is a certificate */
	} listen[STANDIN_LISTENERS_MAX];

	size_t nlisten;
};

struct stats {
#define STAT(name) int64_t name;
#include "tests/upstream/stats.def"
#undef STAT
};

/* One a process: this program has one event loop and one purpose. */
struct standin {
	struct options options;
	struct stats stats;
};

extern struct standin standin;

#endif
