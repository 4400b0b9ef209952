/* SPDX-License-Identifier: MIT */
/*
 * request.h - what to do with a request: refuse it by its head, answer it
 * here, or begin a session.
 */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include "worker/client.h"

/* The head is there. False when the request was refused (and answered): by its
 * path, method, size, type, key or origin. Sends 100 Continue where asked. */
bool request_admit(struct client *c) GP_WUR;

/* The request is whole and admitted: answer it. c may be gone afterwards. */
void request_run(struct client *c);

#endif
