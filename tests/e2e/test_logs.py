# SPDX-License-Identifier: MIT
"""The log files of JSON lines: what is in them, rotation, and that no line is
lost or written twice, whatever happens."""

import base64
import datetime
import glob
import gzip
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest
from collections import Counter

from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import Case, Proxy, run_program, wait_until
from tests.e2e.test_commands import Background, Directory
from tests.e2e.test_history import Flood

LOGS = ("upstream_requests", "upstream_responses", "performance_metrics",
        "error_logs")
LINES = "glmproxy_log_lines_total"
LOST = "glmproxy_log_lines_lost_total"
NAME = re.compile(r"^(%s)(\.\d{8}_\d{6}(_\d\d)?)?\.json(\.gz)?$"
                  % "|".join(LOGS))
# A line of it is about 3 KB long with its body.
LONG = json.dumps({
    "model": "glm-4.6", "max_tokens": 9, "messages": [
        {"role": "user", "content": "lorem ipsum dolor " * 150
         + "[[say text=x in=10 out=2 cached=4]]"}]}).encode()
BODIES = {"upstream_log_bodies": "full", "upstream_log_max_size_mb": "1"}


def read_file(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        return f.read()


def lines_of(log_dir, log):
    """All lines of a log, each from an object to a dictionary."""
    out = []
    for path in sorted(glob.glob(os.path.join(log_dir, log + ".*"))):
        data = read_file(path)
        if data and not data.endswith(b"\n"):
            raise AssertionError("%s ends with half a line" % path)
        out += [json.loads(line) for line in data.splitlines()]
    return out


class Helpers:
    def dir(self, proxy):
        return proxy.config["log_dir"]

    def settled(self, proxy):
        """The figures once all lines are written or lost."""
        def look():
            f = proxy.metrics()
            done = sum(v for n, v in f.items() if n.startswith(
                (LINES, LOST)) and "performance" not in n)
            # Some are read again after a kill.
            taken = f["glmproxy_history_records_read_total"] >= f[
                "glmproxy_records_total"]
            return f if taken and done == f[
                "glmproxy_log_lines_due_total"] else None
        return wait_until(look, "log files that are up to date")

    def lost(self, figures):
        return sum(v for n, v in figures.items() if n.startswith(LOST))

    def lines(self, proxy, log):
        self.settled(proxy)
        return lines_of(self.dir(proxy), log)

    def ids(self, log_dir, log):
        ids = Counter(line["req_id"] for line in lines_of(log_dir, log))
        self.assertEqual([i for i, n in ids.items() if n > 1], [],
                         "lines that were written twice")
        return set(ids)

    def check_names(self, proxy):
        """All are compressed, and nothing else is there."""
        wait_until(lambda: not glob.glob(os.path.join(
            self.dir(proxy), "*.2*.json")) and not glob.glob(os.path.join(
                self.dir(proxy), "*.tmp")), "compressed files")
        for name in os.listdir(self.dir(proxy)):
            self.assertRegex(name, NAME)

    def reload(self, proxy, **config):
        proxy.config.update(config)
        proxy.write_config()
        # Old workers, too, may still serve by the old configuration.
        old = wait_until(lambda: proxy.children("admin"), "admin")
        old += proxy.children("worker")
        os.kill(proxy.pid, signal.SIGHUP)
        wait_until(lambda: not set(old) & set(
            proxy.children("admin") + proxy.children("worker")),
            "another generation")


class Lines(Helpers, Case):
    """What is in them."""

    refusals = True
    expected = ("upstream", "left out", "takes [0-9]+ tokens")

    def chat(self, proxy, words, client="A", **more):
        return ask(proxy.address, client, DIALECTS[client].body(
            user(words), model="glm-4.6", **more), key="secret-key-one")

    def test_a_chat(self):
        proxy = self.own_proxy()
        before = datetime.datetime.now(datetime.timezone.utc)
        for client, stream in (("A", False), ("O", True)):
            self.chat(proxy, "[[say text=x in=100 cached=40 out=7]]", client,
                      stream=stream, max_tokens=77)
            request = self.lines(proxy, "upstream_requests")[-1]
            answer = self.lines(proxy, "upstream_responses")[-1]
            self.assertEqual(
                {n: request[n] for n in (
                    "type", "upstream", "endpoint_type", "route",
                    "model_asked", "model", "stream", "message_count",
                    "max_tokens", "thinking", "retries")},
                {"type": "upstream_request", "upstream": "anthropic",
                 "endpoint_type": "text", "route": "chat",
                 "model_asked": "glm-4.6", "model": "glm-4.6",
                 "stream": stream, "message_count": 1, "max_tokens": 77,
                 "thinking": None, "retries": 0})
            self.assertEqual(
                {n: answer[n] for n in (
                    "type", "success", "status_code", "error", "zai_code",
                    "cancelled", "broken", "input_tokens", "cached_tokens",
                    "output_tokens", "shown_input_tokens")},
                {"type": "upstream_response", "success": True,
                 "status_code": 200, "error": None, "zai_code": None,
                 "cancelled": False, "broken": False, "input_tokens": 100,
                 "cached_tokens": 40, "output_tokens": 7,
                 "shown_input_tokens": 100})
            self.assertEqual(request["req_id"], answer["req_id"])
            self.assertEqual(len(request["client"]), 8)
            self.assertNotIn("body", request)
            self.assertTrue(0 < answer["upstream_head_ms"]
                            <= answer["first_byte_ms"]
                            <= answer["response_time_ms"] < 5000, answer)
            times = [datetime.datetime.fromisoformat(
                line["timestamp"].replace("Z", "+00:00"))
                     for line in (request, answer)]
            self.assertTrue(before < times[0] < times[1])
        self.assertEqual(self.lines(proxy, "error_logs"), [])
        for log in LOGS:
            path = os.path.join(self.dir(proxy), log + ".json")
            if os.path.exists(path):
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)
                self.assertNotIn(b"secret-key-one", read_file(path))

    def test_failures(self):
        proxy = self.own_proxy()
        self.expect_log("refused")
        self.chat(proxy, "[[error status=429 code=1302]]")
        (answer,) = self.lines(proxy, "upstream_responses")
        (error,) = self.lines(proxy, "error_logs")
        for line in (answer, error):
            self.assertEqual(
                (line["status_code"], line["zai_code"], line["error"]),
                (429, 1302, "rate"))
        self.assertEqual((error["event"], error["type"], answer["success"]),
                         ("request_failed", "error", False))
        self.assertNotIn("message", error)
        # Refused here: upstream has not heard of it.
        self.assertEqual(proxy.post("/v1/messages", b"{").status, 400)
        error = self.lines(proxy, "error_logs")[-1]
        self.assertEqual((error["error"], error["upstream"]),
                         ("bad_request", None))
        self.assertEqual(len(self.lines(proxy, "upstream_requests")), 1)

    def test_truncation(self):
        standin = self.own_standin()
        standin.play_always("text context=8000")
        proxy = self.own_proxy({
            "model.glm-4.6.context": "8000",
            "context_overflow_anthropic": "truncate"}, standin=standin)
        turns = [("system", "Be brief.")]
        for i in range(60):
            turns += [("user", "question %d " % i + "lorem ipsum " * 60),
                      ("assistant", "answer %d " % i + "dolor sit " * 60)]
        a = ask(proxy.address, "A", DIALECTS["A"].body(
            turns + [("user", "and now?")], max_tokens=100))
        self.assertEqual(a.status, 200)
        (line,) = self.lines(proxy, "error_logs")
        self.assertEqual(
            (line["event"], line["reason"], line["context_limit"]),
            ("context_truncation", "context_limit_exceeded", 8000))
        self.assertEqual(line["message_count"], 121)
        self.assertTrue(60 < line["messages_removed"] < 121, line)
        self.assertGreater(line["original_tokens"], 8000)
        self.assertLess(line["input_tokens"], 8000)

    def test_sums(self):
        proxy = self.own_proxy()
        self.assertEqual(Flood(proxy, most=150).join(), 150)
        self.settled(proxy)
        wait_until(lambda: proxy.metrics()[
            LINES + '{log="performance_metrics"}'], "a line of sums")
        line = lines_of(self.dir(proxy), "performance_metrics")[0]
        self.assertTrue(100 <= line["requests"] <= line["total_requests"]
                        <= 150, line)
        self.assertEqual(line["output_tokens"], 2 * line["requests"])
        self.assertGreater(line["requests_per_minute"], 100)
        self.assertTrue(0 < line["avg_response_time_ms"]
                        <= line["max_response_time_ms"])

    def test_turned_off_and_on(self):
        proxy = self.own_proxy({"upstream_log": "false"})
        Flood(proxy, most=5).join()
        self.assertFalse(os.path.exists(self.dir(proxy)))
        self.reload(proxy, upstream_log="true")
        self.assertEqual(Flood(proxy, most=5).join(), 5)
        self.assertEqual(len(self.lines(proxy, "upstream_requests")), 5)
        # They do not need the history.
        self.reload(proxy, history="false")
        self.assertEqual(Flood(proxy, most=5).join(), 5)
        wait_until(lambda: len(lines_of(
            self.dir(proxy), "upstream_responses")) == 10, "ten lines")


