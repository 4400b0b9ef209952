# SPDX-License-Identifier: MIT
"""The history: what is in it, and that nothing that happens to it matters."""

import contextlib
import csv
import fcntl
import glob
import io
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import (Case, Proxy, Standin, run_program,
                               wait_until)
from tests.e2e.test_process import is_gone

DIED = r"died|killed by signal|ended|not answer|upstream: the "
LOST = "glmproxy_records_lost_total{"


def lost(figures, where=""):
    return sum(v for n, v in figures.items()
               if n.startswith(LOST) and where in n)


def read(path, sql):
    """The rows of a question, as dictionaries."""
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=5)
    try:
        db.row_factory = sqlite3.Row
        return [dict(r) for r in db.execute(sql)]
    finally:
        db.close()


def one(path, sql):
    (row,) = read(path, sql)
    (value,) = row.values()
    return value


class Flood:
    """Chats on a few connections, one after the other, until it is ended or
    all of `most` are answered; whoever loses a connection opens another."""

    def __init__(self, proxy, most=None, threads=4, body=None,
                 path="/v1/messages"):
        self.address = proxy.address
        self.folder = proxy.dir
        self.body = body or (
            b'{"model":"glm-4.6","messages":[{"role":"user","content":'
            b'"[[say text=x in=10 out=2 cached=4]]"}],"max_tokens":9}')
        self.path = path
        self.most = most
        self.ends = False
        self.lock = threading.Lock()
        self.answered = 0
        self.threads = [threading.Thread(target=self._run)
                        for _ in range(threads)]
        for t in self.threads:
            t.start()

    def _next(self):
        with self.lock:
            if self.ends or self.most == 0:
                return False
            # After a failure: another's proxy may get this one's port.
            if not os.path.isdir(self.folder):
                return False
            if self.most is not None:
                self.most -= 1
            return True

    def _run(self):
        conn = None
        while self._next():
            try:
                if conn is None:
                    conn = wire.Conn(self.address)
                conn.request("POST", self.path, [
                    ("x-api-key", "k"),
                    ("Content-Type", "application/json")], self.body)
                status = conn.response().status
                with self.lock:
                    self.answered += status == 200
            except (OSError, wire.Cut):
                if conn is not None:
                    conn.close()
                conn = None
        if conn is not None:
            conn.close()

    def is_alive(self):
        return any(t.is_alive() for t in self.threads)

    def join(self):
        for t in self.threads:
            t.join()
        return self.answered

    def end(self):
        self.ends = True
        return self.join()


class Helpers:
    def db(self, proxy):
        return os.path.join(proxy.config["state_dir"], "history.db")

    def settled(self, proxy):
        """The figures once all records are stored or lost."""
        def look():
            f = proxy.metrics()
            read_ = f["glmproxy_history_records_read_total"]
            gone = lost(f) - lost(f, "ring") - lost(f, "worker")
            return f if (
                f["glmproxy_records_total"] == read_ + lost(f, "worker")
                and f["glmproxy_history_records_stored_total"] + gone
                == read_) else None
        return wait_until(look, "a history that is up to date")

    def sums(self, proxy, table="minute"):
        return one(self.db(proxy),
                   "SELECT coalesce(sum(requests), 0) FROM %s" % table)

    def check_whole(self, proxy):
        self.assertEqual(one(self.db(proxy), "PRAGMA integrity_check"), "ok")

    def overview(self, proxy):
        return wire.fetch(proxy.admin, "GET", "/api/overview").json()


