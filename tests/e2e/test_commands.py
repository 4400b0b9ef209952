# SPDX-License-Identifier: MIT
"""The command line: every command, its output and its exit code."""

import hashlib
import os
import re
import shutil
import signal
import tempfile
import time
import unittest

from tests.e2e import harness, wire
from tests.e2e.harness import run_program, wait_until
from tests.e2e.test_process import NOWHERE, is_gone

# What runs and what does not is told as the scripts did that came before.
DONE, FAILED, USAGE, ADDRESS, CONFIG = 0, 1, 64, 69, 78
NOT_RUNNING = RUNNING = FAILED


class Directory(unittest.TestCase):
    """A configuration in a directory of its own, nothing running yet."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="glmproxy-cmd-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.config = dict(
            NOWHERE, listen="127.0.0.1:0", admin_listen="127.0.0.1:0",
            workers="1", stop_timeout_s="5", state_dir=self.path("state"),
            log_dir=self.path("log"), pid_file=self.path("run/pid"))
        self.conf = self.write()

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, **more):
        path = self.path("glmproxy.conf")
        with open(path, "w", encoding="utf-8") as f:
            for key, value in dict(self.config, **more).items():
                f.write("%s = %s\n" % (key, value))
        return path

    def run_it(self, *args, **more):
        return run_program(*args, "-c", self.conf, cwd=self.dir, **more)

    def assert_run(self, args, code, out="", err=""):
        r = self.run_it(*args)
        self.assertEqual(r.returncode, code, r)
        for text, regex in ((r.stdout, out), (r.stderr, err)):
            if not re.search(regex, text.decode()):
                raise AssertionError("no %r in %r" % (regex, text))
        return r


class Words(Directory):
    def test_help_lists_commands_and_exit_codes(self):
        for words in (["help"], ["--help"], ["-h"]):
            r = run_program(*words)
            self.assertEqual(r.returncode, DONE)
            for word in (b"run", b"start", b"stop", b"restart", b"status",
                         b"health", b"reload", b"upgrade", b"drain",
                         b"undrain", b"check", b"keygen", b"translate",
                         b"count", b"stats", b"top", b"logs", b"version",
                         b"help"):
                self.assertIn(b"\n  %s " % word, r.stdout)
            for code in (0, 1, 2, 4, 5, 64, 69, 73, 76, 77, 78):
                self.assertRegex(r.stdout.decode(), r"\n  +%d  \w" % code)

    def test_version(self):
        for words in (["version"], ["--version"], ["-V"]):
            r = run_program(*words)
            self.assertEqual(r.returncode, DONE)
            self.assertRegex(r.stdout, rb"^glmproxy \d+\.\d+\.\d+\nvocabulary: .*\n$")

    def test_unknown_words(self):
        for words, text in (
                (["sing"], "unknown command sing"),
                (["check", "--loud"], "--loud"),
                (["run", "--loud"], "unknown option --loud"),
                (["--loud"], "unknown option --loud"),
                (["stop", "now"], "unknown argument now"),
                (["check", "-c"], "-c needs a value"),
                (["keygen", "a", "b"], "unknown argument b"),
                (["keygen", "a b"], "letters, digits")):
            r = run_program(*words)
            self.assertEqual(r.returncode, USAGE, words)
            self.assertIn(text, r.stderr.decode())
            self.assertIn("glmproxy help", r.stderr.decode())
            self.assertEqual(r.stdout, b"")

    def test_options_before_and_behind_the_command(self):
        for words in (["-c", self.conf, "check", "-o", "workers=2"],
                      ["-oworkers=2", "check", "-c" + self.conf]):
            self.assertEqual(run_program(*words).returncode, DONE)


class Keygen(unittest.TestCase):
    def test_key_and_line(self):
        seen = set()
        for name in ("client", "alice", "a.b_c-9"):
            args = [] if name == "client" else [name]
            r = run_program("keygen", *args)
            self.assertEqual(r.returncode, DONE)
            key, line, rest = r.stdout.decode().split("\n")
            self.assertEqual(rest, "")
            self.assertRegex(key, r"^gp-[0-9a-f]{32}$")
            digest = hashlib.sha256(key.encode()).hexdigest()
            self.assertEqual(line, "%s:%s" % (name, digest))
            seen.add(key)
        self.assertEqual(len(seen), 3)


class Check(Directory):
    def test_good(self):
        self.assert_run(["check"], DONE, "^configuration ok: .*conf\n$", "^$")

    def test_print(self):
        self.write(server_api_key="sk-never-shown")
        os.chmod(self.conf, 0o600)
        r = self.assert_run(
            ["check", "--print", "-o", "workers=3"], DONE,
            r"(?m)^workers = 3 +# command line$")
        text = r.stdout.decode()
        self.assertRegex(text, r"(?m)^retries = 0 +# built-in$")
        self.assertRegex(text, r"(?m)^listen = 127\.0\.0\.1:0 +# file")
        self.assertNotIn("sk-never-shown", text)
        self.assertRegex(text, r"(?m)^server_api_key = \*+")

    def test_environment(self):
        r = run_program("check", "--print", "-c", self.conf, env=(
            harness.clean_env(GLMPROXY_WORKERS="4",
                              AUTOTEXT_MODEL="glm-x")))
        self.assertEqual(r.returncode, DONE)
        self.assertRegex(r.stdout.decode(),
                         r"(?m)^workers = 4 +# environment GLMPROXY_WORKERS")
        self.assertRegex(r.stdout.decode(),
                         r"(?m)^autotext_model = glm-x +# environment")

    def test_bad_bare_name_is_a_warning(self):
        for name, value in (("REQUEST_TIMEOUT", "soon"),
                            ("MODEL_MAP_JSON", "[]"),
                            ("UPSTREAM_BASE", "nonsense")):
            r = run_program("check", env=harness.clean_env(**{name: value}))
            self.assertEqual(r.returncode, DONE, r)
            self.assertIn(b"glmproxy: warning: ", r.stderr)
            self.assertIn(name.encode(), r.stderr)

    def test_bad_values_name_place_and_key(self):
        for key, value, text in (
                ("workers", "0", "workers"),
                ("workers", "many", "workers"),
                ("wrokers", "2", "workers"),
                ("listen", "127.0.0.1", "port"),
                ("listen", "127.0.0.1:99999", "port"),
                ("admin_listen", "unix:relative", "'/'"),
                ("upstream_base", "api.z.ai", "https://"),
                ("upstream_base", "https://u:p@h/", "password"),
                ("openai_upstream_base", "http://h/x?y", "query"),
                ("upstream_proxy", "https://h:1", "http://host:port"),
                ("upstream_proxy", "http://h:1/path", "http://host:port"),
                ("model_map_json", "[]", "object of names"),
                ("model_map_json", '{"a": 1}', "must be a string"),
                ("model_map_json", '{"a":"b","a":"c"}', "a"),
                ("model_map_json", '{"a"', "byte"),
                ("openai_models_list_json", "{}", "array of names"),
                ("openai_models_list_json", '["a", 1]', "string"),
                ("openai_models_list_json", '[{"name":"a"}]', '"id"'),
                ("unix_mode", "0999", "octal")):
            self.write(**{key: value})
            r = self.run_it("check")
            self.assertEqual(r.returncode, CONFIG, (key, value))
            line = r.stderr.decode()
            self.assertEqual(line.count("\n"), 1, line)
            self.assertIn(text, line)
            if key != "unix_mode":
                self.assertRegex(line, r"glmproxy\.conf:\d+: %s: |nearest"
                                 % key)

    def test_good_json(self):
        self.write(model_map_json='{"gpt-4o": "glm-4.6"}',
                   openai_models_list_json='["a", {"id": "b", "x": 1}]')
        self.assert_run(["check"], DONE)

    def test_missing_file(self):
        r = run_program("check", "-c", "/nonexistent/x.conf")
        self.assertEqual(r.returncode, CONFIG)
        self.assertIn(b"/nonexistent/x.conf", r.stderr)

    def test_secret_on_the_command_line(self):
        r = self.run_it("check", "-o", "server_api_key=sk-shown")
        self.assertEqual(r.returncode, CONFIG)
        self.assertNotIn(b"sk-shown", r.stderr)

    def test_open_doors_are_refused(self):
        self.write(admin_listen="0.0.0.0:0")
        self.assert_run(["check"], CONFIG, err="admin_token_file")
        self.write(listen="0.0.0.0:0", server_api_key="k" * 20)
        os.chmod(self.conf, 0o600)
        self.assert_run(["check"], CONFIG, err="client_keys_file")
        self.write(listen="0.0.0.0:0", server_api_key="k" * 20,
                   allow_open_server_key="true")
        self.assert_run(["check"], DONE)
        self.write(forward_client_key="false")
        self.assert_run(["check"], CONFIG, err="forward_client_key")

    @unittest.skipUnless(os.geteuid() == 0, "users are checked as root only")
    def test_unknown_user(self):
        self.write(user="nobody-at-all")
        self.assert_run(["check"], CONFIG, err="no user nobody-at-all")
        self.write(user="nobody", group="nobodies")
        self.assert_run(["check"], CONFIG, err="no group nobodies")

    def test_run_refuses_the_same(self):
        self.write(workers="0")
        self.assert_run(["run"], CONFIG, err="workers")
        self.assert_run(["start"], CONFIG, err="workers")


class Background(Directory):
    """A service in the background, which ends with the test."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.end)

    def pid(self):
        with open(self.config["pid_file"], encoding="ascii") as f:
            return int(f.read())

    def log(self):
        with open(self.path("log/server.log"), encoding="utf-8") as f:
            return f.read()

    def end(self):
        try:
            pid = self.pid()
        except (OSError, ValueError):
            return
        self.run_it("stop")
        if pid != os.getpid() and not is_gone(pid):
            os.kill(pid, signal.SIGKILL)

    def start(self):
        self.assert_run(["start"], DONE, r"runs with pid \d+")
        return self.pid()

    def wait_gone_later(self, pid):
        """At the end, until no child of this process, which will be killed,
        writes below the directory any more."""
        with open("/proc/%d/task/%d/children" % (pid, pid),
                  encoding="ascii") as f:
            children = [int(p) for p in f.read().split()]
        self.addCleanup(wait_until, lambda: all(map(is_gone, children)),
                        "the end of the children")