class Bodies(Helpers, Case):
    """Words, but neither keys nor images."""

    config = {"upstream_log_bodies": "full"}

    def test_no_key_and_no_image(self):
        proxy = self.proxy
        key = "client-key.7f3a-very-secret"
        image = base64.b64encode(os.urandom(6000)).decode()
        words = "[[say text=x in=10 out=2]] the key %s, good" % key
        for client in "AO":
            for stream in (False, True):
                body = DIALECTS[client].body(
                    user(words), model="glm-4.6", stream=stream)
                content = [{"type": "text", "text": words}]
                if client == "A":
                    content.append({"type": "image", "source": {
                        "type": "base64", "media_type": "image/png",
                        "data": image}})
                else:
                    content.append({"type": "image_url", "image_url": {
                        "url": "data:image/png;base64," + image}})
                body["messages"] = [{"role": "user", "content": content}]
                body["metadata"] = {"user_id": "ann", "api_key": key}
                self.assertEqual(
                    ask(proxy.address, client, body, key=key).status, 200)
        requests = self.lines(proxy, "upstream_requests")
        answers = self.lines(proxy, "upstream_responses")
        self.assertEqual((len(requests), len(answers)), (4, 4))
        for line in requests:
            body = json.loads(line["body"])
            self.assertIn("the key [cut], good", line["body"])
            self.assertIn("bytes cut]", line["body"])
            self.assertEqual(body["model"], "glm-4.6v")
            self.assertEqual(line["body_missing_bytes"], 0)
        for line in answers:
            self.assertIn('"x"', line["body"])
        for folder in (self.dir(proxy), proxy.config["state_dir"]):
            for name in os.listdir(folder):
                try:
                    data = read_file(os.path.join(folder, name))
                except FileNotFoundError:
                    continue  # it lasted for a moment only
                for start in range(0, len(image), 1000):
                    self.assertNotIn(image[start:start + 40].encode(), data)
                self.assertNotIn(key.encode(), data)
                self.assertNotIn(b"very-secret", data)
        for log in LOGS[:2]:
            mode = os.stat(os.path.join(self.dir(proxy),
                                        log + ".json")).st_mode
            self.assertEqual(mode & 0o777, 0o600)

    def test_long_ones_are_cut(self):
        self.allow_refusals()
        self.expect_log("takes [0-9]+ tokens", "upstream: refused")
        proxy = self.own_proxy({"upstream_log_bodies": "full",
                                "model.glm-4.6.context": "1000000"})
        # Too long for the model, too, but sent.
        ask(proxy.address, "A", DIALECTS["A"].body(
            user("lorem ipsum " * 150000), max_tokens=9))
        (line,) = self.lines(proxy, "upstream_requests")
        self.assertEqual(len(line["body"].encode()), 1 << 20)
        self.assertEqual(line["body_missing_bytes"],
                         line["payload_bytes"] - (1 << 20))
        self.assertEqual(
            proxy.metrics()["glmproxy_log_bodies_cut_total"], 1)


