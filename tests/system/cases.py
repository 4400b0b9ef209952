# SPDX-License-Identifier: MIT
"""cases.py - what holds for the service of every package, step by step.

The tests of a class share one machine and run in the order of their numbers:
a life of the service from its installation to its removal.
"""

import json
import os
import random
import signal
import subprocess
import sys
import unittest

from tests.system.machine import Machine, wait_until
from tests.system.roots import VERSIONS, WORK
from tests.system.service import (CA, CONF, PORT, UNIT, UPSTREAM_PORT, Load,
                                  Service)

RUNS = int(os.environ.get("RUNS") or "2")
# Far above the 100 ms that a quiet machine keeps (WAIT_MS=100 asks for them);
# busy ones must not fail.
WAIT_MS = int(os.environ.get("WAIT_MS") or "3000")
STREAM_MS = 2700  # 2,550 where nothing happens
RESTART_MS = 3000 + 2 * STREAM_MS
EXPOSURE_MOST = "11"
# What an operator is told to do next.
NEXT_STEP = "point your tool at http://127.0.0.1:%d/v1" % PORT
ENV_FILES = 150
ENV_PIECES = ("A", "B", "AB", "=", "A=", "B=", "\n", "\n", "'", '"', "\\",
              "\\\n", "#", ";", " ", "\t", "$", "`", "\r", "x", "\u00e9",
              "export ", "\x01", "1", "-", "$A", "${B}")
# All that the earlier program's documents name, as they write it.
OLD_ENV = """\
# Required: Your API key
SERVER_API_KEY=sk-system-env

# Upstream endpoints
UPSTREAM_BASE=https://localhost:%d/api/anthropic
OPENAI_UPSTREAM_BASE=https://localhost:%d/api/coding/paas/v4

# Forward client keys upstream (default: true)
FORWARD_CLIENT_KEY=true

# Optional: Token counting
FORWARD_COUNT_TO_UPSTREAM=true
COUNT_SHAPE_COMPAT=true

# Optional: Model configuration
AUTOTEXT_MODEL=glm-4.5
AUTOVISION_MODEL=glm-4.5v
OPENAI_MODELS_LIST_JSON=["glm-4.5","glm-4.5v"]
MODEL_MAP_JSON={}

# Token scaling configuration
ANTHROPIC_EXPECTED_TOKENS=200000
OPENAI_EXPECTED_TOKENS=128000
REAL_TEXT_MODEL_TOKENS=128000
REAL_VISION_MODEL_TOKENS=65536

# Optional: Anthropic Beta features
FORCE_ANTHROPIC_BETA=false
DEFAULT_ANTHROPIC_BETA=prompt-caching-2024-07-31
""" % (UPSTREAM_PORT, UPSTREAM_PORT)
TAKEN = "127.0.0.1:%d: bind: Address already in use" % PORT
# Listens until its input ends.
HOLD = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""
UNIT_FILES = ("/usr/lib/systemd/system/" + UNIT,
              "/lib/systemd/system/" + UNIT)


