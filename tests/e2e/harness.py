# SPDX-License-Identifier: MIT
"""harness.py - the program and the stand-in upstream as objects of a test.

Environment: GLMPROXY_BIN, STANDIN_BIN (else below build/$BUILD). A test never
sleeps: it waits for a line, a figure or a byte, with a deadline. Lines of
level warn and err that a test does not expect fail it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from tests.e2e import wire

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "release")


def _program(variable, name):
    """A path that holds in every directory; relative ones are ROOT's."""
    return os.path.join(ROOT, os.environ.get(
        variable, os.path.join("build", BUILD, name)))


GLMPROXY = _program("GLMPROXY_BIN", "glmproxy")
STANDIN = _program("STANDIN_BIN", "standin")
CERTS_SH = os.path.join(ROOT, "tests/upstream/certs.sh")
DEADLINE_S = 30.0
KEY = "client-key.1"

# What is passed on of our own environment: the rest could set configuration.
PASSED_ENV = ("PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "LSAN_OPTIONS",
              "UBSAN_OPTIONS", "TSAN_OPTIONS", "GCOV_PREFIX",
              "LLVM_PROFILE_FILE")
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\S+Z (err|warn|info|debug) ")
ALWAYS_EXPECTED = (
    r"no user is configured: all processes run as root",
    # The leak checker's note of a thread that ended while it looked.
    r"^==\d+==Unable to get registers from thread \d+\.$",
)


def tls_checks_addresses():
    """Whether the TLS library looks at IP addresses in certificates: mbedTLS
    from 3 on (libmbedtls.so.14 is 2.28)."""
    out = subprocess.run(["ldd", GLMPROXY], capture_output=True, text=True,
                         timeout=10, check=False).stdout
    return "libmbedtls.so.14" not in out


def is_sanitized():
    """True for a build under a sanitizer, which holds memory of its own."""
    with open(GLMPROXY, "rb") as f:
        return b"__asan_init" in f.read()


def wait_until(check, what, timeout=DEADLINE_S):
    """Ask again and again; the first true answer of check(), or a failure."""
    until = time.monotonic() + timeout
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > until:
            raise AssertionError("%.1f s passed without: %s" % (timeout, what))
        time.sleep(0.002)


def proc_file(pid, name):
    """A file of /proc/PID; b"" of a process that has left meanwhile."""
    try:
        with open("/proc/%d/%s" % (pid, name), "rb") as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def clean_env(**more):
    env = {n: os.environ[n] for n in PASSED_ENV if n in os.environ}
    env.update(more)
    return env


