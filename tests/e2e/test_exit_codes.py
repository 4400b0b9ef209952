# SPDX-License-Identifier: MIT
"""Every exit code of the table: how it comes about, and the one line that says
why. And what an operator is told who has just started the program."""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import unittest

from tests.e2e import harness, test_commands
from tests.e2e.harness import run_program, wait_until

(DONE, FAILED, BARRED, RUNNING, LATE, USAGE, ADDRESS, PLACES,
 CONFIG) = 0, 1, 2, 4, 5, 64, 69, 73, 78
IS_ROOT = os.geteuid() == 0
LEVEL_ERR = re.compile(r"^\S+Z err \w+\[\d+\]: ", re.M)


def free_port():
    """Of this moment, and none that the system gives to who asks for any."""
    while True:
        port = random.randrange(10000, 32768)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("", port))
            return port


def free_address():
    return "127.0.0.1:%d" % free_port()


class Case(test_commands.Background):
    def setUp(self):
        super().setUp()
        # Others must be able to come to what is below.
        os.chmod(self.dir, 0o755)

    def refused(self, code, regex, **config):
        """The code and one line, of `start` and of `run`."""
        self.write(**config)
        r = self.run_it("start")
        said = r.stderr.decode()
        self.assertEqual(r.returncode, code, r)
        self.assertEqual(r.stdout, b"")
        lines = [l for l in said.splitlines() if "warning" not in l]
        self.assertEqual(len(lines), 1, said)
        self.assertRegex(lines[0], "^glmproxy: .*" + regex)
        self.assertFalse(os.path.exists(self.config["pid_file"]))
        r = self.run_it("run")
        self.assertEqual(r.returncode, code, r)
        said = r.stderr.decode()
        errors = [l for l in said.splitlines() if LEVEL_ERR.match(l)]
        self.assertRegex("\n".join(errors) or said, regex)
        return said

    def only_root_writes(self, name):
        path = self.path(name)
        os.mkdir(path, 0o755)
        if not IS_ROOT:
            os.chmod(path, 0o555)
            self.addCleanup(os.chmod, path, 0o755)
        return path

    def user(self):
        return {"user": "nobody"} if IS_ROOT else {}


