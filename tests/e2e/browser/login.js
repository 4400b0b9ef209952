/* SPDX-License-Identifier: MIT */
/* login.js - plays somebody who logs in to the admin page and out again, in a
 * window beside this one, which has the same origin. Tells its own server what
 * was seen. */

const token = new URLSearchParams(location.search).get("token");
const report = { steps: [], violations: 0, trouble: null };
let other = null;

async function until(what, look) {
	const end = performance.now() + 20000;
	while (performance.now() < end) {
		try {
			const got = look(other.document);
			if (got)
				return got;
		} catch {
			/* Between two pages. */
		}
		await new Promise((done) => {
			setTimeout(done, 10);
		});
	}
	throw new Error(`never: ${what}; ${other.document.body?.textContent.slice(0, 300)}`);
}

async function go(address) {
	other?.close();
	other = open(address);
	await form();
}

async function form() {
	const d = await until("the form", (d) => d.readyState === "complete" && d.getElementById("token") && d);
	other.addEventListener("securitypolicyviolation", () => {
		report.violations++;
	});
	return d;
}

async function type(text) {
	const d = await form();
	d.getElementById("token").value = text;
	d.getElementById("login").requestSubmit();
}

async function leave() {
	const d = other.document;
	if (d.getElementById("leave")) {
		const button = await until("a way out", (d) => d.querySelector("#leave:not([hidden]) button"));
		button.click();
	} else {
		await fetch("/logout", { method: "POST" });
		other.location.assign("/login");
	}
	await until("the form", (d) => d.getElementById("token"));
}

const said = (d) => !d.getElementById("said")?.hidden && d.getElementById("said")?.textContent;
const inside = (d) => d.readyState === "complete" && !d.getElementById("token") && d.querySelector("h1");
const step = (name, value) => report.steps.push([name, value]);

try {
	await go("/#/requests");
	step("title", other.document.title);
	step("focus", other.document.activeElement.id);
	await type("wrong");
	step("wrong", await until("a refusal", said));
	await type(` ${token} `);
	await until("the page", inside);
	step("place", other.location.pathname + other.location.hash);
	step("cookie", other.document.cookie);
	await leave();
	step("left", other.location.pathname);
	await go("/login?next=%2F%23%2Fsystem");
	await type(token);
	await until("the page", inside);
	step("next", other.location.pathname + other.location.hash);
	await leave();
	for (const next of ["//evil.example/", "https://evil.example/", "javascript:alert(1)", "http://["]) {
		await go(`/login?next=${encodeURIComponent(next)}`);
		await type(token);
		await until("the page", inside);
		step("foreign", other.location.origin === location.origin && other.location.pathname);
	}
} catch (e) {
	report.trouble = String(e);
}
await fetch("/visit/report", { method: "POST", body: JSON.stringify(report) });
