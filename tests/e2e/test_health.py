# SPDX-License-Identifier: MIT
"""What both ports say of the service's health, and draining an instance."""

import os
import signal
import time
import unittest

from tests.e2e import harness, wire
from tests.e2e.harness import Case, wait_until
from tests.e2e.test_process import NOWHERE, ProcessCase

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


def chat(proxy, path="/v1/chat/completions"):
    return proxy.post(path, {"model": "glm-4.6", "max_tokens": 20, "messages": [
        {"role": "user", "content": "hello"}]})


class Upstreams(Case):
    """What real requests tell of them."""

    def watched(self, config=None):
        """A proxy whose admin process counts from now on."""
        proxy = self.own_proxy(config)
        self.health(proxy)
        return proxy

    def health(self, proxy):
        r = wire.fetch(proxy.admin, "GET", "/health")
        body = r.json()
        self.assertEqual(r.status,
                         503 if body["status"] == "failing" else 200)
        return body

    def upstream(self, proxy, dialect):
        return [u for u in self.health(proxy)["upstreams"]
                if u["dialect"] == dialect][0]

    def test_answers_are_seen(self):
        proxy = self.own_proxy()
        before = self.upstream(proxy, "anthropic")
        self.assertEqual((before["answers"], before["errors"],
                          before["unanswered"]), (0, 0, 0))
        self.assertNotIn("last_answer_s_ago", before)
        self.assertEqual(before["base"], proxy.config["upstream_base"])
        self.assertEqual(chat(proxy).status, 200)
        after = wait_until(
            lambda: [u for u in [self.upstream(proxy, "anthropic")]
                     if u["answers"] == 1], "an answer")[0]
        self.assertLess(after["last_answer_s_ago"], 15)
        self.assertNotIn("last_failure_s_ago", after)
        self.assertEqual(self.upstream(proxy, "openai")["answers"], 0)
        self.assertEqual(self.health(proxy)["status"], "ok")

    def test_refusals_of_a_client_are_no_trouble_of_the_upstream(self):
        proxy = self.watched()
        self.allow_refusals()
        for _ in range(3):
            self.standin.play_next("error429")
            self.assertEqual(chat(proxy).status, 429)
        wait_until(lambda: self.upstream(proxy, "anthropic")["answers"] == 3,
                   "three answers")
        self.assertEqual(self.health(proxy)["status"], "ok")

    def test_errors_of_the_upstream(self):
        proxy = self.watched()
        self.allow_refusals()
        for _ in range(3):
            self.standin.play_next("html502")
            self.assertEqual(chat(proxy).status, 502)
        body = wait_until(
            lambda: [b for b in [self.health(proxy)]
                     if b["status"] == "failing"], "failing")[0]
        self.assertIn(" answered the last 3 requests with errors of its own",
                      body["reasons"][0])
        self.assertEqual(body["reasons"][1:], [
            "no request is answered by any upstream at present"])
        # One good answer ends it.
        self.assertEqual(chat(proxy).status, 200)
        wait_until(lambda: self.health(proxy)["status"] == "ok", "ok again")
        self.assertEqual(self.upstream(proxy, "anthropic")["errors"], 3)

    def test_upstream_that_cannot_be_reached(self):
        proxy = self.watched(NOWHERE)
        self.expect_log("upstream", "refused")
        for _ in range(3):
            self.assertEqual(chat(proxy).status, 502)
        body = wait_until(
            lambda: [b for b in [self.health(proxy)]
                     if b["status"] == "failing"], "failing")[0]
        self.assertTrue(body["reasons"][0].startswith(
            "none of the last 3 requests to http://127.0.0.1:1/a was "
            "answered: check the network"), body["reasons"])
        self.assertEqual(self.upstream(proxy, "anthropic")["unanswered"], 3)
        self.assertEqual(
            proxy.metrics()['glmproxy_upstream_outcomes_total{'
                            'outcome="none",upstream="anthropic"}'], 3)
        self.assertEqual(proxy.metrics()["glmproxy_healthy"], 0)


