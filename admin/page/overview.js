/* SPDX-License-Identifier: MIT */
/* overview.js - the first view: how it is now, and how it was. */
import { place } from "./charts.js";
import { $, facts, figure, h, name, put, share, table } from "./dom.js";
import * as f from "./format.js";
import { rangeLink, rangeOf, showRange } from "./range.js";
import { ask, link, why } from "./state.js";
import * as w from "./words.js";

const SHOWN = 8; /* rows of a list on the first view */
const LIVE_SHOWN = 30;
const QUOTA_MS = 5000;

/* --- now ------------------------------------------------------------------ */

function tile(id, [value, unit], sub) {
	put($(id), value);
	if ($(`${id}-unit`))
		put($(`${id}-unit`), unit);
	const line = $(`${id}-sub`);
	if (typeof sub === "string")
		put(line, sub);
	else
		line.replaceChildren(...sub);
}

/* Figures are means of so many seconds: fewer while admin is young. */
const window_of = (r) => (r.window_s < 59 ?
	`of the last ${f.span(Math.max(1, r.window_s))}` : "of the last minute");

function percentiles(id, p) {
	const [value, unit] = f.ms(p.p50);
	tile(id, [value, unit], p.count === 0 ? "no answer in the last minute" :
		`p95\u00a0${f.text(f.ms(p.p95))} · p99\u00a0${f.text(f.ms(p.p99))}`);
}

function tiles(o) {
	const r = o.rates.last_60s;
	const failing = r.requests_per_s > 0 ? r.errors_per_s / r.requests_per_s * 100 : 0;
	const fails = r.errors_per_s * r.window_s;
	const { queued, waiting } = o.queue;
	const hits = o.cache_hit_percent;

	tile("t-rate", f.rate(r.requests_per_s * 60), window_of(r));
	tile("t-fail", r.requests_per_s > 0 ? f.percent(Math.min(failing, 100)) : ["–", ""],
		[fails > 0 ? h("span", { class: "bad" }, f.plural(Math.round(fails), "failure")) :
			"none in the last minute"]);
	percentiles("t-first", o.first_byte_ms);
	percentiles("t-total", o.total_ms);
	tile("t-live", f.count(o.live.streams),
		`${queued > 0 ? `${f.whole(queued)} queued · ` : ""}${f.whole(waiting)} waiting · ${f.plural(o.live.client_connections, "connection")}`);
	tile("t-in", [f.text(f.rate(r.input_tokens_per_s * 60)), ""],
		`${f.text(f.rate(r.cached_tokens_per_s * 60))} cached`);
	tile("t-out", [f.text(f.rate(r.output_tokens_per_s * 60)), ""],
		`${f.text(f.count(o.totals.output_tokens))} in all`);
	tile("t-cache", [f.percent(hits.last_60s ?? hits.total)[0], ""],
		hits.last_60s === null ? "of the input, in all" :
			`of the input; ${f.text(f.percent(hits.total))} in all`);
}

function reasons(o) {
	const box = $("reasons");
	const key = JSON.stringify([o.status, o.reasons]);
	if (box.dataset.key === key)
		return;
	box.dataset.key = key;
	box.replaceChildren();
	if (o.status === "ok" && o.reasons.length === 0)
		return;
	box.append(h("div", { class: `notice ${o.status === "failing" ? "bad" : "warn"}` },
		h("strong", null, o.status === "failing" ? "Requests are not served: " : "Somebody should look: "),
		o.reasons.length === 1 ? o.reasons[0] :
			h("ul", null, o.reasons.map((r) => h("li", null, r)))));
}

/* --- streams and limits --------------------------------------------------- */

let live, quota;

