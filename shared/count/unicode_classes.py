#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""unicode_classes.py - letters, numbers and white space of Unicode 16.0.

    unicode_classes.py           write unicode_classes.c beside this file
    unicode_classes.py --check   fail unless that is what is there

Reads Debian's package unicode-data, of whatever version. The vocabulary's
reference implementation goes by Unicode 16.0: what later versions added is
left out, what 15.0 (Debian 12) and 15.1 (Debian 13) lack is in ADDED.
"""

import os
import re
import sys

DATA = "/usr/share/unicode"
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                   "unicode_classes.c")
VERSION = (16, 0)
OTHER, LETTER, NUMBER, SPACE = range(4)
LAST = 0x10ffff
BLOCK = 128  # code points
WORD = 32    # of two bits each

# First and last code point that Unicode 15.1 and 16.0 added.
ADDED = {
    LETTER: """
        1c89-1c8a a7cb-a7cd a7da-a7dc 105c0-105f3 10d4a-10d65 10d6f-10d85
        10ec2-10ec4 11380-11389 1138b-1138b 1138e-1138e 11390-113b5
        113b7-113b7 113d1-113d1 113d3-113d3 11bc0-11be0 13460-143fa
        16100-1611d 16d40-16d6c 18cff-18cff 1e5d0-1e5ed 1e5f0-1e5f0
        2ebf0-2ee5d""",
    NUMBER: """
        10d40-10d49 116d0-116e3 11bf0-11bf9 16130-16139 16d70-16d79
        1ccf0-1ccf9 1e5f1-1e5fa""",
}


def rows(name):
    """Fields of each line, without comments."""
    with open(os.path.join(DATA, name), encoding="utf-8") as f:
        for line in f:
            line = line.split("#", 1)[0].strip()
            if line:
                yield [field.strip() for field in line.split(";")]


def points(text):
    first, _, last = text.replace("..", "-").partition("-")
    return range(int(first, 16), int(last or first, 16) + 1)


def read_classes():
    classes = [OTHER] * (LAST + 1)
    first = 0
    for fields in rows("UnicodeData.txt"):
        code, name, category = int(fields[0], 16), fields[1], fields[2]
        kind = {"L": LETTER, "N": NUMBER}.get(category[0], OTHER)
        if name.endswith("First>"):
            first = code
            continue
        for c in range(first if name.endswith("Last>") else code, code + 1):
            classes[c] = kind
    for fields in rows("PropList.txt"):
        if fields[1] == "White_Space":
            for c in points(fields[0]):
                classes[c] = SPACE
    for fields in rows("DerivedAge.txt"):
        if tuple(int(n) for n in fields[1].split(".")) > VERSION:
            for c in points(fields[0]):
                classes[c] = OTHER
    for kind, ranges in ADDED.items():
        for part in ranges.split():
            for c in points(part):
                classes[c] = kind
    return classes


def block_words(block):
    for at in range(0, BLOCK, WORD):
        yield sum(kind << 2 * i for i, kind in enumerate(block[at:at + WORD]))


def lines(numbers, per_line):
    for at in range(0, len(numbers), per_line):
        yield "\t" + " ".join(n + "," for n in numbers[at:at + per_line])


def make():
    classes = read_classes()
    blocks, index = [], []
    for at in range(0, LAST + 1, BLOCK):
        block = tuple(classes[at:at + BLOCK])
        if block not in blocks:
            blocks.append(block)
        index.append(blocks.index(block))
    # Behind the last block that differs all are alike.
    while len(index) > 1 and index[-1] == index[-2]:
        index.pop()
    # Again in groups, for most of the planes are alike too.
    size = 32
    index += [index[-1]] * (-len(index) % size)
    groups, top = [], []
    for at in range(0, len(index), size):
        group = tuple(index[at:at + size])
        if group not in groups:
            groups.append(group)
        top.append(groups.index(group))
    words = ["0x%016x" % w for b in blocks for w in block_words(b)]
    return "\n".join([
        "/* SPDX-License-Identifier: MIT */",
        "/* unicode_classes.c - made by unicode_classes.py; do not edit. */",
        '#include "shared/count/unicode_classes.h"',
        "",
        "/* clang-format off */",
        "const uint8_t unicode_top[UNICODE_TOP] = {",
        *lines([str(n) for n in top], 18),
        "};",
        "",
        "const uint8_t unicode_groups[UNICODE_GROUPS * UNICODE_GROUP] = {",
        *lines([str(n) for g in groups for n in g], 16),
        "};",
        "",
        "const uint64_t unicode_words[UNICODE_WORDS] = {",
        *lines(["UINT64_C(%s)" % w for w in words], 2),
        "};",
        ""]), len(top), len(groups), len(words)


def main():
    text, top, groups, words = make()
    with open(OUT[:-1] + "h", encoding="ascii") as f:
        header = f.read()
    for name, value in (("TOP", top), ("GROUPS", groups), ("WORDS", words)):
        if not re.search(r"UNICODE_%s\s+%d\b" % (name, value), header):
            sys.exit("unicode_classes.h: UNICODE_%s must be %d" % (name, value))
    if sys.argv[1:] == ["--check"]:
        with open(OUT, encoding="ascii") as f:
            if f.read() != text:
                sys.exit("unicode_classes.c is not what unicode_classes.py "
                         "makes of " + DATA)
        return
    with open(OUT, "w", encoding="ascii") as f:
        f.write(text)


if __name__ == "__main__":
    main()