class Codes(Case):
    def test_0_serving(self):
        address = free_address()
        self.write(listen=address)
        pid = self.start()
        r = self.assert_run(["status"], DONE, r"runs with pid %d \(parent \d+\)"
                            r" since \d{4}-\d\d-\d\d " % pid, "^$")
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            parent = re.search(r"(?m)^PPid:\s+(\d+)$", f.read()).group(1)
        self.assertIn("(parent %s) since " % parent, r.stdout.decode())
        self.assertIn("\nprogram: %s\n" % os.path.realpath(harness.GLMPROXY),
                      r.stdout.decode())
        self.assertIn("answers on: %s, and serves" % address,
                      r.stdout.decode())
        self.assertRegex(r.stdout.decode(), r"(?m)^log: %s, [1-9]\d* bytes$"
                         % re.escape(self.path("log/server.log")))
        self.assert_run(["health"], DONE, r'^200 \{"ok":true,')

    def test_0_a_program_that_has_been_replaced(self):
        program = self.path("glmproxy")
        shutil.copy(harness.GLMPROXY, program)
        subprocess.run([program, "start", "-c", self.conf], check=True,
                       stdout=subprocess.DEVNULL, timeout=harness.DEADLINE_S,
                       env=harness.clean_env())
        os.rename(program, self.path("old"))
        os.unlink(self.path("old"))
        self.assert_run(["status"], DONE, "program: .*, replaced since: "
                        "`glmproxy upgrade`")

    def test_1_nothing_runs(self):
        self.write(listen=free_address())
        for command in ("status", "stop", "reload", "upgrade"):
            self.assert_run([command], FAILED, "^$",
                            r"^glmproxy: not running \(no \S+/pid\)\n$")
        self.assert_run(["health"], FAILED, "^$",
                        "^glmproxy: 127.0.0.1:\\d+: Connection refused\n$")

    def test_1_one_runs_already(self):
        pid = self.start()
        self.assert_run(["start"], FAILED, "^$",
                        "^glmproxy: already running with pid %d\n$" % pid)
        self.assert_run(["run", "-b"], FAILED, "^$", "already running")

    def test_2_no_worker_can_run(self):
        path = self.path("ca.pem")
        with open(path, "w", encoding="ascii") as f:
            f.write("no certificate\n")
        self.refused(BARRED, re.escape(path), upstream_ca_file=path,
                     upstream_base="https://localhost:9/api/anthropic")

    def test_4_another_instance(self):
        self.start()
        r = self.run_it("start", "-o", "pid_file=" + self.path("run/pid2"))
        self.assertEqual(r.returncode, RUNNING, r)
        self.assertRegex(r.stderr, b"^glmproxy: .*another instance uses the "
                         b"directory .*/state; .*\n$")
        r = self.run_it("run", "-o", "state_dir=" + self.path("state2"))
        self.assertEqual(r.returncode, RUNNING, r)
        self.assertRegex(r.stderr.decode(), r"already running with pid \d+")

    def test_5_runs_without_an_answer(self):
        self.write(listen=free_address())
        pid = self.start()
        with open("/proc/%d/task/%d/children" % (pid, pid),
                  encoding="ascii") as f:
            pids = [pid] + [int(p) for p in f.read().split()]
        for p in pids:
            os.kill(p, signal.SIGSTOP)
        try:
            self.assert_run(["status"], LATE, "runs with pid %d" % pid,
                            "^glmproxy: it runs but does not answer: .*: "
                            "no answer in time\n$")
            self.assert_run(["health", "--timeout", "0.1"], FAILED, "^$",
                            "no answer in time")
        finally:
            for p in pids:
                os.kill(p, signal.SIGCONT)

    def test_64_usage(self):
        for words in (["sing"], ["status", "-x"], ["health", "--timeout"],
                      ["health", "--timeout", "soon"], ["health", "now"],
                      ["start", "-b"], ["run", "-b", "x"]):
            r = self.run_it(*words)
            self.assertEqual(r.returncode, USAGE, r)
            self.assertEqual(r.stderr.count(b"\n"), 1, r)

    def test_69_taken_port(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = "127.0.0.1:%d" % other.getsockname()[1]
            why = re.escape(taken) + ".*: Address already in use"
            self.refused(ADDRESS, why, listen=taken)
            self.refused(ADDRESS, why, admin_listen=taken)

    def test_69_address_of_another_machine(self):
        self.refused(ADDRESS, "192.0.2.7:5000.*: Cannot assign requested",
                     listen="192.0.2.7:5000")

    def test_69_socket_in_a_missing_directory(self):
        self.refused(ADDRESS, "unix:/nonexistent/s.*: No such file",
                     listen="unix:/nonexistent/s")

    def test_73_state_dir_that_cannot_be_written(self):
        path = self.only_root_writes("closed")
        self.refused(PLACES, re.escape(path)
                     + " cannot be written.*: Permission denied",
                     state_dir=path, **self.user())

    def test_73_state_dir_that_cannot_be_made(self):
        self.refused(PLACES, r"cannot make \S+/glmproxy.conf.*: "
                     "(Not a directory|File exists)",
                     state_dir=self.conf + "/state")

    def test_73_pid_file_that_cannot_be_made(self):
        self.refused(PLACES, "cannot make .*: (Not a directory|File exists)",
                     pid_file=self.conf + "/run/pid")

    def test_73_log_dir_that_cannot_be_made(self):
        self.write(log_dir=self.conf + "/log")
        self.assert_run(["start"], PLACES, "^$", "^glmproxy: cannot make .*\n$")

    def test_78_configuration(self):
        self.refused(CONFIG, r"glmproxy.conf:\d+: wrokers: no such key",
                     wrokers="2")
        r = run_program("start", "-c", "/nonexistent/x.conf")
        self.assertEqual(r.returncode, CONFIG)
        self.assertRegex(r.stderr, rb"^glmproxy: /nonexistent/x.conf: .*\n$")

    def test_78_files_that_the_configuration_names(self):
        empty = self.path("empty")
        two = self.path("two")
        bad = self.path("clients")
        for path, text in ((empty, ""), (two, "sk-one sk-two\n"),
                           (bad, "alice:sk-the-key-itself\n")):
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            os.chmod(path, 0o600)
        for config, why in (
                ({"server_api_key_file": "/nonexistent/key"},
                 "/nonexistent/key: No such file"),
                ({"server_api_key_file": empty}, "must hold one line"),
                ({"server_api_key_file": two}, "must hold one line"),
                ({"server_api_key_file": self.dir}, "Is a directory"),
                ({"admin_token_file": empty}, "must hold one line"),
                ({"client_keys_file": bad}, "clients:1: not a line name:SHA"),
                ({"upstream_ca_file": "/nonexistent/ca"},
                 "upstream_ca_file: /nonexistent/ca: No such file")):
            with self.subTest(config):
                said = self.refused(CONFIG, why, **config)
                self.assertNotIn("sk-the-key-itself", said)
                self.assertNotIn("sk-one", said)

    @unittest.skipUnless(IS_ROOT, "needs another user")
    def test_78_key_file_of_somebody_else(self):
        key = self.path("key")
        with open(key, "w", encoding="ascii") as f:
            f.write("sk-of-root\n")
        os.chmod(key, 0o600)
        os.chmod(self.conf, 0o644)
        r = run_program("check", "-o", "server_api_key_file=" + key)
        self.assertEqual(r.returncode, DONE, r)
        r = subprocess.run(
            [harness.GLMPROXY, "check", "-o", "server_api_key_file=" + key],
            user=65534, group=65534, extra_groups=[], cwd="/", check=False,
            capture_output=True, timeout=harness.DEADLINE_S,
            env=harness.clean_env())
        if b"glmproxy: " not in r.stderr:
            self.skipTest("the program lies where others may not read")
        self.assertEqual(r.returncode, CONFIG, r)
        self.assertRegex(r.stderr, b"^glmproxy: .*key: Permission denied\n$")

    def test_a_key_file_open_to_all_is_a_warning(self):
        key = self.path("key")
        with open(key, "w", encoding="ascii") as f:
            f.write("sk-open-to-all\n")
        os.chmod(key, 0o644)
        self.write(server_api_key_file=key)
        self.start()
        self.assertRegex(self.log(), "warn .*key is open to every user: chmod")
        self.assertNotIn("sk-open-to-all", self.log())


class Health(Case):
    """What `health` and `status` meet that is no healthy proxy."""

    def answer(self, reply):
        """A port where every connection gets this and is closed."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def serve():
            while True:
                try:
                    conn, _ = server.accept()
                except OSError:
                    return
                with conn:
                    conn.recv(4096)
                    conn.sendall(reply)

        threading.Thread(target=serve, daemon=True).start()
        self.write(listen="127.0.0.1:%d" % server.getsockname()[1])

    def test_other_answers(self):
        for reply, out, err in (
                (b"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ok\":false}",
                 r'^503 \{"ok":false\}\n$', "^$"),
                (b"SSH-2.0-OpenSSH\r\n", "^$", "not HTTP"),
                (b"", "^$", "not HTTP"),
                (b"HTTP/1.1 2x0 OK\r\n\r\n", "^$", "not HTTP"),
                (b"HTTP/1.1 200 OK\r\n\r\n\x1b[2J\x00hi", r"^200 \[2Jhi\n$",
                 "^$"),
                (b"HTTP/1.1 500 No\r\n\r\n" + b"x" * 100000, "^500 x{100,160}$",
                 "^$")):
            with self.subTest(reply[:40]):
                self.answer(reply)
                code = DONE if b"200" in reply[:12] else FAILED
                self.assert_run(["health"], code, out, err)

    def test_unix_socket(self):
        self.write(listen="unix:" + self.path("s"))
        self.assert_run(["health"], FAILED, "^$", "No such file")
        self.start()
        self.assert_run(["health"], DONE, "^200 ")
        self.assert_run(["status"], DONE, "tools reach it through unix:/")

    def test_any_address_means_this_machine(self):
        self.write(listen="0.0.0.0:%d" % free_port())
        self.start()
        self.assert_run(["health"], DONE, "^200 ")
        self.assert_run(["status"], DONE, "point your tool at http://127.0.0.1")

    def test_drained_is_alive(self):
        self.write(listen=free_address())
        self.start()
        self.assert_run(["drain"], DONE)
        self.assert_run(["health"], FAILED, "^503 ")
        self.assert_run(["health", "--alive", "--timeout", "2"], DONE, "^503 ")
        self.assert_run(["status"], DONE, "it is drained.*undrain"
                        "(?s:.*)but asks for no more")
        self.assert_run(["undrain"], DONE)
        self.assert_run(["health"], DONE, "^200 ")
        self.assert_run(["stop"], DONE)
        self.assert_run(["health", "--alive"], FAILED, "^$", "refused")


class Advice(Case):
    def advice(self, **config):
        self.write(listen=free_address(), admin_listen=free_address(),
                   **config)
        self.start()
        out = self.assert_run(["status"], DONE).stdout.decode()
        shown = re.findall(r"(?m)^next: (.*)$", out)
        for line in shown:
            self.assertIn("]: %s\n" % line, self.log())
        self.assert_run(["stop"], DONE)
        return "\n".join(shown)

    def test_no_key(self):
        text = self.advice()
        self.assertRegex(text, "^no key configured: clients' own z.ai keys")
        self.assertRegex(text, r"point your tool at http://127.0.0.1:\d+/v1,")
        self.assertRegex(text, r"admin page: http://127.0.0.1:\d+/$")

    def test_keys(self):
        key = self.path("key")
        clients = self.path("clients")
        with open(key, "w", encoding="ascii") as f:
            f.write("sk-never-shown\n")
        with open(clients, "w", encoding="ascii") as f:
            f.write(run_program("keygen", "bob").stdout.decode().split()[1])
        os.chmod(key, 0o600)
        for config, want in (
                ({}, "those that send none are served with the server's"),
                ({"forward_client_key": "false"},
                 "everybody is served with the server's key"),
                ({"client_keys_file": clients},
                 r"clients need a key that \S+/clients lists \(1 now\)"),
                ({"admin_token_file": key}, r"with the token in \S+/key")):
            with self.subTest(config):
                text = self.advice(server_api_key_file=key, **config)
                self.assertRegex(text, want)
                self.assertNotIn("sk-never-shown", text + self.log())

    def test_a_broken_configuration_is_what_comes_next(self):
        self.write(listen=free_address())
        self.start()
        self.write(wrokers="1", listen=free_address())
        r = self.run_it("status")
        self.assertRegex(r.stdout.decode(), "(?m)^next: .*no such key")


if __name__ == "__main__":
    unittest.main()
