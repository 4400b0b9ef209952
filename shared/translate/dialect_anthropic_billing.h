/* SPDX-License-Identifier: MIT */
/* dialect_anthropic_billing.h - a line that a client of the dialect adds. Its
 * requests may come through others that speak another dialect. */
#ifndef TRANSLATE_DIALECT_ANTHROPIC_BILLING_H
#define TRANSLATE_DIALECT_ANTHROPIC_BILLING_H

#include "shared/json/jtext.h"

/* The billing line that some clients put in front of their system blocks. It
 * differs from request to request and would spoil every prompt cache. */
bool anthropic_is_billing(struct jesc text);
/* What is left of a whole system text without that line. */
struct jesc anthropic_strip_billing(struct jesc text);

#endif
