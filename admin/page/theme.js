/* SPDX-License-Identifier: MIT */
/* theme.js - the colours that were chosen, before anything is painted. */
"use strict";
(() => {
	let theme = null;
	try {
		theme = localStorage.getItem("glmproxy-theme");
	} catch {
		/* Without a store the system's colours hold. */
	}
	if (theme === "light" || theme === "dark")
		document.documentElement.dataset.theme = theme;
})();
