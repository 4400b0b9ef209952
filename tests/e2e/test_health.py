# SPDX-License-Identifier: MIT
"""What both ports say of the service's health, and draining an instance."""

import os
import signal
import unittest

from tests.e2e import harness, wire
from tests.e2e.harness import wait_until
from tests.e2e.test_process import ProcessCase

NOT_RUNNING = 1


class Drain(ProcessCase):
    """Load balancers are told to go; whoever comes is served."""

    def command(self, name):
        return harness.run_program(name, "-c", self.proxy.conf_path)

    def drain(self):
        r = self.command("drain")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn(b"/health of its port says 503", r.stdout)

    def undrain(self):
        r = self.command("undrain")
        self.assertEqual(r.returncode, 0, r.stderr)

    def check(self, drained):
        """Both ports, HEAD as well, and `status` agree."""
        for method in ("GET", "HEAD"):
            r = self.proxy.get("/health", method=method)
            self.assertEqual(r.status, 503 if drained else 200, method)
            self.assertEqual(r.get("cache-control"), "no-store")
        self.assertEqual(r.body, b"")
        body = self.proxy.get("/health").json()
        self.assertEqual(body["ok"], not drained)
        self.assertEqual(body["status"], "draining" if drained else "ok")
        if drained:
            self.assertIn("drained", body["reason"])
        else:
            self.assertNotIn("reason", body)
        r = self.command("status")
        self.assertEqual(r.returncode, 0)
        self.assertEqual(b"it is drained" in r.stdout, drained, r.stdout)
        # Everything else is as ever.
        self.assertEqual(self.proxy.get("/v1/models").status, 200)

    def test_by_command(self):
        self.start(workers="2")
        self.check(False)
        self.drain()
        self.check(True)
        self.wait_log("drained: load balancers are told")
        self.drain()
        self.check(True)
        self.undrain()
        self.check(False)
        self.wait_log("not drained any more")
        self.undrain()
        self.assertEqual(self.log().count("drained"), 2)

    def test_it_lasts_through_reload_upgrade_and_deaths(self):
        self.start()
        self.drain()
        old = self.workers()
        self.signal(signal.SIGHUP)
        old = self.wait_workers(old, 1)
        self.check(True)
        at = self.signal(signal.SIGUSR2)
        self.wait_log(r"ready: 1 worker, generation 3", at)
        old = self.wait_workers(old, 1)
        self.check(True)
        self.expected = [r"died: signal 9"]
        os.kill(old[0], signal.SIGKILL)
        self.wait_workers(old, 1)
        self.check(True)
        self.undrain()
        self.check(False)

    def test_it_ends_with_the_service(self):
        proxy = self.start()
        self.drain()
        os.kill(proxy.pid, signal.SIGKILL)
        proxy.process.popen.wait()
        self.expected = [r"the master is gone"]
        r = self.command("status")
        self.assertEqual(r.returncode, NOT_RUNNING)
        self.assertNotIn(b"drained", r.stdout + r.stderr)
        self.assertEqual(self.command("drain").returncode, NOT_RUNNING)
        self.assertEqual(self.command("undrain").returncode, NOT_RUNNING)
        os.unlink(proxy.process.log_path)
        proxy.mark = 0
        proxy.start()
        self.check(False)

    def test_arguments(self):
        self.start()
        r = harness.run_program("drain", "now", "-c", self.proxy.conf_path)
        self.assertEqual(r.returncode, 64)
        self.check(False)


class OwnPort(ProcessCase):
    def test_workers_agree(self):
        self.start(workers="2")
        with wire.Conn(self.proxy.address):
            body = wait_until(
                lambda: [b for b in [self.proxy.get("/health").json()]
                         if b["active_connections"] == 2],
                "both connections")[0]
        self.assertEqual(body["workers"], 2)
        self.assertEqual(body["active_streams"], 0)
        self.assertGreaterEqual(body["uptime_s"], 0)
        self.assertIn("version", body)


if __name__ == "__main__":
    unittest.main()
