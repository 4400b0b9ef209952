// SPDX-License-Identifier: MIT
// reference.cjs FOLDER_OF_TIKTOKEN FILE... - writes beside each FILE, as
// FILE.ids, what encode_ordinary of the npm package makes of it: a number a
// line. The files are valid UTF-8.
'use strict';
const fs = require('fs');
const path = require('path');
const { get_encoding } = require(path.join(process.argv[2], 'tiktoken.cjs'));

const encoding = get_encoding('cl100k_base');
for (const file of process.argv.slice(3)) {
	const bytes = fs.readFileSync(file);
	const text = new TextDecoder('utf-8', {
		fatal: true, ignoreBOM: true }).decode(bytes);
	const ids = encoding.encode_ordinary(text);
	fs.writeFileSync(file + '.ids', ids.length === 0 ? '' : ids.join('\n') + '\n');
}
encoding.free();
