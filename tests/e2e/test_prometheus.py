# SPDX-License-Identifier: MIT
"""A real Prometheus: it scrapes the admin port and answers queries; the alerts
and the dashboard that come along are understood by it."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.parse

from tests.e2e import alert_cases
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import ROOT, Case, Process, Proxy, wait_until

RULES = os.path.join(ROOT, "packaging/prometheus/glmproxy.rules.yml")
DASHBOARD = os.path.join(ROOT, "packaging/grafana/glmproxy.json")
TOKEN = "token-of-the-admin"
START_S = 40  # on a busy machine


def needs(program):
    return unittest.skipIf(
        shutil.which(program) is None,
        "%s is not installed (packaging/deps.sh prometheus)" % program)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def queries(value):
    """What a dashboard asks for."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "expr":
                yield inner
            else:
                yield from queries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from queries(inner)


@needs("promtool")
class Rules(unittest.TestCase):
    def promtool(self, *args):
        r = subprocess.run(["promtool"] + list(args), capture_output=True,
                           timeout=60, check=False)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)

    def test_rules_are_rules(self):
        self.promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)

    def test_each_fires_when_it_should(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
            f.write(alert_cases.as_yaml(RULES))
            f.flush()
            self.promtool("test", "rules", f.name)

    def test_none_is_untested(self):
        with open(RULES, encoding="utf-8") as f:
            names = re.findall(r"- alert: (\w+)$", f.read(), re.M)
        self.assertEqual(set(names), alert_cases.alerts_expected())
        self.assertEqual(len(names), len(set(names)))


@needs("prometheus")
class Scrape(Case):
    config = {"workers": "2"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dir = tempfile.mkdtemp(prefix="glmproxy-prometheus-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        path = os.path.join(cls.dir, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(cls.prometheus_config(), f)
        cls.start_prometheus()
        cls.addClassCleanup(lambda: cls.prometheus.kill())
        wait_until(cls.is_ready, "Prometheus to be ready", START_S)

    @classmethod
    def start_prometheus(cls):
        cls.port = free_port()
        cls.prometheus = Process(
            ["prometheus", "--log.level=warn", "--config.file="
             + os.path.join(cls.dir, "prometheus.yml"),
             "--storage.tsdb.path=" + os.path.join(cls.dir, "data"),
             "--web.listen-address=127.0.0.1:%d" % cls.port],
            cls.dir, "prometheus")

    @classmethod
    def start_closed(cls):
        """Another one, whose admin port asks for its token."""
        proxy = Proxy({}, cls.standin, start=False)
        proxy.config["admin_token_file"] = proxy.file("token", TOKEN + "\n")
        proxy.write_config()
        proxy.start()
        cls.addClassCleanup(proxy.stop)
        return proxy

    @classmethod
    def prometheus_config(cls):
        closed = cls.start_closed()
        return {
            # Also the time that an answer may take.
            "global": {"scrape_interval": "2s",
                       "evaluation_interval": "1s"},
            "rule_files": [RULES],
            "scrape_configs": [{
                "job_name": "glmproxy",
                "static_configs": [{"targets": [cls.proxy.admin]}]}, {
                "job_name": "closed",
                "authorization": {"credentials": TOKEN},
                "static_configs": [{"targets": [closed.admin]}]}]}

    @classmethod
    def api(cls, path, **fields):
        c = http.client.HTTPConnection("127.0.0.1", cls.port, timeout=15)
        try:
            c.request("GET", "%s?%s" % (path, urllib.parse.urlencode(fields)))
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    @classmethod
    def is_ready(cls):
        if cls.prometheus.popen.poll() is not None:
            log = cls.prometheus.log()
            if "address already in use" not in log:
                raise AssertionError(log)
            # Somebody else was quicker.
            cls.start_prometheus()
            return False
        try:
            return cls.api("/-/ready")[0] == 200
        except OSError:
            return False

    def ask_api(self, path, **fields):
        status, body = self.api("/api/v1/" + path, **fields)
        self.assertEqual(status, 200, (fields, body))
        return json.loads(body)["data"]

    def query(self, text):
        """[(labels, value)]"""
        return [(r["metric"], float(r["value"][1]))
                for r in self.ask_api("query", query=text)["result"]]

    def wait_value(self, text, value):
        wait_until(lambda: [v for _, v in self.query(text)] == [value],
                   "%s to be %s" % (text, value), START_S)

    def test_scrapes(self):
        self.wait_value('up{job="glmproxy"}', 1)
        self.wait_value('up{job="closed"}', 1)
        # A busy machine may make one scrape take too long.
        wait_until(lambda: {
            (t["lastError"], t["health"])
            for t in self.ask_api("targets")["activeTargets"]
            } == {("", "up")}, "all targets up", START_S)
        for client in "OA":
            for i in range(3):
                a = ask(self.proxy.address, client, DIALECTS[client].body(
                    user("[[say text=x]]"), stream=i > 0))
                self.assertEqual(a.text, "x")
        self.wait_value('sum(glmproxy_requests_total{route="chat"})', 6)
        self.wait_value('sum(glmproxy_routed_requests_total{'
                        'client="openai",upstream="anthropic"})', 3)
        self.wait_value('sum(glmproxy_upstream_responses_total{code="200"})',
                        6)
        self.wait_value('sum(glmproxy_request_seconds_count{stream="yes"})',
                        4)
        (_, quantile), = self.query(
            "histogram_quantile(0.9, "
            "sum by (le) (glmproxy_request_seconds_bucket))")
        self.assertGreater(quantile, 0)
        self.assertLess(quantile, 10)
        kinds = {name: rows[0]["type"] for name, rows in
                 self.ask_api("metadata").items()
                 if name.startswith("glmproxy_")}
        self.assertEqual(kinds["glmproxy_request_seconds"], "histogram")
        self.assertEqual(kinds["glmproxy_requests_total"], "counter")
        self.assertEqual(kinds["glmproxy_streams"], "gauge")
        (_, samples), = self.query('scrape_samples_scraped{job="glmproxy"}')
        (_, kept), = self.query(
            'scrape_samples_post_metric_relabeling{job="glmproxy"}')
        self.assertEqual(samples, kept)
        # What a service costs a Prometheus is bounded.
        self.assertLess(samples, 700)

    def test_alerts(self):
        def evaluated():
            groups = self.ask_api("rules")["groups"]
            rules = [r for g in groups for r in g["rules"]]
            return rules if rules and all(
                r["health"] != "unknown" for r in rules) else []

        self.wait_value('up{job="glmproxy"}', 1)
        for rule in wait_until(evaluated, "all rules to be evaluated",
                               START_S):
            self.assertEqual((rule["health"], rule.get("lastError", "")),
                             ("ok", ""), rule["name"])
            self.assertEqual(rule["state"], "inactive", rule["name"])

    def test_dashboard(self):
        self.wait_value('up{job="glmproxy"}', 1)
        with open(DASHBOARD, encoding="utf-8") as f:
            asked = list(queries(json.load(f)))
        self.assertGreater(len(asked), 30)
        known = self.ask_api("label/__name__/values")
        for text in asked:
            text = text.replace("$__rate_interval", "10s")
            text = re.sub(r"\$(job|instance)\b", ".*", text)
            self.assertNotIn("$", text)
            self.query(text)
            for name in re.findall(r"\bglmproxy_\w+", text):
                # Names of models are there when one has been asked.
                if "_model_" not in name:
                    self.assertIn(name, known)


if __name__ == "__main__":
    unittest.main()
