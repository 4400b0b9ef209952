# SPDX-License-Identifier: MIT
"""Processes: start, stop, signals, reloads, crashes."""

import os
import pwd
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
import unittest

from tests.e2e import harness, wire
from tests.e2e.harness import Proxy, proc_file, wait_until

# Nothing listens there: these tests send nothing upstream.
NOWHERE = {"upstream_base": "http://127.0.0.1:1/a",
           "openai_upstream_base": "http://127.0.0.1:1/o",
           "log_level": "debug"}
# Of those that are stopped, or told to leave at once: a second may be too
# little for the admin process, too.
LATE = r"(worker \d|admin) \(pid \d+\) has not left in time"


class ProcessCase(unittest.TestCase):
    """A proxy for each test; its log is checked at the end."""

    config = {}

    def setUp(self):
        self.expected = []
        self.proxy = None

    def start(self, **config):
        more = config.pop("more", {})
        self.proxy = Proxy(dict(NOWHERE, **dict(self.config, **config)),
                           **more)
        self.addCleanup(self.finish)
        return self.proxy

    def finish(self):
        proxy = self.proxy
        try:
            proxy.check_log(self.expected)
            if proxy.process.popen.poll() is None:
                proxy.process.end()
        finally:
            proxy.process.kill()
            proxy.remove()

    def log(self):
        return self.proxy.process.log()

    def ask(self):
        self.assertEqual(self.proxy.get("/health").status, 200)

    def workers(self):
        return sorted(self.proxy.children("worker"))

    def admin(self):
        return self.proxy.children("admin")

    def wait_workers(self, old, count):
        """Until `count` workers run, none of which is among the old."""
        def look():
            got = self.workers()
            return got if len(got) == count and not set(got) & set(old) else []
        return wait_until(look, "%d new workers" % count)

    def wait_log(self, pattern, after=0):
        return self.proxy.process.wait_log(pattern, after=after)

    def signal(self, number):
        """Send a signal; the length of the log before it."""
        at = len(self.log())
        os.kill(self.proxy.pid, number)
        return at

    def requests_total(self):
        return sum(v for n, v in self.proxy.metrics().items()
                   if n.startswith("glmproxy_requests_total"))

    def health(self):
        r = wire.fetch(self.proxy.admin, "GET", "/health")
        return r.status, r.json()