class Rotation(Helpers, Case):
    def rotated(self, proxy, log="upstream_requests", end=""):
        return sorted(glob.glob(os.path.join(
            self.dir(proxy), log + ".2*.json" + end)))

    def test_under_load(self):
        """Every request has its lines, wherever they are."""
        proxy = self.own_proxy(dict(BODIES, workers="2"))
        self.assertEqual(Flood(proxy, most=1500, body=LONG).join(), 1500)
        self.assertEqual(self.lost(self.settled(proxy)), 0)
        self.check_names(proxy)
        self.assertGreater(len(self.rotated(proxy, end=".gz")), 3)
        ids = self.ids(self.dir(proxy), "upstream_requests")
        self.assertEqual(len(ids), 1500)
        self.assertEqual(self.ids(self.dir(proxy), "upstream_responses"), ids)
        for path in glob.glob(os.path.join(self.dir(proxy), "*")):
            self.assertLessEqual(len(read_file(path)), 1 << 20)
        log = proxy.process.log()
        self.assertIn("upstream_requests is rotated: ", log)
        self.assertRegex(log, r"upstream_requests\.\S+\.gz is compressed: ")

    def test_one_that_cannot_be_compressed(self):
        """The others are, and it is told of once."""
        proxy = self.own_proxy(dict(
            BODIES, upstream_log_compress_immediately="false"))
        self.assertEqual(Flood(proxy, most=700, body=LONG).join(), 700)
        self.settled(proxy)
        bad = max(self.rotated(proxy))
        os.mkdir(bad + ".gz.tmp")
        self.reload(proxy, upstream_log_compress_immediately="true")
        wait_until(lambda: self.rotated(proxy) == [bad],
                   "compressed files beside one that cannot be")
        self.assertGreater(len(self.rotated(proxy, end=".gz")), 0)
        proxy.process.wait_log("cannot remove")
        self.assertEqual(proxy.process.log().count("cannot remove"), 1)
        self.expect_log("cannot remove")
        os.rmdir(bad + ".gz.tmp")

    def test_backup_count(self):
        proxy = self.own_proxy(dict(BODIES, upstream_log_backup_count="2"))
        self.assertEqual(Flood(proxy, most=2000, body=LONG).join(), 2000)
        self.settled(proxy)
        wait_until(lambda: len(self.rotated(proxy, end="*")) == 2
                   and len(self.rotated(proxy, end=".gz")) == 2,
                   "two rotated files")

    def test_compressed_at_clean_up(self):
        proxy = self.own_proxy(dict(
            BODIES, upstream_log_compress_immediately="false"))
        self.assertEqual(Flood(proxy, most=800, body=LONG).join(), 800)
        self.settled(proxy)
        names = self.rotated(proxy)
        self.assertGreater(len(names), 1)
        self.assertEqual(self.rotated(proxy, end=".gz"), [])
        # The first one of a process is at its start.
        self.reload(proxy)
        wait_until(lambda: self.rotated(proxy, end=".gz")
                   == [n + ".gz" for n in names], "compressed files")
        self.check_names(proxy)
        self.assertEqual(len(self.ids(self.dir(proxy), "upstream_requests")),
                         800)

    def test_turned_off(self):
        proxy = self.own_proxy(dict(BODIES, upstream_log_rotation="false"))
        self.assertEqual(Flood(proxy, most=600, body=LONG).join(), 600)
        self.settled(proxy)
        self.assertEqual(self.rotated(proxy, end="*"), [])

    def test_retention(self):
        """Only files with names of our own."""
        log_dir = tempfile.mkdtemp(prefix="glmproxy-logs-")
        self.addCleanup(shutil.rmtree, log_dir)
        old = ["error_logs.20200101_000000.json.gz",
               "upstream_requests.20200101_000000.json",
               "error_logs.20200102_000000.json.gz.tmp"]
        kept = ["error_logs.20200101.json", "other.20200101_000000.json",
                "error_logs.20200101_000000.json.bak", "error_logs.json.1"]
        for name in old + kept:
            with open(os.path.join(log_dir, name), "wb") as f:
                f.write(b"{}\n")
        proxy = self.own_proxy({"log_dir": log_dir})
        wait_until(lambda: not set(os.listdir(log_dir)) & set(old),
                   "the end of old files")
        self.assertLessEqual(set(kept), set(os.listdir(log_dir)))
        proxy.process.wait_log("is removed: too old")

    def test_moved_away(self):
        """As others rotate: move, tell, go on."""
        proxy = self.own_proxy()
        moved = []
        for i in range(3):
            self.assertEqual(Flood(proxy, most=20).join(), 20)
            self.settled(proxy)
            for log in LOGS[:2]:
                path = os.path.join(self.dir(proxy), log)
                os.rename(path + ".json", "%s.%d.moved" % (path, i))
            os.kill(proxy.pid, signal.SIGUSR1)
            moved = glob.glob(os.path.join(self.dir(proxy), "*.moved"))
        sizes = {p: os.path.getsize(p) for p in moved}
        self.assertEqual(Flood(proxy, most=20).join(), 20)
        self.settled(proxy)
        self.assertEqual({p: os.path.getsize(p) for p in moved}, sizes)
        for log in LOGS[:2]:
            self.assertEqual(len(self.ids(self.dir(proxy), log)), 80)
            self.assertEqual(len(read_file(os.path.join(
                self.dir(proxy), log + ".json")).splitlines()), 20)


