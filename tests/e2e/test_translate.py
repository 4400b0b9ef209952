# SPDX-License-Identifier: MIT
"""`glmproxy translate`: requests and recorded answers without a network."""

import json
import os
import re
import shutil
import tempfile
import unittest

from tests.e2e.harness import ROOT, is_sanitized, plain_numbers, run_program

DONE, FAILED, USAGE, CONFIG = 0, 1, 64, 78
GOLDEN = os.path.join(ROOT, "tests/golden")
# What is by chance or by the clock, where upstream gave nothing.
CHANCE = re.compile(rb'(?<=chatcmpl-)\w{24}|(?<=msg_)\w{24}|(?<=req_)\w{24}'
                    rb'|(?<=toolu_)\w{24}|(?<=call_)\w{24}'
                    rb'|(?<="created":)\d+')
# Keys of a case that the command cannot play, and those that are settings.
OWN_CASE = {"purpose", "content_type", "retry_after", "end", "date",
            "input_tokens", "unmoved_tokens", "remedy"}
SETTINGS = ("replay_reasoning", "validate_tool_json", "tool_markup", "strict",
            "image_scope", "enable_env_deduplication")


def read(*names):
    with open(os.path.join(*names), "rb") as f:
        return f.read()


def cases():
    """Folders of tests/golden that the command can play: name, keys. Of slow
    builds some."""
    step = 5 if is_sanitized() else 1
    for name in sorted(os.listdir(GOLDEN))[::step]:
        lines = read(GOLDEN, name, "case").decode().splitlines()
        keys = dict(line.split("=", 1) for line in lines
                    if line and not line.startswith("#"))
        if not OWN_CASE & set(keys):
            yield name, keys


def settings(keys):
    """The -o options that a case asks for."""
    words = {"yes": "true", "no": "false"}
    own = {key: words.get(keys[key], keys[key])
           for key in SETTINGS if key in keys}
    if keys.get("context") != "on":
        own.update(plain_numbers())
    if "context_tokens" in keys:
        own["model.%s.context" % keys["model"]] = keys["context_tokens"]
    return tuple(word for key, value in own.items()
                 for word in ("-o", "%s=%s" % (key, value)))


def command(keys):
    return ["translate", "--from", keys["client"], "--to", keys["upstream"],
            "--model", keys["model"], "--seed", "0", *settings(keys)]


class Golden(unittest.TestCase):
    """What the modules do with recorded conversations, the command does."""

    def compare(self, name, file, got):
        path = os.path.join(GOLDEN, name, file)
        other = {"out.sse": "out.body", "out.body": "out.sse"}.get(file, "-")
        self.assertFalse(os.path.exists(os.path.join(GOLDEN, name, other))
                         and not os.path.exists(path), "not as " + other)
        if os.path.exists(path):
            self.assertEqual(CHANCE.sub(b"*", got),
                             CHANCE.sub(b"*", read(path)), file)

    def check_notice(self, name, err):
        path = os.path.join(GOLDEN, name, "notice")
        if os.path.exists(path) and read(path).strip():
            self.assertIn(b"x-glmproxy-notice: " + read(path), err)

    def check_failure(self, name, keys, r):
        """A refusal, or a failure before the first byte."""
        self.assertEqual((r.returncode, r.stdout), (FAILED, b""), r)
        status, body = re.search(
            rb"^status: (\d+)\n(.*)\n\Z", r.stderr, re.M | re.S).groups()
        if "client_status" in keys:
            self.assertEqual(int(status), int(keys["client_status"]))
        self.compare(name, "out.body", body)

    def test_requests(self):
        played = 0
        for name, keys in cases():
            with self.subTest(name):
                r = run_program(*command(keys),
                                stdin=read(GOLDEN, name, "in.json"))
                if keys.get("state") == "refused":
                    self.check_failure(name, keys, r)
                    continue
                self.assertEqual(r.returncode, DONE, r)
                self.compare(name, "up.json", r.stdout)
                played += 1
        self.assertGreater(played, 30)

    def test_answers(self):
        played = 0
        for name, keys in cases():
            answer = [f for f in ("up.sse", "up.body") if os.path.exists(
                os.path.join(GOLDEN, name, f))]
            if not answer or keys.get("state") == "refused":
                continue
            with self.subTest(name):
                args = command(keys) + [
                    "--answer", os.path.join(GOLDEN, name, answer[0]),
                    "--status", keys.get("status", "200")]
                if answer[0] == "up.sse":
                    args.append("--stream")
                self.check_answer(name, keys, run_program(
                    *args, stdin=read(GOLDEN, name, "in.json")))
                played += 1
        self.assertGreater(played, 20)

    def check_answer(self, name, keys, r):
        state = keys.get("state", "done")
        self.check_notice(name, r.stderr)
        if state == "failed":
            self.check_failure(name, keys, r)
            return
        self.assertEqual(r.returncode, DONE if state == "done" else FAILED, r)
        is_stream = r.stdout.startswith((b"data:", b"event:", b":"))
        self.compare(name, "out.sse" if is_stream else "out.body", r.stdout)
        if state == "broken":
            self.assertIn(b"the stream breaks off: ", r.stderr)