function makeNow() {
	live = table($("live"), "Requests under way", [
		{ title: "Model", head: true, class: "name-cell", cell: (r) => name(r.model) },
		{ title: "Client", class: "name-cell", cell: (r) => name(w.client(r.client), "nobody") },
		{ title: "State", cell: (r) => w.phase(r.phase) },
		{ title: "Age", n: true, cell: (r) => f.span(r.age_ms / 1000) },
		{ title: "Tokens", n: true, cell: (r) => figure(f.count(r.output_tokens)) },
	], "No request is under way.");
	quota = table($("quota"), "Limits that upstream told of, by key", [
		{ title: "Key", head: true, cell: (r) => h("code", { class: "nowrap" }, r.key) },
		{ title: "Cause", class: "name-cell", cell: (r) => [r.meaning, r.window ? ` (${r.window})` : "",
			r.code > 0 ? ` · ${r.code}` : ""].join("") },
		{ title: "Times", n: true, cell: (r) => figure(f.count(r.count)) },
		{ title: "Last", n: true, cell: (r) => moment(r.last_us) },
		{ title: "Renews", n: true, cell: renews },
	], "Upstream has slowed nobody down so far.");
}

const moment = (time_us) => {
	const date = new Date(time_us / 1000);
	return h("time", { datetime: date.toISOString(), class: "nowrap" }, f.moment(date));
};

/* When a limit is over, as upstream said it. */
function renews(r) {
	if (r.reset_us === null)
		return h("span", { class: "quiet" }, "not said");
	const left_s = r.reset_us / 1e6 - Date.now() / 1000;
	return h("span", { class: r.is_used_up ? "bad" : null }, moment(r.reset_us),
		left_s > 0 ? `, in ${f.span(left_s)}` : "");
}

function throttling(o) {
	const { last_60s, total } = o.throttling;
	const now = w.THROTTLES.filter(([key]) => last_60s[key] > 0)
		.map(([key, word]) => `${word}: ${f.whole(last_60s[key])}`);
	const all = w.THROTTLES.reduce((sum, [key]) => sum + total[key], 0);

	put($("throttled"), now.length > 0 ? `In the last minute: ${now.join(" · ")}.` :
		`Nobody in the last minute; ${f.plural(all, "failure")} in all.`);
	$("throttled").className = now.length > 0 ? "word bad" : "word quiet";
	$("throttled").hidden = all === 0;
}

/* Our own limit, where one is set. */
function showConcurrency(c) {
	const most = c.keys[0];

	$("concurrency").hidden = c.limit === 0;
	put($("concurrency"), `Up to ${f.plural(c.limit, "request")} of a key at a time: ` +
		`${f.whole(c.in_flight)} in flight, ${f.whole(c.waiting)} waiting` +
		(most && most.waiting > 0 ? `; most of them of ${most.key} (${f.whole(most.waiting)} of ${c.places} places).` : "."));
}

async function askQuota() {
	try {
		const { keys, concurrency } = await ask("/api/quota");
		showConcurrency(concurrency);
		quota.set(keys.flatMap((k) => k.limits.map((l) => ({ key: k.key, ...l }))));
	} catch (e) {
		quota.fail(why(e));
	}
}

let throttled = "";

/* Asked again when there is more to tell, and now and then. */
function mindQuota(o) {
	const all = Object.values(o.throttling.total).reduce((a, b) => a + b, 0);
	const now = Math.floor(Date.now() / QUOTA_MS);

	if (`${all} ${now}` === throttled)
		return;
	throttled = `${all} ${now}`;
	askQuota();
}

export function heardOverview(o) {
	tiles(o);
	reasons(o);
	throttling(o);
	mindQuota(o);
}

export function heardLive(l) {
	live.set(l.rows.slice(0, LIVE_SHOWN));
	const more = l.total - Math.min(l.rows.length, LIVE_SHOWN);
	put($("h-live"), more > 0 ? `Under way now: ${f.whole(l.total)}, the oldest first` : "Under way now");
}

/* --- then ----------------------------------------------------------------- */

const COLOURS = ["--red", "--amber", "--violet", "--blue", "--teal", "--quiet"];
const charts = {};
let errors, clients, models;
let range = null;
let running = null;

