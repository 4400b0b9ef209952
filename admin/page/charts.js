/* SPDX-License-Identifier: MIT */
/* charts.js - charts by uPlot, if it is there; the same as tables always. */
import { $, h, table } from "./dom.js";
import { minute } from "./format.js";

const HEIGHT = 200;
const has_charts = document.documentElement.dataset.charts === "yes";
let library = null;

/* The library is a plain script and says its name to the window. */
function load() {
	library ??= new Promise((done, failed) => {
		const script = h("script", { src: new URL("uplot.js", import.meta.url) });
		script.addEventListener("load", () => done(globalThis.uPlot));
		script.addEventListener("error", () => failed(new Error("no library")));
		const style = h("link", { rel: "stylesheet", href: new URL("uplot.css", import.meta.url) });
		document.head.prepend(style);
		document.head.append(script);
	});
	return library;
}

/* Steps of an axis that counts: it has no halves. */
const WHOLE = Array.from({ length: 15 }, (_, p) => [1, 2, 5].map((n) => n * 10 ** p)).flat();

/* Days where they are what matters, else the time of day. */
function times(u, splits, axis, space, step_s) {
	let last = "";
	return splits.map((t) => {
		const text = minute(new Date(t * 1000));
		const date = text.slice(5, 10);
		const shown = step_s >= 86400 || date !== last && last !== "" ? date : text.slice(11);
		last = date;
		return shown;
	});
}

/* Where dots are drawn: on few values on all, else on those that no line
 * leads to. */
function dots(values) {
	const is_dense = values.length >= 40;
	return [...values.keys()].filter((i) => values[i] !== null &&
		!(is_dense && ((values[i - 1] ?? null) !== null || (values[i + 1] ?? null) !== null)));
}

/* Whole decades, one at least: also around values that are all the same. */
function decades(u, min, max) {
	const low = Math.floor(Math.log10(Math.max(min ?? 1, 1)));
	const high = Math.ceil(Math.log10(Math.max(max ?? 1, 1)));
	return [10 ** low, 10 ** Math.max(high, low + 1)];
}

const colour = (name) =>
	getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* Each series on top of those before it: the sums, the last first, since what
 * is drawn later covers what was drawn before. */
function stack(time, series) {
	const sums = [];
	let below = time.map(() => 0);
	for (const s of series) {
		below = s.values.map((v, i) => (v ?? 0) + below[i]);
		sums.unshift(below);
	}
	return sums;
}

function axes(chart, has_right) {
	const grid = { stroke: colour("--hair"), width: 1 };
	const common = { stroke: colour("--quiet"), font: "11px system-ui, sans-serif", grid,
		ticks: { ...grid, size: 4 } };
	const values = (format) => (u, splits) =>
		splits.map((v) => (v === null ? "" : format(v)));
	const out = [
		{ ...common, space: 64, size: 34, values: times },
		{ ...common, size: 58, incrs: chart.is_log ? undefined : WHOLE, values: values(chart.format_axis ?? chart.format) },
	];
	if (has_right)
		out.push({ ...common, side: 1, scale: "right", size: 58, grid: { show: false }, incrs: WHOLE,
			values: values(chart.format) });
	return out;
}

function options(uPlot, chart, width, picked) {
	const { time, series, step_s, from_s, to_s } = chart.data;
	const is_stack = chart.kind === "bars";
	const bars = series.filter((s) => !s.is_line);
	const drawn = is_stack ? [...bars].reverse() : bars;
	const lines = series.filter((s) => s.is_line);
	const has_right = lines.length > 0 && is_stack;
	const described = (s, more) => ({
		label: s.label,
		value: (u, v, k, i) => (i === null || i === undefined ? "" : s.values[i] === null ?
			"–" : (s.format ?? chart.format)(s.values[i])),
		...more,
	});
	const line = (s) => described(s, {
		stroke: colour(s.colour), width: 2, dash: s.dash, spanGaps: false,
		scale: has_right ? "right" : "y",
		points: { show: true, size: 5, fill: colour(s.colour), filter: () => dots(s.values) },
	});

	return {
		width, height: HEIGHT, cursor: {
			drag: { x: true, y: false, setScale: false },
			sync: { key: "time", filters: { pub: (type) => !type.startsWith("mouse") || type === "mousemove" || type === "mouseleave" } },
		},
		legend: { live: true },
		scales: {
			x: { time: true, min: from_s, max: to_s, auto: false,
				range: () => [from_s - step_s * 0.5, to_s + step_s * 0.5] },
			y: chart.is_log ? { distr: 3, log: 10, range: decades } :
				{ range: (u, min, max) => [0, max > 0 ? max * 1.08 : 1] },
			right: { range: (u, min, max) => [0, max > 0 ? max * 1.08 : 1] },
		},
		axes: axes(chart, has_right),
		series: [
			{ label: "From", value: (u, v, k, i) => (i === null || i === undefined ?
				"" : minute(new Date(time[i] * 1000))) },
			...(is_stack ? drawn.map((s) => described(s, {
				fill: colour(s.colour), width: 0, points: { show: false },
				paths: uPlot.paths.bars({ size: [0.82, 60] }),
			})) : drawn.map(line)),
			...(is_stack ? lines.map(line) : []),
		],
		hooks: {
			setSelect: [(u) => {
				if (u.select.width < 4)
					return;
				const from = u.posToVal(u.select.left, "x");
				const to = u.posToVal(u.select.left + u.select.width, "x");
				u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
				picked(from, to);
			}],
		},
	};
}

