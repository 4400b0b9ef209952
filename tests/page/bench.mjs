// SPDX-License-Identifier: MIT
// bench.mjs - a page of the admin port under a looking glass: what it logs,
// what it violates, what it asks the user; and requests to the proxy.
import assert from "node:assert/strict";

const WAIT_MS = 30000;
const ENDLESS = "[[text words=2000 delay=60]]";

export class Bench {
	constructor(browser) {
		this.browser = browser;
		this.admin = process.env.ADMIN_URL;
		this.proxy = process.env.PROXY_URL;
		this.faults = [];
		this.expected = [];
		this.contexts = [];
	}

	// A new page that shows an address. Options of the context; `before(page)`
	// is called before anything is loaded.
	async open(hash = "", { before, url, ...options } = {}) {
		const context = await this.browser.newContext({
			viewport: { width: 1280, height: 800 }, colorScheme: "light", ...options,
		});
		this.contexts.push(context);
		context.setDefaultTimeout(WAIT_MS);
		const page = await context.newPage();
		page.on("console", (m) => {
			if (m.type() === "error")
				this.faults.push(`console: ${m.text()} ${m.location().url}`);
		});
		page.on("pageerror", (e) => this.faults.push(`error: ${e.stack}`));
		page.on("dialog", (d) => {
			this.faults.push(`dialog: ${d.message()}`);
			d.dismiss();
		});
		await page.addInitScript(() => {
			globalThis.violations = [];
			addEventListener("securitypolicyviolation", (e) =>
				globalThis.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
		});
		await before?.(page);
		await page.goto(`${url ?? this.admin}/${hash}`);
		this.page = page;
		return page;
	}

	// Lines of the console that a case may cause.
	expect(...regexes) {
		this.expected.push(...regexes);
	}

	check() {
		const bad = this.faults.filter((f) => !this.expected.some((r) => r.test(f)));
		this.faults = [];
		this.expected = [];
		assert.deepEqual(bad, []);
	}

	async close() {
		for (const c of this.contexts)
			await c.close();
		this.contexts = [];
		this.faults = [];
		this.expected = [];
	}

	// Wait until the history has it, in a second at most.
	async recorded(query) {
		const address = `${this.admin}/api/requests?${new URLSearchParams(query)}`;
		await until(async () => (await (await fetch(address)).json()).requests?.length > 0,
			`a request with ${JSON.stringify(query)}`);
	}

	// A chat by way of the proxy; its status.
	async chat(model, { text = "hello", key = "client-key.1", stream = false, dialect = "o", signal } = {}) {
		const path = dialect === "o" ? "/v1/chat/completions" : "/v1/messages";
		const r = await fetch(this.proxy + path, {
			method: "POST",
			signal,
			headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
			body: JSON.stringify({ model, max_tokens: 1000, stream,
				messages: [{ role: "user", content: text }] }),
		});
		await r.text();
		return r.status;
	}

	// A stream that is under way until what is done beside it is done.
	async beside(model, options, work) {
		const left = new AbortController();
		const chat = this.chat(model, { ...options, text: ENDLESS, stream: true,
			signal: left.signal });
		chat.catch(() => {});
		try {
			await work();
		} finally {
			left.abort();
		}
		await assert.rejects(chat, { name: "AbortError" });
	}
}

// Ask again and again until the answer is true.
export async function until(check, what) {
	const begun = Date.now();
	while (!await check())
		assert.ok(Date.now() - begun < WAIT_MS, `${WAIT_MS} ms passed without ${what}`);
}

// The text of an element, when `good` likes it.
export async function text(page, selector, good = () => true) {
	const begun = Date.now();
	let last = "";
	for (;;) {
		last = (await page.locator(selector).first().textContent()).trim();
		if (good(last))
			return last;
		assert.ok(Date.now() - begun < WAIT_MS, `${selector} stays "${last}"`);
		await page.waitForTimeout(25);
	}
}

// The address changes first, the page follows in a task of its own: it has when
// a frame and what was waiting then are through.
export async function arrive(page, address) {
	await page.waitForURL(address);
	await page.evaluate(() => new Promise((done) => {
		requestAnimationFrame(() => setTimeout(done));
	}));
}

export const live = (page) => text(page, "#line-word", (t) => t === "live");

// All texts of the cells of a column.
export const column = (page, box, n) =>
	page.locator(`${box} tbody tr > :nth-child(${n})`).allTextContents();
