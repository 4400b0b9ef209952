/* SPDX-License-Identifier: MIT */
/* range.js - which time the history is shown of. */
import { $, put } from "./dom.js";
import { local, minute } from "./format.js";
import { link } from "./state.js";

export const RANGES = {
	"15m": [900, "the last 15 minutes"],
	"1h": [3600, "the last hour"],
	"24h": [86400, "the last 24 hours"],
	"7d": [7 * 86400, "the last 7 days"],
	"30d": [30 * 86400, "the last 30 days"],
};
const USUAL = "1h";
const LEAST_S = 60;

/* { name, from, to, from_s, to_s, word }: from and to as the interface takes
 * them; to is null for "until now". */
export function rangeOf(params, now = Date.now()) {
	const now_s = Math.floor(now / 1000);
	const from_s = Number.parseInt(params.get("from") ?? "", 10);
	const to_s = Number.parseInt(params.get("to") ?? "", 10);

	if (from_s > 0 && to_s > from_s)
		return {
			name: "custom", from: from_s, to: to_s, from_s, to_s,
			word: `${minute(new Date(from_s * 1000))} to ${minute(new Date(to_s * 1000))}`,
		};
	const asked = params.get("range") ?? USUAL;
	const name = Object.hasOwn(RANGES, asked) ? asked : USUAL;
	const [length, word] = RANGES[name];
	return { name, from: -length, to: null, from_s: now_s - length, to_s: now_s, word };
}

/* Times in seconds, as dragged in a chart, as an address. */
export function rangeLink(from_s, to_s) {
	const from = Math.floor(from_s / 60) * 60;
	return link("overview", { from, to: Math.max(Math.ceil(to_s / 60) * 60, from + LEAST_S) });
}

/* The buttons and the form; go(address). */
export function initRange(go) {
	for (const button of document.querySelectorAll("#range [data-range]"))
		button.addEventListener("click", () => {
			if (button.dataset.range !== "custom") {
				go(link("overview", { range: button.dataset.range }));
				return;
			}
			$("custom").hidden = !$("custom").hidden;
			button.setAttribute("aria-expanded", String(!$("custom").hidden));
			if (!$("custom").hidden)
				$("custom-from").focus();
		});
	$("custom").addEventListener("submit", (e) => {
		e.preventDefault();
		const from = new Date($("custom-from").value).getTime() / 1000;
		const to = new Date($("custom-to").value).getTime() / 1000;
		const is_good = to >= from + LEAST_S;
		put($("custom-bad"), is_good ? "" : "The end has to be after the begin.");
		if (is_good)
			go(rangeLink(from, to));
	});
}

export function showRange(range) {
	for (const button of document.querySelectorAll("#range [data-range]"))
		button.setAttribute("aria-pressed", String(button.dataset.range === range.name));
	put($("range-word"), range.word);
	if (document.activeElement?.form !== $("custom")) {
		$("custom-from").value = local(new Date(range.from_s * 1000));
		$("custom-to").value = local(new Date(range.to_s * 1000));
	}
}
