// SPDX-License-Identifier: MIT
// cases.mjs - what the admin page has to do in a real browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arrive, column, live, text, until } from "./bench.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const VIEWS = ["overview", "requests", "system", "config"];
const SYSTEM_REQUESTS = "#facts div:has(dt:text-is('Requests in all')) dd";
const HOSTILE = [
	"<img src=x onerror=alert(1)>",
	"</script><script>alert(2)</script>",
	"\u202eexe.gpj",
	"\"'><svg onload=alert(3)>&lt;b&gt;",
	`long-${"m".repeat(1000)}`,
];

const number = (t) => Number(t.replace(/\D/g, ""));

async function noViolation(page) {
	assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
}

async function rows(page, box, least = 1) {
	await page.locator(`${box} tbody tr:nth-child(${least})`).waitFor();
	return page.locator(`${box} tbody tr`).count();
}

// The view is there and has what it asked for.
async function settled(page, view) {
	await page.locator(`#view-${view}:visible`).waitFor();
	await live(page);
	const box = { overview: "#models", requests: "#requests", system: "#workers", config: "#config" };
	await rows(page, box[view]);
}

// --- figures ----------------------------------------------------------------

async function liveNumbers(bench) {
	const page = await bench.open("#/system");
	await live(page);
	const before = number(await text(page, SYSTEM_REQUESTS));

	for (let i = 0; i < 3; i++)
		assert.equal(await bench.chat("glm-4.6"), 200);
	await text(page, SYSTEM_REQUESTS, (t) => number(t) === before + 3);
	await page.getByRole("link", { name: "Overview" }).click();
	await text(page, "#t-rate", (t) => Number(t.replace(/[^\d.]/g, "")) > 0);
	await text(page, "#t-first", (t) => /^[\d.]+$/.test(t));
	await text(page, "#t-total-sub", (t) => /p95.*p99/.test(t));
	assert.equal(await text(page, "#verdict-word"), "Up");

	await bench.beside("glm-4.6", {}, async () => {
		await text(page, "#live", (t) => t.includes("glm-4.6"));
		await text(page, "#t-live", (t) => t === "1");
		await page.locator("#live td.n:last-child").filter({ hasNotText: /^0$/ }).waitFor();
	});
	await text(page, "#live", (t) => t === "No request is under way.");
	await text(page, "#quota", (t) => t.includes("1308") && t.includes("5 hours") &&
		/in \d+\u00a0h/.test(t));
	await text(page, "#concurrency", (t) => /Up to 8 requests of a key at a time: \d+ in flight/.test(t));
	await text(page, "#throttled", (t) => /In the last minute|in all/.test(t));
	await text(page, "#errors", (t) => t.includes("A quota is used up"));
	await text(page, "#clients", (t) => t.includes("1"));
	await noViolation(page);
}

// --- names ------------------------------------------------------------------

async function hostileNames(bench) {
	for (const model of HOSTILE)
		await bench.chat(model, { dialect: "a" });
	for (const model of HOSTILE)
		await bench.recorded({ model: model.slice(0, 128) });
	const page = await bench.open("#/requests");
	await rows(page, "#requests", HOSTILE.length);
	const shown = await column(page, "#requests", 3);
	for (const model of HOSTILE)
		assert.ok(shown.some((s) => s === model.slice(0, s.length) && s.length >= Math.min(model.length, 100)),
			`${model.slice(0, 40)} is not among ${shown}`);
	await page.locator("#requests tbody tr", { hasText: HOSTILE[1] }).first().getByRole("link").click();
	await text(page, "#detail-body", (t) => t.includes(HOSTILE[1]));
	await page.goto(`${bench.admin}/#/overview?range=15m`);
	await text(page, "#models", (t) => t.includes(HOSTILE[0]));
	await bench.beside(HOSTILE[0], { dialect: "a" },
		() => text(page, "#live", (t) => t.includes(HOSTILE[0])));
	await page.goto(`${bench.admin}/#/requests?model=${encodeURIComponent(HOSTILE[1])}&client=%3Cb%3E`);
	await text(page, "#requests", (t) => t === "There is no such request.");
	assert.equal(await page.inputValue("#filters [name=model]"), HOSTILE[1]);
	assert.equal(await page.locator("main img, main script, dialog img, dialog script").count(), 0);
	await noViolation(page);
}

