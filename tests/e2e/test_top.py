# SPDX-License-Identifier: MIT
"""`glmproxy top`: what it tells, and that it gives the terminal back."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import unittest

from tests.e2e.chat import DIALECTS, user
from tests.e2e.harness import (GLMPROXY, Case, Proxy, as_bytes, clean_env,
                               post_fields, run_program, wait_until)

TAKEN = b"\x1b[?1049h"
GIVEN = b"\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"
# Two minutes: it is left to the tests to end it.
SLOW = "[[slow head=0 first=0 delay=50 words=2400 per=1]]"
EVIL = "\x1b]0;owned\x07\x1b[2m\r\n\x9b31m\u202emodel"
# What drawing needs; all else of the control characters would be a name's.
DRAWS = re.compile(rb"\x1b\[(H|2J|\?\d+[hl]|[\d;]*m)|\r+\n")
NOT_RUNNING, USAGE, OTHER_VERSION, DENIED = 1, 64, 76, 77


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, argv, width=80, height=24, **env):
        self.master, self.slave = pty.openpty()
        self.resize(width, height, False)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.popen = subprocess.Popen(
            argv, stdin=self.slave, stdout=self.slave,
            stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=clean_env(**{"TERM": "xterm", "LC_ALL": "C.UTF-8", **env}))

    def resize(self, width, height, tell=True):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", height, width, 0, 0))
        if tell:
            self.popen.send_signal(signal.SIGWINCH)

    def read(self):
        """What has come so far."""
        while select.select([self.master], [], [], 0)[0]:
            try:
                got = os.read(self.master, 65536)
            except OSError:
                break
            if not got:
                break
            self.seen += got
        return self.seen

    def frames(self):
        return self.read().split(b"\x1b[H")[1:]

    def wait(self, pattern, since=0):
        """A picture behind number `since` that holds the pattern, as text."""
        regex = re.compile(pattern, re.S)

        def look():
            # The last one may not be complete.
            for frame in self.frames()[since:-1]:
                text = DRAWS.sub(b"\n", frame).decode()
                if regex.search(text):
                    return text
            return None

        return wait_until(look, "%s in a picture of %r" % (
            pattern, self.seen[-3000:]))

    def keys(self, text):
        os.write(self.master, text)

    def ended(self):
        """Its exit status, what it said on stderr; the terminal is as it was
        before."""
        def look():
            self.read()
            return self.popen.poll() is not None
        wait_until(look, "its end")
        with self.popen.stderr:
            err = self.popen.stderr.read().decode()
        return self.popen.returncode, err

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        if not self.popen.stderr.closed:
            self.popen.stderr.close()
        os.close(self.master)
        os.close(self.slave)


def may_look():
    """Root, with CAP_SYS_PTRACE (19), which containers may lack."""
    with open("/proc/self/status", encoding="ascii") as f:
        caps = re.search(r"^CapEff:\s+(\w+)", f.read(), re.M).group(1)
    return os.getuid() == 0 and int(caps, 16) >> 19 & 1


class Top(Case):
    """Chats that last are sent with begin()."""

    @classmethod
    def setUpClass(cls):
        if not may_look():
            raise unittest.SkipTest("may not look into other processes")
        super().setUpClass()

    standin_args = ("--model", EVIL)
    refusals = True

    def argv(self, *args, proxy=None):
        return [GLMPROXY, "top", "-c", (proxy or self.proxy).conf_path,
                *args]

    def top(self, *args, proxy=None, **more):
        t = Terminal(self.argv("--interval", "0.1", *args, proxy=proxy),
                     **more)
        self.addCleanup(t.close)
        return t

    def begin(self, client="A", model="glm-4.6", proxy=None):
        """A stream of which something has come; it goes on for a while."""
        d = DIALECTS[client]
        conn = (proxy or self.proxy).connect()
        self.addCleanup(conn.close)
        conn.request("POST", d.path, post_fields(), as_bytes(
            d.body(user(SLOW), stream=True, model=model)))
        conn.read_head()
        return conn

    def once(self, *args, **more):
        r = run_program(*self.argv("--once", "--interval", "0.1", *args)[1:],
                        **more)
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        return r.stdout.decode()


class Terminals(Top):
    def check_given_back(self, t, status):
        got, err = t.ended()
        self.assertEqual((got, err), (status, ""))
        self.assertEqual(t.seen.count(TAKEN), t.seen.count(GIVEN))
        self.assertTrue(t.seen.endswith(GIVEN), t.seen[-200:])
        self.assertEqual(termios.tcgetattr(t.slave), t.before)

    def test_keys_that_leave(self):
        for key in (b"q", b"Q", b"\x03"):
            t = self.top()
            t.wait("running")
            self.assertNotEqual(termios.tcgetattr(t.slave), t.before)
            t.keys(key)
            self.check_given_back(t, 0)

    def test_signals_that_end_it(self):
        for sig, status in ((signal.SIGINT, 0), (signal.SIGTERM, -15),
                            (signal.SIGHUP, -1), (signal.SIGQUIT, -3)):
            t = self.top()
            t.wait("running")
            t.popen.send_signal(sig)
            self.check_given_back(t, status)

    def test_stop_and_go_on(self):
        """Ctrl-Z gives the terminal back; fg takes it again."""
        t = self.top()
        t.wait("running")
        t.keys(b"\x1a")
        wait_until(lambda: t.read().endswith(GIVEN)
                   and self.state_of(t.popen.pid) == "T", "its stop")
        self.assertEqual(termios.tcgetattr(t.slave), t.before)
        seen = len(t.frames())
        t.popen.send_signal(signal.SIGCONT)
        t.wait("running", seen)
        t.keys(b"q")
        self.check_given_back(t, 0)

    def state_of(self, pid):
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0]

    def test_the_service_ends(self):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            proxy = Proxy({}, self.standin)
            self.addCleanup(proxy.remove)
            self.addCleanup(proxy.process.kill)
            t = self.top(proxy=proxy)
            t.wait("running")
            proxy.process.end(sig)
            status, err = t.ended()
            self.assertEqual(status, NOT_RUNNING)
            self.assertIn("has ended", err)
            self.assertTrue(t.seen.endswith(GIVEN))
            self.assertEqual(termios.tcgetattr(t.slave), t.before)

    def test_the_terminal_goes(self):
        t = self.top()
        t.wait("running")
        os.close(t.master)
        os.close(t.slave)
        t.master, t.slave = pty.openpty()
        wait_until(lambda: t.popen.poll() is not None, "its end")

    def test_upgrade_goes_on(self):
        """The same memory, other processes."""
        proxy = self.own_proxy()
        t = self.top(proxy=proxy)
        t.wait("running")
        old = proxy.children("worker")
        os.kill(proxy.pid, signal.SIGUSR2)
        wait_until(lambda: proxy.children("worker")
                   and not set(old) & set(proxy.children("worker")),
                   "another generation")
        t.wait("%d ready" % proxy.children("worker")[0], len(t.frames()))
        t.keys(b"q")
        self.check_given_back(t, 0)

    def test_no_terminal(self):
        r = run_program(*self.argv()[1:])
        self.assertEqual(r.returncode, USAGE)
        self.assertIn(b"no terminal: use --once", r.stderr)
        self.assertEqual(r.stdout, b"")
        t = self.top(TERM="dumb")
        self.assertEqual(t.ended()[0], USAGE)
        self.assertNotIn(b"\x1b", t.seen)


class Pictures(Top):
    def lines(self, text):
        return text.strip("\n").split("\n")

    def check_size(self, t, width, height, since):
        def look():
            for frame in t.frames()[since:-1]:
                lines = DRAWS.sub(lambda m: b"\n" if m.group(0)[-1:] == b"\n"
                                  else b"", frame).split(b"\n")
                if {len(x) for x in lines} == {width} and (
                        len(lines) == height):
                    return True
            return False
        wait_until(look, "%d x %d" % (width, height))

    def test_resize(self):
        t = self.top()
        t.wait("running")
        for width, height in ((120, 40), (40, 15), (10, 4), (1, 1),
                              (80, 24)):
            seen = len(t.frames())
            t.resize(width, height)
            self.check_size(t, width, height, seen)

    def test_chats(self):
        t = self.top(width=120)
        t.wait("no chat is under way")
        self.begin("A", "glm-4.6")
        self.begin("O", "glm-4.5-air")
        text = t.wait(r"answering +0 ms.*live|live 2 +waiting 0 +queued 0 +"
                      r"answering 2")
        # A busy machine may need more than a second for the first byte.
        self.assertRegex(text, r"answering +\S+ m?s +[\d.]+ .* glm-4\.6 ")
        self.assertRegex(text, r"glm-4\.5-air .* openai>anthropic")
        self.assertRegex(text, r"anthropic>anthropic")
        self.assertRegex(text, r" ready ")

    def test_keys(self):
        t = self.top()
        t.wait("sort: age")
        t.keys(b"s")
        t.wait("sort: tokens")
        t.keys(b"r")
        t.wait(r"sort: tokens \(r\)")
        t.keys(b"+")
        t.wait(r"\+- 0\.2 s")
        t.keys(b"-")
        t.keys(b"?")
        t.wait("the other way round")
        seen = len(t.frames())
        t.keys(b"?\x1b[A\x1b[B\x1bOA\x1b[1;5Cjk")
        t.wait("WORKER", seen)
        t.keys(b"p")
        text = t.wait(r"\(paused\)")
        up = re.search(r"up [\d.]+ \w+", text).group(0)
        seen = len(t.frames())
        t.resize(90, 24)
        self.assertIn(up, t.wait(r"\(paused\)", seen))
        t.keys(b" ")
        t.wait(r"running   ", seen)

    def test_hostile_model(self):
        for lang in ("C.UTF-8", "C"):
            t = self.top(width=120, LC_ALL=lang)
            t.wait("running")
            self.begin("A", EVIL)
            t.wait(r"\?\]0;owned\?\?\[2m")
            # What is read last may end within a sequence.
            left = DRAWS.sub(b"", t.read().rpartition(b"\x1b[H")[0])
            self.assertEqual(re.findall(rb"[\x00-\x1f\x7f]", left), [])
            self.assertNotIn("\x9b".encode(), left)
            self.assertNotIn("\u202e".encode(), left)
            if lang == "C":
                self.assertTrue(left.isascii())

    def test_colors(self):
        """A worker that hangs is something to be red about."""
        proxy = self.own_proxy()
        (pid,) = proxy.children("worker")
        os.kill(pid, signal.SIGSTOP)
        try:
            red = self.top(proxy=proxy)
            plain = self.top(proxy=proxy, NO_COLOR="1")
            for t in (red, plain):
                t.wait("no worker serves")
            self.assertIn(b"\x1b[1;31m", red.seen)
            self.assertNotRegex(plain.seen, rb"\x1b\[[\d;]*3\dm")
        finally:
            os.kill(pid, signal.SIGCONT)


class Once(Top):
    NUMBER = (int, float)

    def check(self, value, schema, at="top"):
        """schema: a type, a tuple of types, {key: schema} or [schema]."""
        if isinstance(schema, dict):
            self.assertEqual(set(value), set(schema), at)
            for key, what in schema.items():
                self.check(value[key], what, "%s.%s" % (at, key))
        elif isinstance(schema, list):
            for i, v in enumerate(value):
                self.check(v, schema[0], "%s[%d]" % (at, i))
        else:
            self.assertIsInstance(value, schema, at)

    def test_json(self):
        number, null = self.NUMBER, (int, float, type(None))
        times = {"p50": null, "p90": null, "p99": null}
        self.begin("O", "glm-4.6")

        def look():
            got = json.loads(self.once("--json"))
            # Those of other tests may not have left yet.
            return got if (got["now"]["chats"] == len(got["chats"]) == 1
                           and got["per_s"]["tokens_out"] > 0
                           and got["chats"][0]["output_tokens"] > 3) else None
        got = wait_until(look, "the chat")
        self.check(got, {
            "version": str, "time": str, "pid": int, "status": str,
            "ok": bool, "uptime_s": number, "generation": int,
            "restarts": int, "interval_s": number,
            "per_s": {n: number for n in (
                "requests", "chats", "errors", "cancelled", "tokens_in",
                "tokens_cached", "tokens_out", "lost")},
            "cache_hit_percent": null, "first_byte_ms": times,
            "total_ms": times,
            "now": {n: int for n in (
                "chats", "waiting", "queued", "answering", "unlisted",
                "streams", "client_connections", "upstream_connections",
                "buffered_bytes")},
            "totals": {n: int for n in (
                "requests", "chats", "errors", "cancelled", "tokens_in",
                "tokens_cached", "tokens_out", "lost")},
            "workers": [{
                "pid": int, "slot": int, "generation": int, "state": str,
                "heartbeat_ms": int, "connections": int, "chats": int,
                "requests_per_s": null, "cpu_percent": null,
                "unread_bytes": int}],
            "chats": [{
                "request": str, "client": str, "model": str, "dialect": str,
                "upstream": str, "stream": bool, "phase": str, "begun": str,
                "age_ms": int, "first_byte_ms": null, "output_tokens": int,
                "bytes": int}]})
        self.assertEqual((got["pid"], got["status"], got["ok"]),
                         (self.proxy.pid, "running", True))
        self.assertEqual([w["pid"] for w in got["workers"]],
                         self.proxy.children("worker"))
        (chat,) = got["chats"]
        self.assertEqual(
            (chat["model"], chat["dialect"], chat["upstream"],
             chat["stream"], chat["phase"], len(chat["client"])),
            ("glm-4.6", "openai", "anthropic", True, "answering", 8))
        self.assertTrue(chat["request"].startswith("req_"))
        self.assertLess(chat["first_byte_ms"], chat["age_ms"] + 1)
        self.assertGreater(chat["bytes"], 100)
        self.assertEqual(got["now"]["chats"], 1)

    def test_chats_end(self):
        """In whatever way: nothing stays in the list."""
        conns = [self.begin(c) for c in "AOAO"]
        for conn in conns[:2]:
            conn.close()
        self.proxy.post("/v1/messages", DIALECTS["A"].body(user("hello")))
        self.proxy.post("/v1/messages", b"{}")

        def count(n):
            return lambda: json.loads(self.once("--json"))["now"][
                "chats"] == n
        wait_until(count(2), "two chats")
        (pid,) = self.proxy.children("worker")
        self.expect_log("died: signal 9")
        os.kill(pid, signal.SIGKILL)
        wait_until(count(0), "no chat")

    def test_waiting(self):
        d = DIALECTS["A"]
        with self.proxy.connect() as conn:
            conn.request("POST", d.path, post_fields(), as_bytes(
                d.body(user("[[no_head]]"))))

            def look():
                got = json.loads(self.once("--json"))
                return [(c["phase"], c["stream"], c["first_byte_ms"])
                        for c in got["chats"]] == [("waiting", False, None)]
            wait_until(look, "a chat that waits")

    def test_text(self):
        self.begin("A", EVIL)
        text = self.once()
        self.assertIn("running", text)
        self.assertNotIn("\x1b", text)
        self.assertIn("?]0;owned??[2m", text)
        self.assertIn("PHASE", text)

    def test_usage(self):
        for args in (["--json"], ["--interval", "0"], ["--interval"],
                     ["--interval", "nan"], ["--interval", "61"], ["more"],
                     ["--interval", "1x"], ["--twice"]):
            r = run_program(*self.argv(*args)[1:])
            self.assertEqual(r.returncode, USAGE, args)
            self.assertTrue(r.stderr.startswith(b"glmproxy top: "), args)

    def test_no_service(self):
        r = run_program("top", "--once", "-o", "pid_file=/nonexistent/pid")
        self.assertEqual(r.returncode, NOT_RUNNING)
        self.assertIn(b"not running", r.stderr)

    @unittest.skipIf(os.getuid() != 0, "needs root")
    def test_another_user(self):
        os.chmod(self.proxy.dir, 0o755)
        r = subprocess.run(
            [GLMPROXY, "top", "--once", "-o",
             "pid_file=" + self.proxy.config["pid_file"]],
            capture_output=True, timeout=15, check=False, user=65534,
            group=65534, extra_groups=[], cwd="/tmp", env=clean_env())
        self.assertEqual((r.returncode, r.stdout), (DENIED, b""))
        self.assertIn(b"only root may look into the memory", r.stderr)

    @unittest.skipIf(shutil.which("setpriv") is None, "no setpriv")
    def test_root_without_the_capability(self):
        r = subprocess.run(
            ["setpriv", "--bounding-set", "-sys_ptrace", GLMPROXY]
            + self.argv("--once")[1:], capture_output=True, timeout=15,
            check=False, env=clean_env())
        self.assertEqual((r.returncode, r.stdout), (DENIED, b""))
        self.assertIn(b"only with CAP_SYS_PTRACE", r.stderr)

    def test_not_ours(self):
        """A process without such memory, as an older version may be."""
        path = os.path.join(self.proxy.dir, "other.pid")
        with open(path, "w", encoding="ascii") as f:
            f.write("%d\n" % os.getpid())
            f.flush()
            fcntl.flock(f, fcntl.LOCK_EX)
            r = run_program("top", "--once", "-o", "pid_file=" + path)
        self.assertEqual(r.returncode, OTHER_VERSION)
        self.assertIn(b"no memory of glmproxy's", r.stderr)

    def test_another_layout(self):
        """A memory of the right name that is none of ours."""
        fd = os.memfd_create("glmproxy", os.MFD_CLOEXEC)
        path = os.path.join(self.proxy.dir, "other.pid")
        try:
            os.ftruncate(fd, 4096)
            with open(path, "w", encoding="ascii") as f:
                f.write("%d\n" % os.getpid())
                f.flush()
                fcntl.flock(f, fcntl.LOCK_EX)
                r = run_program("top", "--once", "-o", "pid_file=" + path)
        finally:
            os.close(fd)
        self.assertEqual(r.returncode, OTHER_VERSION)
        self.assertIn(b"another version than this program", r.stderr)
        self.assertIn(os.path.realpath("/proc/self/exe").encode(), r.stderr)


if __name__ == "__main__":
    unittest.main()