class Records(Helpers, Case):
    """What is in the rows."""

    refusals = True
    expected = (r"upstream",)

    def row(self, proxy):
        self.settled(proxy)
        return read(self.db(proxy),
                    "SELECT * FROM request ORDER BY id DESC LIMIT 1")[0]

    def test_a_chat(self):
        proxy = self.own_proxy()
        for client, stream in (("A", False), ("O", True)):
            a = ask(proxy.address, client, DIALECTS[client].body(
                user("[[say text=x in=100 cached=40 out=7]]"),
                model="glm-4.6", stream=stream), key="key-one")
            self.assertEqual(a.status, 200)
            r = self.row(proxy)
            self.assertEqual(
                {n: r[n] for n in (
                    "weight", "is_count", "streamed", "status", "code",
                    "cancelled", "broken", "retries", "input", "cached",
                    "output", "upstream", "asked", "model", "error",
                    "removed")},
                {"weight": 1, "is_count": 0, "streamed": int(stream),
                 "status": 200, "code": 0, "cancelled": 0, "broken": 0,
                 "retries": 0, "input": 100, "cached": 40, "output": 7,
                 "upstream": "anthropic", "asked": "glm-4.6",
                 "model": "glm-4.6", "error": "", "removed": 0})
            self.assertEqual(r["dialect"],
                             {"A": "anthropic", "O": "openai"}[client])
            self.assertTrue(0 < r["head_us"] <= r["body_us"]
                            <= r["first_us"] <= r["total_us"] < 5e6, r)
            for n in ("bytes_in", "bytes_sent", "bytes_received",
                      "bytes_out"):
                self.assertGreater(r[n], 20, n)
            self.assertTrue(r["request"].startswith("req_"))
            self.assertEqual(len(r["client"]), 8)
        with open(self.db(proxy), "rb") as f:
            self.assertNotIn(b"key-one", f.read())

    def test_failures(self):
        proxy = self.own_proxy()
        self.expect_log("refused")
        a = ask(proxy.address, "A", DIALECTS["A"].body(
            user("[[error status=429 code=1302]]")), key="k")
        r = self.row(proxy)
        self.assertEqual(r["bytes_out"], len(a.response.body))
        self.assertEqual((r["status"], r["code"], r["error"]),
                         (429, 1302, "rate"))
        self.assertIsNone(r["input"])
        # Refused by its head, by its body.
        a = proxy.post("/v1/messages", {}, key=None)
        self.assertEqual(a.status, 401)
        r = self.row(proxy)
        self.assertEqual(r["bytes_out"], len(a.body))
        self.assertEqual((r["status"], r["error"], r["upstream"]),
                         (401, "auth", ""))
        a = proxy.post("/v1/messages", b"{")
        self.assertEqual(a.status, 400)
        r = self.row(proxy)
        self.assertEqual(r["bytes_out"], len(a.body))
        self.assertEqual((r["status"], r["error"], r["model"]),
                         (400, "bad_request", ""))
        # Other pages are nothing to remember.
        n = proxy.metrics()["glmproxy_records_total"]
        proxy.get("/v1/models")
        proxy.get("/nowhere")
        self.assertEqual(proxy.metrics()["glmproxy_records_total"], n)

    def test_the_client_leaves(self):
        proxy = self.own_proxy()
        with proxy.connect() as c:
            c.request("POST", "/v1/messages", [
                ("x-api-key", "k"), ("Content-Type", "application/json")],
                b'{"model":"glm-4.6","max_tokens":9,"messages":[{"role":'
                b'"user","content":"[[silent]]"}]}')
            wait_until(lambda: proxy.metrics()[
                "glmproxy_upstream_requests_total"], "a request")
        wait_until(lambda: proxy.metrics()["glmproxy_cancelled_total"]
                   and proxy.metrics()["glmproxy_records_total"],
                   "the end of a client")
        r = self.row(proxy)
        self.assertEqual((r["status"], r["cancelled"]), (499, 1))

    def test_a_count(self):
        proxy = self.own_proxy()
        r = proxy.post("/v1/messages/count_tokens", {
            "model": "glm-4.6", "messages": [
                {"role": "user", "content": "x"}]})
        self.assertEqual(r.status, 200)
        r = self.row(proxy)
        self.assertEqual((r["status"], r["is_count"], r["input"]),
                         (200, 1, None))

    def test_turned_off_and_on(self):
        proxy = self.own_proxy({"history": "false", "upstream_log": "false"})
        Flood(proxy, most=5).join()
        self.assertFalse(os.path.exists(self.db(proxy)))
        self.assertFalse(self.overview(proxy)["history"]["on"])
        proxy.config["history"] = "true"
        proxy.write_config()
        # Old workers, too, may still serve by the old configuration.
        old = wait_until(lambda: proxy.children("admin"), "admin")
        old += proxy.children("worker")
        os.kill(proxy.pid, signal.SIGHUP)
        wait_until(lambda: not set(old) & set(
            proxy.children("admin") + proxy.children("worker")),
            "another generation")
        self.assertEqual(Flood(proxy, most=5).join(), 5)
        self.settled(proxy)
        self.assertEqual(self.sums(proxy), 5)