class Deep(ProcessCase):
    """The admin port's: all that can be known."""

    def test_fields(self):
        proxy = self.start(workers="2")
        status, body = self.health()
        self.assertEqual((status, body["status"], body["reasons"]),
                         (200, "ok", []))
        for part in ("history", "logs"):
            self.assertEqual(body[part], {
                "on": True, "written": True, "lost": 0})
        self.assertTrue(body["calibration_saved"])
        self.assertLess(abs(body["clock"]["now_s"] - time.time()), 5)
        self.assertNotIn("jumped_s", body["clock"])
        self.assertLess(body["workers"]["oldest_heartbeat_ms"], 5000)

        def disks():
            got = self.health()[1]["disks"]
            return "free_bytes" in got[0] and got
        state, log = wait_until(disks, "the room of the disk")
        self.assertEqual((state["key"], state["path"]),
                         ("state_dir", proxy.config["state_dir"]))
        room = os.statvfs(proxy.config["state_dir"])
        self.assertEqual(state["total_bytes"], room.f_blocks * room.f_frsize)
        self.assertEqual(log["key"], "log_dir")

    def test_drained_is_told(self):
        self.start()
        r = harness.run_program("drain", "-c", self.proxy.conf_path)
        self.assertEqual(r.returncode, 0)
        status, body = self.health()
        self.assertEqual((status, body["status"]), (200, "degraded"))
        self.assertTrue(body["draining"])
        self.assertIn("`glmproxy undrain`", body["reasons"][0])

    def test_head(self):
        self.start()
        r = wire.fetch(self.proxy.admin, "HEAD", "/health")
        self.assertEqual((r.status, r.body), (200, b""))
        self.assertGreater(int(r.get("content-length")), 100)

    def test_history_that_is_not_written(self):
        self.expected = ["cannot be written"]
        proxy = self.start(more={"start": False})
        os.makedirs(os.path.join(proxy.config["state_dir"], "history.db"))
        proxy.start()

        def told():
            status, body = self.health()
            return body["reasons"] and (status, body)
        status, body = wait_until(told, "a reason")
        self.assertEqual((status, body["status"]), (200, "degraded"))
        self.assertTrue(body["reasons"][0].startswith(
            "the history cannot be written: "), body["reasons"])
        self.assertFalse(body["history"]["written"])
        self.assertIn(body["history"]["why"], body["reasons"][0])

    def test_log_files_that_are_not_written(self):
        self.expected = ["log files in", "Connection refused"]
        proxy = self.start(more={"start": False})
        os.makedirs(os.path.join(proxy.config["log_dir"],
                                 "upstream_requests.json"))
        proxy.start()

        chat(proxy)

        def told():
            _, body = self.health()
            found = [r for r in body["reasons"] if "log files" in r]
            return found and (found[0], body)
        reason, body = wait_until(told, "a reason")
        self.assertTrue(reason.startswith(
            "the log files cannot be written: "), reason)
        self.assertFalse(body["logs"]["written"])
        self.assertIn(body["logs"]["why"], reason)

    def test_what_is_turned_off(self):
        self.start(history="false", upstream_log="false")
        status, body = self.health()
        self.assertEqual((status, body["status"]), (200, "ok"))
        self.assertFalse(body["history"]["on"])
        self.assertFalse(body["logs"]["on"])


class OwnPort(ProcessCase):
    def test_workers_agree(self):
        self.start(workers="2")
        with wire.Conn(self.proxy.address):
            body = wait_until(
                lambda: [b for b in [self.proxy.get("/health").json()]
                         if (b["active_connections"], b["workers"])
                         == (2, 2)],
                "both connections, and both workers")[0]
        self.assertEqual(body["active_streams"], 0)
        self.assertGreaterEqual(body["uptime_s"], 0)
        self.assertIn("version", body)


if __name__ == "__main__":
    unittest.main()
