# SPDX-License-Identifier: MIT
"""run_reference.py - `glmproxy count --ids` beside the npm package tiktoken.

At least 5 MB: code, English and Chinese from Debian packages; emoji, base64,
long runs and random characters made with a fixed seed. No run without a blank
is over 5 kB, for the reference takes quadratic time there. The last line
printed is `N passed, N failed`.
"""

import base64
import glob
import os
import random
import re
import subprocess
import sys
import tempfile

from tests.e2e.harness import GLMPROXY, ROOT, clean_env

TIKTOKEN = os.path.join(ROOT, "build/vendor/tiktoken")
SCRIPT = os.path.join(ROOT, "tests/count/reference.cjs")
RUN_MAX = 4000
TOTAL_MIN = 5 << 20
REFERENCE_S, OWN_S = 120, 60


# --- what is counted --------------------------------------------------------

def from_files(limit, *patterns):
    """The beginnings of files, in order of their names, each file once."""
    seen, size = set(), 0
    for pattern in patterns:
        for path in sorted(glob.glob(pattern, recursive=True)):
            if os.path.realpath(path) in seen or not os.path.isfile(path):
                continue
            seen.add(os.path.realpath(path))
            with open(path, "rb") as f:
                data = f.read(limit // 8)
            if path.endswith(".gz"):
                data = subprocess.run(["zcat", path], check=True,
                                      stdout=subprocess.PIPE).stdout
            yield data.decode("utf-8", "ignore")
            size += len(data)
            if size >= limit:
                return


def emoji(chance):
    faces = [chr(c) for c in (*range(0x1f300, 0x1f6ff), *range(0x1f900, 0x1faff),
                              *range(0x2600, 0x27bf))]
    joins = ["", "", "", "\u200d", "\ufe0f", "\U0001f3fd", " ", " ok "]
    for _ in range(60000):
        yield chance.choice(faces) + chance.choice(joins)


def in_base64(chance):
    for _ in range(250):
        yield base64.b64encode(chance.randbytes(chance.randint(1, 2900))).decode()
        yield chance.choice(["\n", " ", "\r\n\r\n"])


def character(chance):
    """Any code point but surrogates, the planes with letters more often."""
    while True:
        c = chance.randrange(chance.choice([0x80, 0x3000, 0x20000, 0x110000]))
        if not 0xd800 <= c < 0xe000:
            return chr(c)


def at_random(chance):
    for _ in range(400000):
        yield character(chance)


def mixed(chance):
    """What the alternatives of the pattern are about, in every order."""
    blanks = [" ", "  ", "\n", "\r\n", "\n \n", "\t", "\u3000", "\xa0 ", "\x85"]
    tails = ["s", "S", "re", "LL", "\u017f", "d", "x", "Ve", "m", "t", ""]
    kinds = (
        lambda: chance.choice(blanks) * chance.randint(1, 4),
        lambda: "'" + chance.choice(tails),
        lambda: "".join(chance.choices("abcdeXYZ\u00e9\u4e2d", k=chance.randint(1, 12))),
        lambda: str(chance.randrange(10 ** chance.randint(1, 12))),
        lambda: "".join(chance.choices(".,;!?-_=*/\\\"()[]{}", k=chance.randint(1, 6))),
        lambda: character(chance))
    for _ in range(150000):
        yield chance.choice(kinds)()


def runs(chance):
    """Words without end, where windows are joined."""
    for _ in range(60):
        word = "".join(chance.choices("aAbe0\u4e2d=- ", k=chance.randint(1, 3)))
        yield word * chance.randint(200, RUN_MAX // 3 // len(word.encode()) + 200)
        yield "\n"
    for letters in ("ab", "etaoinshrdlu", "\u7684\u4e00\u662f\u5728", "()[]{}"):
        for _ in range(6):
            yield "".join(chance.choices(letters, k=1300)) + "\n"


def corpora():
    made = {
        "english": from_files(
            1200000, "/usr/share/common-licenses/*", "/usr/share/perl/*/**/*.pod",
            "/usr/share/perl/*/**/*.pm"),
        "c": from_files(1000000, "/usr/include/*.h", "/usr/include/linux/*.h"),
        "python": from_files(1000000, os.path.dirname(os.__file__) + "/*.py"),
        "chinese": from_files(
            1200000, "/usr/share/games/fortunes/*",
            "/usr/share/man/zh_CN/man[1-8]/*.gz"),
        "emoji": emoji(random.Random(1)), "base64": in_base64(random.Random(2)),
        "random": at_random(random.Random(3)), "mixed": mixed(random.Random(4)),
        "runs": runs(random.Random(5)), "nothing": []}
    for name, pieces in made.items():
        text = re.sub(r"(\S{%d})" % RUN_MAX, r"\1\n", "".join(pieces))
        yield name, text.encode()


# --- comparing --------------------------------------------------------------

def own_ids(data):
    return subprocess.run([GLMPROXY, "count", "--ids"], input=data, check=True,
                          stdout=subprocess.PIPE, env=clean_env(),
                          timeout=OWN_S).stdout


def own_count(data):
    return int(subprocess.run([GLMPROXY, "count"], input=data, check=True,
                              stdout=subprocess.PIPE, env=clean_env(),
                              timeout=OWN_S).stdout)


def compare(name, data, wanted):
    """What is wrong, or None."""
    found = own_ids(data)
    if found != wanted:
        pairs = zip(found.split(), wanted.split())
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), "the end")
        return "%s: ids differ from number %s on" % (name, at)
    if own_count(data) != wanted.count(b"\n"):
        return "%s: the count is not that of the ids" % name
    return None


def main():
    passed = failed = total = 0
    with tempfile.TemporaryDirectory() as folder:
        texts = dict(corpora())
        paths = [os.path.join(folder, name) for name in texts]
        for path, data in zip(paths, texts.values()):
            with open(path, "wb") as f:
                f.write(data)
        subprocess.run(["node", SCRIPT, TIKTOKEN, *paths], check=True,
                       stdin=subprocess.DEVNULL, env=clean_env(),
                       timeout=REFERENCE_S)
        for path, (name, data) in zip(paths, texts.items()):
            with open(path + ".ids", "rb") as f:
                wanted = f.read()
            wrong = compare(name, data, wanted)
            print("# %s: %d bytes, %d tokens" % (
                name, len(data), wanted.count(b"\n")))
            total += len(data)
            passed += wrong is None
            failed += wrong is not None
            if wrong:
                print(wrong)
        for name in ("english", "c", "python", "chinese"):
            if len(texts[name]) < 200000:
                failed += 1
                print("%s: too little text on this machine" % name)
    if total < TOTAL_MIN:
        failed += 1
        print("only %d bytes in all" % total)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, subprocess.SubprocessError) as err:
        print("# %s" % err)
        print("0 passed, 1 failed")
        sys.exit(1)
