# SPDX-License-Identifier: MIT
"""Another program in the same process, and the service manager's protocols."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from tests.e2e import harness, wire
from tests.e2e.harness import wait_until
from tests.e2e.test_process import ProcessCase


class Upgrade(ProcessCase):
    """With a copy of the program, since files are replaced."""

    def start_copy(self, **config):
        directory = tempfile.mkdtemp(prefix="glmproxy-copy-")
        self.addCleanup(shutil.rmtree, directory)
        self.program = os.path.join(directory, "glmproxy")
        shutil.copy2(harness.GLMPROXY, self.program)
        env = config.pop("env", {})
        proxy = self.start(more={"start": False, "env": env}, **config)
        proxy.argv[0] = self.program
        proxy.start()
        return proxy

    def replace(self, text):
        """Another program in the file's place, as packages do it."""
        fresh = self.program + ".new"
        with open(fresh, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(fresh, 0o755)
        os.rename(fresh, self.program)

    def test_same_pid_figures_and_listeners(self):
        proxy = self.start_copy(workers="2")
        for _ in range(5):
            self.ask()
        before = wait_until(
            lambda: self.requests_total() >= 5 and self.requests_total(),
            "five requests in the figures")
        old = self.workers()
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"goes on", at)
        self.wait_log(r"ready: 2 workers, generation 2", at)
        self.wait_workers(old, 2)
        self.assertIsNone(proxy.process.popen.poll())
        self.assertIn("listening on %s (proxy)" % proxy.address,
                      self.log()[at:])
        self.ask()
        wait_until(lambda: self.requests_total() >= before + 1,
                   "figures of both programs")
        with open(proxy.config["pid_file"], encoding="ascii") as f:
            self.assertEqual(int(f.read()), proxy.pid)
        wait_until(lambda: len(self.admin()) == 1, "one admin process")
        # It can be done again, and what runs then can be stopped.
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"ready: 2 workers, generation 3", at)
        self.ask()
        self.assertEqual(proxy.process.end(), 0)
        self.assertFalse(os.path.exists(proxy.config["pid_file"]))

    def test_locks_go_along(self):
        proxy = self.start_copy()
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"ready: .*generation 2", at)
        r = harness.run_program("status", "-c", proxy.conf_path)
        self.assertEqual(r.returncode, 0, r.stderr)
        r = harness.run_program(
            "run", "-c", proxy.conf_path, "-o",
            "pid_file=%s/other.pid" % proxy.dir)
        self.assertEqual(r.returncode, 4, r.stderr)

    def test_key_from_the_environment_goes_along(self):
        # Without a key this configuration is refused.
        proxy = self.start_copy(forward_client_key="false",
                                env={"SERVER_API_KEY": "sk-handed-over"})
        for n in (2, 3):
            at = self.signal(signal.SIGUSR2)
            self.wait_log(r"ready: .*generation %d" % n, at)
        at = self.signal(signal.SIGHUP)
        self.wait_log(r"ready: .*generation 4", at)
        for pid in [proxy.pid] + self.workers() + self.admin():
            try:
                with open("/proc/%d/environ" % pid, "rb") as f:
                    text = f.read()
            except FileNotFoundError:  # of the generation before
                continue
            self.assertNotIn(b"sk-handed-over", text)
            self.assertNotIn(b"GLMPROXY__", text)
        self.assertNotIn("sk-handed-over", self.log())

    def test_program_that_cannot_start_is_refused(self):
        self.start_copy()
        old = self.workers()
        self.expected += [r"upgrade refused, the running program stays",
                          r"glmproxy: Permission denied"]
        self.replace("#!/bin/sh\nexit 1\n")
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"upgrade refused", at)
        self.ask()
        self.assertEqual(self.workers(), old)

    def test_missing_program_is_refused(self):
        self.start_copy()
        old = self.workers()
        self.expected += [r"upgrade refused, the running program stays",
                          r"No such file or directory"]
        os.remove(self.program)
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"upgrade refused", at)
        self.ask()
        self.assertEqual(self.workers(), old)

    def test_configuration_that_the_new_program_refuses(self):
        proxy = self.start_copy()
        self.expected += [r"upgrade refused, the running program stays",
                          r"glmproxy\.conf:\d+: "]
        config = dict(proxy.config)
        proxy.config["workers"] = "0"
        proxy.write_config()
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"upgrade refused", at)
        self.ask()
        proxy.config = config
        proxy.write_config()
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"ready: .*generation 2", at)

    def test_listeners_stay_when_listen_has_changed(self):
        proxy = self.start_copy()
        self.expected.append(r"listen has changed, which needs a restart")
        proxy.config["listen"] = "127.0.0.1:1"
        proxy.write_config()
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"ready: .*generation 2", at)
        self.ask()

    def test_child_that_dies_between_the_programs_is_reaped(self):
        proxy = self.start_copy(workers="2")
        self.expected.append(r"worker \d \(pid \d+\) died: signal 9")
        for n in range(2, 5):
            at = self.signal(signal.SIGUSR2)
            os.kill(self.workers()[0], signal.SIGKILL)
            self.wait_log(r"ready: .*generation %d" % n, at)
            self.ask()
        wait_until(lambda: len(self.workers()) == 2, "two workers")
        path = "/proc/%d/task/%d/children" % (proxy.pid, proxy.pid)

        def count():
            with open(path, encoding="ascii") as f:
                return len(f.read().split())

        wait_until(lambda: count() == 3, "two workers and an admin process")

    def test_live_connection_survives(self):
        proxy = self.start_copy()
        with proxy.connect() as slow:
            slow.send(b"GET /v1/models HTTP/1.1\r\n")
            at = self.signal(signal.SIGUSR2)
            self.wait_log(r"ready: .*generation 2", at)
            slow.send(b"Host: localhost\r\nConnection: close\r\n\r\n")
            self.assertIn(b" 200 ", slow.sock.recv(4096))


