/* SPDX-License-Identifier: MIT */
/* config.js - the fourth view: what is configured, and where. */
import { $, h, put, table } from "./dom.js";
import { plural } from "./format.js";
import { ask, why } from "./state.js";

const BUILT_IN = "built-in";

let rows = null;
let config = { file: "", settings: [] };

function show() {
	const form = $("config-filter");
	const q = form.elements.q.value.trim().toLowerCase();
	const shown = config.settings.filter((s) =>
		(q === "" || s.key.includes(q) || s.value.toLowerCase().includes(q)) &&
		(!form.elements.changed.checked || s.origin !== BUILT_IN));

	rows.set(shown);
	put($("config-word"), `${plural(shown.length, "key")} of ${config.settings.length}; ` +
		(config.file ? `the file is ${config.file}` : "no file was read"));
}

export function initConfig() {
	rows = table($("config"), "The effective configuration", [
		{ title: "Key", head: true, class: "name-cell", cell: (s) => h("code", null, s.key) },
		{ title: "Value", class: "name-cell", cell: (s) => (s.secret ?
			h("span", { class: "quiet" }, s.value === "" ? "not set" : "set, not shown") :
			s.value === "" ? h("span", { class: "quiet" }, "empty") : h("code", null, s.value)) },
		{ title: "From", cell: (s) => (s.origin === BUILT_IN ?
			h("span", { class: "quiet" }, "the default") : s.origin) },
	], "No key is like that.");
	$("config-filter").addEventListener("submit", (e) => e.preventDefault());
	$("config-filter").addEventListener("input", show);
}

export async function showConfig() {
	try {
		config = await ask("/api/config");
		show();
	} catch (e) {
		rows.fail(why(e));
	}
}
