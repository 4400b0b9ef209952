/* SPDX-License-Identifier: MIT */
/* profile.c - what all vendors' profiles have in common. */
#include "shared/translate/profile.h"

const struct model_info *
profile_model(const struct profile *p, struct span name)
{
	for (size_t i = 0; i < p->nmodels; i++) {
		if (span_eq(p->models[i].name, name))
			return &p->models[i];
	}
	return NULL;
}