class Process:
    """A program that runs in the background with its output in a file."""

    def __init__(self, argv, directory, name, env=None):
        self.log_path = os.path.join(directory, name + ".log")
        self.name = name
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=directory, env=env if env is not None else clean_env())
        self.pid = self.popen.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, timeout=DEADLINE_S, after=0):
        """The match of a regex in the log, behind its first `after`
        characters."""
        regex = re.compile(pattern, re.M)

        def look():
            found = regex.search(self.log(), after)
            if found is None and self.popen.poll() is not None:
                raise AssertionError("%s ended with %s; its log:\n%s" % (
                    self.name, self.popen.returncode, self.log()))
            return found

        return wait_until(look, "%s in the log of %s" % (pattern, self.name),
                          timeout)

    def end(self, sig=signal.SIGTERM, timeout=DEADLINE_S):
        """Send a signal and wait; the exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("%s did not end in %s s; its log:\n%s" % (
                self.name, timeout, self.log()))

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


class Standin:
    """The stand-in upstream. plain and tls are "127.0.0.1:PORT"."""

    def __init__(self, *args, cert=None, key=None, directory=None):
        self.dir = directory or tempfile.mkdtemp(prefix="glmproxy-standin-")
        argv = [STANDIN, "--quiet", "--plain-listen", "127.0.0.1:0"]
        if cert is not None:
            argv += ["--listen", "127.0.0.1:0", "--tls-cert", cert,
                     "--tls-key", key]
        self.process = Process(argv + list(args), self.dir, "standin")
        self.tls = None
        self.plain = self._address("plain")
        if cert is not None:
            self.tls = self._address("tls")
        self.pid = self.process.pid

    def _address(self, kind):
        found = self.process.wait_log(
            r"^standin listening on (\S+) \(%s\)" % kind)
        return found.group(1)

    def stop(self):
        try:
            self.process.end()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def _ask(self, method, path, body=None):
        r = wire.fetch(self.plain, method, "/__standin/" + path, (), body)
        if r.status != 200:
            raise AssertionError("stand-in: %r" % r)
        return r.json()

    def stats(self):
        return self._ask("GET", "stats")

    def requests(self, since=0):
        return [Recorded(r) for r in self._ask(
            "GET", "requests?since=%d" % since)]

    def last(self):
        """The newest request."""
        got = self._ask("GET", "requests?last=1")
        if not got:
            raise AssertionError("the stand-in got no request")
        return Recorded(got[0])

    def count(self):
        """The number of the newest request, for requests(since=...)."""
        got = self._ask("GET", "requests?last=1")
        return got[0]["n"] if got else 0

    def reset(self):
        self._ask("POST", "reset", b"")

    def play_next(self, *scenarios):
        self._ask("POST", "next", "\n".join(scenarios).encode())

    def play_always(self, scenario):
        self._ask("POST", "default", scenario.encode())

    def wait_request(self, since, check=lambda r: True, what="a request"):
        """The first request behind number `since` that check() likes."""
        def look():
            for r in self.requests(since):
                if check(r):
                    return r
            return None

        return wait_until(look, "%s at the stand-in" % what)


class Recorded(dict):
    """A request as the stand-in received it."""

    def body_json(self):
        return json.loads(self["body"])

    def header(self, name):
        values = [v for n, v in self["headers"] if n.lower() == name]
        if len(values) > 1:
            raise AssertionError("%s came %d times" % (name, len(values)))
        return values[0] if values else None

    def side(self):
        return "A" if "/api/anthropic/" in self["path"] else "O"


def bases(address, tls=False):
    """The configuration that points at a stand-in."""
    root = "%s://localhost:%s" % ("https" if tls else "http",
                                  address.rpartition(":")[2])
    return {"upstream_base": root + "/api/anthropic",
            "openai_upstream_base": root + "/api/coding/paas/v4"}


def plain_numbers():
    """Settings under which token counts pass unchanged: those of the keys
    that this program lets us set."""
    if plain_numbers.cache is None:
        plain_numbers.cache = {}
        for key in ("token_scaling", "context_info"):
            r = run_program("check", "-o", "%s=false" % key)
            if r.returncode == 0:
                plain_numbers.cache[key] = "false"
    return plain_numbers.cache


plain_numbers.cache = None


def run_program(*args, env=None, cwd=None, stdin=b""):
    """Run a command of the program to its end."""
    return subprocess.run(
        [GLMPROXY] + list(args), input=stdin, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=DEADLINE_S, cwd=cwd or "/tmp",
        env=env if env is not None else clean_env(), check=False)


class Proxy:
    """glmproxy run -c FILE in a directory of its own."""

    def __init__(self, config, standin=None, tls=False, env=None, args=(),
                 start=True):
        self.dir = tempfile.mkdtemp(prefix="glmproxy-e2e-")
        self.config = {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0",
                       "workers": "1", "stop_timeout_s": "5"}
        for name in ("state_dir", "log_dir"):
            self.config[name] = os.path.join(self.dir, name)
        self.config["pid_file"] = os.path.join(self.dir, "pid")
        self.config.update(plain_numbers())
        if standin is not None:
            self.config.update(bases(standin.tls if tls else standin.plain,
                                     tls))
        self.config.update(config)
        self.conf_path = os.path.join(self.dir, "glmproxy.conf")
        self.write_config()
        self.argv = [GLMPROXY, "run", "-c", self.conf_path] + list(args)
        self.env = clean_env(**(env or {}))
        self.mark = 0
        self.process = None
        if start:
            self.start()

    def write_config(self):
        with open(self.conf_path, "w", encoding="utf-8") as f:
            for key, value in self.config.items():
                if value is not None:
                    f.write("%s = %s\n" % (key, value))
        os.chmod(self.conf_path, 0o600)

    def file(self, name, text, mode=0o600):
        """Make a file in the proxy's directory; its path."""
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def start(self):
        self.process = Process(self.argv, self.dir, "proxy", self.env)
        try:
            self.address = self._address("proxy")
            self.admin = self._address("admin")
            wait_until(lambda: len(self.children("worker"))
                       == int(self.config["workers"]), "all workers")
            self.check_serving()
        except BaseException:
            self.process.kill()
            self.remove()
            raise

    def _address(self, kind):
        text = self.process.wait_log(
            r"listening on (\S+) \(%s\)" % kind).group(1)
        return text.replace("0.0.0.0:", "127.0.0.1:")

    def check_serving(self):
        """The first answer; browsers' rules let no foreign Host pass."""
        r = wire.fetch(self.address, "GET", "/health")
        if r.status != 200:
            raise AssertionError("health: %r" % r)

    def children(self, title):
        """The pids of children by the end of their title."""
        found = []
        path = "/proc/%d/task/%d/children" % (self.pid, self.pid)
        try:
            with open(path, encoding="ascii") as f:
                pids = f.read().split()
        except OSError:
            return found
        for pid in pids:
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    if ("glmproxy: " + title).encode() in f.read():
                        found.append(int(pid))
            except OSError:
                continue
        return found

    def owners(self, conns):
        """Which worker serves each of these connections: a list of pids, None
        for one that no worker has accepted yet."""
        pid_of = {}
        for pid in self.children("worker"):
            for link in _links("/proc/%d/fd" % pid):
                if link.startswith("socket:["):
                    pid_of[link[8:-1]] = pid
        port_of = {}
        with open("/proc/net/tcp", encoding="ascii") as f:
            for line in f.readlines()[1:]:
                words = line.split()
                remote = int(words[2].rpartition(":")[2], 16)
                if words[9] in pid_of:
                    port_of[remote] = pid_of[words[9]]
        return [port_of.get(c.sock.getsockname()[1]) for c in conns]

    @property
    def pid(self):
        return self.process.pid

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self, sig=signal.SIGTERM):
        """Stop; the log must be clean and the exit status 0."""
        try:
            status = self.process.end(sig)
            if status != 0:
                raise AssertionError("the proxy ended with %d; its log:\n%s"
                                     % (status, self.process.log()))
            if "Sanitizer" in self.process.log():
                raise AssertionError("a sanitizer speaks at the end:\n%s"
                                     % self.process.log()[-6000:])
        finally:
            self.process.kill()
            self.remove()

    # --- what it says ------------------------------------------------------

    def log_since_mark(self):
        return self.process.log()[self.mark:]

    def check_log(self, expected=()):
        """No warning or error since the last call but the expected ones."""
        text = self.log_since_mark()
        self.mark += len(text)
        regexes = [re.compile(e) for e in tuple(expected) + ALWAYS_EXPECTED]
        bad = []
        for line in text.splitlines():
            level = LOG_LINE.match(line)
            if level is not None and level.group(1) in ("info", "debug"):
                continue
            if not any(r.search(line) for r in regexes):
                bad.append(line)
        if bad:
            raise AssertionError("unexpected lines in the log:\n"
                                 + "\n".join(bad[:20]))

    def metrics(self):
        """The figures of the admin port: {"name{labels}": value}."""
        r = wire.fetch(self.admin, "GET", "/metrics")
        if r.status != 200:
            raise AssertionError("metrics: %r" % r)
        out = {}
        for line in r.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                out[name] = float(value)
        return out

    def sum(self, name):
        """All figures of this name together, whatever their labels."""
        return sum(v for n, v in self.metrics().items()
                   if n.partition("{")[0] == name)

    # --- requests ----------------------------------------------------------

    def connect(self, **more):
        return wire.Conn(self.address, **more)

    def get(self, path, fields=(), method="GET"):
        return wire.fetch(self.address, method, path, fields)

    def post(self, path, body, fields=(), key=KEY, timeout=wire.TIMEOUT_S):
        """body: bytes, or what json.dumps takes."""
        return wire.fetch(self.address, "POST", path,
                          post_fields(fields, key), as_bytes(body), timeout)