function makeCharts(go) {
	const n = (v) => f.text(f.count(v));
	const t = (v) => f.text(f.ms(v));
	const all = {
		requests: { title: "Requests", kind: "bars", format: n, word: "by outcome" },
		latency: { title: "Time to answer", kind: "lines", is_log: true, format: t,
			format_axis: f.axisMs, word: "means, and the longest" },
		tokens: { title: "Tokens", kind: "bars", format: n, word: "in, stacked; out on the right" },
		failures: { title: "Failures", kind: "bars", format: n, word: "by cause" },
	};
	for (const [key, chart] of Object.entries(all)) {
		charts[key] = place(chart, (from, to) => go(rangeLink(from, to)));
		$("charts").append(charts[key].figure);
	}
}

/* Where a list's row leads: the same time, one thing more. */
function requestsOf(params) {
	const time = range.name === "custom" ? { from: range.from, to: range.to } : { from: range.from };
	return link("requests", { ...time, ...params });
}

function makeLists() {
	const part = (r) => h("span", { class: "nowrap" }, f.text(f.count(r.requests)), share(r.part));
	const hits = (r) => (r.input_tokens > 0 ?
		figure(f.percent(r.cached_tokens / r.input_tokens * 100)) : "–");
	const columns = (key, title, none) => [
		{ title, head: true, class: "name-cell", cell: (r) => (r.is_rest || r.name === "" ?
			h("span", { class: "quiet" }, r.is_rest ? "all others" : none) :
			h("a", { href: requestsOf({ [key]: r.name }) }, name(r.name))) },
		{ title: "Requests", n: true, cell: part },
		{ title: "Failed", n: true, cell: (r) => h("span", { class: r.failed > 0 ? "bad" : "quiet" },
			f.text(f.count(r.failed))) },
		{ title: "Tokens in", n: true, cell: (r) => figure(f.count(r.input_tokens)) },
		{ title: "Cached", n: true, cell: hits },
		{ title: "Tokens out", n: true, cell: (r) => figure(f.count(r.output_tokens)) },
		{ title: "First byte", n: true, cell: (r) => figure(f.ms(r.first_byte_ms), "the mean") },
	];

	errors = table($("errors"), "Failures by cause", [
		{ title: "Cause", head: true, cell: (r) => (r.is_rest ? "All others" : w.failure(r.name)) },
		{ title: "Class", cell: (r) => (r.is_rest ? "" :
			h("a", { href: requestsOf({ error: r.name }) }, h("code", { class: "nowrap" }, r.name))) },
		{ title: "Failures", n: true, cell: part },
	], "Nothing failed in this time.");
	clients = table($("clients"), "Requests by client", columns("client", "Client", "without a key"),
		"Nobody asked in this time.");
	models = table($("models"), "Requests by model", columns("model", "Model", "upstream was not asked"),
		"No request in this time.");
}

function summary(all) {
	const hits = all.input_tokens > 0 ? all.cached_tokens / all.input_tokens * 100 : null;
	facts($("sums"), [
		["Requests", figure(f.count(all.requests))],
		["Failed", figure(all.requests > 0 ? f.percent(all.failed / all.requests * 100) : ["–", ""],
			f.plural(all.failed, "request"))],
		["Client left", figure(f.count(all.cancelled))],
		["Tokens in", figure(f.count(all.input_tokens))],
		["Tokens out", figure(f.count(all.output_tokens))],
		["From the cache", figure(f.percent(hits))],
		["First byte, mean", figure(f.ms(all.first_byte_ms))],
		["Whole answer, mean", figure(f.ms(all.total_ms))],
		["The longest", figure(f.ms(all.longest_ms))],
	]);
}

const withParts = (groups) => {
	const most = Math.max(1, ...groups.map((g) => g.requests));
	return groups.map((g) => ({ ...g, part: g.requests / most }));
};

const frame = (s) => ({ time: s.time_s, step_s: s.step_s, from_s: s.from_s, to_s: s.to_s });