O_ASK = {"model": "glm-4.6", "messages": [{"role": "user", "content": "a"}]}
A_ASK = dict(O_ASK, max_tokens=9)
A_ANSWER = {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "glm-4.6", "content": [{"type": "text", "text": "hello"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 2}}
# Without an id, so that one is made up.
O_STREAM = (b'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]'
            b',"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
            b'data: [DONE]\n\n')
O_TO_A = ("--from", "openai", "--to", "anthropic")
A_TO_O = ("--from", "anthropic", "--to", "openai")


class Command(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="glmproxy-translate-")
        self.addCleanup(shutil.rmtree, self.dir)

    def file(self, name, content):
        path = os.path.join(self.dir, name)
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        with open(path, "wb") as f:
            f.write(content)
        return path

    def run_it(self, *args, stdin=b"", code=DONE):
        if not isinstance(stdin, bytes):
            stdin = json.dumps(stdin).encode()
        r = run_program("translate", *args, stdin=stdin)
        self.assertEqual(r.returncode, code, r)
        return r

    def test_model(self):
        for ask, args, model in (
                (O_ASK, (), "glm-4.6"), (O_ASK, ("--model", "glm-x"), "glm-x"),
                (O_ASK, ("--model=glm-y",), "glm-y"),
                ({"messages": O_ASK["messages"]}, (), "glm-4.6"),
                ({"messages": O_ASK["messages"]},
                 ("-o", "autotext_model=glm-z"), "glm-z")):
            r = self.run_it(*O_TO_A, *args, stdin=ask)
            self.assertEqual(json.loads(r.stdout)["model"], model)
            self.assertEqual(r.stderr, b"")

    def test_settings_count(self):
        r = self.run_it(*O_TO_A, "-o", "default_max_tokens=77", stdin=O_ASK)
        self.assertEqual(json.loads(r.stdout)["max_tokens"], 77)
        conf = self.file("t.conf", b"model.glm-4.6.max_output = 50\n")
        r = self.run_it("-c", conf, *O_TO_A, stdin=O_ASK)
        self.assertEqual(json.loads(r.stdout)["max_tokens"], 50)
        r = self.run_it("-c", conf, *O_TO_A,
                        stdin=dict(O_ASK, max_tokens=99))
        self.assertEqual(r.stderr, b"x-glmproxy-notice: clamped:max_tokens\n")

    def test_strict(self):
        r = self.run_it(*O_TO_A, "-o", "strict=true",
                        stdin=dict(O_ASK, seed=1), code=FAILED)
        self.assertEqual(r.stdout, b"")
        status, body = r.stderr.decode().split("\n", 1)
        self.assertEqual(status, "status: 400")
        self.assertEqual(json.loads(body)["error"]["param"], "seed")

    def test_refusals_have_the_client_s_shape(self):
        for way, shape in ((O_TO_A, "code"), (A_TO_O, "type")):
            for bad in (b"{", b"", b"[]", {"model": "x", "messages": 1}):
                r = self.run_it(*way, stdin=bad, code=FAILED)
                status, body = r.stderr.decode().split("\n", 1)
                self.assertEqual(status, "status: 400")
                self.assertIn(shape, json.loads(body)["error"])

    def test_answer_from_a_file_or_standard_input(self):
        ask = self.file("ask.json", O_ASK)
        answer = self.file("answer.json", A_ANSWER)
        a = self.run_it(*O_TO_A, "--request", ask, "--answer", answer)
        b = self.run_it(*O_TO_A, "--answer", answer, stdin=O_ASK)
        c = self.run_it(*O_TO_A, "--request", ask, "--answer", "-",
                        stdin=A_ANSWER)
        for r in (a, b, c):
            got = json.loads(r.stdout)
            self.assertEqual(
                got["choices"][0]["message"]["content"], "hello")

    def test_streams_are_known_by_their_beginning(self):
        ask = self.file("ask.json", A_ASK)
        for stream in (O_STREAM, b": hi\n\n" + O_STREAM, b"\n" + O_STREAM,
                       b"event: x\n" + O_STREAM):
            r = self.run_it(*A_TO_O, "--request", ask, "--answer", "-",
                            stdin=stream)
            self.assertEqual(json.loads(r.stdout)["content"],
                             [{"type": "text", "text": "hello"}])
        unusual = b"foo: bar\n" + O_STREAM
        self.run_it(*A_TO_O, "--request", ask, "--answer", "-",
                    stdin=unusual, code=FAILED)
        self.run_it(*A_TO_O, "--request", ask, "--answer", "-", "--stream",
                    stdin=unusual)

    def test_seed(self):
        ask = self.file("ask.json", dict(A_ASK, stream=True))
        args = A_TO_O + ("--request", ask, "--answer", "-")
        seen = [self.run_it(*args, "--seed", seed, stdin=O_STREAM).stdout
                for seed in ("1", "1", "2", "18446744073709551615")]
        seen += [self.run_it(*args, stdin=O_STREAM).stdout for _ in "ab"]
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(len(set(seen)), 5)
        self.assertEqual(len({CHANCE.sub(b"*", s) for s in seen}), 1)

    def test_broken_stream(self):
        ask = self.file("ask.json", dict(A_ASK, stream=True))
        r = self.run_it(*A_TO_O, "--request", ask, "--answer", "-",
                        stdin=O_STREAM.split(b"\n\n")[0] + b"\n\n",
                        code=FAILED)
        self.assertIn(b"event: error\n", r.stdout)
        self.assertNotIn(b"message_stop", r.stdout)
        self.assertIn(b"the stream breaks off: ", r.stderr)

    def test_failure_of_the_upstream(self):
        ask = self.file("ask.json", A_ASK)
        r = self.run_it(
            *A_TO_O, "--request", ask, "--answer", "-", "--status", "429",
            stdin={"error": {"code": "1302", "message": "slow down"}},
            code=FAILED)
        self.assertEqual(r.stdout, b"")
        status, body = r.stderr.decode().split("\n", 1)
        self.assertEqual(status, "status: 429")
        self.assertEqual(json.loads(body)["error"]["type"],
                         "rate_limit_error")

    def test_wrong_use(self):
        for args, text in (
                ((), "--from must be one of"),
                (("--from", "openai"), "--to must be one of openai, anthropic"),
                (("--from", "latin", "--to", "openai"), "--from latin must"),
                (O_TO_A + ("--model",), "--model needs a value"),
                (O_TO_A + ("--stream=1",), "--stream needs no value"),
                (O_TO_A + ("--modell", "x"), "unknown option --modell"),
                (O_TO_A + ("--mode", "x"), "unknown option --mode"),
                (O_TO_A + ("x.json",), "unknown argument x.json"),
                (O_TO_A + ("--stream",), "--stream tells of an --answer"),
                (O_TO_A + ("--status", "500"), "--status tells of an"),
                (O_TO_A + ("--answer", "-"), "both be standard input"),
                (O_TO_A + ("--answer", "x", "--status", "100"), "200 to 599"),
                (O_TO_A + ("--answer", "x", "--status", "x"), "200 to 599"),
                (O_TO_A + ("--seed", "-1"), "--seed must be 0 to")):
            r = self.run_it(*args, stdin=O_ASK, code=USAGE)
            self.assertIn(text, r.stderr.decode())
            self.assertEqual(r.stdout, b"")

    def test_files_and_configuration_that_are_not_there(self):
        r = self.run_it(*O_TO_A, "--request", "/nonexistent", code=FAILED)
        self.assertEqual(r.stderr.decode(), "glmproxy translate: /nonexistent:"
                         " No such file or directory\n")
        r = self.run_it(*O_TO_A, "--request", self.dir, code=FAILED)
        self.assertIn(b"Is a directory", r.stderr)
        r = self.run_it(*O_TO_A, "-o", "strict=perhaps", stdin=O_ASK,
                        code=CONFIG)
        self.assertIn(b"strict", r.stderr)

    def test_too_large(self):
        r = self.run_it(*O_TO_A, "-o", "max_body_mb=1",
                        stdin=b" " * (2 << 20), code=FAILED)
        self.assertIn(b"too large", r.stderr)


if __name__ == "__main__":
    unittest.main()