class Start(ProcessCase):
    def test_lines_and_titles(self):
        self.start(workers="2")
        self.wait_log("ready: 2 workers")
        log = self.log()
        self.assertEqual(len(re.findall(r"listening on \S+ \(proxy\)", log)),
                         1)
        self.assertEqual(len(re.findall(r"listening on \S+ \(admin\)", log)),
                         1)
        self.assertLess(log.index("(admin)"), log.index("ready: "))
        self.assertEqual(len(self.workers()), 2)
        wait_until(lambda: len(self.admin()) == 1, "the admin process")

    def test_first_answer_comes_soon(self):
        # The target is 100 ms; a busy machine gets more, and a few tries.
        proxy = self.start(more={"start": False})
        took = []
        for _ in range(5):
            begin = time.monotonic()
            proxy.start()
            self.ask()
            took.append(time.monotonic() - begin)
            if min(took) < 2.0:
                break
            proxy.process.end()
            os.truncate(proxy.process.log_path, 0)
        self.assertLess(min(took), 2.0)

    def test_several_addresses_and_a_unix_socket(self):
        path = os.path.join(tempfile.gettempdir(), "gp-%d.sock" % os.getpid())
        proxy = self.start(
            listen="127.0.0.1:0, [::1]:0, unix:%s" % path, unix_mode="0600")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        found = re.findall(r"listening on (\S+) \(proxy\)", self.log())
        self.assertEqual(len(found), 3)
        for address in found:
            self.assertEqual(
                wire.fetch(address, "GET", "/health").status, 200)
        self.assertEqual(proxy.process.end(), 0)
        self.assertFalse(os.path.exists(path))

    def test_address_in_use(self):
        proxy = self.start()
        r = harness.run_program(
            "run", "-o", "listen=%s" % proxy.address,
            "-o", "state_dir=%s/other" % proxy.dir,
            "-o", "pid_file=%s/other.pid" % proxy.dir)
        self.assertEqual(r.returncode, 69)
        self.assertIn(b"in use", r.stderr)
        self.assertFalse(os.path.exists(proxy.dir + "/other.pid"))

    def test_one_instance_per_state_dir(self):
        proxy = self.start()
        r = harness.run_program(
            "run", "-c", proxy.conf_path,
            "-o", "pid_file=%s/other.pid" % proxy.dir)
        self.assertEqual(r.returncode, 4)
        self.assertIn(b"another instance uses the directory", r.stderr)

    def test_one_instance_per_pid_file(self):
        proxy = self.start()
        r = harness.run_program(
            "run", "-c", proxy.conf_path,
            "-o", "state_dir=%s/other" % proxy.dir)
        self.assertEqual(r.returncode, 4)
        self.assertIn(b"already running with pid %d" % proxy.pid, r.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another")
    def test_children_run_as_the_user(self):
        path = os.path.join(tempfile.gettempdir(), "gpu-%d.sock" % os.getpid())
        folder = tempfile.mkdtemp(prefix="glmproxy-state-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        proxy = self.start(user="nobody", group="nogroup",
                           state_dir=os.path.join(folder, "state"),
                           listen="127.0.0.1:0, unix:%s" % path)
        os.chmod(proxy.dir, 0o755)
        want = [str(pwd.getpwnam("nobody").pw_uid)] * 4
        self.assertEqual(os.stat(path).st_uid, int(want[0]))
        self.assertEqual(os.stat(proxy.config["state_dir"]).st_uid,
                         int(want[0]))
        for number, generation in ((signal.SIGHUP, 2), (signal.SIGUSR2, 3)):
            old = self.workers()
            for pid in old + wait_until(self.admin, "the admin process"):
                text = proc_file(pid, "status").decode()
                if not text and pid not in old:
                    continue  # the admin process of the generation before
                status = dict(line.split(":", 1)
                              for line in text.splitlines())
                self.assertEqual(status["Uid"].split(), want)
                self.assertEqual(status["Groups"].split(), [])
                self.assertEqual(int(status["CapEff"], 16), 0)
            at = self.signal(number)
            self.wait_log(r"ready: .*generation %d" % generation, at)
            self.wait_workers(old, 1)
        self.ask()

    def test_key_leaves_the_environment(self):
        proxy = self.start(more={"env": {"SERVER_API_KEY": "sk-very-secret"}})
        for pid in [proxy.pid] + self.workers():
            self.assertNotIn(b"sk-very-secret", proc_file(pid, "environ"))
        self.assertNotIn("sk-very-secret", self.log())


class Stop(ProcessCase):
    def test_term(self):
        self.check_clean_end(signal.SIGTERM)

    def test_int(self):
        self.check_clean_end(signal.SIGINT)

    def check_clean_end(self, number):
        proxy = self.start()
        children = self.workers() + self.admin()
        self.assertEqual(proxy.process.end(number), 0)
        for pid in children:
            self.assertFalse(os.path.exists("/proc/%d" % pid))
        self.assertFalse(os.path.exists(proxy.config["pid_file"]))

    def test_quit_is_at_once(self):
        proxy = self.start(stop_timeout_s="600", client_header_timeout_s="600")
        self.expected.append(LATE)
        with proxy.connect() as idle:
            idle.send(b"GET /health HTTP/1.1\r\n")
            self.ask()  # connections are accepted in order
            begin = time.monotonic()
            self.assertEqual(proxy.process.end(signal.SIGQUIT), 0)
        self.assertLess(time.monotonic() - begin, 15.0)

    def test_second_term_is_at_once(self):
        proxy = self.start(stop_timeout_s="600", client_body_timeout_s="600")
        self.expected.append(LATE)
        worker = self.workers()[0]
        os.kill(worker, signal.SIGSTOP)  # it will not leave by itself
        self.signal(signal.SIGTERM)
        self.wait_log(r" stopping$")
        self.assertIsNone(proxy.process.popen.poll())
        self.assertEqual(proxy.process.end(signal.SIGTERM), 0)

    def test_stuck_worker_is_killed_when_the_time_is_up(self):
        proxy = self.start(stop_timeout_s="0")
        self.expected.append(LATE)
        os.kill(self.workers()[0], signal.SIGSTOP)
        self.assertEqual(proxy.process.end(signal.SIGTERM), 0)

    def test_admin_tells_of_stopping(self):
        self.start(stop_timeout_s="600")
        self.expected.append(LATE)
        os.kill(self.workers()[0], signal.SIGSTOP)
        self.signal(signal.SIGTERM)
        self.wait_log(r" stopping$")
        status, body = self.health()
        self.assertEqual(status, 503)
        self.assertEqual(body["status"], "failing")
        self.assertIn("the service is stopping", body["reasons"])
        self.assertEqual(self.proxy.process.end(signal.SIGQUIT), 0)

    def test_new_connections_are_refused_while_stopping(self):
        proxy = self.start(stop_timeout_s="600")
        with proxy.connect() as slow:
            slow.send(b"GET /v1/models HTTP/1.1\r\n")
            self.ask()  # connections are accepted in order
            self.signal(signal.SIGTERM)
            self.wait_log(r" stopping$")
            wait_until(self.is_refused, "a refused connection")
            slow.send(b"Host: localhost\r\n\r\n")
            self.assertIn(b" 200 ", slow.sock.recv(4096))
        self.assertEqual(proxy.process.popen.wait(harness.DEADLINE_S), 0)

    def is_refused(self):
        try:
            socket.create_connection(
                wire.address_of(self.proxy.address), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_children_leave_with_a_killed_master(self):
        proxy = self.start(workers="2")
        self.expected.append("the master is gone")
        # Of an admin process that was not ready yet.
        self.expected.append("ready byte: Broken pipe")
        children = self.workers() + wait_until(self.admin, "the admin process")
        os.kill(proxy.pid, signal.SIGKILL)
        proxy.process.popen.wait(harness.DEADLINE_S)
        for pid in children:
            wait_until(lambda p=pid: is_gone(p), "the end of %d" % pid)
        # What it left behind does not stop the next one.
        proxy.check_log(self.expected)
        os.truncate(proxy.process.log_path, 0)
        proxy.mark = 0
        proxy.start()
        self.ask()


def is_gone(pid):
    """True when there is no such process, or it waits to be reaped."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            words = f.read().rpartition(")")[2].split()
            # Threads that have not left yet keep files open, and locked.
            return words[0] == "Z" and int(words[17]) <= 1
    except OSError:
        return True


class Crash(ProcessCase):
    def test_killed_worker_is_replaced_and_figures_stay(self):
        proxy = self.start(workers="2")
        self.expected.append(r"worker \d \(pid \d+\) died: signal 9")
        for _ in range(10):
            self.ask()
        before = wait_until(
            lambda: self.requests_total() >= 10 and self.requests_total(),
            "ten requests in the figures")
        old = self.workers()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        self.wait_workers(old, 2)
        self.ask()
        wait_until(lambda: self.requests_total() >= before + 1,
                   "the figures of the dead and of the living")
        self.assertEqual(
            proxy.metrics()["glmproxy_process_deaths_total"], 2)
        self.assertEqual(self.log().count("died: signal 9"), 2)

    def test_killed_admin_is_replaced(self):
        proxy = self.start()
        self.expected.append(r"admin \(pid \d+\) died: signal 9")
        old = wait_until(self.admin, "the admin process")
        os.kill(old[0], signal.SIGKILL)
        self.ask()  # proxying goes on without it
        wait_until(lambda: self.admin() and self.admin() != old,
                   "another admin process")
        self.assertEqual(
            proxy.metrics()["glmproxy_process_deaths_total"], 1)

    def test_health_tells_of_silence(self):
        self.start(workers="2")
        wait_until(lambda: self.health()[1]["status"] == "ok", "health")
        stopped = self.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            def is_degraded():
                _, body = self.health()
                return body["status"] == "degraded" and body
            body = wait_until(is_degraded, "a degraded service", 30)
            self.assertEqual(body["workers"]["silent"], 1)
            self.assertTrue(body["reasons"][0].startswith(
                "1 worker has given no sign of life for 5 seconds:"))
        finally:
            os.kill(stopped, signal.SIGCONT)
        wait_until(lambda: self.health()[1]["status"] == "ok",
                   "a healthy service")


class Reload(ProcessCase):
    def test_new_generation_takes_over(self):
        proxy = self.start(workers="1")
        old = self.workers()
        address = proxy.address
        proxy.config["workers"] = "3"
        proxy.write_config()
        at = self.signal(signal.SIGHUP)
        self.wait_log(r"ready: 3 workers, generation 2", at)
        self.wait_workers(old, 3)
        self.ask()
        self.assertEqual(address, proxy.address)

        def by_the_new():
            body = self.health()[1]
            return body["workers"]["expected"] == 3 and body

        # One answer: the old admin process may give the next.
        body = wait_until(by_the_new, "the new admin process")
        self.assertEqual(body["generation"], 2)
        wait_until(lambda: len(self.admin()) == 1, "one admin process")

    def test_reload_during_the_start(self):
        # Many workers that each read the system's certificates: the signal
        # comes before they are ready.
        self.start(workers="32", upstream_base="https://localhost:1/a")
        self.signal(signal.SIGHUP)
        self.wait_log(r"ready: 32 workers, generation 2")
        wait_until(lambda: len(self.workers()) == 32, "one generation")
        self.ask()

    def test_bad_configuration_is_refused_and_named(self):
        proxy = self.start()
        old = self.workers()
        self.expected.append(r"reload refused, the old configuration stays: "
                             r".*glmproxy\.conf:\d+: workers")
        proxy.config["workers"] = "many"
        proxy.write_config()
        at = self.signal(signal.SIGHUP)
        self.wait_log(r"reload refused", at)
        self.ask()
        self.assertEqual(self.workers(), old)
        # Another one that is good again.
        proxy.config["workers"] = "2"
        proxy.write_config()
        at = self.signal(signal.SIGHUP)
        self.wait_log(r"ready: 2 workers", at)
        self.wait_workers(old, 2)

    def test_bad_json_and_urls_are_refused(self):
        proxy = self.start()
        old = self.workers()
        for key, value in (("model_map_json", '{"a":1}'),
                           ("upstream_base", "ftp://a/b")):
            self.expected.append(r"reload refused.*%s" % key)
            config = dict(proxy.config)
            proxy.config[key] = value
            proxy.write_config()
            at = self.signal(signal.SIGHUP)
            self.wait_log(r"reload refused.*%s" % key, at)
            proxy.config = config
        self.assertEqual(self.workers(), old)

    def test_key_that_needs_a_restart_keeps_its_value(self):
        proxy = self.start()
        self.expected.append(
            r"(listen|state_dir) has changed, which needs a restart")
        proxy.config["listen"] = "127.0.0.1:1"
        proxy.config["state_dir"] = proxy.dir + "/elsewhere"
        proxy.config["workers"] = "2"
        proxy.write_config()
        old = self.workers()
        at = self.signal(signal.SIGHUP)
        self.wait_log(r"listen has changed", at)
        self.wait_log(r"state_dir has changed", at)
        self.wait_workers(old, 2)
        self.ask()
        self.assertFalse(os.path.exists(proxy.config["state_dir"]))

    def test_log_level_changes(self):
        proxy = self.start()
        proxy.config["log_level"] = "err"
        proxy.write_config()
        old = self.workers()
        self.signal(signal.SIGHUP)
        self.wait_workers(old, 1)
        old = self.workers()
        at = self.signal(signal.SIGHUP)
        self.wait_workers(old, 1)
        self.assertNotIn("reloading", self.log()[at:])

    def test_many_reloads_lose_no_request(self):
        proxy = self.start(workers="2")
        stop = threading.Event()
        failures = []
        count = [0]

        def ask_on():
            while not stop.is_set():
                try:
                    r = wire.fetch(proxy.address, "GET", "/health")
                    if r.status != 200:
                        failures.append(repr(r))
                    count[0] += 1
                except (OSError, wire.WireError) as e:
                    failures.append(repr(e))

        thread = threading.Thread(target=ask_on)
        thread.start()
        try:
            for n in range(2, 8):
                at = self.signal(signal.SIGHUP)
                self.wait_log(r"ready: 2 workers, generation %d" % n, at)
            for n in range(8, 11):
                at = self.signal(signal.SIGUSR2)
                self.wait_log(r"ready: 2 workers, generation %d" % n, at)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(count[0], 10)
        wait_until(lambda: len(self.workers()) == 2, "only new workers")

    def test_stuck_old_worker_is_killed_after_the_drain_time(self):
        self.start(drain_timeout_s="0")
        self.expected.append(LATE)
        old = self.workers()
        os.kill(old[0], signal.SIGSTOP)
        self.signal(signal.SIGHUP)
        self.wait_workers(old, 1)

    def test_usr1_changes_nothing(self):
        self.start()
        old = self.workers()
        at = self.signal(signal.SIGUSR1)
        self.wait_log(r"debug master.*log files are opened again", at)
        self.ask()
        self.assertEqual(self.workers(), old)


if __name__ == "__main__":
    unittest.main()