def _links(folder):
    try:
        names = os.listdir(folder)
    except OSError:  # of a process that has left meanwhile
        return
    for name in names:
        try:
            yield os.readlink(os.path.join(folder, name))
        except OSError:
            continue


def as_bytes(body):
    return body if isinstance(body, bytes) else json.dumps(
        body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def post_fields(fields=(), key=KEY):
    fields = list(fields)
    names = {n.lower() for n, _ in fields}
    if "content-type" not in names:
        fields.append(("Content-Type", "application/json"))
    if key is not None and not names & {"authorization", "x-api-key"}:
        fields.append(("Authorization", "Bearer " + key))
    return fields


CERTS = {"dir": None}


def certs():
    """The directory that certs.sh fills: made once a module."""
    if CERTS["dir"] is None:
        CERTS["dir"] = tempfile.mkdtemp(prefix="glmproxy-certs-")
        subprocess.run(["sh", CERTS_SH, CERTS["dir"]], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=60)
        unittest.addModuleCleanup(_remove_certs)
    return CERTS["dir"]


def _remove_certs():
    shutil.rmtree(CERTS["dir"], ignore_errors=True)
    CERTS["dir"] = None


class Case(unittest.TestCase):
    """Tests that share one stand-in and one proxy a class.

    config        over the harness's own settings
    standin_args  of the stand-in
    tls           the proxy talks TLS to it
    expected      regexes of log lines that any test of the class may cause
    """

    config = {}
    standin_args = ()
    tls = False
    expected = ()
    refusals = False  # the stand-in may refuse requests

    @classmethod
    def setUpClass(cls):
        cls.cleanup_stack = []
        config = dict(cls.config)
        cert = {}
        if cls.tls:
            cert = {"cert": os.path.join(certs(), "cert.pem"),
                    "key": os.path.join(certs(), "key.pem")}
            config.setdefault("upstream_ca_file",
                              os.path.join(certs(), "ca.pem"))
        cls.standin = Standin(*cls.standin_args, **cert)
        cls.addClassCleanup(cls.standin.stop)
        cls.proxy = cls.start_proxy(config, cls.standin)
        cls.addClassCleanup(cls.proxy.stop)

    @classmethod
    def start_proxy(cls, config, standin):
        return Proxy(config, standin, cls.tls)

    def setUp(self):
        self.expected_lines = list(self.expected)
        self.may_refuse = self.refusals
        self.since = self.standin.count()
        self.log_start = self.proxy.mark
        self.addCleanup(self.check_after)

    def expect_log(self, *regexes):
        """Lines that this test may cause."""
        self.expected_lines += regexes

    def allow_refusals(self):
        """The stand-in may refuse requests of this test."""
        self.may_refuse = True

    def check_after(self):
        self.proxy.check_log(self.expected_lines)
        if not self.may_refuse:
            for r in self.standin.requests(self.since):
                self.assertEqual(r["verdict"], "ok", (r["body"] or "")[:500])

    def sent(self):
        """What reached the stand-in in this test: the newest request."""
        got = self.standin.requests(self.since)
        self.assertTrue(got, "nothing reached the stand-in")
        return got[-1]

    def own_proxy(self, config=None, **more):
        """A proxy for this test alone; its log is checked at the end."""
        proxy = Proxy(config or {}, more.pop("standin", self.standin),
                      more.pop("tls", self.tls), **more)
        self.addCleanup(self._end_own, proxy)
        return proxy

    def own_standin(self, *args, **more):
        standin = Standin(*args, **more)
        self.addCleanup(standin.stop)
        return standin

    def _end_own(self, proxy):
        try:
            proxy.check_log(self.expected_lines)
        finally:
            proxy.stop()

    def run(self, result=None):
        """As usual, but a failure shows the end of the proxy's log."""
        before = _failures(result)
        super().run(result)
        if _failures(result) > before and hasattr(self, "proxy"):
            try:
                tail = self.proxy.process.log()[self.log_start:][-3000:]
            except OSError:
                return
            print("--- log of the proxy during %s\n%s---" % (
                self.id(), tail), flush=True)


def _failures(result):
    return len(result.failures) + len(result.errors) if result else 0
