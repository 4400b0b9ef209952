/* SPDX-License-Identifier: MIT */
/*
 * router.h - which upstream a request goes to, under which name.
 *
 * Order: image, vision model asked for by name, suffix, the operator's
 * preference, the vendor's habit. Pure but for its construction.
 */
#ifndef WORKER_ROUTER_H
#define WORKER_ROUTER_H

#include "shared/sys/link.h"
#include "shared/translate/xlate.h"
#include "worker/exchange.h"

struct router_listed {
	struct span name; /* as /v1/models shows it */
	const struct model_info *info;
};

struct router_alias {
	struct span from, to;
};

struct router {
	struct arena arena;
	const struct profile *profile;
	/* The upstreams, in the order of dialects.def. */
	struct upstream_conf upstreams[UPSTREAMS_MAX];
	const struct dialect *speaks[UPSTREAMS_MAX];
	size_t nupstreams;
	struct url proxy;
	bool has_proxy;
	const struct model_info *models; /* table and configuration merged */
	size_t nmodels;
	VEC_OF(struct router_alias) aliases;
	VEC_OF(struct router_listed) listed;
	const struct dialect *preferred; /* NULL: vendor's habit or client's */
	bool prefers_client;
	struct model_info text, vision; /* the default models */
	struct model_info unknown;      /* what others are taken for */
};

/* Reads the upstreams, aliases and lists of the configuration, which has been
 * checked by the master: GP_E_SCHEMA if it is wrong all the same. */
enum gp_code router_init(
	struct router *r, const struct link *link, struct gp_error *err) GP_WUR;
void router_fini(struct router *r);

struct router_choice {
	struct xlate_route route;
	size_t upstream;    /* index for exchange_start */
	const char *notice; /* verb of a notice about the model, or NULL */
	bool is_unknown;    /* no table and no setting names the model */
};

/* model: as the client wrote it, decoded; may be empty. a: for names that are
 * in no table. */
void router_pick(const struct router *r, struct span model, bool has_image,
	const struct dialect *client, struct arena *a,
	struct router_choice *out);

/* The row of a listed name, or NULL. */
const struct router_listed *router_listed(
	const struct router *r, struct span name);

#endif
