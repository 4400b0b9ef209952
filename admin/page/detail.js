/* SPDX-License-Identifier: MIT */
/* detail.js - one request of the history, beside the list. */
import { $, facts, figure, h, name, put, svg } from "./dom.js";
import * as f from "./format.js";
import { ask, link, why } from "./state.js";
import * as w from "./words.js";

let running = null;
let back = "#/requests";

const WIDTH = 1000;

/* Where the time went: three pieces one behind the other. */
function phases(r) {
	const head = Math.min(r.head_us ?? r.total_us, r.total_us);
	const first = Math.min(Math.max(r.first_us ?? r.total_us, head), r.total_us);
	const all = Math.max(r.total_us, 1);
	const pieces = [
		["wait", "until upstream answered", 0, head],
		["think", "until the client's first byte", head, first],
		["send", "until the end", first, r.total_us],
	].filter(([, , from, to]) => to > from);

	return [
		svg("svg", { class: "phases", viewBox: `0 0 ${WIDTH} 20`, preserveAspectRatio: "none", "aria-hidden": "true" },
			pieces.map(([kind, , from, to]) => svg("rect", { class: kind, x: from / all * WIDTH,
				width: Math.max((to - from) / all * WIDTH, 1), height: 20 }))),
		h("p", { class: "quiet" }, pieces.map(([, word, from, to]) =>
			`${f.text(f.us(to - from))} ${word}`).join(" · ")),
	];
}

function list(rows) {
	const dl = h("dl", { class: "facts" });
	facts(dl, rows);
	return dl;
}

const tokens = (n) => (n === null ? "not known" : f.whole(n));

/* What the client was told, where that is another number. */
function scaled(real, shown) {
	return shown === null || shown === real ? tokens(real) :
		`${tokens(real)} (the client was told ${tokens(shown)})`;
}

function outcome(r) {
	const [word, kind] = w.outcome(r);
	return [
		h("p", null, h("span", { class: `tag ${kind}` }, `${r.status} ${word}`), " ",
			r.error ? h("span", null, w.failure(r.error), " ", h("code", null, r.error),
				r.code > 0 ? `, upstream's code ${r.code}` : "") : null),
		r.weight > 1 ? h("p", { class: "quiet" },
			`At this time only a sample was kept: this row stands for about ${f.whole(r.weight)} requests.`) : null,
	];
}

function show(r) {
	const date = new Date(r.time_us / 1000);
	const notices = r.notices.split(/,\s*/).filter((n) => n !== "");
	const cached = r.input > 0 && r.cached !== null ?
		` (${f.text(f.percent(r.cached / r.input * 100))})` : "";

	put($("h-detail"), `Request of ${f.day(date)} ${f.clock(date)}`);
	$("detail-body").replaceChildren(...[
		outcome(r),
		h("h3", null, "Who and what"),
		list([
			["Request id", h("code", null, r.request)],
			["Client", name(w.client(r.client), "nobody")],
			["Asked for", name(r.asked)],
			["Sent to", r.upstream === "" ? "upstream was not asked" : name(r.model)],
			["Dialects", r.upstream === "" ? r.dialect : `${r.dialect} → ${r.upstream}`],
			["Kind", r.is_count ? "a count of tokens" : r.streamed ? "a streamed chat" : "a chat"],
		]),
		h("h3", null, "Time"),
		phases(r),
		list([
			["Head of upstream's answer", figure(f.us(r.head_us))],
			["First byte of its body", figure(f.us(r.body_us))],
			["First byte for the client", figure(f.us(r.first_us))],
			["Whole answer", figure(f.us(r.total_us))],
			["Upstream's connection", r.reused ? "from the pool" : "a new one"],
			["Asked again", r.retries > 0 ? f.plural(r.retries, "time") : "never"],
		]),
		h("h3", null, "Tokens"),
		list([
			["In", scaled(r.input, r.shown_input)],
			["Of them cached", scaled(r.cached, r.shown_cached) + cached],
			["Out", scaled(r.output, r.shown_output)],
			r.removed > 0 ? ["Left out to fit the window",
				`${f.plural(r.removed, "message")}; before: ${f.whole(r.original_tokens)} tokens`] : null,
		]),
		h("h3", null, "Bytes"),
		list([
			["From the client", figure(f.bytes(r.bytes_in))],
			["To upstream", figure(f.bytes(r.bytes_sent))],
			["From upstream", figure(f.bytes(r.bytes_received))],
			["To the client", figure(f.bytes(r.bytes_out))],
		]),
		h("h3", null, "What translation changed"),
		notices.length === 0 ? h("p", { class: "quiet" }, "Nothing that could matter.") :
			h("ul", null, notices.map((n) => h("li", null, h("code", null, n)))),
	].flat().filter((c) => c !== null));
}

function open() {
	if (!$("detail").open) {
		$("detail").showModal();
		$("h-detail").focus();
	}
}

export async function showDetail(id, params) {
	back = link("requests", Object.fromEntries(params));
	$("detail-close").setAttribute("href", back);
	put($("h-detail"), "Request");
	$("detail-body").replaceChildren(h("p", { class: "quiet" }, "Looking it up …"));
	open();
	running?.abort();
	running = new AbortController();
	const { signal } = running;
	try {
		show(await ask(`/api/requests/${id}`, {}, signal));
	} catch (e) {
		if (!signal.aborted)
			$("detail-body").replaceChildren(h("p", { class: "bad" }, e.status === 404 ?
				"There is no such request in the history; perhaps it is too old." : why(e)));
	}
}

export function hideDetail() {
	running?.abort();
	$("detail").close();
}

/* Escape closes it; so does a click beside it. */
export function initDetail(go) {
	$("detail").addEventListener("cancel", (e) => {
		e.preventDefault();
		go(back);
	});
	$("detail").addEventListener("click", (e) => {
		if (e.target === $("detail"))
			go(back);
	});
}
