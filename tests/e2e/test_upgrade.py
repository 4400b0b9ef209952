# SPDX-License-Identifier: MIT
"""Another program in the same process, and the service manager's protocols."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from tests.e2e import harness, wire
from tests.e2e.harness import proc_file, wait_until
from tests.e2e.test_process import ProcessCase, is_gone

# As the service manager does it: descriptors from 3 on, meant for one process.
HAND_OVER = """
import os, sys
fds, names, *argv = sys.argv[1:]
fds = [int(fd) for fd in fds.split(",")]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)),
                  LISTEN_FDNAMES=names)
os.execv(argv[0], argv)
"""
HIGH_FD = 100  # out of the way of those
DRAIN = signal.SIGRTMIN + 1


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
            text = proc_file(pid, "environ")
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
            wait_until(self.kill_one, "a worker to kill")
            self.wait_log(r"ready: .*generation %d" % n, at)
            self.ask()
        wait_until(lambda: len(self.workers()) == 2, "two workers")
        path = "/proc/%d/task/%d/children" % (proxy.pid, proxy.pid)

        def count():
            with open(path, encoding="ascii") as f:
                return len(f.read().split())

        wait_until(lambda: count() == 3, "two workers and an admin process")

    def kill_one(self):
        """The oldest may just have left by itself."""
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def test_live_connection_survives(self):
        proxy = self.start_copy(client_header_timeout_s="60")
        with proxy.connect() as slow:
            slow.send(b"GET /v1/models HTTP/1.1\r\n")
            self.ask()  # connections are accepted in order
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
        self.stored = {}

    def wait_message(self, part):
        while True:
            data, fds, _, _ = socket.recv_fds(self.sock, 4096, 1)
            text = data.decode()
            for fd in fds:
                self.keep(fd, re.search(r"FDNAME=(\w+)", text).group(1))
            if part in text:
                return text

    def keep(self, fd, name):
        """As the manager does until the service is stopped."""
        self.stored[name] = fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH_FD)
        os.close(fd)
        self.addCleanup(os.close, self.stored[name])

    def test_notifications(self):
        proxy = self.start(more={"env": {"NOTIFY_SOCKET": self.path}})
        for name in ("memory", "proxy", "admin"):
            self.assertIn("FDNAME=stored" + name,
                          self.wait_message("FDSTORE=1"))
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

    def launch(self, proxy, handed):
        """Start it with these descriptors, pairs of number and name."""
        with open(proxy.dir + "/proxy.log", "ab") as log:
            popen = subprocess.Popen(
                [sys.executable, "-c", HAND_OVER,
                 ",".join(str(fd) for fd, _ in handed),
                 ":".join(name for _, name in handed)] + proxy.argv,
                stdout=log, stderr=log, env=proxy.env,
                pass_fds=[fd for fd, _ in handed])
        proxy.process = Existing(popen, proxy.dir + "/proxy.log")

    def start_with(self, listener, name, **config):
        """Hand the socket over under this name."""
        proxy = self.start(more={"start": False}, **config)
        fd = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, HIGH_FD)
        self.launch(proxy, [(fd, name)])
        os.close(fd)
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

    # --- another life with the memory of the one before ----------------------

    def live(self, **config):
        """A service whose sockets and memory are kept, and its log so far."""
        proxy = self.start(more={"env": {"NOTIFY_SOCKET": self.path}},
                           **config)
        self.wait_message("READY=1")
        self.assertEqual(sorted(self.stored), [
            "storedadmin", "storedmemory", "storedproxy"])
        # What the port was is not known before.
        proxy.config["listen"] = proxy.address
        proxy.config["admin_listen"] = proxy.admin
        proxy.write_config()
        return proxy

    def die(self, proxy):
        """The master and, as the manager does it, all that are left."""
        pids = [proxy.pid] + self.workers() + wait_until(
            self.admin, "the admin process")
        # The latter of an admin process that was not ready yet.
        self.expected += ["the master is gone", "ready byte: Broken pipe"]
        for pid in pids:
            # Some leave by themselves when the first is gone.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        proxy.process.popen.wait()
        # They have no parent any more.
        wait_until(lambda: all(is_gone(p) for p in pids),
                   "the end of all")

    def live_again(self, proxy):
        at = len(self.log())
        self.launch(proxy, [(fd, name) for name, fd in self.stored.items()])
        self.wait_log(r"ready: ", at)
        return at

    def chat(self):
        """It leaves a record, though its upstream is not there."""
        body = {"model": "glm-4.6", "max_tokens": 9,
                "messages": [{"role": "user", "content": "hello"}]}
        self.expected.append("upstream: Connection refused")
        fields = [("Content-Type", "application/json"), ("x-api-key", "k.1")]
        self.assertEqual(wire.fetch(
            self.proxy.address, "POST", "/v1/messages", fields,
            json.dumps(body).encode()).status, 502)

    def chats(self):
        return self.proxy.metrics().get(
            'glmproxy_requests_total{route="chat"}', 0)

    def is_accounted_for(self, n):
        """Every record is in the history or known to be lost."""
        return (self.proxy.sum("glmproxy_history_records_stored_total") +
                self.proxy.sum("glmproxy_records_lost_total")) == n

    def test_figures_and_records_outlive_crashes(self):
        proxy = self.live(workers="2")
        for life in range(1, 6):
            for _ in range(5):
                self.chat()
            self.die(proxy)
            at = self.live_again(proxy)
            self.assertIn("generation %d" % (life + 1), self.log()[at:])
            wait_until(lambda n=5 * life: self.is_accounted_for(n),
                       "each record stored or counted as lost")
        self.assertEqual(self.chats(), 25)

    def test_figures_outlive_a_restart(self):
        proxy = self.live()
        for _ in range(5):
            self.chat()
        self.signal(DRAIN)
        self.wait_log("drained: ")
        self.assertEqual(proxy.process.end(), 0)
        self.live_again(proxy)
        # Neither stopping nor drained any more.
        self.assertEqual(self.proxy.get("/health").status, 200)
        self.chat()
        self.assertEqual(self.chats(), 6)

    def test_drained_outlives_a_crash(self):
        proxy = self.live()
        self.signal(DRAIN)
        self.wait_log("drained: ")
        self.die(proxy)
        self.live_again(proxy)
        self.assertEqual(self.proxy.get("/health").status, 503)

    def test_foreign_memory_is_not_taken(self):
        proxy = self.live()
        self.chat()
        self.die(proxy)
        fd = os.memfd_create("glmproxy")
        os.ftruncate(fd, 4096)
        self.keep(fd, "storedmemory")
        self.expected.append("shared memory: another program's")
        self.live_again(proxy)
        self.assertEqual(self.chats(), 0)


class Existing(harness.Process):
    """A process that was started by other means."""

    def __init__(self, popen, log_path):  # pylint: disable=W0231
        self.popen = popen
        self.pid = popen.pid
        self.name = "proxy"
        self.log_path = log_path


if __name__ == "__main__":
    unittest.main()