function dataOf(chart) {
	const { time, series } = chart.data;
	const bars = series.filter((s) => !s.is_line);
	const lines = series.filter((s) => s.is_line).map((s) => s.values);
	if (chart.kind === "bars")
		return [time, ...stack(time, bars), ...lines];
	return [time, ...series.map((s) => s.values)];
}

/*
 * A place for a chart: title, what it shows in words, kind "bars" (stacked,
 * lines on a scale of their own) or "lines", format of a value. show(data)
 * draws it: { time, step_s, from_s, to_s, series: [{ label, colour, values,
 * is_line, dash }] }. picked(from_s, to_s): a time was dragged.
 */
export function place(chart, picked) {
	const plot = h("div", { class: "plot", "aria-hidden": "true" });
	const rows = h("div");
	const more = h("details", null, h("summary", null, "As a table"), rows);
	const word = h("span", { class: "quiet" }, chart.word);
	const figure = h("figure", { class: "chart" },
		h("figcaption", null, h("h3", null, chart.title), word),
		has_charts ? plot : null, more);
	let drawn = null;
	let wants = 0;

	function drop() {
		drawn?.destroy();
		drawn = null;
	}

	function tabulate() {
		const { time, series } = chart.data;
		const shown = time.map((t, i) => i)
			.filter((i) => series.some((s) => s.values[i]))
			.reverse();
		const t = table(rows, chart.title, [
			{ title: "From", head: true, cell: (i) => minute(new Date(time[i] * 1000)) },
			...series.map((s) => ({ title: s.label, n: true,
				cell: (i) => (s.values[i] === null ? "–" : (s.format ?? chart.format)(s.values[i])) })),
		], "Nothing in this time.");
		t.set(shown);
	}

	const is_empty = () => !chart.data.series.some((s) => s.values.some((v) => v > 0));

	async function draw() {
		const now = ++wants;
		plot.classList.toggle("empty", is_empty());
		if (is_empty()) {
			drop();
			plot.replaceChildren("Nothing in this time.");
			return;
		}
		const uPlot = await load().catch(() => null);
		if (uPlot === null) {
			plot.hidden = true;
			$("no-charts").hidden = false;
			return;
		}
		/* Another drawing has begun meanwhile, or nobody looks. */
		if (now !== wants || plot.clientWidth === 0)
			return;
		drop();
		plot.replaceChildren();
		drawn = new uPlot(options(uPlot, chart, plot.clientWidth, picked), dataOf(chart), plot);
	}

	new ResizeObserver(() => {
		if (!chart.data || plot.clientWidth === 0)
			return;
		if (drawn === null && !is_empty())
			draw();
		else if (drawn !== null && drawn.width !== plot.clientWidth)
			drawn.setSize({ width: plot.clientWidth, height: HEIGHT });
	}).observe(plot);
	more.addEventListener("toggle", () => {
		if (more.open && chart.data)
			tabulate();
	});
	if (!has_charts) {
		$("no-charts").hidden = false;
		more.open = true;
	}
	return {
		figure,
		show(data) {
			chart.data = data;
			if (more.open)
				tabulate();
			if (has_charts)
				draw();
		},
		/* In other colours. */
		again() {
			if (chart.data && has_charts)
				draw();
		},
	};
}
