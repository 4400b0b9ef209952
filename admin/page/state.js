/* SPDX-License-Identifier: MIT */
/* state.js - the address behind # says what is shown; asking the interface. */

export const VIEWS = ["overview", "requests", "system", "config"];

/* { view, id, params } of #/view/id?params; the overview for what is none. */
export function route() {
	const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
	const [view, id = ""] = path.split("/");
	return {
		view: VIEWS.includes(view) ? view : "overview",
		id: /^[0-9]{1,18}$/.test(id) ? id : "",
		params: new URLSearchParams(query),
	};
}

/* The address of a view; parameters without a value are left out. */
export function link(view, params = {}, id = "") {
	const kept = new URLSearchParams();
	for (const [key, value] of Object.entries(params))
		if (value !== "" && value !== null && value !== undefined)
			kept.set(key, value);
	const query = kept.toString();
	return `#/${view}${id ? `/${id}` : ""}${query ? `?${query}` : ""}`;
}

export class Refused extends Error {
	constructor(status, text) {
		super(text);
		this.status = status;
	}
}

export function toLogin() {
	const back = location.pathname + location.hash;
	location.assign(`/login?next=${encodeURIComponent(back)}`);
}

const wait = (ms) => new Promise((done) => {
	setTimeout(done, ms);
});

async function once(path, signal) {
	const r = await fetch(path, { signal, headers: { accept: "application/json" } });
	const body = await r.json().catch(() => null);
	if (r.ok && body !== null)
		return body;
	const said = typeof body?.error === "string" ? body.error : `status ${r.status}`;
	throw new Refused(r.status, said);
}

/* JSON of the interface. A history that is busy gets a second chance. */
export async function ask(path, params = {}, signal = undefined) {
	const kept = Object.entries(params).filter(([, v]) => v !== null && v !== undefined);
	const query = new URLSearchParams(kept).toString();
	const address = query ? `${path}?${query}` : path;
	try {
		return await once(address, signal);
	} catch (e) {
		if (e.status === 401)
			toLogin();
		if (e.status !== 503)
			throw e;
	}
	await wait(400);
	return once(address, signal);
}

/* What to tell a person about an error of ask(). */
export function why(e) {
	if (e instanceof Refused)
		return `Not shown: ${e.message}.`;
	return "Not shown: the service does not answer.";
}