class Counts(Helpers, Case):
    """The history counts what the stand-in counts."""

    def test_equal_to_upstream(self):
        standin = self.own_standin()
        proxy = self.own_proxy({"workers": "2", "history_rows_per_s": "20"},
                               standin=standin)
        self.assertEqual(Flood(proxy, most=1500).join(), 1500)
        f = self.settled(proxy)
        self.assertEqual(lost(f), 0)
        self.assertEqual(standin.stats()["requests"], 1500)
        for table in ("minute", "hour"):
            (row,) = read(self.db(proxy), "SELECT sum(requests) n, sum(input)"
                          " i, sum(cached) c, sum(output) o, sum(counted) k"
                          " FROM %s" % table)
            self.assertEqual(row, {"n": 1500, "i": 15000, "c": 6000,
                                   "o": 3000, "k": 1500})
        # A sample, and what it stands for.
        (row,) = read(self.db(proxy),
                      "SELECT count(*) n, sum(weight) w FROM request")
        self.assertEqual(row["n"], f["glmproxy_history_rows_total"])
        self.assertLess(row["n"], 1500)
        self.assertAlmostEqual(row["w"], 1500, delta=1500 * 0.1)

    def test_outlives_generations(self):
        proxy = self.own_proxy({"workers": "2"})
        self.expect_log(r"sends nothing")
        flood = Flood(proxy)
        for sig in (signal.SIGHUP, signal.SIGUSR2, signal.SIGHUP):
            old = proxy.children("worker") + proxy.children("admin")
            os.kill(proxy.pid, sig)
            wait_until(lambda: not set(old) & set(
                proxy.children("worker") + proxy.children("admin")),
                "another generation")
        flood.end()
        f = self.settled(proxy)
        self.assertEqual({n: v for n, v in f.items()
                          if n.startswith(LOST) and v}, {})
        self.assertEqual(self.sums(proxy),
                         f['glmproxy_requests_total{route="chat"}'])
        self.check_whole(proxy)

    def test_a_worker_dies(self):
        proxy = self.own_proxy({"workers": "2"})
        self.expect_log(DIED)
        flood = Flood(proxy)
        for _ in range(5):
            pid = proxy.children("worker")[0]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: len(proxy.children("worker")) == 2
                       and pid not in proxy.children("worker"),
                       "another worker")
        answered = flood.end()
        f = self.settled(proxy)
        self.assertEqual(lost(f), 0)
        self.assertEqual(self.sums(proxy), f["glmproxy_records_total"])
        self.assertGreaterEqual(self.sums(proxy), answered)

    def test_admin_dies(self):
        """What it had is lost, and known to be."""
        proxy = self.own_proxy({"workers": "2"})
        self.expect_log(DIED)
        flood = Flood(proxy)
        for _ in range(5):
            (pid,) = wait_until(lambda: proxy.children("admin"), "admin")
            wait_until(lambda: self.is_read(proxy) and
                       os.path.exists(self.db(proxy)),
                       "a few records, and a place for them")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: proxy.children("admin") not in ([], [pid]),
                       "another admin")
            self.check_whole(proxy)
        flood.end()
        f = self.settled(proxy)
        # While there is none, a ring may run over.
        taken = lost(f, "admin")
        self.assertEqual(lost(f), taken + lost(f, "ring"))
        self.assertGreater(taken, 0)
        # What was written, but not counted as that, counts as lost.
        there = self.sums(proxy)
        self.assertLessEqual(there, f["glmproxy_records_total"])
        self.assertGreaterEqual(
            there, f["glmproxy_records_total"] - taken)

    def is_read(self, proxy):
        try:
            return proxy.metrics()["glmproxy_history_records_read_total"] > 0
        except (OSError, AssertionError, EOFError):
            return False


