#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vocab.py RANKS OUT - make the vocabulary file that vocab.h describes.

RANKS is an encoder of the npm package tiktoken, e.g. cl100k_base.json: its
member bpe_ranks has lines "! FIRST_RANK TOKEN TOKEN ..." with tokens in base64.
"""

import base64
import json
import os
import struct
import sys

MAGIC, VERSION = b"GPVOCAB\0", 1
TOKEN_MAX, TOKENS_MAX, NAME_BYTES, ID_BITS = 128, (1 << 17) - 1, 24, 17
MULTIPLY, SUM_START = 0x9e3779b97f4a7c15, 0xcbf29ce484222325
MASK = (1 << 64) - 1
EMPTY = 0xffffffff


def step(h, w):
    h = ((h ^ w) * MULTIPLY) & MASK
    return h ^ h >> 32


def short_word(s):
    if len(s) == 8:
        return struct.unpack("<Q", s)[0]
    if len(s) >= 4:
        return (struct.unpack_from("<I", s)[0]
                | struct.unpack_from("<I", s, len(s) - 4)[0] << 32)
    if not s:
        return 0
    return s[0] | s[len(s) // 2] << 8 | s[-1] << 16


def hash_of(s):
    h, at = len(s), 0
    while len(s) - at > 8:
        h = step(h, struct.unpack_from("<Q", s, at)[0])
        at += 8
    return step(step(h, short_word(s[at:])), 0)


def read_ranks(text):
    """All tokens, each at its rank."""
    ranks = {}
    for line in text.split("\n"):
        words = line.split(" ")
        for i, word in enumerate(words[2:]):
            rank = int(words[1]) + i
            if rank in ranks:
                sys.exit("two tokens of rank %d" % rank)
            ranks[rank] = base64.b64decode(word, validate=True)
    tokens = [ranks.get(i, b"") for i in range(max(ranks) + 1)]
    if not all(1 <= len(t) <= TOKEN_MAX for t in tokens):
        sys.exit("a rank is missing, or a token is too long")
    if len(tokens) > TOKENS_MAX or len(set(tokens)) != len(tokens):
        sys.exit("too many tokens, or one twice")
    return tokens


def build(tokens, name):
    count = 1 << (2 * len(tokens) - 1).bit_length()
    slots = [EMPTY] * count
    ends, end = [], 0
    for i, token in enumerate(tokens):
        end += len(token)
        ends.append(end)
        h = hash_of(token)
        at = h & (count - 1)
        while slots[at] != EMPTY:
            at = (at + 1) & (count - 1)
        slots[at] = h >> (32 + ID_BITS) << ID_BITS | i
    rest = (name.encode().ljust(NAME_BYTES, b"\0")
            + struct.pack("<8x%dI" % len(ends), *ends)
            + struct.pack("<%dI" % count, *slots) + b"".join(tokens))
    rest += b"\0" * (-len(rest) % 8)
    sizes = struct.pack("<4I", VERSION, len(tokens), count, end)
    total = SUM_START
    for (word,) in struct.iter_unpack("<Q", sizes + rest):
        total = step(total, word)
    return MAGIC + sizes + struct.pack("<Q", total) + rest


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: vocab.py RANKS OUT")
    with open(sys.argv[1], encoding="utf-8") as f:
        tokens = read_ranks(json.load(f)["bpe_ranks"])
    name = os.path.basename(sys.argv[1]).rsplit(".", 1)[0]
    data = build(tokens, name)
    with open(sys.argv[2], "wb") as f:
        f.write(data)


if __name__ == "__main__":
    main()
