/* SPDX-License-Identifier: MIT */
/* dom.js - elements. Text of peers only ever becomes text nodes. */

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

function fill(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value === undefined || value === null || value === false)
			continue;
		if (typeof value === "function")
			element.addEventListener(name, value);
		else
			element.setAttribute(name, value === true ? "" : value);
	}
	/* append() makes text nodes of strings. */
	element.append(...children.flat().filter((c) => c !== null && c !== undefined));
	return element;
}

/* h("a", { href: "#/" }, "text", node): an element. */
export function h(tag, attributes, ...children) {
	return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
	return fill(document.createElementNS(SVG, tag), attributes, children);
}

/* Write a text only if it is another: nothing flickers, selections stay. */
export function put(element, text) {
	const next = String(text);
	if (element.textContent !== next)
		element.textContent = next;
}

/* A name of a peer: its direction is its own, and if it is long its begin is
 * shown and all of it is the tooltip. */
export function name(text, none = "–") {
	if (text === "")
		return h("span", { class: "quiet" }, none);
	return h("bdi", { class: "short", title: text.length > 48 ? text : null }, text);
}

/* A number and its unit, which may be read apart. */
export function figure([value, unit], title) {
	return h("span", { title: title ?? null }, value,
		unit ? h("span", { class: "u" }, `\u00a0${unit}`) : null);
}

/* A list of facts: [term, text or node]. What is null is left out. */
export function facts(list, rows) {
	list.replaceChildren(...rows.filter((r) => r && r[1] !== null && r[1] !== undefined)
		.map(([term, value]) => h("div", null, h("dt", null, term), h("dd", null, value))));
}

/* What can be scrolled can be reached with the keyboard. */
function mind(box, label) {
	const scrolls = box.scrollWidth > box.clientWidth + 1 ||
		box.scrollHeight > box.clientHeight + 1;
	if (scrolls === box.hasAttribute("tabindex"))
		return;
	if (!scrolls) {
		box.removeAttribute("tabindex");
		box.removeAttribute("role");
		box.removeAttribute("aria-label");
		return;
	}
	fill(box, { tabindex: "0", role: "region", "aria-label": label }, []);
}

/*
 * A table in a box. columns: { title, cell(row), n: a number, head: names the
 * row, class }. set(rows) shows them, or the sentence if there are none; rows
 * that have not changed stay the same elements.
 */
export function table(box, caption, columns, none) {
	const body = h("tbody");
	const label = h("caption", { class: "unseen" }, caption);
	const whole = h("table", null, label,
		h("thead", null, h("tr", null, columns.map((c) =>
			h("th", { scope: "col", class: c.n ? "n" : null }, c.title)))),
		body);
	const empty = h("p", { class: "none" }, none);
	const cells = (row) => columns.map((c) => h(c.head ? "th" : "td",
		{ scope: c.head ? "row" : null, class: c.n ? "n" : c.class },
		c.cell(row)));

	new ResizeObserver(() => mind(box, caption)).observe(box);
	return {
		set(rows, rowClass) {
			const next = rows.map((row) =>
				h("tr", { class: rowClass?.(row) }, cells(row)));
			for (const [i, tr] of next.entries()) {
				const old = body.children[i];
				if (!old)
					body.append(tr);
				else if (!old.isEqualNode(tr))
					old.replaceWith(tr);
			}
			while (body.children.length > next.length)
				body.lastElementChild.remove();
			const shown = rows.length > 0 ? whole : empty;
			if (box.firstElementChild !== shown || box.childElementCount !== 1)
				box.replaceChildren(shown);
			mind(box, caption);
		},
		fail(text) {
			box.replaceChildren(h("p", { class: "none bad" }, text));
		},
		empty(text) {
			put(empty, text);
		},
	};
}

/* A bar for a share of 1, beside its figure: only to look at. */
export function share(part) {
	const width = Math.max(0, Math.min(1, part)) * 100;
	return svg("svg", { class: "share", viewBox: "0 0 100 10", preserveAspectRatio: "none",
		"aria-hidden": "true" },
	svg("rect", { width: width.toFixed(1), height: "10" }));
}