class Stopped(Helpers, Case):
    def test_admin_is_stopped(self):
        """Proxying goes on; each record that has no room is counted."""
        proxy = self.own_proxy()
        (pid,) = wait_until(lambda: proxy.children("admin"), "admin")
        # Long records: many notices, long names.
        path = "/v1/chat/completions"
        odd = b",".join(b'"unknown_%040d":1' % i for i in range(15))
        body = (b'{"model":"glm-4.6","messages":[{"role":"user","content":'
                b'"x"}],"max_tokens":9,' + odd + b'}')
        Flood(proxy, most=10, body=body, path=path).join()
        self.settled(proxy)
        size = one(self.db(proxy), "SELECT max(length(notices)) FROM request")
        self.assertGreater(size, 700)
        os.kill(pid, signal.SIGSTOP)
        try:
            most = 4400000 // (size + 300)
            answered = Flood(proxy, most=most, body=body,
                             path=path).join()
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(answered, most)
        f = self.settled(proxy)
        self.assertGreater(lost(f, "ring"), 0)
        self.assertEqual(lost(f), lost(f, "ring"))
        self.assertEqual(lost(f, "ring") + self.sums(proxy), 10 + most)
        self.assertEqual(self.overview(proxy)["losses"]["ring"], lost(f))


class Stats(Helpers, Case):
    """glmproxy stats."""

    refusals = True
    expected = (r"upstream",)

    def stats(self, proxy, *args, code=0):
        r = run_program("stats", "-c", proxy.conf_path, *args)
        self.assertEqual(r.returncode, code, r.stderr)
        return (r.stdout if code == 0 else r.stderr).decode()

    def filled(self):
        proxy = self.own_proxy()
        Flood(proxy, most=30).join()
        Flood(proxy, most=2, body=(
            b'{"model":"a,\\"b","messages":[{"role":"user","content":'
            b'"x"}],"max_tokens":9}')).join()
        proxy.post("/v1/messages/count_tokens", {
            "model": "glm-4.6", "messages": [
                {"role": "user", "content": "x"}]})
        self.settled(proxy)
        return proxy

    def test_forms(self):
        proxy = self.filled()
        rows = json.loads(self.stats(proxy, "--by", "status,error,model",
                                     "--json"))
        self.assertEqual(len(rows), 2)
        ok, bad = rows
        self.assertEqual(
            {n: ok[n] for n in ("status", "error", "model", "requests",
                                "failed", "cancelled", "input_tokens",
                                "cached_tokens", "output_tokens")},
            {"status": 200, "error": "", "model": "glm-4.6", "requests": 30,
             "failed": 0, "cancelled": 0, "input_tokens": 300,
             "cached_tokens": 120, "output_tokens": 60})
        self.assertEqual((bad["status"], bad["error"], bad["model"],
                          bad["requests"], bad["failed"]),
                         (404, "model_not_found", 'a,"b', 2, 2))
        self.assertIsNone(bad["first_byte_ms"])
        self.assertLessEqual(ok["first_byte_ms"], ok["longest_ms"])
        # The same as CSV and as a table.
        text = self.stats(proxy, "--by", "status,error,model", "--csv")
        got = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual(
            [{n: "" if v is None else str(v) for n, v in r.items()}
             for r in rows], got)
        table = self.stats(proxy, "--by", "status,error,model").splitlines()
        self.assertEqual(table[0].split(), list(ok))
        self.assertEqual(table[1].split()[:5],
                         ["200", "-", "glm-4.6", "30", "0"])
        self.assertEqual(len({len(line) for line in table}), 1)

    def test_times(self):
        proxy = self.filled()
        for by in ("minute", "hour", "day"):
            for last in ("2h", "90d"):
                rows = json.loads(self.stats(
                    proxy, "--by", by, "--last", last, "--json"))
                self.assertEqual(sum(r["requests"] for r in rows), 32)
                for r in rows:
                    self.assertRegex(r[by], {
                        "minute": r"^\d{4}-\d\d-\d\dT\d\d:\d\dZ$",
                        "hour": r"^\d{4}-\d\d-\d\dT\d\d:00Z$",
                        "day": r"^\d{4}-\d\d-\d\d$"}[by])
        (row,) = json.loads(self.stats(proxy, "--counts", "--json",
                                       "--by", "model"))
        self.assertEqual(row["requests"], 1)
        (row,) = json.loads(self.stats(proxy, "--by", "", "--json"))
        self.assertEqual(row["requests"], 32)
        # Old ones do not count.
        db = sqlite3.connect(self.db(proxy))
        for table in ("minute", "hour"):
            db.execute("UPDATE %s SET time_s = time_s - 8 * 86400" % table)
        db.commit()
        db.close()
        self.assertEqual(self.stats(proxy, "--json"), "[]\n")
        self.assertEqual(self.stats(proxy, "--by", "", "--json"), "[]\n")
        self.assertIn("a,\"b", self.stats(proxy, "--last", "9d"))
        self.check_whole(proxy)

    def test_misuse(self):
        proxy = self.own_proxy({"history": "false"})
        for args, words in ((["--by", "week"], "--by takes minute"),
                            (["--last", "7"], "--last takes a time"),
                            (["--last", "0d"], "--last takes a time"),
                            (["--last", "99999999999999d"], "--last takes"),
                            (["--last"], "needs a value"),
                            (["--xml"], "unknown option --xml")):
            self.assertIn(words, self.stats(proxy, *args, code=64))
        self.assertIn("unable to open database file",
                      self.stats(proxy, code=1))
        with open(self.db(proxy), "wb") as f:
            f.write(b"no database" * 999)
        self.assertIn("not a database", self.stats(proxy, code=1))
        self.assertEqual(os.listdir(proxy.config["state_dir"]),
                         ["history.db"])

    def test_reads_only(self):
        """Where it may not write beside the database, and the service does
        not run."""
        proxy = self.filled()
        folder = tempfile.mkdtemp(prefix="glmproxy-e2e-")
        self.addCleanup(shutil.rmtree, folder, True)
        path = os.path.join(folder, "100%?#", "history.db")
        os.mkdir(os.path.dirname(path))
        db = sqlite3.connect(self.db(proxy))
        to = sqlite3.connect(path)
        db.backup(to)
        db.close()
        to.close()
        os.chmod(path, 0o444)
        os.chmod(os.path.dirname(path), 0o555)
        before = os.listdir(os.path.dirname(path))
        r = json.loads(self.stats(
            proxy, "--json", "--by", "", "-o",
            "state_dir=" + os.path.dirname(path)))
        self.assertEqual(r[0]["requests"], 32)
        if os.geteuid() != 0:
            self.assertEqual(os.listdir(os.path.dirname(path)), before)


