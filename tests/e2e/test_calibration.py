# SPDX-License-Identifier: MIT
"""What upstream's counts teach, and what keeps it.

The stand-in plays a model whose tokens are not quite those of the vocabulary:
it reports what the npm package tiktoken finds in the texts of a request, and
something for each message and tool, times a factor that nobody tells the
program. Texts are those that Debian's packages bring along.
"""

import gettext
import glob
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from tests.e2e import harness
from tests.e2e.chat import DIALECTS, Call, Tool, ask, user
from tests.e2e.harness import ROOT, Case, clean_env, wait_until

TIKTOKEN = os.path.join(ROOT, "build/vendor/tiktoken")
SUMS = os.path.join(ROOT, "tests/count/sums.cjs")
COUNT = "/v1/messages/count_tokens"
LESSONS, OTHERS = 20, 16
SMALLEST, LARGEST = 2000, 100000   # tokens of a request
POOL = 1500000                     # characters of a language
# What this upstream counts beside the texts.
PER_MESSAGE, PER_TOOL, PER_REQUEST = 3, 11, 17
VOCABULARY = os.path.join(os.path.dirname(harness.GLMPROXY), "glmproxy.vocab")
EXACT = "glmproxy_exact_counts_total"


# --- texts --------------------------------------------------------------------

def from_catalogues(language, translated):
    """What programs say, as they say it or as it was translated."""
    for path in sorted(glob.glob(
            "/usr/share/locale/%s/LC_MESSAGES/*.mo" % language)):
        try:
            with open(path, "rb") as f:
                catalogue = gettext.GNUTranslations(f)._catalog
        except (OSError, UnicodeError, ValueError):
            continue
        for key, text in catalogue.items():
            key = key[0] if isinstance(key, tuple) else key
            yield text if translated else key


def from_files(pattern):
    for path in sorted(glob.glob(pattern)):
        with open(path, encoding="utf-8", errors="ignore") as f:
            yield f.read(60000)


def pool(pieces):
    """So much text, without words that the reference takes long for."""
    out, size = [], 0
    for piece in pieces:
        out.append(piece)
        size += len(piece) + 1
        if size > POOL:
            break
    text = re.sub(r"(\S{3000})", r"\1\n", "\n".join(out))
    if len(text) < POOL // 10:
        raise AssertionError("too little text on this machine: install "
                             "binutils-common and gettext catalogues")
    return text


def make_pools():
    return {"english": pool(from_catalogues("ru", False)),
            "russian": pool(from_catalogues("ru", True)),
            "chinese": pool(from_catalogues("zh_CN", True)),
            "code": pool(from_files("/usr/include/*.h"))}


# Characters of a token, about: only the sizes of requests depend on it.
PER_TOKEN = {"english": 4, "russian": 2, "chinese": 1, "code": 3}


# --- requests -----------------------------------------------------------------

def as_upstream(value):
    """Models are shown JSON with blanks, however it came."""
    return json.dumps(value, ensure_ascii=False)


def spelled(body, i):
    """As different clients would send it."""
    layout = ({"separators": (",", ":")}, {"ensure_ascii": False},
              {"indent": 2})[i % 3]
    return json.dumps(body, **layout).encode()


class Request:
    """A conversation with tools, and the texts of which it is made."""

    def __init__(self, chance, pools, language, tokens):
        self.chance = chance
        self.text = pools[language]
        self.per_token = PER_TOKEN[language]
        self.texts, self.messages = [], 0
        self.tools = [self.tool(i) for i in range(chance.randint(1, 12))]
        self.turns = [("system", self.some(150))]
        left = tokens - 250 - 70 * len(self.tools)
        while left > 0:
            size = min(left, max(60, int(left * chance.uniform(.05, .5))))
            self.turns += self.round(size)
            left -= size
        self.turns.append(("user", self.some(50)))
        self.messages += 2

    def some(self, tokens):
        n = int(tokens * self.per_token)
        at = self.chance.randrange(max(len(self.text) - n, 1))
        text = self.text[at:at + n].strip() or "x"
        self.texts.append(text)
        return text

    def tool(self, i):
        name = "tool_%d" % i
        schema = {"type": "object", "required": ["path"], "properties": {
            k: {"type": "string", "description": self.some(8)}
            for k in ("path", "pattern")}}
        for k in ("path", "pattern"):
            self.texts.remove(schema["properties"][k]["description"])
        self.texts += [name, as_upstream(schema)]
        return Tool(name, schema, self.some(25))

    def round(self, tokens):
        """A question, then an answer or a call and its result."""
        self.messages += 2
        if self.chance.random() < .5:
            return [("user", self.some(tokens * .4)),
                    ("assistant", self.some(tokens * .6))]
        self.messages += 1
        args = as_upstream({"path": self.some(20), "pattern": "*.c"})
        self.texts.pop()
        call = Call("c%d" % self.chance.randrange(1 << 40),
                    self.tools[-1].name, args)
        self.texts += [call.name, args]
        return [("user", self.some(tokens * .2)),
                ("assistant", self.some(tokens * .1), [call]),
                ("results", [(call.id, self.some(tokens * .7))])]

    def overhead(self):
        return (PER_REQUEST + PER_MESSAGE * self.messages
                + PER_TOOL * len(self.tools))

    def body(self, client, **more):
        return DIALECTS[client].body(self.turns, tools=self.tools, **more)