function showOutcomes(s) {
	const sums = Object.fromEntries(w.CLASSES.map(([c]) => [c, s.time_s.map(() => 0)]));
	for (const one of s.series) {
		const into = sums[one.is_rest ? "2xx" : w.statusClass(one.name)];
		one.requests.forEach((n, i) => {
			into[i] += n;
		});
	}
	charts.requests.show({ ...frame(s), series: w.CLASSES.map(([c, label, colour]) =>
		({ label, colour, values: sums[c] })) });
}

function showSums(s) {
	const one = s.series[0];
	const none = s.time_s.map(() => null);
	const least = (list) => list.map((v) => (v === null ? null : Math.max(v, 1)));
	const zero = s.time_s.map(() => 0);
	charts.latency.show({ ...frame(s), series: [
		{ label: "first byte", colour: "--teal", values: least(one?.first_byte_ms ?? none) },
		{ label: "whole answer", colour: "--blue", values: least(one?.total_ms ?? none), dash: [8, 4] },
		{ label: "the longest", colour: "--amber", values: least(one?.longest_ms ?? none), dash: [2, 4] },
	] });
	charts.tokens.show({ ...frame(s), series: [
		{ label: "in, cached", colour: "--teal", values: one?.cached_tokens ?? zero },
		{ label: "in, new", colour: "--blue",
			values: one ? one.input_tokens.map((n, i) => n - one.cached_tokens[i]) : zero },
		{ label: "out", colour: "--violet", values: one?.output_tokens ?? zero, is_line: true },
	] });
}

function showFailures(s) {
	const named = s.series.filter((one) => one.is_rest || one.name !== "");
	charts.failures.show({ ...frame(s), series: named.map((one, i) => ({
		label: one.is_rest ? "others" : one.name,
		colour: COLOURS[Math.min(i, COLOURS.length - 1)],
		values: one.requests,
	})) });
}

/* Parts come one after the other: the history answers one question at a time
 * for each who looks, and the first are there soon. */
async function load(signal) {
	const time = { from: range.from, to: range.to };
	const totals = (group, more) => ask("/api/totals", { ...time, group, ...more }, signal);
	const series = (group, more) => ask("/api/series", { ...time, group, ...more }, signal);
	const parts = [
		[async () => summary((await totals("none")).all), () => $("sums").replaceChildren()],
		[async () => showOutcomes(await series("status", { limit: 20 }))],
		[async () => showSums(await series("none"))],
		[async () => errors.set(withParts((await totals("error", { limit: 24 })).groups
			.filter((g) => g.is_rest || g.name !== ""))), (t) => errors.fail(t)],
		[async () => clients.set(withParts((await totals("client", { limit: SHOWN })).groups)), (t) => clients.fail(t)],
		[async () => models.set(withParts((await totals("model", { limit: SHOWN })).groups)), (t) => models.fail(t)],
		[async () => showFailures(await series("error", { limit: COLOURS.length }))],
	];
	let trouble = "";
	for (const [show, fail] of parts) {
		try {
			await show();
		} catch (e) {
			if (signal.aborted)
				return;
			trouble = why(e);
			fail?.(trouble);
		}
	}
	$("history-trouble").hidden = trouble === "";
	$("history-trouble").className = "notice warn";
	put($("history-trouble"), trouble);
}

/* Ask for the history of what the address says. */
export function showHistory(params) {
	range = rangeOf(params);
	showRange(range);
	running?.abort();
	running = new AbortController();
	return load(running.signal);
}

/* How often what is shown is asked for again; 0: it does not change. */
export function historyPeriod() {
	if (range === null || range.to !== null)
		return 0;
	return -range.from <= 3600 ? 15000 : 60000;
}

export function stopHistory() {
	running?.abort();
}

export function recolour() {
	for (const c of Object.values(charts))
		c.again();
}

export function initOverview(go) {
	makeNow();
	makeCharts(go);
	makeLists();
}
