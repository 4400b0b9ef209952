/* SPDX-License-Identifier: MIT */
/* requests.js - the second view: rows of the history, filtered, page by page. */
import { $, figure, h, name, put, table } from "./dom.js";
import * as f from "./format.js";
import { ask, link, route, why } from "./state.js";
import * as w from "./words.js";

const PAGE = 50;
const FIELDS = ["status", "error", "model", "client", "request", "kind", "stream"];
const TIMES = [["", "any"], ["-900", "last 15 min"], ["-3600", "last hour"],
	["-86400", "last 24 h"], ["-604800", "last 7 days"], ["-2592000", "last 30 days"]];

let rows = null;
let running = null;
/* Which page lies before one, as far as somebody has come that way. */
const before = new Map();

/* The filters of an address, without the page. */
function filters(params) {
	const out = {};
	for (const key of ["from", "to", "failed", ...FIELDS])
		if (params.has(key))
			out[key] = params.get(key);
	return out;
}

const here = (params, cursor) => link("requests", { ...filters(params), cursor });

/* --- the form ------------------------------------------------------------- */

function showTime(form, params) {
	const from = params.get("from") ?? "";
	const to = params.get("to") ?? "";
	const select = form.elements.time;
	const value = to === "" && TIMES.some(([v]) => v === from) ? from : "given";
	const day = (s) => (Number(s) > 0 ? f.minute(new Date(s * 1000)) : "now");

	select.querySelector("[value=given]")?.remove();
	if (value === "given")
		select.append(h("option", { value: "given" }, `${day(from)} – ${day(to)}`));
	select.value = value;
}

function showFilters(params) {
	const form = $("filters");
	const error = form.elements.error;

	for (const key of FIELDS) {
		const value = params.get(key) ?? "";
		/* A class that this page does not know is still a filter. */
		if (key === "error" && value !== "" && ![...error.options].some((o) => o.value === value))
			error.append(h("option", { value }, value));
		if (form.elements[key].value !== value)
			form.elements[key].value = value;
	}
	form.elements.failed.value = params.get("failed") ?? "";
	showTime(form, params);
}

function wanted(form, params) {
	const out = { failed: form.elements.failed.value };
	for (const key of FIELDS)
		out[key] = form.elements[key].value.trim();
	if (form.elements.time.value === "given") {
		out.from = params.get("from");
		out.to = params.get("to");
	} else {
		out.from = form.elements.time.value;
	}
	return out;
}

/* --- the list ------------------------------------------------------------- */

function statusCell(r) {
	const [word, kind] = w.outcome(r);
	return h("span", { class: `tag ${kind}` }, `${r.status} ${word}`);
}

function whyCell(r) {
	if (r.error === "")
		return r.notice_count > 0 ? f.plural(r.notice_count, "notice") : "";
	return [w.failure(r.error), r.code > 0 ? ` (${r.code})` : ""].join("");
}

function makeTable() {
	const detail = (r) => link("requests",
		Object.fromEntries(route().params), String(r.id));

	rows = table($("requests"), "Requests, the newest first", [
		{ title: "Time", head: true, cell: (r) => {
			const date = new Date(r.time_us / 1000);
			return h("a", { class: "nowrap", href: detail(r), title: r.request },
				h("time", { datetime: date.toISOString() }, f.moment(date)));
		} },
		{ title: "Outcome", cell: statusCell },
		{ title: "Model", class: "name-cell", cell: (r) => name(r.model || r.asked) },
		{ title: "Client", class: "name-cell", cell: (r) => name(w.client(r.client), "nobody") },
		{ title: "First byte", n: true, cell: (r) => figure(f.us(r.first_us)) },
		{ title: "Whole", n: true, cell: (r) => figure(f.us(r.total_us)) },
		{ title: "Tokens in", n: true, cell: (r) => figure(f.count(r.input)) },
		{ title: "Cached", n: true, cell: (r) => figure(r.input > 0 && r.cached !== null ?
			f.percent(r.cached / r.input * 100) : ["–", ""]) },
		{ title: "Out", n: true, cell: (r) => figure(f.count(r.output)) },
		{ title: "Kind", cell: (r) => (r.is_count ? "count" : r.streamed ? "stream" : "body") },
		{ title: "Why", class: "name-cell", cell: whyCell },
	], "There is no such request.");
}

function turn(anchor, href) {
	if (href)
		anchor.setAttribute("href", href);
	else
		anchor.removeAttribute("href");
}

function showPage(page, params) {
	const cursor = params.get("cursor") ?? "";
	const sampled = page.requests.some((r) => r.weight > 1);
	const key = (c) => JSON.stringify([filters(params), c]);
	const older = page.next ?? "";
	const n = page.requests.length;

	rows.empty(older === "" ? "There is no such request." :
		`None since ${f.moment(new Date(page.searched_to_us / 1000))}; look at older ones.`);
	rows.set(page.requests, () => "to");
	if (older !== "")
		before.set(key(older), cursor);
	turn($("older"), older && here(params, older));
	turn($("newest"), here(params, ""));
	turn($("newer"), before.has(key(cursor)) ? here(params, before.get(key(cursor))) : "");
	put($("requests-word"), [
		n === 0 ? "No request" : f.plural(n, "request"),
		cursor === "" ? ", the newest first" : ", older ones",
		sampled ? "; at high rates only a sample is kept" : "",
	].join(""));
}

export async function showRequests(params) {
	const query = { limit: PAGE, ...filters(params) };

	showFilters(params);
	running?.abort();
	running = new AbortController();
	const { signal } = running;
	if (params.has("cursor"))
		query.cursor = params.get("cursor");
	$("requests").setAttribute("aria-busy", "true");
	try {
		showPage(await ask("/api/requests", query, signal), params);
	} catch (e) {
		if (signal.aborted)
			return;
		rows.fail(why(e));
		put($("requests-word"), "");
		for (const id of ["newest", "newer", "older"])
			turn($(id), "");
	}
	$("requests").removeAttribute("aria-busy");
}

export function initRequests(go) {
	const form = $("filters");

	makeTable();
	form.elements.error.append(...w.failureNames().map((value) =>
		h("option", { value, title: w.failure(value) }, value)));
	form.elements.time.append(...TIMES.map(([value, word]) => h("option", { value }, word)));
	form.addEventListener("submit", (e) => {
		e.preventDefault();
		go(link("requests", wanted(form, route().params)));
	});
	for (const select of form.querySelectorAll("select"))
		select.addEventListener("change", () => form.requestSubmit());
	/* Also where one is there already. */
	$("newest").addEventListener("click", (e) => {
		e.preventDefault();
		go($("newest").getAttribute("href"));
	});
	$("unfilter").addEventListener("click", () => go(link("requests")));
}