def make_requests(n, seed):
    """Sizes and languages mixed, with what the reference counts in them."""
    chance = random.Random(seed)
    pools = make_pools()
    languages = sorted(pools)
    out = []
    for i in range(n):
        size = SMALLEST * (LARGEST / SMALLEST) ** chance.random()
        if i % 10 == 0:
            size = (SMALLEST, LARGEST)[i // 10 % 2]
        out.append(Request(chance, pools, languages[i % 4], int(size)))
    got = subprocess.run(
        ["node", SUMS, TIKTOKEN], check=True, stdout=subprocess.PIPE,
        input=json.dumps([r.texts for r in out]).encode(), timeout=120,
        env=clean_env())
    for request, tokens in zip(out, json.loads(got.stdout)):
        request.tokens = tokens + request.overhead()
    chance.shuffle(out)
    return out


def has_reference():
    return os.path.isdir(TIKTOKEN) and shutil.which("node") is not None


class Learning(Case):
    config = {"forward_count_to_upstream": "false"}

    def learner(self, with_vocabulary=True, **more):
        """A program of its own, which knows nothing yet."""
        folder = tempfile.mkdtemp(prefix="glmproxy-copy-")
        self.addCleanup(shutil.rmtree, folder)
        program = shutil.copy2(harness.GLMPROXY, folder)
        if with_vocabulary:
            shutil.copy2(VOCABULARY, folder)
        proxy = self.own_proxy(self.config, start=False, **more)
        proxy.argv[0] = program
        proxy.start()
        return proxy

    def exact_counts(self, proxy):
        return proxy.metrics()[EXACT]

    def teach(self, proxy, client, body, tokens, raw=None):
        """A chat that upstream counts so, until it has been learned from."""
        before = self.exact_counts(proxy)
        self.standin.play_next("text in=%d out=7" % tokens)
        if raw is None or body.get("stream"):
            r = ask(proxy.address, client, body)
        else:
            r = proxy.post(DIALECTS[client].path, raw)
        self.assertEqual(r.status, 200, r)
        wait_until(lambda: self.exact_counts(proxy) > before, "the lesson",
                   60)

    def count(self, proxy, body):
        r = proxy.post(COUNT, body)
        self.assertEqual(r.status, 200, r)
        return r.json()["input_tokens"]


@unittest.skipUnless(has_reference(), "no reference: see `make test-deps`")
class Factors(Learning):
    """Within 3 % after 20 others, whatever upstream's tokens are."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.requests = make_requests(LESSONS + OTHERS, 4)

    def check_factor(self, factor):
        exact, quick = self.learner(), self.learner(False)
        lessons, others = self.requests[:LESSONS], self.requests[LESSONS:]
        for i, r in enumerate(lessons):
            client, real = "AO"[i % 2], round(r.tokens * factor)
            body = r.body(client, stream=i % 4 == 0)
            self.teach(exact, client, body, real, spelled(body, i))
            self.standin.play_next("text in=%d out=7" % real)
            ask(quick.address, client, body)
        worst, guessed = (sorted(
            abs(self.count(p, spelled(r.body("A"), i)) / (r.tokens * factor)
                - 1) * 100
            for i, r in enumerate(others)) for p in (exact, quick))
        print("# factor %.1f: %d requests of %d to %d tokens after %d others: "
              "counts are off by at most %.2f %%; without the vocabulary by "
              "at most %.0f %%, half of them by %.0f %%" % (
                  factor, len(others), min(r.tokens for r in others),
                  max(r.tokens for r in others), LESSONS, worst[-1],
                  guessed[-1], guessed[len(guessed) // 2]), flush=True)
        self.assertLess(worst[-1], 3)

    def test_fewer(self):
        self.check_factor(0.7)

    def test_more(self):
        self.check_factor(1.4)

    def test_untaught(self):
        """Without lessons the factor shows: the test can fail."""
        r = self.requests[0]
        n = self.count(self.learner(), r.body("A"))
        self.assertGreater(abs(n / (r.tokens * 0.7) - 1), 0.3)
        self.assertLess(abs(n / r.tokens - 1), 0.05)


@unittest.skipUnless(os.path.exists(VOCABULARY), "no vocabulary: see `make deps`")
class Kept(Learning):
    """By shared memory: processes come and go."""
    TEXT = "A line of text that counts.\n" * 150

    def setUp(self):
        super().setUp()
        self.keeper = self.learner()
        self.body = DIALECTS["A"].body(user(self.TEXT))
        self.untaught = self.count(self.keeper, self.body)
        self.teach(self.keeper, "A", self.body, self.untaught * 2)
        self.check_kept()

    def check_kept(self):
        self.assertAlmostEqual(self.count(self.keeper, self.body),
                               self.untaught * 2, delta=1)

    def log_end(self):
        return len(self.keeper.process.log())

    def test_reload(self):
        at = self.log_end()
        os.kill(self.keeper.pid, signal.SIGHUP)
        self.keeper.process.wait_log(r"ready: .*generation 2", after=at)
        self.check_kept()

    def test_crash(self):
        self.expect_log(r"worker.*(signal 9|killed)", r"died|ended")
        old = self.keeper.children("worker")
        os.kill(old[0], signal.SIGKILL)
        wait_until(lambda: [p for p in self.keeper.children("worker")
                            if p not in old], "another worker")
        self.check_kept()

    def test_other_program(self):
        at = self.log_end()
        os.kill(self.keeper.pid, signal.SIGUSR2)
        self.keeper.process.wait_log(r"ready: .*generation 2", after=at)
        self.check_kept()


if __name__ == "__main__":
    unittest.main()
