// SPDX-License-Identifier: MIT
// sums.cjs FOLDER_OF_TIKTOKEN - reads a JSON array of arrays of texts, prints
// one of the tokens that encode_ordinary of the npm package finds in each.
'use strict';
const fs = require('fs');
const path = require('path');
const { get_encoding } = require(path.join(process.argv[2], 'tiktoken.cjs'));

const encoding = get_encoding('cl100k_base');
const lists = JSON.parse(fs.readFileSync(0, 'utf8'));
console.log(JSON.stringify(lists.map((texts) => texts.reduce(
	(sum, text) => sum + encoding.encode_ordinary(text).length, 0))));
encoding.free();
