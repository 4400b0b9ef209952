/* SPDX-License-Identifier: MIT */
/* system.js - the third view: processes, names of upstreams, history, losses. */
import { $, facts, figure, h, name, put, table } from "./dom.js";
import * as f from "./format.js";
import { ask, why } from "./state.js";

const STATES = {
	ready: ["ready", "good"],
	starting: ["starting", "warn"],
	silent: ["silent", "bad"],
	draining: ["finishing", "warn"],
};

const LOSSES = [
	["ring", "admin was too slow, or gone"],
	["spool", "the storage thread was too slow"],
	["database", "the database could not be written"],
	["admin", "admin died with them"],
	["worker", "a worker died while writing them"],
	["rows", "rows, not sums, without room to wait"],
];

let workers, upstreams, hosts, disks;

const ago = (s) => (s === undefined ? "–" : `${f.span(s)} ago`);
const bad = (n) => h("span", { class: n > 0 ? "bad" : null }, f.text(f.count(n)));

export function initSystem() {
	workers = table($("workers"), "Processes", [
		{ title: "Process", head: true, cell: (p) => h("span", { class: "nowrap" }, `${p.role} ${p.slot}`) },
		{ title: "PID", n: true, cell: (p) => String(p.pid) },
		{ title: "State", cell: (p) => {
			const [word, kind] = STATES[p.state] ?? [p.state, ""];
			return h("span", { class: `tag ${kind}` }, word);
		} },
		{ title: "Sign of life", n: true, cell: (p) => h("span", null, figure(f.ms(p.heartbeat_age_ms)), " ago") },
		{ title: "Connections", n: true, cell: (p) => figure(f.count(p.connections)) },
		{ title: "Streams", n: true, cell: (p) => figure(f.count(p.streams)) },
		{ title: "Requests", n: true, cell: (p) => figure(f.count(p.requests)) },
		{ title: "Buffers", n: true, cell: (p) => figure(f.bytes(p.buffered_bytes)) },
		{ title: "CPU time", n: true, cell: (p) => figure(f.ms(p.cpu_ms)) },
		{ title: "Memory", n: true, cell: (p) => figure(f.bytes(p.memory_bytes)) },
		{ title: "Generation", n: true, cell: (p) => String(p.generation) },
	], "There is no process.");
	upstreams = table($("upstreams"), "What upstreams did in the last minutes", [
		{ title: "Address", head: true, class: "name-cell", cell: (u) => name(u.base) },
		{ title: "Dialect", cell: (u) => u.dialect },
		{ title: "Answers", n: true, cell: (u) => figure(f.count(u.answers)) },
		{ title: "Refusals", n: true, cell: (u) => bad(u.errors) },
		{ title: "Unanswered", n: true, cell: (u) => bad(u.unanswered) },
		{ title: "Last answer", n: true, cell: (u) => ago(u.last_answer_s_ago) },
		{ title: "Last failure", n: true, cell: (u) => ago(u.last_failure_s_ago) },
	], "No upstream is known.");
	disks = table($("disks"), "Room on disks", [
		{ title: "For", head: true, cell: (d) => h("code", null, d.key) },
		{ title: "Folder", class: "name-cell", cell: (d) => name(d.path) },
		{ title: "Free", n: true, cell: (d) => (d.error ? h("span", { class: "bad" }, d.error) :
			d.no_answer_for_s ? h("span", { class: "bad" }, `no answer for ${f.span(d.no_answer_for_s)}`) :
				d.free_bytes === undefined ? "–" : figure(f.bytes(d.free_bytes))) },
		{ title: "Of", n: true, cell: (d) => figure(f.bytes(d.total_bytes)) },
	], "Nothing is written to a disk.");
	hosts = table($("hosts"), "Names of upstreams and their addresses", [
		{ title: "Name", head: true, class: "name-cell", cell: (r) => name(r.name) },
		{ title: "Addresses", n: true, cell: (r) => h("span",
			{ class: r.addresses === 0 ? "bad" : null }, f.whole(r.addresses)) },
		{ title: "Looked up", n: true, cell: (r) => ago(r.resolved_s_ago) },
	], "No name of an upstream is known.");
}

/* Whether something reaches the disk. */
const written = (s) => (!s.on ? "turned off" : s.written ? h("span", { class: "good" }, "written") :
	h("span", { class: "bad" }, "cannot be written"));

/* What the stream of events says about the service. */
export function heardSystem(o) {
	const h_ = o.history;
	const lost = LOSSES.map(([key, word]) => [o.losses[key], word]).filter(([n]) => n > 0);

	facts($("facts"), [
		["Version", o.version],
		["Up for", f.span(o.uptime_s)],
		["Workers ready", `${o.workers.ready} of ${o.workers.expected}`],
		["Processes that died", f.whole(o.restarts)],
		["Generation", f.whole(o.generation)],
		["Connections of clients", f.whole(o.live.client_connections)],
		["Connections to upstreams", f.whole(o.live.upstream_connections)],
		["Buffers", figure(f.bytes(o.live.buffered_bytes))],
		["Requests in all", f.whole(o.totals.requests)],
		["Failures in all", f.whole(o.totals.errors)],
		["Clients that left", f.whole(o.totals.cancelled)],
		["Sent again", f.whole(o.retries.total)],
	]);
	facts($("store"), [
		["History", written(h_)],
		h_.why ? ["Why", h("span", { class: "bad" }, h_.why)] : null,
		["Rows written", f.whole(h_.rows)],
		["Waiting to be read", figure(f.bytes(o.queue.record_bytes))],
		h_.set_aside > 0 ? ["Spoilt files set aside", f.whole(h_.set_aside)] : null,
		h_.files.length > 0 ? ["Still there", h("code", null, h_.files.join(", "))] : null,
		["Records lost", lost.length === 0 ? h("span", { class: "good" }, "none") :
			h("span", { class: "bad" }, f.whole(lost.reduce((sum, [n]) => sum + n, 0)))],
		...lost.map(([n, word]) => [`because ${word}`, f.whole(n)]),
	]);
}

/* /health says 503 with the same body when the service fails. */
async function askHealth() {
	const r = await fetch("/health");
	return r.json();
}

function showHealth(now) {
	const { clock } = now;

	upstreams.set(now.upstreams ?? []);
	hosts.set(now.hosts ?? []);
	disks.set(now.disks ?? []);
	facts($("logs"), now.logs ? [
		["Log files", written(now.logs)],
		now.logs.why ? ["Why", h("span", { class: "bad" }, now.logs.why)] : null,
		["Lines lost", now.logs.lost > 0 ? h("span", { class: "bad" }, f.whole(now.logs.lost)) :
			h("span", { class: "good" }, "none")],
		["Token counts learned", now.calibration_saved === false ?
			h("span", { class: "bad" }, "cannot be saved") : h("span", { class: "good" }, "saved")],
	] : []);
	put($("clock"), clock?.jumped_s ?
		`The clock jumped by ${clock.jumped_s} s, ${f.span(clock.jumped_s_ago)} ago.` :
		"The clock has not jumped.");
}

export async function showSystem() {
	const [a, b] = await Promise.allSettled([ask("/api/workers"), askHealth()]);

	if (a.status === "fulfilled")
		workers.set(a.value.workers);
	else
		workers.fail(why(a.reason));
	if (b.status === "fulfilled")
		showHealth(b.value);
	else
		for (const t of [upstreams, hosts, disks])
			t.fail(why(b.reason));
}