class Manager(ProcessCase):
    """The service manager's protocols: notifications and sockets."""

    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix="glmproxy-notify-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.path = os.path.join(self.dir, "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.sock.close)
        self.sock.bind(self.path)
        self.sock.settimeout(harness.DEADLINE_S)

    def wait_message(self, part):
        while True:
            text = self.sock.recv(4096).decode()
            if part in text:
                return text

    def test_notifications(self):
        proxy = self.start(more={"env": {"NOTIFY_SOCKET": self.path}})
        self.assertIn("FDNAME=storedproxy", self.wait_message("FDSTORE=1"))
        self.assertIn("STATUS=1 worker", self.wait_message("READY=1"))
        self.signal(signal.SIGHUP)
        text = self.wait_message("RELOADING=1")
        stamp = int(re.search(r"MONOTONIC_USEC=(\d+)", text).group(1))
        self.assertLess(abs(stamp - time.monotonic_ns() // 1000), 15000000)
        self.wait_message("READY=1")
        self.signal(signal.SIGUSR2)
        self.wait_message("RELOADING=1")
        self.wait_message("READY=1")
        proxy.config["workers"] = "x"
        proxy.write_config()
        self.expected.append("reload refused")
        self.signal(signal.SIGHUP)
        self.assertIn("reload refused", self.wait_message("READY=1"))
        self.assertEqual(proxy.process.end(), 0)
        # Longer than stop_timeout_s, whatever the manager's own limit.
        text = self.wait_message("STOPPING=1")
        most = int(re.search(r"EXTEND_TIMEOUT_USEC=(\d+)", text).group(1))
        limit = 1000000 * int(proxy.config["stop_timeout_s"])
        self.assertGreater(most, limit)
        self.assertLess(most, limit + 10000000)

    def test_watchdog(self):
        self.start(more={"env": {"NOTIFY_SOCKET": self.path,
                                 "WATCHDOG_USEC": "200000"}})
        for _ in range(3):
            self.wait_message("WATCHDOG=1")

    def listener(self):
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        return sock, "127.0.0.1:%d" % sock.getsockname()[1]

    def start_with(self, listener, name, **config):
        """Hand the socket over under this name."""
        proxy = self.start(more={"start": False}, **config)
        # A shell names itself as the one whom the descriptor is meant for.
        number = listener.fileno()
        command = 'exec 3<&%d %d<&-; ' % (number, number)
        command = ((command if number != 3 else "") +
                   'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=%s; '
                   'exec "$@"' % name)
        with open(proxy.dir + "/proxy.log", "ab") as log:
            popen = subprocess.Popen(
                ["sh", "-c", command, "sh"] + proxy.argv, stdout=log,
                stderr=log, env=proxy.env, pass_fds=(listener.fileno(),))
        proxy.process = Existing(popen, proxy.dir + "/proxy.log")
        proxy.address = self.wait_log(
            r"listening on (\S+) \(proxy\)").group(1)
        proxy.admin = self.wait_log(
            r"listening on (\S+) \(admin\)").group(1)
        self.wait_log(r"ready: ")
        self.ask()
        return proxy

    def test_socket_unit(self):
        sock, address = self.listener()
        proxy = self.start_with(sock, "proxy")
        self.assertEqual(proxy.address, address)
        # It stays through a change of the program.
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"ready: .*generation 2", at)
        self.ask()

    def test_stored_socket_is_taken_again(self):
        sock, address = self.listener()
        proxy = self.start_with(sock, "storedproxy", listen=address)
        self.assertEqual(proxy.address, address)

    def test_stored_socket_goes_by_its_address(self):
        sock, address = self.listener()
        name = address.replace("127.0.0.1", "localhost")
        proxy = self.start_with(sock, "storedproxy", listen=name)
        self.assertEqual(proxy.address, address)

    def test_stored_socket_that_is_not_configured_is_dropped(self):
        sock, address = self.listener()
        proxy = self.start_with(sock, "storedproxy", listen="127.0.0.1:0")
        self.assertNotEqual(proxy.address, address)
        sock.close()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(wire.address_of(address), 5).close()


class Existing(harness.Process):
    """A process that was started by other means."""

    def __init__(self, popen, log_path):  # pylint: disable=W0231
        self.popen = popen
        self.pid = popen.pid
        self.name = "proxy"
        self.log_path = log_path


if __name__ == "__main__":
    unittest.main()