class Troubles(Helpers, Case):
    expected = ("admin .* died", "half written", "left over")

    def test_killed_while_rotating(self):
        """What is missing is what died with the process, and is counted."""
        proxy = self.own_proxy(dict(BODIES, upstream_log_backup_count="0",
                                    workers="2"))
        pattern = os.path.join(self.dir(proxy), "*.gz.tmp")
        sent = 0
        for _ in range(int(os.environ.get("LOG_KILLS", "6"))):
            # Pauses between starts grow.
            (pid,) = wait_until(lambda: proxy.children("admin"), "admin", 60)
            floods = self.until_compression(proxy, pattern)
            os.kill(pid, signal.SIGKILL)
            sent += sum(flood.join() for flood in floods)
            wait_until(lambda p=pid: p not in proxy.children("admin"),
                       "its end")
        wait_until(lambda: proxy.children("admin"), "admin", 60)
        figures = self.settled(proxy)
        self.check_names(proxy)
        self.assertEqual(figures['glmproxy_records_lost_total{where="ring"}'],
                         0)
        missing = 0
        for log in LOGS[:2]:
            missing += sent - len(self.ids(self.dir(proxy), log))
        self.assertTrue(0 <= missing <= self.lost(figures) < 2 * sent,
                        (missing, self.lost(figures), sent))

    def until_compression(self, proxy, pattern):
        """The floods up to the one in which a file is being compressed: that
        takes a moment only, which is not always seen."""
        floods = []

        def look():
            if not floods or not floods[-1].is_alive():
                # Not more than the rings hold while nobody reads them.
                floods.append(Flood(proxy, most=1000, body=LONG))
            return glob.glob(pattern)

        wait_until(look, "a compression", 60)
        return floods

    def test_half_a_line(self):
        log_dir = tempfile.mkdtemp(prefix="glmproxy-logs-")
        self.addCleanup(shutil.rmtree, log_dir)
        path = os.path.join(log_dir, "upstream_requests.json")
        with open(path, "wb") as f:
            f.write(b'{"req_id":"a"}\n{"req_id":"b')
        proxy = self.own_proxy({"log_dir": log_dir})
        Flood(proxy, most=3).join()
        ids = [line["req_id"] for line in self.lines(
            proxy, "upstream_requests")]
        self.assertEqual((len(ids), ids[0]), (4, "a"))
        self.assertIn("upstream_requests: the last line was half written: 12 "
                      "bytes", proxy.process.log())

    def mount(self, size):
        """A small file system; where that is not allowed, no test."""
        disk = tempfile.mkdtemp(prefix="glmproxy-disk-")
        self.addCleanup(os.rmdir, disk)
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", disk],
            capture_output=True, check=False)
        if made.returncode != 0:
            self.skipTest("may not mount")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        return disk

    def test_full_disk(self):
        disk = self.mount("256k")
        self.expect_log("log files in .*: cannot write .*: No space left")
        proxy = self.own_proxy({"log_dir": disk})
        self.assertEqual(Flood(proxy, most=1500).join(), 1500)
        wait_until(lambda: proxy.metrics()["glmproxy_log_errors_total"],
                   "a full disk")
        for log in LOGS[:2]:
            self.assertLess(len(lines_of(disk, log)), 1500)
        # What waits is written when there is room.
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        self.assertEqual(self.lost(self.settled(proxy)), 0)
        for log in LOGS[:2]:
            self.assertEqual(len(self.ids(disk, log)), 1500)
        proxy.process.wait_log("are written again")

    def test_no_room_left(self):
        """A disk that stays full: losses are counted to the line."""
        self.expect_log("log files in .*: cannot write .*: File too large",
                        "the history cannot be written")
        proxy = self.own_proxy({"upstream_log_bodies": "full"})
        Flood(proxy, most=5).join()
        self.settled(proxy)
        (pid,) = proxy.children("admin")
        no = resource.RLIM_INFINITY
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (10000, no))
        self.assertEqual(Flood(proxy, most=4000, body=LONG).join(), 4000)
        wait_until(lambda: proxy.metrics()[LOST + '{where="disk"}'],
                   "lost lines", 30)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (no, no))
        figures = self.settled(proxy)
        there = sum(len(self.ids(self.dir(proxy), log)) for log in LOGS[:2])
        self.assertEqual(there + self.lost(figures), 2 * 4005)

    def test_no_directory(self):
        """Something else has its name."""
        self.expect_log("log files in .*: ", "log_dir")
        path = os.path.join(tempfile.mkdtemp(prefix="glmproxy-logs-"), "log")
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        with open(path, "wb"):
            pass
        proxy = self.own_proxy({"log_dir": path})
        self.assertEqual(Flood(proxy, most=20).join(), 20)
        wait_until(lambda: proxy.metrics()["glmproxy_log_errors_total"],
                   "a complaint")
        os.unlink(path)
        self.settled(proxy)
        self.assertEqual(len(self.ids(path, "upstream_requests")), 20)