class Trouble(Helpers, unittest.TestCase):
    """A database that cannot be written."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="glmproxy-e2e-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.path = os.path.join(self.dir, "history.db")
        self.standin = Standin()
        self.addCleanup(self.standin.stop)

    def proxy(self, *expected, **config):
        proxy = Proxy(dict(config, state_dir=self.dir), self.standin)
        self.addCleanup(self.end, proxy, expected)
        return proxy

    def end(self, proxy, expected):
        try:
            if proxy.process.popen.poll() is None:
                proxy.check_log(expected)
        finally:
            if proxy.process.popen.poll() is None:
                proxy.stop()
            proxy.remove()

    def chats(self, proxy, n=20):
        self.assertEqual(Flood(proxy, most=n, threads=2).join(), n)

    def told(self, proxy, words):
        def look():
            h = self.overview(proxy)["history"]
            return not h["written"] and words in h["why"]
        wait_until(look, words)

    def test_locked(self):
        proxy = self.proxy("the history cannot be written")
        self.chats(proxy)
        self.settled(proxy)
        db = sqlite3.connect(self.path)
        db.execute("BEGIN EXCLUSIVE")
        self.chats(proxy)
        self.told(proxy, "database is locked")
        db.rollback()
        db.close()
        self.assertEqual(lost(self.settled(proxy)), 0)
        self.assertEqual(self.sums(proxy), 40)
        wait_until(lambda: self.overview(proxy)["history"]["written"],
                   "a history that is told to be written")

    def test_deleted(self):
        proxy = self.proxy("is gone: a new one is begun")
        for parts in (("", "-wal", "-shm"), ("",), ("-wal",)):
            self.chats(proxy)
            self.settled(proxy)
            for part in parts:
                os.unlink(self.path + part)
            self.chats(proxy)
            self.assertEqual(lost(self.settled(proxy)), 0)
            self.assertGreaterEqual(self.sums(proxy), 20)
            self.check_whole(proxy)

    def corrupt(self, proxy, data):
        """Spoil it while nobody has it open."""
        with open(self.path, "r+b") as f:
            f.seek(0)
            f.write(data)

    def test_not_a_database(self):
        for i in range(4):
            for part in glob.glob(self.path + "-wal") + glob.glob(
                    self.path + "-shm"):
                os.unlink(part)
            with open(self.path, "wb") as f:
                f.write(b"this is no database %d " % i * 500)
            proxy = self.proxy("is set aside, and a new one begun")
            self.chats(proxy)
            f = self.settled(proxy)
            self.assertEqual(lost(f), 0)
            self.assertEqual(f["glmproxy_history_set_aside_total"], 1)
            self.assertEqual(self.sums(proxy), 20)
            self.end(proxy, ["is set aside, and a new one begun"])
        aside = sorted(glob.glob(self.path + "-corrupt-?"))
        self.assertEqual([p[-1] for p in aside], ["1", "2"])
        for path, i in zip(aside, (3, 2)):
            with open(path, "rb") as f:
                self.assertIn(b"no database %d " % i, f.read())

    def test_spoilt_under_way(self):
        proxy = self.proxy("is set aside, and a new one begun",
                           "the history cannot be written")
        self.chats(proxy)
        self.settled(proxy)
        # Everything into the one file, then nonsense over its pages.
        db = sqlite3.connect(self.path)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        size = os.path.getsize(self.path)
        with open(self.path, "r+b") as f:
            f.seek(4096)
            f.write(b"\xa5" * (size - 4096))

        def look():
            self.chats(proxy, 2)
            return proxy.metrics()["glmproxy_history_set_aside_total"]
        wait_until(look, "a new database")
        self.chats(proxy)
        self.settled(proxy)
        self.assertGreaterEqual(self.sums(proxy), 20)
        self.check_whole(proxy)

    def test_a_later_version(self):
        db = sqlite3.connect(self.path)
        db.execute("PRAGMA user_version = 99")
        db.execute("CREATE TABLE request (x)")
        db.commit()
        db.close()
        proxy = self.proxy("made by a later version")
        self.chats(proxy)
        self.told(proxy, "made by a later version of the program")
        self.assertEqual(one(self.path, "PRAGMA user_version"), 99)
        self.assertEqual(glob.glob(self.path + "-corrupt*"), [])

    def test_no_directory(self):
        """Something else has its name."""
        os.mkdir(self.path)
        proxy = self.proxy("the history cannot be written")
        self.chats(proxy)
        self.told(proxy, "unable to open database file")
        os.rmdir(self.path)
        self.assertEqual(lost(self.settled(proxy)), 0)
        self.assertEqual(self.sums(proxy), 20)

    def mount(self):
        """A small file system; where that is not allowed, no test."""
        disk = os.path.join(self.dir, "disk")
        os.mkdir(disk)
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk],
            capture_output=True, check=False)
        if made.returncode != 0:
            self.skipTest("may not mount")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        return disk

    def test_read_only(self):
        disk = self.mount()
        self.path = os.path.join(disk, "history.db")
        proxy = Proxy({"state_dir": disk}, self.standin)
        self.chats(proxy)
        self.settled(proxy)
        self.assertEqual(proxy.process.end(), 0)
        proxy.remove()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        proxy = Proxy({"state_dir": disk}, self.standin)
        self.addCleanup(self.end, proxy, ["the history cannot be written"])
        self.chats(proxy)
        self.told(proxy, "history.lock: Read-only")
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        self.assertEqual(lost(self.settled(proxy)), 0)
        self.assertEqual(one(self.path, "SELECT sum(requests) FROM minute"),
                         40)

    def test_full(self):
        """No file may grow: as on a full disk."""
        proxy = self.proxy("the history cannot be written", "log files in")
        self.chats(proxy)
        self.settled(proxy)
        (pid,) = wait_until(lambda: proxy.children("admin"), "admin")
        no = resource.RLIM_INFINITY
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, no))
        self.chats(proxy)
        self.told(proxy, "")
        self.assertEqual(proxy.children("admin"), [pid])
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (no, no))
        self.assertEqual(lost(self.settled(proxy)), 0)
        self.assertEqual(self.sums(proxy), 40)
        self.check_whole(proxy)

    def test_full_disk(self):
        disk = self.mount()
        proxy = Proxy({"state_dir": disk}, self.standin)
        self.addCleanup(self.end, proxy, ["the history cannot be written",
                                          "cannot be written"])
        self.chats(proxy)
        self.settled(proxy)
        fill = os.path.join(disk, "fill")
        with open(fill, "wb", buffering=0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        self.chats(proxy, 300)
        self.told(proxy, "disk is full")
        os.unlink(fill)
        self.assertEqual(lost(self.settled(proxy)), 0)
        self.assertEqual(
            one(os.path.join(disk, "history.db"),
                "SELECT sum(requests) FROM minute"), 320)

    def test_only_one_writes(self):
        with open(os.path.join(self.dir, "history.lock"), "w",
                  encoding="ascii") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            proxy = self.proxy("the history cannot be written")
            self.chats(proxy)
            self.told(proxy, "history.lock")
            self.assertFalse(os.path.exists(self.path))
        self.assertEqual(lost(self.settled(proxy)), 0)
        self.assertEqual(self.sums(proxy), 20)

    def test_killed_whenever(self):
        """All processes at once, under load, again and again."""
        total = 0
        for _ in range(int(os.environ.get("HISTORY_KILLS", "12"))):
            proxy = Proxy({"state_dir": self.dir, "workers": "2"},
                          self.standin)
            flood = Flood(proxy)
            wait_until(lambda: proxy.metrics()[
                "glmproxy_history_records_read_total"], "a few records")
            os.kill(proxy.pid, signal.SIGSTOP)
            pids = proxy.children("admin") + proxy.children("worker")
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            proxy.process.kill()
            # Until then they hold the lock of the history.
            wait_until(lambda p=pids: all(map(is_gone, p)), "their end")
            flood.ends = True
            flood.join()
            proxy.remove()
            if self.has_begun():
                self.check_whole_at(total)
                total = one(self.path, "SELECT coalesce(sum(requests), 0) "
                            "FROM minute")
            else:
                self.assertEqual(total, 0)
        proxy = self.proxy()
        self.chats(proxy)
        self.settled(proxy)
        self.assertEqual(self.sums(proxy), total + 20)

    def has_begun(self):
        """Whether there is a database, with tables."""
        if not os.path.exists(self.path):
            return False
        # Who comes first after a kill recovers what is in the log.
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            return db.execute("SELECT count(*) FROM sqlite_master "
                              "WHERE name = 'minute'").fetchone()[0] == 1

    def check_whole_at(self, least):
        db = sqlite3.connect(self.path)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(),
                         [("ok",)])
        for table in ("minute", "hour"):
            self.assertGreaterEqual(db.execute(
                "SELECT coalesce(sum(requests), 0) FROM %s" % table
            ).fetchone()[0], least)
        db.close()

    def test_retention(self):
        """What is too old goes, bit by bit, and so does the room it took."""
        proxy = self.proxy()
        self.chats(proxy)
        self.settled(proxy)
        self.assertEqual(proxy.process.end(), 0)
        db = sqlite3.connect(self.path)
        self.assertEqual(db.execute("PRAGMA auto_vacuum").fetchone(), (2,))
        for table in ("minute", "hour"):
            db.execute("UPDATE %s SET time_s = time_s - 40 * 86400" % table)
        db.execute("UPDATE request SET time_us = time_us - 40*86400*1000000")
        columns = ", ".join(r[1] for r in db.execute(
            "PRAGMA table_info(request)") if r[1] != "id")
        for _ in range(8):
            db.execute("INSERT INTO request (%s) SELECT %s FROM request" % (
                columns, columns))
        db.commit()
        before = db.execute("PRAGMA page_count").fetchone()[0]
        db.close()
        proxy = self.proxy(history_retention_days="30",
                           history_rows_per_s="10000")
        self.chats(proxy)

        def look():
            self.settled(proxy)
            return (one(self.path, "SELECT count(*) FROM request") == 20
                    and self.sums(proxy) == 20
                    and self.sums(proxy, "hour") == 20
                    and one(self.path, "PRAGMA page_count") < before)
        wait_until(look, "old rows to go", 60)
        self.check_whole(proxy)


if __name__ == "__main__":
    unittest.main()
