/* SPDX-License-Identifier: MIT */
/* live.js - the stream of events: opened, watched, opened again. */
import { toLogin } from "./state.js";

const SILENT_MS = 5000; /* the service says something each second */
const HIDDEN_MS = 20000; /* browsers allow few connections: free them */
const RETRY_MS = [500, 1000, 2000, 4000, 8000];

/* heard(name, data), changed(state, since): "connecting", "live" or "stale"
 * since a Date. */
export function listen(heard, changed) {
	let source = null;
	let timer = 0;
	let hider = 0;
	let tries = 0;
	let last = null; /* Date of the last event */
	let state = "";

	function become(next) {
		if (next === state)
			return;
		state = next;
		changed(next, last);
	}

	function close() {
		source?.close();
		source = null;
		clearTimeout(timer);
	}

	function watch(ms, then) {
		clearTimeout(timer);
		timer = setTimeout(then, ms);
	}

	function lost() {
		close();
		become("stale");
		watch(RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)], open);
	}

	function open() {
		close();
		const s = new EventSource("/api/events");
		source = s;
		const take = (e) => {
			if (s !== source)
				return;
			last = new Date();
			tries = 0;
			watch(SILENT_MS, lost);
			heard(e.type, JSON.parse(e.data));
			become("live");
		};
		s.addEventListener("overview", take);
		s.addEventListener("live", take);
		s.addEventListener("quota", take);
		s.onerror = () => {
			if (s !== source)
				return;
			lost();
			/* An event source does not say whether a login is missing. */
			fetch("/api/overview").then((r) => {
				if (r.status === 401)
					toLogin();
			}, () => {});
		};
		watch(SILENT_MS, lost);
	}

	document.addEventListener("visibilitychange", () => {
		clearTimeout(hider);
		if (document.hidden) {
			hider = setTimeout(() => {
				close();
				become("stale");
			}, HIDDEN_MS);
		} else if (source === null) {
			tries = 0;
			open();
		}
	});
	become("connecting");
	open();
}