class Service(Background):
    def test_start_status_stop(self):
        self.assert_run(["status"], NOT_RUNNING, "^$", "not running")
        pid = self.start()
        self.assert_run(["status"], DONE, "runs with pid %d" % pid)
        address = re.search(r"listening on (\S+) \(proxy\)", self.log())
        self.assertEqual(
            wire.fetch(address.group(1), "GET", "/health").status, 200)
        self.assert_run(["stop"], DONE, "has stopped")
        wait_until(lambda: is_gone(pid), "the end of the service")
        self.assert_run(["status"], NOT_RUNNING)
        self.assertFalse(os.path.exists(self.config["pid_file"]))

    def test_start_leaves_the_terminal(self):
        pid = self.start()
        self.assertEqual(os.getsid(pid), pid)
        for fd, target in ((0, "/dev/null"), (2, self.path("log/server.log"))):
            self.assertEqual(os.readlink("/proc/%d/fd/%d" % (pid, fd)), target)
        mode = os.stat(self.path("log/server.log")).st_mode & 0o777
        self.assertEqual(mode & 0o007, 0)

    def test_start_twice(self):
        pid = self.start()
        self.assert_run(["start"], RUNNING, "^$",
                        "already running with pid %d" % pid)
        self.assertEqual(self.pid(), pid)

    def test_start_that_fails_says_so(self):
        self.start()
        address = re.search(r"listening on (\S+) \(proxy\)", self.log())
        r = self.run_it(
            "start", "-o", "listen=%s" % address.group(1),
            "-o", "state_dir=" + self.path("s2"),
            "-o", "log_dir=" + self.path("log2"),
            "-o", "pid_file=" + self.path("pid2"))
        self.assertEqual(r.returncode, ADDRESS, r)
        self.assertRegex(r.stderr, rb"did not start: .*Address already in use")
        self.assertEqual(r.stderr.count(b"\n"), 1)
        with open(self.path("log2/server.log"), encoding="utf-8") as f:
            self.assertIn("in use", f.read())

    def test_stop_what_does_not_run(self):
        self.assert_run(["stop"], NOT_RUNNING, "^$", "not running")

    def test_stale_pid_file(self):
        pid = self.start()
        self.wait_gone_later(pid)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: is_gone(pid), "the end of the service")
        # Children of a killed master leave by themselves.
        for command in ("status", "stop"):
            self.assert_run([command], NOT_RUNNING, "^$",
                            "left over from pid %d" % pid)
        wait_until(lambda: self.run_it("start").returncode == DONE,
                   "a start over the stale file")
        self.assertNotEqual(self.pid(), pid)

    def test_pid_of_a_stranger_is_not_signalled(self):
        os.makedirs(self.path("run"))
        with open(self.config["pid_file"], "w", encoding="ascii") as f:
            f.write("%d\n" % os.getpid())
        for command in ("status", "stop", "reload"):
            self.assert_run([command], NOT_RUNNING)

    def test_broken_pid_file(self):
        os.makedirs(self.path("run"))
        with open(self.config["pid_file"], "w", encoding="ascii") as f:
            f.write("pid\n")
        self.assert_run(["status"], FAILED, "^$", "holds no pid")

    def test_restart(self):
        self.assert_run(["restart"], DONE)
        first = self.pid()
        self.assert_run(["restart"], DONE)
        second = self.pid()
        self.assertNotEqual(first, second)
        # One that could not start again is not stopped.
        self.write(workers="0")
        self.assert_run(["restart"], CONFIG, err="workers")
        self.write()
        self.assert_run(["status"], DONE, str(second))

    def test_reload(self):
        self.assert_run(["reload"], NOT_RUNNING)
        self.start()
        self.write(workers="2")
        self.assert_run(["reload"], DONE)
        wait_until(lambda: "ready: 2 workers" in self.log(), "two workers")
        self.write(workers="0")
        self.assert_run(["reload"], CONFIG, err="workers")
        self.assertNotIn("refused", self.log())

    def test_upgrade(self):
        self.assert_run(["upgrade"], NOT_RUNNING)
        pid = self.start()
        self.assert_run(["upgrade"], DONE)
        wait_until(lambda: "generation 2" in self.log(), "the new program")
        self.assertEqual(self.pid(), pid)
        self.assert_run(["status"], DONE, str(pid))

    def test_stop_and_status_work_with_a_broken_configuration(self):
        self.start()
        self.write(workers="0", nonsense="1")
        self.assert_run(["status"], DONE)
        self.assert_run(["stop"], DONE)

    def test_reload_without_the_key_of_the_service(self):
        # The service has its key from an environment that we do not have.
        self.write(forward_client_key="false")
        r = self.run_it("start", env=harness.clean_env(
            SERVER_API_KEY="sk-of-the-service"))
        self.assertEqual(r.returncode, DONE, r)
        self.assert_run(["reload"], DONE)
        wait_until(lambda: "generation 2" in self.log(), "the reload")
        self.assertNotIn("sk-of-the-service", self.log())

    def test_stop_kills_what_does_not_end(self):
        self.write(stop_timeout_s="0")
        pid = self.start()
        self.wait_gone_later(pid)
        os.kill(pid, signal.SIGSTOP)
        begin = time.monotonic()
        self.assert_run(["stop"], DONE, err="killing it")
        self.assertGreater(time.monotonic() - begin, 4)
        wait_until(lambda: is_gone(pid), "the end of the service")


if __name__ == "__main__":
    unittest.main()
