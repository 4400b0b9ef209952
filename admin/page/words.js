/* SPDX-License-Identifier: MIT */
/* words.js - what names in the interface mean, for people. */

const FAILURES = {
	bad_request: "The request is not valid",
	auth: "The key was refused",
	billing: "No balance, or the plan has ended",
	permission: "The key may not do this",
	deactivated: "The account is locked or deactivated",
	model_not_allowed: "The plan does not include this model",
	not_found: "There is no such address",
	model_not_found: "There is no such model",
	method: "Not the right method for this address",
	request_timeout: "The client sent its request too slowly",
	conflict: "The same request is under way already",
	too_large: "The request is too large",
	media_type: "The request is not JSON",
	head_too_large: "The header of the request is too large",
	context: "The conversation is too long for the model",
	content_policy: "Refused by the content filter",
	rate: "Too many requests at a time",
	quota: "A quota is used up",
	fair_use: "Restricted for reasons of fair use",
	server: "Upstream failed by itself",
	upstream: "Upstream could not be reached, or broke off",
	unavailable: "Not available at the moment",
	upstream_timeout: "Upstream did not answer in time",
	overloaded: "The model is overloaded",
};

export const failureNames = () => Object.keys(FAILURES);

export function failure(name) {
	return FAILURES[name] ?? "A failure without a description";
}

const PHASES = {
	waiting: "waiting for upstream",
	queued: "queued here",
	answering: "answering",
};

export const phase = (name) => PHASES[name] ?? name;

/* A sentence's state: [word, kind of tag]. */
export function outcome(r) {
	if (r.broken)
		return ["broken off", "bad"];
	if (r.status >= 500 || (r.error && r.status === 200))
		return ["failed", "bad"];
	if (r.status === 499 || r.cancelled)
		return ["client left", "warn"];
	if (r.status >= 400)
		return ["refused", "warn"];
	return ["answered", "good"];
}

export function statusClass(status) {
	if (status === "499")
		return "left";
	const first = String(status)[0];
	return first === "4" || first === "5" ? `${first}xx` : "2xx";
}

export const CLASSES = [
	["2xx", "answered", "--teal"],
	["4xx", "refused (4xx)", "--amber"],
	["5xx", "failed (5xx)", "--red"],
	["left", "client left", "--violet"],
];

export const THROTTLES = [
	["rate", "Too many requests at a time"],
	["quota", "A quota is used up"],
	["fair_use", "Restricted for reasons of fair use"],
	["overloaded", "The model is overloaded"],
];

export function verdict(status) {
	return { ok: "Up", degraded: "Degraded", failing: "Failing" }[status] ?? "Unknown";
}

/* Nobody is "-" or nothing. */
export const client = (name) => (name === "" || name === "-" ? "" : name);
