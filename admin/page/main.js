/* SPDX-License-Identifier: MIT */
/* main.js - puts the views together: addresses, events, colours. */
import { initConfig, showConfig } from "./config.js";
import { hideDetail, initDetail, showDetail } from "./detail.js";
import { $, put } from "./dom.js";
import { clock } from "./format.js";
import { listen } from "./live.js";
import { heardLive, heardOverview, historyPeriod, initOverview, recolour, showHistory,
	stopHistory } from "./overview.js";
import { initRange } from "./range.js";
import { initRequests, showRequests } from "./requests.js";
import { ask, route, VIEWS } from "./state.js";
import { heardSystem, initSystem, showSystem } from "./system.js";
import { verdict } from "./words.js";

const TITLES = { overview: "Overview", requests: "Requests", system: "System", config: "Configuration" };
const SYSTEM_MS = 2000;

let at = null; /* the view that is shown */
let list = null; /* the list that lies behind a detail */
let again = 0;

const go = (address) => {
	if (location.hash === address)
		follow();
	else
		location.hash = address;
};

/* For who does not look: only what changes, not each figure. */
function say(text) {
	put($("said"), text);
}

/* --- the header ----------------------------------------------------------- */

function heardVerdict(o) {
	const word = verdict(o.status);
	if ($("verdict-word").textContent === word)
		return;
	$("verdict").dataset.state = o.status;
	put($("verdict-word"), word);
	say(`The service is ${word.toLowerCase()}. ${o.reasons.join(". ")}`);
	document.title = o.status === "ok" ? `glmproxy: ${TITLES[at]}` : `${word}: glmproxy`;
}

function lineChanged(state, since) {
	const words = {
		connecting: "connecting",
		live: "live",
		stale: since ? `stale since ${clock(since)}, connecting again` : "no connection, trying again",
	};
	$("line").dataset.state = state;
	put($("line-word"), words[state]);
	document.body.classList.toggle("stale", state === "stale");
	if (state !== "connecting")
		say(state === "live" ? "The figures are live." : `The figures are ${words.stale}.`);
}

function initTheme() {
	const select = $("theme");
	const root = document.documentElement;

	select.value = root.dataset.theme ?? "auto";
	select.addEventListener("change", () => {
		if (select.value === "auto")
			delete root.dataset.theme;
		else
			root.dataset.theme = select.value;
		try {
			localStorage.setItem("glmproxy-theme", select.value);
		} catch {
			/* Then it holds until the page is left. */
		}
		recolour();
	});
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
}

/* --- addresses ------------------------------------------------------------ */

function showView(view) {
	for (const v of VIEWS)
		$(`view-${v}`).hidden = v !== view;
	for (const a of document.querySelectorAll("nav a[data-view]"))
		if (a.dataset.view === view)
			a.setAttribute("aria-current", "page");
		else
			a.removeAttribute("aria-current");
	document.title = `glmproxy: ${TITLES[view]}`;
	/* Not at the first one: there the page's begin is the right place. */
	if (at !== null) {
		$(`h-${view}`).focus({ preventScroll: true });
		scrollTo(0, 0);
	}
	at = view;
}

function repeat(ms, what) {
	clearTimeout(again);
	if (ms > 0)
		again = setTimeout(async () => {
			if (!document.hidden)
				await what();
			repeat(ms, what);
		}, ms);
}

async function refreshHistory() {
	await showHistory(route().params);
	return historyPeriod();
}

function follow() {
	const { view, id, params } = route();

	if (view !== at)
		showView(view);
	repeat(0);
	if (view !== "overview")
		stopHistory();
	if (view === "overview") {
		refreshHistory();
		repeat(historyPeriod(), refreshHistory);
	} else if (view === "requests") {
		/* The list behind a detail stays what it is. */
		if (id === "" || list !== params.toString())
			showRequests(params);
		list = params.toString();
		if (id !== "")
			showDetail(id, params);
	} else if (view === "system") {
		showSystem();
		repeat(SYSTEM_MS, showSystem);
	} else {
		showConfig();
	}
	if (id === "" || view !== "requests")
		hideDetail();
}

/* Who came in without a cookie has nothing to log out of. */
async function initLeave() {
	/* A form of a page that tells no referrer tells no origin either, and
	 * over plain HTTP nothing else that it is ours. */
	$("leave").addEventListener("submit", async (e) => {
		e.preventDefault();
		await fetch("/logout", { method: "POST" });
		location.assign("/login");
	});
	try {
		$("leave").hidden = !(await ask("/api/session")).is_session;
	} catch {
		/* Then it stays away. */
	}
}

/* --- begin ---------------------------------------------------------------- */

function begin() {
	initTheme();
	initRange(go);
	initOverview(go);
	initRequests(go);
	initDetail(go);
	initSystem();
	initConfig();
	initLeave();
	addEventListener("hashchange", follow);
	listen((kind, data) => {
		if (kind === "overview") {
			heardVerdict(data);
			heardOverview(data);
			heardSystem(data);
		} else if (kind === "live") {
			heardLive(data);
		}
	}, lineChanged);
	follow();
}

/* What stands in the page is painted first; nobody waits for a frame of a page
 * that is not seen. */
if (document.hidden)
	begin();
else
	requestAnimationFrame(() => setTimeout(begin));
