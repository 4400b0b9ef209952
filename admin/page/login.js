/* SPDX-License-Identifier: MIT */
/* login.js - shows the token to the service, once, for a cookie. */

const form = document.getElementById("login");
const field = document.getElementById("token");
const button = document.getElementById("go");
const said = document.getElementById("said");

function say(text) {
	said.textContent = text;
	said.hidden = text === "";
}

/* Where to go on: a page of ours only, whatever the address says. */
function next() {
	const wish = new URLSearchParams(location.search).get("next") ?? "/";
	let url = null;
	try {
		url = new URL(wish, location.origin);
	} catch {
		return "/";
	}
	const isOurs = url.origin === location.origin && url.pathname === "/";
	return isOurs ? url.pathname + url.search + url.hash : "/";
}

function goOn() {
	if (location.pathname === "/login")
		location.replace(next());
	else
		location.reload();
}

/* What is wrong; empty: nothing. */
async function ask(token) {
	const r = await fetch("/api/login", {
		method: "POST",
		headers: { "content-type": "application/json", accept: "application/json" },
		body: JSON.stringify({ token }),
	});
	if (r.ok)
		return "";
	const wait = Number(r.headers.get("retry-after") ?? 0);
	const later = wait > 0 ? ` Try again in ${wait} s.` : "";
	if (r.status === 401)
		return `That is not the token.${later}`;
	if (r.status === 429)
		return `Too many wrong tokens: this one was not looked at.${later}`;
	const body = await r.json().catch(() => null);
	return `Not possible: ${typeof body?.error === "string" ? body.error : `status ${r.status}`}.`;
}

form.addEventListener("submit", async (e) => {
	e.preventDefault();
	button.disabled = true;
	say("");
	try {
		const trouble = await ask(field.value.trim());
		if (trouble === "") {
			goOn();
			return;
		}
		say(trouble);
	} catch {
		say("The service does not answer.");
	}
	button.disabled = false;
	field.select();
	field.focus();
});