class Command(Directory):
    """glmproxy logs."""

    names = ("upstream_requests.json",
             "upstream_requests.20200101_000000.json",
             "error_logs.20990101_000000.json",
             "error_logs.20990101_000000_01.json",
             "error_logs.20990102_000000.json.gz",
             "error_logs.20990103_000000.json.gz.tmp", "other.json")

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("log"))
        for i, name in enumerate(self.names):
            with open(self.path("log/" + name), "wb") as f:
                f.write(b"{}\n" * 100 * (i + 1))

    def there(self):
        return sorted(os.listdir(self.path("log")))

    def json(self, *args):
        r = self.run_it("logs", "--json", *args)
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        return json.loads(r.stdout)

    def test_list(self):
        got = self.json()
        self.assertEqual(got["log_dir"], self.path("log"))
        self.assertEqual([f["name"] for f in got["files"]], [
            "upstream_requests.json",
            "upstream_requests.20200101_000000.json",
            "error_logs.20990103_000000.json.gz.tmp",
            "error_logs.20990102_000000.json.gz",
            "error_logs.20990101_000000_01.json",
            "error_logs.20990101_000000.json"])
        self.assertEqual(got["total"], {
            "files": 6, "bytes": 300 * 21, "current": 1, "rotated": 3,
            "compressed": 1})
        self.assertEqual(got["logs"]["upstream_requests"]["bytes"], 900)
        self.assertEqual(got["largest"][0],
                         "error_logs.20990103_000000.json.gz.tmp")
        self.assertEqual(self.there(), sorted(self.names))
        r = self.assert_run(
            ["logs"], 0, r"upstream_requests\.json +300 B +\S+  current\n")
        self.assertRegex(r.stdout.decode(), r"total +6 files +6\.2 KiB")
        self.assertRegex(r.stdout.decode(), r"largest:\n +1\.8 KiB  error_lo")

    def test_dry_run(self):
        got = self.json("--cleanup", "--compress", "--dry-run")
        self.assertEqual(
            {f["name"]: f["action"] for f in got["files"] if "action" in f},
            {"upstream_requests.20200101_000000.json": "remove",
             "error_logs.20990103_000000.json.gz.tmp": "remove",
             "error_logs.20990101_000000.json": "compress",
             "error_logs.20990101_000000_01.json": "compress"})
        self.assertEqual(self.there(), sorted(self.names))

    def test_times_that_are_none(self):
        """Whoever owns a file says when it was changed."""
        # Most file systems keep no such times, this one does.
        log_dir = tempfile.mkdtemp(dir="/dev/shm")
        self.addCleanup(shutil.rmtree, log_dir)
        path = os.path.join(log_dir, "upstream_requests.json")
        with open(path, "wb") as f:
            f.write(b"{}\n" * 100)
        os.utime(path, (1 << 60, 1 << 60))
        where = ("-o", "log_dir=" + log_dir)
        self.assertEqual(self.json(*where)["files"][0]["changed"], "?")
        self.assert_run(["logs", *where], 0,
                        r"upstream_requests\.json +300 B  \? +current\n")

    def test_clean_up(self):
        self.assert_run(["logs", "--cleanup"], 0,
                        r"removed 2, compressed 0: 2\.3 KiB less")
        self.assertEqual(self.there(), sorted(
            set(self.names) - {"upstream_requests.20200101_000000.json",
                               "error_logs.20990103_000000.json.gz.tmp"}))

    def test_compress(self):
        got = self.json("--compress", "-o", "upstream_log_backup_count=2")
        # One of three is beyond the count: it is for --cleanup.
        self.assertEqual((got["removed"], got["compressed"]), (0, 1))
        self.assertIn("error_logs.20990101_000000_01.json.gz", self.there())
        self.assertEqual(read_file(self.path(
            "log/error_logs.20990101_000000_01.json.gz")), b"{}\n" * 400)
        self.assertNotIn("error_logs.20990101_000000_01.json", self.there())

    def test_usage(self):
        self.assert_run(["logs", "--dry-run"], 64, "^$", "--dry-run goes with")
        self.assert_run(["logs", "--clean"], 64, "^$", "unknown option")
        self.assert_run(["logs", "x"], 64, "^$", "unknown argument x")
        shutil.rmtree(self.path("log"))
        self.assert_run(["logs"], 1, "^$", "cannot open .*/log: No such file")
        self.assertEqual(
            run_program("logs", "-c", "/nowhere").returncode, 78)