// --- the list ---------------------------------------------------------------

async function filterDetailPaging(bench) {
	const page = await bench.open("#/requests");
	assert.equal(await rows(page, "#requests", 50), 50);
	const ids = () => page.locator("#requests tbody a").evaluateAll((all) => all.map((a) => a.title));
	const newest = await ids();
	await page.getByRole("link", { name: "Older" }).click();
	await arrive(page, /cursor=/);
	await text(page, "#requests-word", (t) => t.includes("older"));
	const older = await ids();
	assert.ok(older.length > 0 && !older.some((id) => newest.includes(id)), "pages overlap");
	await page.getByRole("link", { name: "Newer" }).click();
	await text(page, "#requests-word", (t) => t.includes("newest"));
	assert.deepEqual(await ids(), newest);

	await page.fill("#filters [name=status]", "429");
	await page.getByRole("button", { name: "Filter" }).click();
	await arrive(page, /status=429/);
	await page.locator("#requests:not([aria-busy])").waitFor();
	await text(page, "#requests tbody tr:last-child td", (t) => t.startsWith("429"));
	for (const cell of await column(page, "#requests", 2))
		assert.match(cell, /^429 refused$/);
	await text(page, "#requests", (t) => t.includes("A quota is used up (1308)"));

	await page.locator("#requests tbody tr", { hasText: "(1308)" }).first().getByRole("link").click();
	await arrive(page, /#\/requests\/\d+\?status=429/);
	await text(page, "#detail-body", (t) => t.includes("quota") && t.includes("upstream's code 1308"));
	const address = page.url();
	await page.keyboard.press("Escape");
	await arrive(page, /#\/requests\?status=429/);
	await page.locator("#detail[open]").waitFor({ state: "hidden" });

	// The address alone shows the same again.
	const other = await bench.open(new URL(address).hash);
	await text(other, "#detail-body", (t) => t.includes("upstream's code 1308"));
	assert.equal(await other.inputValue("#filters [name=status]"), "429");
	await other.getByRole("link", { name: "Close" }).click();
	await other.getByRole("button", { name: "Clear" }).click();
	await rows(other, "#requests", 50);
	await other.goto(`${bench.admin}/#/requests/999999999`);
	bench.expect(/404/);
	await text(other, "#detail-body", (t) => t.includes("no such request"));
	await other.goto(`${bench.admin}/#/requests?status=abc`);
	bench.expect(/400/);
	await text(other, "#requests", (t) => t.startsWith("Not shown: status"));
	await noViolation(other);
}

// --- ranges and charts ------------------------------------------------------

// Whether something is painted on a chart beside its axes.
const painted = (page, n) => page.locator(".uplot canvas").nth(n).evaluate((c) => {
	const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
	let strong = 0;
	for (let i = 0; i < data.length; i += 4)
		if (data[i + 3] > 200 && Math.max(data[i], data[i + 1], data[i + 2]) -
			Math.min(data[i], data[i + 1], data[i + 2]) > 60)
			strong++;
	return strong;
});

async function ranges(bench) {
	const page = await bench.open("#/overview");
	await page.locator(".uplot").nth(3).waitFor();
	for (let i = 0; i < 4; i++)
		await until(async () => await painted(page, i) > 5, `something on chart ${i}`);
	for (const [name, hash] of [["15 min", "15m"], ["30 d", "30d"], ["7 d", "7d"], ["24 h", "24h"]]) {
		await page.getByRole("button", { name, exact: true }).click();
		await arrive(page, new RegExp(`range=${hash}$`));
		assert.equal(await page.getByRole("button", { name, exact: true }).getAttribute("aria-pressed"), "true");
		await text(page, "#sums", (t) => /Requests\d+/.test(t));
	}
	await page.getByRole("button", { name: "15 min" }).click();
	await page.locator("#charts summary").first().click();
	assert.ok(await rows(page, "#charts figure:first-child details") > 0);
	assert.match(await text(page, "#charts figure:first-child details"), /answered/);

	// Dragged with the mouse.
	const box = await page.locator(".uplot .u-over").first().boundingBox();
	await page.mouse.move(box.x + box.width * 0.5, box.y + 60);
	await page.mouse.down();
	await page.mouse.move(box.x + box.width * 0.7, box.y + 60, { steps: 5 });
	await page.mouse.move(box.x + box.width - 2, box.y + 60, { steps: 5 });
	await page.mouse.up();
	await arrive(page, /from=\d+&to=\d+$/);
	const dragged = new URLSearchParams(page.url().split("?")[1]);
	const length = dragged.get("to") - dragged.get("from");
	assert.ok(length >= 300 && length <= 660, `dragged ${length} s`);
	await text(page, "#range-word", (t) => /^\d{4}-\d\d-\d\d \d\d:\d\d to /.test(t));

	// Typed: the same without a mouse.
	await page.getByRole("button", { name: "Other" }).click();
	await page.fill("#custom-from", "2020-01-02T03:04");
	await page.fill("#custom-to", "2020-01-02T03:00");
	await page.getByRole("button", { name: "Show" }).click();
	await text(page, "#custom-bad", (t) => t.includes("after"));
	await page.fill("#custom-to", "2020-01-02T05:04");
	await page.getByRole("button", { name: "Show" }).click();
	await text(page, "#models", (t) => t.includes("No request in this time"));
	await text(page, "#charts figure:first-child .plot", (t) => t === "Nothing in this time.");
	await noViolation(page);
}

async function withoutCharts(bench) {
	bench.expect(/404/);
	// A range that is asked for again soon, should the history be busy.
	const lost = await bench.open("#/overview?range=15m", { before: (page) =>
		page.route("**/uplot.js", (route) => route.fulfill({ status: 404, body: "" })) });
	await lost.locator("#no-charts:visible").waitFor();
	// What comes meanwhile may move it away from under the pointer.
	const first = lost.locator("#charts details").first();
	const isOpen = () => first.evaluate((d) => d.open);
	await until(async () => {
		if (!await isOpen())
			await first.locator("summary").click();
		return isOpen();
	}, "an open table");
	assert.ok(await rows(lost, "#charts figure:first-child details") > 0);
	assert.equal(await lost.locator(".uplot").count(), 0);

	const built = await bench.open("#/overview?range=15m", { before: (page) =>
		page.route(`${bench.admin}/`, async (route) => {
			const r = await route.fetch();
			const body = (await r.text()).replace("data-charts=\"yes\"", "data-charts=\"no\"");
			await route.fulfill({ response: r, body });
		}) });
	await built.locator("#no-charts:visible").waitFor();
	assert.ok(await rows(built, "#charts figure:nth-child(2) details") > 0);
}

// --- colours, keyboard, readers ---------------------------------------------

const paper = (page) => page.evaluate(() => {
	const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
	return r + g + b;
});

async function colours(bench) {
	const page = await bench.open("#/overview", { colorScheme: "dark" });
	await settled(page, "overview");
	assert.ok(await paper(page) < 200, "dark is not dark");
	await page.getByLabel("Colours").selectOption("light");
	assert.ok(await paper(page) > 600, "light is not light");
	await page.reload();
	assert.ok(await paper(page) > 600, "the choice is forgotten");
	assert.equal(await page.inputValue("#theme"), "light");
	await page.getByLabel("Colours").selectOption("auto");
	assert.ok(await paper(page) < 200, "auto is not the system's");
	await noViolation(page);
}

// What has the focus, and that one can see it.
const focused = (page) => page.evaluate(() => {
	const e = document.activeElement;
	const style = getComputedStyle(e);
	return { tag: e.tagName, id: e.id, text: e.textContent.trim().slice(0, 40),
		seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
});

async function keyboard(bench) {
	const page = await bench.open("#/overview");
	await settled(page, "overview");
	const press = async (key) => {
		await page.keyboard.press(key);
		return focused(page);
	};
	const tabTo = async (good) => {
		for (let i = 0; i < 60; i++) {
			const at = await press("Tab");
			assert.ok(at.seen, `no outline on ${JSON.stringify(at)}`);
			if (good(at))
				return at;
		}
		throw new Error("Tab does not lead there");
	};

	assert.equal((await press("Tab")).text, "Skip to the content");
	await tabTo((at) => at.id === "theme");
	await tabTo((at) => at.text === "24 h");
	await page.keyboard.press("Enter");
	await arrive(page, /range=24h/);
	await page.goto(`${bench.admin}/#/overview`);
	await page.reload();
	await settled(page, "overview");
	await tabTo((at) => at.text === "Requests");
	await page.keyboard.press("Enter");
	await settled(page, "requests");
	assert.equal((await focused(page)).id, "h-requests");
	const row = await tabTo((at) => /^\d\d:\d\d:\d\d$/.test(at.text));
	await page.keyboard.press("Enter");
	await text(page, "#detail-body", (t) => t.includes("Request id"));
	assert.equal((await focused(page)).id, "h-detail");
	for (let i = 0; i < 6; i++) {
		await page.keyboard.press("Tab");
		assert.equal(await page.evaluate(() => document.activeElement === document.body ||
			document.activeElement.closest("dialog") !== null), true, "the focus left the dialog");
	}
	await page.keyboard.press("Escape");
	await page.waitForFunction(() => !document.getElementById("detail").open);
	assert.equal((await focused(page)).text, row.text, "the focus is lost");
}

async function readers(bench) {
	for (const colorScheme of ["light", "dark"]) {
		const page = await bench.open("#/overview", { colorScheme });
		await page.evaluate(AXE);
		const faults = [];
		const look = async (what) => {
			const found = await page.evaluate(() => globalThis.axe.run({
				resultTypes: ["violations"] }));
			for (const v of found.violations)
				faults.push(`${colorScheme} ${what} ${v.impact} ${v.id}: ${v.nodes.slice(0, 3)
					.map((n) => `${n.target} ${n.failureSummary}`).join(" | ")}`);
		};
		for (const view of VIEWS) {
			await page.evaluate((v) => {
				location.hash = `#/${v}`;
			}, view);
			await settled(page, view);
			if (view === "overview") {
				await page.locator(".uplot").nth(3).waitFor();
				await page.locator("#charts summary").first().click();
			}
			await look(view);
		}
		await page.evaluate(() => {
			location.hash = "#/requests";
		});
		await settled(page, "requests");
		await page.locator("#requests tbody a").first().click();
		await text(page, "#detail-body", (t) => t.includes("Request id"));
		await look("detail");
		assert.deepEqual(faults, []);
	}
}

async function phone(bench) {
	const page = await bench.open("#/overview", { viewport: { width: 360, height: 740 },
		hasTouch: true, isMobile: true });
	for (const view of VIEWS) {
		await page.evaluate((v) => {
			location.hash = `#/${v}`;
		}, view);
		await settled(page, view);
		const wide = await page.evaluate(() => document.documentElement.scrollWidth);
		assert.ok(wide <= 360, `${view} is ${wide} px wide`);
	}
	await page.goto(`${bench.admin}/#/requests`);
	await rows(page, "#requests");
	await page.locator("#requests tbody a").first().tap();
	await text(page, "#detail-body", (t) => t.includes("Request id"));
	const wide = await page.evaluate(() => document.getElementById("detail").scrollWidth);
	assert.ok(wide <= 360, `a detail is ${wide} px wide`);
}

// --- connections ------------------------------------------------------------

async function watchLine(bench) {
	bench.expect(/Failed to load resource|ERR_/);
	const page = await bench.open("#/overview");
	await live(page);
	await page.evaluate(() => {
		globalThis.lines = [];
		new MutationObserver(() => globalThis.lines.push(document.getElementById("line-word").textContent))
			.observe(document.getElementById("line"), { childList: true, subtree: true, characterData: true });
	});
}

async function lineCameBack(bench) {
	const { page } = bench;
	await page.waitForFunction(() => globalThis.lines.some((l) => l.startsWith("stale since")) &&
		globalThis.lines.at(-1) === "live");
	assert.match((await page.evaluate(() => globalThis.lines)).find((l) => l.startsWith("stale")),
		/^stale since \d\d:\d\d:\d\d, connecting again$/);
	assert.equal(await page.locator("body.stale").count(), 0);
	await text(page, "#said", (t) => t === "The figures are live.");
	bench.expect(/Failed to load resource|ERR_/);
}

async function firstPaint(bench) {
	const times = [];
	while (times.length < 3 || (times.length < 6 && Math.min(...times) >= 3000)) {
		const page = await bench.open("#/overview");
		await live(page);
		times.push(await page.evaluate(() =>
			performance.getEntriesByName("first-contentful-paint")[0].startTime));
	}
	const best = Math.min(...times);
	assert.ok(best < 3000, `the first paint took ${best} ms`);
	return `first paint ${times.map((t) => t.toFixed(0)).join(", ")} ms`;
}

async function system(bench) {
	const page = await bench.open("#/system");
	await settled(page, "system");
	const states = await column(page, "#workers", 3);
	assert.deepEqual(states, states.map(() => "ready"));
	await text(page, "#store", (t) => t.includes("Historywritten") && t.includes("none"));
	await text(page, "#logs", (t) => t.includes("Log fileswritten") && t.includes("Lines lostnone"));
	await text(page, "#upstreams", (t) => t.includes("/api/anthropic"));
	await text(page, "#hosts", (t) => t.includes("localhost"));
	await text(page, "#disks", (t) => /[GMT]iB/.test(t));
	await page.goto(`${bench.admin}/#/config`);
	await text(page, "#config tr:has(code:text-is('server_api_key')) td", (t) => t === "set, not shown");
	const whole = await page.content();
	assert.ok(!whole.includes("secret-of-the-server"), "a secret is shown");
	await page.getByLabel("Find").fill("workers");
	await text(page, "#config-word", (t) => t.startsWith("1 key of"));
	await text(page, "#config", (t) => t.includes("workers") && !t.includes("listen"));
	await page.getByLabel("Find").fill("");
	await page.getByLabel("only what differs").check();
	await text(page, "#config", (t) => t.includes("listen") && !t.includes("retries"));
}

// --- another service: nothing has happened, and something is wrong -------------

async function empty(bench, { url }) {
	const page = await bench.open("#/overview", { url });
	await live(page);
	// It is up until the name has been asked for.
	await text(page, "#verdict-word", (t) => t === "Degraded");
	await text(page, "#reasons", (t) => t.includes("glmproxy.invalid has no address yet"));
	await text(page, "#live", (t) => t === "No request is under way.");
	await text(page, "#quota", (t) => t.startsWith("Upstream has slowed nobody down"));
	await text(page, "#errors", (t) => t === "Nothing failed in this time.");
	assert.equal(await text(page, "#t-first"), "–");
	await page.getByRole("link", { name: "Requests" }).click();
	await text(page, "#requests", (t) => t === "There is no such request.");
	await noViolation(page);
}

export const cases = { colours, empty, filterDetailPaging, firstPaint, hostileNames, keyboard,
	lineCameBack, liveNumbers, phone, ranges, readers, system, watchLine, withoutCharts };