class Life(unittest.TestCase):
    """Subclasses say how a package is installed and taken away."""

    suite = None
    packages = None  # paths of the two versions
    label = None

    @classmethod
    def setUpClass(cls):
        cls.machine = Machine(cls.suite)
        cls.addClassCleanup(cls.machine.end)
        cls.machine.boot()
        cls.service = Service(cls.machine)
        cls.addClassCleanup(cls.keep_journal)

    @classmethod
    def keep_journal(cls):
        """For whoever wants to know why a test has failed."""
        r = cls.machine.run("journalctl", "-q", "-o", "short-precise",
                            check=False)
        with open(os.path.join(WORK, cls.label + "-journal.log"), "w",
                  encoding="utf-8") as f:
            f.write(r.stdout)

    def say(self, text):
        print("    %s: %s" % (self.label, text), flush=True)

    def install(self, version):
        raise NotImplementedError

    # --- installed ------------------------------------------------------------

    def test_01_starts_with_no_edit(self):
        self.install(0)
        self.systemctl_first()
        status, body = self.service.health()
        self.assertEqual((status, '"ok":true' in body), (200, True), body)
        self.assertEqual(self.service.show("ActiveState"), "active")
        self.assertIn("worker", self.service.show("StatusText"))
        self.assertEqual(self.service.version(), VERSIONS[0])
        wait_until(lambda: NEXT_STEP in self.service.journal(), NEXT_STEP)
        self.assertIn(NEXT_STEP,
                      self.machine.run("glmproxy", "status").stdout)
        self.machine.run("glmproxy", "check")
        self.assertIn("vocabulary: cl100k_base",
                      self.machine.run("glmproxy", "version").stdout)

    def systemctl_first(self):
        """What an operator still has to do after the installation."""

    def test_02_has_no_rights(self):
        uid = self.machine.run("id", "-u", "glmproxy").stdout.strip()
        processes = self.service.processes()
        self.assertGreaterEqual(len(processes), 3)
        for pid in processes:
            with open("/proc/%d/status" % pid, encoding="utf-8") as f:
                fields = dict(line.split(":\t", 1) for line in f
                              if ":\t" in line)
            fields = {k: v.strip() for k, v in fields.items()}
            self.assertEqual(fields["Uid"].split(), [uid] * 4)
            for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
                self.assertEqual(int(fields[name], 16), 0, name)
            self.assertEqual(fields["NoNewPrivs"], "1")
            self.assertEqual(fields["Seccomp"], "2")

    def test_03_exposure(self):
        """systemd's own judgement of the sandbox."""
        r = self.service.systemctl("--version")
        r = self.machine.run("systemd-analyze", "security", "--threshold",
                             EXPOSURE_MOST, "--no-pager", UNIT, check=False)
        self.say(r.stdout.strip().splitlines()[-1].encode(
            "ascii", "ignore").decode().strip())
        self.assertEqual(r.returncode, 0, r.stdout)

    def test_04_directories(self):
        for path, mode in (("/var/lib/glmproxy", "750"),
                           ("/var/log/glmproxy", "750"),
                           ("/run/glmproxy", "755")):
            out = self.machine.run("stat", "-c", "%a %U:%G", path).stdout
            self.assertEqual(out.strip(), mode + " glmproxy:glmproxy", path)
        found = self.machine.run("find", "/var/lib/glmproxy", "-type", "f",
                                 "-perm", "/027").stdout
        self.assertEqual(found.replace("/var/lib/glmproxy/history.db-shm",
                                       "").strip(), "")

    # --- configured -----------------------------------------------------------

    def test_10_reload_takes_the_configuration(self):
        self.service.start_upstream()
        self.service.configure()
        before = self.service.generation()
        pid = self.service.main_pid()
        self.service.systemctl("reload", UNIT)
        wait_until(lambda: self.service.generation() > before,
                   "another generation")
        self.assertEqual(self.service.main_pid(), pid)

    def test_11_streams_through_tls(self):
        words = "[[text words=30 per=3]]"
        status, body = self.service.chat(words)
        self.assertEqual(status, 200, body)
        self.assertIn("data: [DONE]", body)
        self.assertGreater(body.count("data: "), 10)
        status, body = self.service.chat(words, "/v1/messages")
        self.assertEqual(status, 200, body)
        self.assertIn("event: message_stop", body)
        self.assertEqual(body.count("content_block_delta\n"), 10)

    def test_12_bad_configuration_changes_nothing(self):
        pid, before = self.service.main_pid(), self.service.generation()
        self.service.configure(no_such_key="1")
        r = self.service.systemctl("reload", UNIT, check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertRegex(self.service.journal(),
                         r"glmproxy\.conf:\d+: .*no_such_key")
        self.assertEqual(self.service.show("ActiveState"), "active")
        self.assertEqual(self.service.chat("hello", stream=False)[0], 200)
        self.assertEqual((self.service.main_pid(), self.service.generation()),
                         (pid, before))
        self.service.configure()
        self.service.systemctl("reload", UNIT)

    # --- under load -----------------------------------------------------------

    def judge(self, what, load, count, bound_ms):
        self.say("%d x %s: %s" % (count, what, load.text()))
        self.assertEqual(load.lost(), {})
        self.assertEqual(load.double, [], "two admins had the database")
        for kind, most in (("new", bound_ms), ("kept", bound_ms),
                           ("stream", bound_ms + STREAM_MS)):
            self.assertLessEqual(load.result[kind]["max_ms"], most, kind)

    def agree(self, load):
        """Client, figures, history and log files tell of the same
        requests."""
        sent = load.total("sent")
        self.assertEqual(self.service.chats() - load.chats_before, sent)
        self.assertEqual(load.wait_stored(sent), sent)
        self.assertEqual(load.wait_logged(sent), sent)

    def repeat(self, what, operation, bound_ms, is_new_process=False):
        """Do it RUNS times under load: nothing is lost or forgotten."""
        pid = self.service.main_pid()
        with Load(self.service) as load:
            for i in range(RUNS):
                generation = self.service.generation()
                operation(i)
                wait_until(lambda g=generation: is_new_process or
                           self.service.generation() > g, "its end")
                load.flow()
        self.judge(what, load, RUNS, bound_ms)
        self.assertEqual(self.service.main_pid() != pid, is_new_process)
        self.agree(load)

    def test_20_load_alone(self):
        with Load(self.service) as load:
            load.flow(200)
        self.judge("nothing", load, 1, WAIT_MS)
        self.agree(load)

    def test_21_reload(self):
        self.repeat("systemctl reload",
                    lambda i: self.service.systemctl("reload", UNIT), WAIT_MS)

    def test_22_hangup(self):
        self.repeat("HUP", lambda i: self.service.systemctl(
            "kill", "--kill-who=main", "-s", "HUP", UNIT), WAIT_MS)

    def test_23_upgrade(self):
        def operation(i):
            self.install((i + 1) % 2)
            wait_until(lambda: self.service.version() ==
                       VERSIONS[(i + 1) % 2], "the other version")

        self.repeat("package of another version", operation, WAIT_MS)

    def test_24_restart(self):
        """New connections wait until live streams, and the one more request
        that a kept connection may ask, are over."""
        self.repeat("systemctl restart",
                    lambda i: self.service.systemctl("restart", UNIT),
                    RESTART_MS, is_new_process=True)

    def test_25_worker_killed(self):
        pid, before = self.service.main_pid(), self.service.deaths()
        with Load(self.service) as load:
            for i in range(RUNS):
                os.kill(self.service.pids_of("worker")[0], signal.SIGKILL)
                wait_until(lambda n=before + i: self.service.deaths() > n,
                           "its death")
                self.service.wait_calm()
                load.flow()
        self.assertEqual(self.service.deaths() - before, RUNS)
        self.assertEqual(self.service.main_pid(), pid)
        self.say("%d x worker killed: %s" % (RUNS, load.text()))
        self.assertEqual(load.total("refused"), 0)
        self.assertEqual(load.double, [])
        # At most what the clients had under way, at each time.
        self.assertLessEqual(sum(load.lost().values()),
                             RUNS * sum(load.clients.values()))
        # Who never came to be read was not counted; who was, is in the
        # figures. The history has what came to an end.
        chats = self.service.chats() - load.chats_before
        self.assertLessEqual(chats, load.total("sent"))
        self.assertGreaterEqual(chats, load.total("ok"))
        stored = load.wait_stored(load.total("ok"))
        self.assertGreaterEqual(stored, load.total("ok"))
        self.assertLessEqual(stored, chats)

    def test_26_master_killed(self):
        with Load(self.service) as load:
            for _ in range(RUNS):
                pid = self.service.main_pid()
                self.service.systemctl("kill", "--kill-who=main", "-s",
                                       "KILL", UNIT)
                wait_until(lambda p=pid: self.service.main_pid() not in
                           (0, p), "another master")
                load.flow()
                # Not so often that it looks like a broken one.
                self.service.systemctl("reset-failed", UNIT)
        self.say("%d x master killed: %s" % (RUNS, load.text()))
        self.assertEqual(load.total("refused"), 0)
        self.assertEqual(load.double, [])
        self.assertLessEqual(sum(load.lost().values()),
                             RUNS * sum(load.clients.values()))
        # The next master goes on with the figures and with the records that
        # were not read; who never came to be read was not counted.
        chats = self.service.chats() - load.chats_before
        self.assertLessEqual(chats, load.total("sent"))
        self.assertGreaterEqual(chats, load.total("ok"))
        stored = load.wait_stored(load.total("ok"), patience_s=3)
        lost = self.service.records_lost() - load.records_lost_before
        self.say("the history has %d of %d, %d are known to be lost" % (
            stored, load.total("ok"), lost))
        self.assertGreaterEqual(stored + lost, load.total("ok"))
        self.assertLessEqual(stored + lost, chats)

    def test_27_upgrade_that_refuses(self):
        """The new program does not like the configuration: the package is
        installed, the old program serves on until that is mended."""
        self.addCleanup(self.service.configure)
        old = self.service.version()
        new = 1 - VERSIONS.index(old)
        pid = self.service.main_pid()
        self.service.configure(no_such_key="1")
        self.install(new)
        self.assertIn(VERSIONS[new],
                      self.machine.run("glmproxy", "version").stdout)
        self.assertEqual(self.service.show("ActiveState"), "active")
        self.assertEqual(self.service.version(), old)
        self.assertEqual(self.service.chat("hello")[0], 200)
        self.service.configure()
        self.service.systemctl("reload", UNIT)
        wait_until(lambda: self.service.version() == VERSIONS[new],
                   "the new version")
        self.assertEqual(self.service.chat("hello")[0], 200)
        self.assertEqual(self.service.main_pid(), pid)

    # --- what the unit promises -----------------------------------------------

    def drop_in(self, text):
        self.machine.write("/etc/systemd/system/%s.d/test.conf" % UNIT, text)
        self.service.systemctl("daemon-reload")
        self.service.systemctl("reset-failed", UNIT)
        self.service.systemctl("restart", UNIT)

    def drop_out(self):
        self.machine.run("rm", "-rf", "/etc/systemd/system/%s.d" % UNIT)
        self.service.systemctl("daemon-reload")
        self.service.systemctl("reset-failed", UNIT, check=False)
        self.service.systemctl("restart", UNIT)

    def test_30_credential(self):
        """A key that only root can read, through the unit to the upstream."""
        self.addCleanup(self.drop_out)
        self.addCleanup(self.machine.run, "rm", "-f", "/etc/glmproxy/key")
        self.assertEqual(self.service.chat("hello", key=False)[0], 401)
        self.machine.write("/etc/glmproxy/key", "sk-system-credential\n")
        self.machine.run("chmod", "600", "/etc/glmproxy/key")
        self.drop_in("[Service]\n"
                     "LoadCredential=key:/etc/glmproxy/key\n"
                     "Environment=GLMPROXY_SERVER_API_KEY_FILE=%d/key\n"
                     "ExecReload=\nExecReload=/bin/kill -USR2 $MAINPID\n")
        self.assertEqual(self.service.chat("hello", key=False)[0], 200)
        generation = self.service.generation()
        self.service.systemctl("reload", UNIT)
        wait_until(lambda: self.service.generation() > generation, "reload")
        self.assertEqual(self.service.chat("hello", key=False)[0], 200)
        self.assertNotIn("sk-system-credential", self.service.journal())

    def test_31_environment_file(self):
        """The settings of an older installation, with a key among them."""
        def clean():
            self.machine.run("rm", "-f", "/etc/glmproxy/env")
            self.service.systemctl("restart", UNIT)

        self.addCleanup(clean)
        self.machine.write("/etc/glmproxy/env", OLD_ENV)
        self.service.systemctl("restart", UNIT)
        for _ in range(2):
            status, body = self.service.chat("hello", key=False)
            self.assertEqual(status, 200, body)
            models = json.loads(self.service.curl(
                "http://127.0.0.1:%d/v1/models" % PORT)[1])["data"]
            self.assertEqual([m["id"] for m in models],
                             ["glm-4.5", "glm-4.5v"])
            for pid in self.service.processes():
                with open("/proc/%d/environ" % pid, "rb") as f:
                    self.assertNotIn(b"sk-system-env", f.read())
            generation = self.service.generation()
            self.service.systemctl("reload", UNIT)
            wait_until(lambda g=generation: self.service.generation() > g,
                       "reload")
        self.assertNotIn("sk-system-env", self.service.journal())

    def test_32_environment_files_are_read_as_systemd_does(self):
        rnd = random.Random(20261122)
        for _ in range(ENV_FILES):
            pieces = rnd.choices(ENV_PIECES, k=rnd.randrange(1, 24))
            # Of a comment that ends in a backslash its versions differ.
            if "\\" in pieces or "\\\n" in pieces:
                pieces = [p for p in pieces if p not in "#;"]
            text = "".join(pieces)
            with self.subTest(text=text):
                self.assertEqual(self.service.env_values(text),
                                 self.service.env_of_systemd(text))

    def test_33_stop_waits_as_long_as_configured(self):
        """stop_timeout_s counts, though systemd would wait less."""
        self.addCleanup(self.service.configure)
        self.addCleanup(self.drop_out)
        self.drop_in("[Service]\nTimeoutStopSec=2\n")
        with Load(self.service, new=0, kept=0, stream=3) as load:
            wait_until(lambda: self.service.sums().get(
                "glmproxy_streams", 0) == 3, "three streams")
            # Longer than systemd's limit.
            program = self.machine.spawn(
                "curl", "-sSN", "-H", "authorization: Bearer x.1", "-H",
                "content-type: application/json", "-d",
                '{"model":"glm-4.6","stream":true,"messages":[{"role":"user",'
                '"content":"[[text words=50 per=1 delay=100]]"}]}',
                "http://127.0.0.1:%d/v1/chat/completions" % PORT,
                stdout=-1)
            wait_until(lambda: self.service.sums().get(
                "glmproxy_streams", 0) == 4, "four streams")
            self.service.systemctl("restart", UNIT)
            text = program.communicate(timeout=60)[0].decode()
            self.machine.programs.remove(program)
        self.assertIn("word50", text)
        self.assertIn("data: [DONE]", text)
        self.assertEqual(load.lost(), {})

    def test_34_watchdog(self):
        """A master that hangs is replaced."""
        self.addCleanup(self.drop_out)
        self.drop_in("[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1\n")
        pid = self.service.main_pid()
        self.service.systemctl("kill", "--kill-who=main", "-s", "STOP", UNIT)
        wait_until(lambda: self.service.main_pid() not in (0, pid) and
                   self.service.health()[0] == 200, "another master")

    def test_35_wrong_configuration_is_not_tried_again(self):
        def mend():
            self.service.configure()
            self.service.systemctl("start", UNIT)

        self.addCleanup(mend)
        self.service.systemctl("stop", UNIT)
        self.service.configure(no_such_key="1")
        r = self.service.systemctl("start", UNIT, check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertEqual(self.service.show("ActiveState"), "failed")
        self.assertEqual(self.service.show("ExecMainStatus"), "78")
        self.assertEqual(self.service.show("NRestarts"), "0")

    def test_36_taken_address_is_tried_again(self):
        """A clear line at each attempt, and the service is there as soon as
        the other program is gone."""
        def let_go():
            if other in self.machine.programs:
                other.communicate(b"")
                self.machine.programs.remove(other)

        def mend():
            self.service.systemctl("reset-failed", UNIT)
            self.service.systemctl("start", UNIT)

        self.addCleanup(mend)
        # With the sockets that systemd keeps for it.
        self.service.systemctl("stop", UNIT)
        self.service.systemctl("reset-failed", UNIT)
        other = self.machine.spawn(sys.executable, "-c", HOLD, str(PORT),
                                   stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.addCleanup(let_go)
        self.assertEqual(other.stdout.readline(), b"held\n")
        lines = self.service.journal().count(TAKEN)
        self.service.systemctl("start", "--no-block", UNIT)
        wait_until(lambda: int(self.service.show("NRestarts")) >= 3,
                   "three more attempts")
        # Of the last attempt, while the next one waits.
        wait_until(lambda: self.service.show("ExecMainStatus") == "69",
                   "that status")
        let_go()
        wait_until(lambda: self.service.health()[0] == 200, "the service")
        attempts = int(self.service.show("NRestarts"))
        self.assertEqual(self.service.journal().count(TAKEN) - lines,
                         attempts)
        self.assertEqual(self.service.show("ActiveState"), "active")

    def test_37_socket_unit(self):
        """A socket on a port that only root may use, as the man page has it."""
        path = "/etc/systemd/system/glmproxy.socket"

        def clean():
            self.service.systemctl("stop", UNIT, "glmproxy.socket")
            self.machine.run("rm", path)
            self.service.systemctl("daemon-reload")
            self.service.systemctl("start", UNIT)

        self.addCleanup(clean)
        self.machine.write(path, "[Socket]\nListenStream=127.0.0.1:80\n"
                           "FileDescriptorName=proxy\n")
        self.service.systemctl("daemon-reload")
        self.service.systemctl("stop", UNIT)
        self.service.systemctl("start", "glmproxy.socket")
        # The first one starts the service.
        for operation in (None, "reload", "restart"):
            if operation:
                self.service.systemctl(operation, UNIT)
            status, _ = self.service.curl("http://127.0.0.1:80/health")
            self.assertEqual(status, 200, operation)
        self.assertEqual(self.service.health()[0], 0)
        self.assertGreater(self.service.generation(), 0)

    # --- the end --------------------------------------------------------------

    def left_over(self):
        """Files of the package, wherever they may be."""
        out = self.machine.run(
            "find", "/etc", "/usr", "/var", "/run", "-xdev", "-name",
            "*glmproxy*", "-not", "-path", "/var/log/journal/*", "-not",
            "-path", "/run/log/journal/*").stdout
        return [path for path in out.split()
                if not path.startswith(("/var/cache/apt", "/run/systemd/"))]

    def test_90_journal_is_calm(self):
        """Nothing has gone wrong that was not meant to."""
        bad = [line for line in self.service.journal("-p", "info").split("\n")
               if " err " in line and not any(part in line for part in (
                   "died: signal", "no_such_key", TAKEN))]
        self.assertEqual(bad, [])


def has_conf_edits(machine):
    return CA in machine.read(CONF)
