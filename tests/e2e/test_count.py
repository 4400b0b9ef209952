# SPDX-License-Identifier: MIT
"""`glmproxy count`: tokens of texts and requests."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from tests.e2e.harness import GLMPROXY, clean_env, run_program

DONE, FAILED, USAGE = 0, 1, 64
CHAT = {"model": "glm-4.6", "messages": [
    {"role": "system", "content": "Be terse."},
    {"role": "user", "content": "What is in \u4e2d\u6587?\n"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "type": "function", "function": {
            "name": "look", "arguments": '{"at": "a\\nb"}'}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "12345"}],
    "tools": [{"type": "function", "function": {
        "name": "look", "description": "Looks.", "parameters": {"type": "object"}}}]}
MESSAGES = {"model": "glm-4.6", "max_tokens": 5, "system": "Be terse.", "messages": [
    {"role": "user", "content": "What is in \u4e2d\u6587?\n"},
    {"role": "assistant", "content": [
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "a\nb"}}]},
    {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "c1", "content": "12345"}]}],
    "tools": [{"name": "look", "description": "Looks.",
               "input_schema": {"type": "object"}}]}


def count(*args, stdin=b""):
    r = run_program("count", *args, stdin=stdin)
    if r.returncode != DONE:
        raise AssertionError(r.stderr.decode())
    return r.stdout.decode()


def ask(request, dialect, ascii_only):
    return int(count("--request", "--from", dialect, stdin=json.dumps(
        request, ensure_ascii=ascii_only).encode()))


class Exact(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(os.path.join(os.path.dirname(GLMPROXY),
                                           "glmproxy.vocab")):
            raise unittest.SkipTest("no vocabulary: see `make deps`")

    def test_text(self):
        # What the npm package tiktoken says.
        for text, ids in (("", []), ("Hello world", [9906, 1917]),
                          ("don't 12345", [15357, 956, 220, 4513, 1774])):
            words = [str(i) for i in ids]
            self.assertEqual(count(stdin=text.encode()), "%d\n" % len(ids))
            self.assertEqual(count("--ids", stdin=text.encode()).split(), words)
            self.assertEqual(json.loads(count("--json", "--ids",
                                              stdin=text.encode())), {
                "tokens": len(ids), "estimated": False,
                "bytes": len(text.encode()), "ids": ids})

    def test_bytes_that_are_no_text(self):
        data = bytes(range(256)) * 3
        self.assertGreater(int(count(stdin=data)), 256)

    def test_a_request_counts_the_same_in_each_dialect_and_spelling(self):
        found = {ask(r, d, a) for r, d in ((CHAT, "openai"), (MESSAGES, "anthropic"))
                 for a in (False, True)}
        self.assertEqual(len(found), 1, found)
        texts = ["Be terse.", "What is in \u4e2d\u6587?\n", "look",
                 '{"at": "a\nb"}', "12345", "look", "Looks.", '{"type": "object"}']
        parts = sum(int(count(stdin=t.encode())) for t in texts)
        self.assertEqual(found, {parts + 4 * 4 + 8})

    def test_version_names_the_vocabulary(self):
        self.assertIn(b"vocabulary: cl100k_base, 100256 tokens\n",
                      run_program("version").stdout)


class Without(unittest.TestCase):
    """A copy of the program in a folder of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.copy = shutil.copy(GLMPROXY, self.folder)
        if os.path.exists("/usr/share/glmproxy/glmproxy.vocab"):
            self.skipTest("a vocabulary is installed")

    def run_copy(self, *args, stdin=b""):
        return subprocess.run([self.copy, *args], input=stdin, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=clean_env(), timeout=30)

    def test_estimates_and_says_so(self):
        r = self.run_copy("count", stdin=b"x" * 36)
        self.assertEqual((r.returncode, r.stdout), (DONE, b"10\n"))
        self.assertIn(b"an estimate", r.stderr)
        r = self.run_copy("count", "--json", stdin=b"x" * 36)
        self.assertTrue(json.loads(r.stdout)["estimated"])
        self.assertIn(b"token counts are estimates",
                      self.run_copy("version").stdout)
        r = self.run_copy("count", "--ids", stdin=b"x")
        self.assertEqual((r.returncode, r.stdout), (FAILED, b""))

    def test_a_damaged_vocabulary_is_none(self):
        path = os.path.join(self.folder, "glmproxy.vocab")
        for data, reason in ((b"", b"right size"), (b"x" * 100, b"not a vocab"),
                             (b"GPVOCAB\0" + b"\1" * 80, b"another version")):
            with open(path, "wb") as f:
                f.write(data)
            r = self.run_copy("count", stdin=b"x" * 36)
            self.assertEqual((r.returncode, r.stdout), (DONE, b"10\n"))
            self.assertIn(reason, r.stderr)

    def test_looks_in_share_beside_its_folder(self):
        path = os.path.join(self.folder, "sbin")
        os.mkdir(path)
        self.copy = shutil.copy(GLMPROXY, path)
        os.makedirs(os.path.join(self.folder, "share/glmproxy"))
        with open(os.path.join(self.folder, "share/glmproxy/glmproxy.vocab"),
                  "wb") as f:
            f.write(b"y" * 64)
        self.assertIn(b"not a vocab", self.run_copy("count").stderr)


class Words(unittest.TestCase):
    def test_usage(self):
        for args, text in ((["--loud"], "unknown option --loud"),
                           (["file"], "unknown argument file"),
                           (["--request"], "--from must be one of"),
                           (["--request", "--from", "latin"], "must be one of"),
                           (["--request", "--from"], "needs a value"),
                           (["--from=openai"], "--from tells of"),
                           (["--ids", "--request"], "of text only")):
            r = run_program("count", *args)
            self.assertEqual((r.returncode, r.stdout), (USAGE, b""), args)
            self.assertRegex(r.stderr.decode(), re.escape(text))

    def test_a_request_that_is_none(self):
        r = run_program("count", "--request", "--from", "openai", stdin=b"{")
        self.assertEqual((r.returncode, r.stdout), (FAILED, b""))
        self.assertIn(b"glmproxy count: ", r.stderr)


if __name__ == "__main__":
    unittest.main()