class Beside(Helpers, Case):
    def test_beside_the_service(self):
        """Both compress and clean up; every line stays, once."""
        proxy = self.own_proxy(dict(BODIES, upstream_log_backup_count="0"))
        flood = Flood(proxy, most=2000, body=LONG)
        while flood.is_alive():
            r = run_program("logs", "--compress", "--cleanup", "--json",
                            "-c", proxy.conf_path)
            if r.returncode == 1 and b"No such file" in r.stderr:
                continue  # it has not begun yet
            self.assertEqual(r.returncode, 0, r)
        self.assertEqual(flood.join(), 2000)
        self.settled(proxy)
        self.check_names(proxy)
        for log in LOGS[:2]:
            self.assertEqual(len(self.ids(self.dir(proxy), log)), 2000)


class ServerLog(Background):
    """The log of `start`, which all processes write."""

    def processes(self, pid):
        with open("/proc/%d/task/%d/children" % (pid, pid),
                  encoding="ascii") as f:
            return [pid] + [int(p) for p in f.read().split()]

    def logs(self, pid):
        """Where the processes write."""
        try:
            return {os.readlink("/proc/%d/fd/%d" % (p, fd))
                    for p in self.processes(pid) for fd in (1, 2)}
        except OSError:
            return set()  # one has just left

    def test_rotation(self):
        os.mkdir(self.path("log"))
        with open(self.path("log/server.log"), "wb") as f:
            f.write(b"x" * 99 + b"\n")
            f.write(b"y" * (1 << 20) + b"\n")
        self.write(upstream_log_max_size_mb="1")
        pid = self.start()
        path = self.path("log/server.log")
        wait_until(lambda: self.logs(pid) == {path}
                   and os.path.getsize(path) < 65536, "another file")
        (rotated,) = glob.glob(self.path("log/server.2*.log"))
        self.assertTrue(read_file(rotated).startswith(b"xxx"))
        # Of what is written meanwhile nothing is lost, in whichever file.
        self.assertEqual((read_file(rotated) + read_file(path)).count(
            b"ready: 1 worker"), 1)
        self.assertEqual(len(self.processes(pid)), 3)
        self.assert_run(["logs"], 0, r"server\.2\d+_\d+\.log +1\.0 MiB")

    def test_no_descriptor_for_the_next(self):
        """Then the file stays where it is; who cannot follow tries again."""
        self.write(upstream_log_max_size_mb="1")
        pid = self.start()

        path = self.path("log/server.log")
        def opened():
            return {os.path.realpath(f) for p in self.processes(pid)
                    for f in glob.glob("/proc/%d/fd/*" % p)}
        wait_until(lambda: len(self.processes(pid)) == 3
                   and os.path.realpath(self.path("log")) in opened(),
                   "an admin process that looks after the files")

        def limit(n):
            for p in self.processes(pid)[1:]:
                hard = resource.prlimit(p, resource.RLIMIT_NOFILE)[1]
                resource.prlimit(p, resource.RLIMIT_NOFILE, (n or hard, hard))
        limit(3)
        with open(path, "ab") as f:
            f.write(b"y" * (1 << 20) + b"\n")
        wait_until(lambda: os.path.exists(path) and b"cannot open server.log"
                   in read_file(path), "a rotation that fails")
        self.assertEqual(glob.glob(self.path("log/server.2*.log")), [])
        self.assertEqual(self.logs(pid), {path})
        os.rename(path, path + ".0")
        os.kill(pid, signal.SIGUSR1)
        wait_until(lambda: read_file(path + ".0").count(
            b"cannot open " + path.encode()) == 2, "two that cannot follow")
        limit(None)
        wait_until(lambda: self.logs(pid) == {path}, "another file")

    def test_moved_away(self):
        pid = self.start()
        path = self.path("log/server.log")
        for i in range(2):
            os.rename(path, "%s.%d" % (path, i))
            os.kill(pid, signal.SIGUSR1)
            wait_until(lambda: self.logs(pid) == {path}, "another file")
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)
        # Also a program that has taken its place.
        self.assert_run(["upgrade"], 0)
        os.rename(path, path + ".2")
        os.kill(pid, signal.SIGUSR1)
        wait_until(lambda: self.logs(pid) == {path}, "another file")


if __name__ == "__main__":
    unittest.main()
