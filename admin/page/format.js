/* SPDX-License-Identifier: MIT */
/* format.js - figures as text: [value, unit] or a string. No document here. */

const NONE = ["–", ""];
const THIN = "\u202f";

/* 1234567 as 1 234 567. */
export function whole(n) {
	return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, THIN);
}

/* About three digits. */
function digits(x) {
	const a = Math.abs(x);
	if (a === 0)
		return "0";
	if (a >= 99.95)
		return x.toFixed(0);
	return a >= 9.995 ? x.toFixed(1) : x.toFixed(2);
}

function scaled(x, base, units) {
	let i = 0;
	while (Math.abs(x) >= base * 0.9995 && i < units.length - 1) {
		x /= base;
		i++;
	}
	return [i === 0 && Number.isInteger(x) ? String(x) : digits(x), units[i]];
}

export function count(n) {
	if (n === null || n === undefined)
		return NONE;
	return Math.abs(n) < 10000 ? [whole(n), ""] : scaled(n, 1000, ["", "k", "M", "G", "T"]);
}

export function rate(x) {
	return Math.abs(x) < 10000 ? [Number.isInteger(x) ? whole(x) : digits(x), ""] : count(x);
}

export function bytes(n) {
	return n === null || n === undefined ? NONE :
		scaled(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
}

export function ms(t) {
	if (t === null || t === undefined)
		return NONE;
	if (t < 999.5)
		return [t < 9.95 && t > 0 ? t.toFixed(1) : t.toFixed(0), "ms"];
	if (t < 99950)
		return [digits(t / 1000), "s"];
	return [span(t / 1000), ""];
}

/* For an axis, where minutes are too long a word. */
export function axisMs(t) {
	return t < 1000 ? `${t} ms` : `${t / 1000} s`;
}

export const us = (t) => ms(t === null || t === undefined ? null : t / 1000);

/* Seconds as the two largest parts: 3 d 4 h. */
export function span(s) {
	const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
	let rest = Math.max(0, Math.round(s));
	const out = [];
	for (const [unit, size] of parts) {
		const n = Math.floor(rest / size);
		rest -= n * size;
		if (n > 0)
			out.push(`${n}\u00a0${unit}`);
		else if (out.length > 0)
			break;
		if (out.length === 2)
			break;
	}
	return out.length > 0 ? out.join(" ") : "0\u00a0s";
}

export function percent(x) {
	if (x === null || x === undefined || Number.isNaN(x))
		return NONE;
	return [x > 0 && x < 9.95 ? x.toFixed(1) : x.toFixed(0), "%"];
}

export const text = ([value, unit]) => (unit ? `${value}\u00a0${unit}` : value);

const two = (n) => String(n).padStart(2, "0");

export function day(date) {
	return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function clock(date) {
	return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/* Short where it is of today. */
export function moment(date, now = new Date()) {
	return day(date) === day(now) ? clock(date) : `${day(date)} ${clock(date)}`;
}

/* To minutes, as between from and to. */
export function minute(date) {
	return `${day(date)} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/* For input type=datetime-local, in local time. */
export const local = (date) => minute(date).replace(" ", "T");

export function plural(n, one, many) {
	return `${whole(n)} ${n === 1 ? one : many ?? `${one}s`}`;
}
