# SPDX-License-Identifier: MIT
"""What upstreams say of the limits of keys: /api/quota and its figures."""

import calendar
import hashlib
import os
import signal
import time

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import Case, wait_until

LIMITS = "glmproxy_upstream_limits_total"


def tag(key):
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def get_quota(proxy):
    a = wire.fetch(proxy.admin, "GET", "/api/quota")
    assert a.status == 200, a
    return a.json()


def by_key(proxy):
    """{key: {class: limit}}"""
    keys = get_quota(proxy)["keys"]
    return {k["key"]: {x["class"]: x for x in k["limits"]} for k in keys}


class Quota(Case):
    def chat(self, proxy, script, key="key.one", client="O", stream=False):
        return ask(proxy.address, client, DIALECTS[client].body(
            user("[[%s]]" % script), stream=stream), key=key)

    def test_nothing_at_first(self):
        proxy = self.own_proxy()
        self.chat(proxy, "text")
        before = time.time() * 1e6
        q = get_quota(proxy)
        self.assertEqual(q["keys"], [])
        self.assertEqual(q["concurrency"], {
            "limit": 0, "places": 64, "in_flight": 0, "waiting": 0,
            "keys": []})
        self.assertLess(abs(q["now_us"] - before), 60e6)

    def test_what_is_said(self):
        """A key is known by its tag; what was said last is shown; nothing
        else that an upstream refuses is a limit."""
        self.expect_log("refused, fields sent:")
        proxy = self.own_proxy({"workers": "2"})
        reset = time.gmtime(time.time() + 7200 + 8 * 3600)
        at = calendar.timegm(reset) - 8 * 3600
        text = time.strftime("%Y-%m-%d%%20%H:%M:%S", reset)
        for client in ("O", "A"):
            for stream in (False, True):
                self.chat(proxy, "error429 code=1308 reset=" + text,
                          client=client, stream=stream)
        self.chat(proxy, "error code=1302")
        self.chat(proxy, "error code=1305", client="A")
        self.chat(proxy, "error code=1113", key="key.two")
        self.chat(proxy, "error code=1210")
        self.chat(proxy, "error code=1261")
        self.chat(proxy, "html429", key="key.three")
        keys = by_key(proxy)
        one = keys[tag("key.one")]
        self.assertEqual(set(one), {"quota", "rate", "overloaded"})
        self.assertEqual(one["quota"], dict(
            one["quota"], count=4, code=1308, window="5 hours",
            reset_us=at * 1000000, is_used_up=True,
            meaning="the limit of the plan's window is used up"))
        self.assertLessEqual(one["quota"]["first_us"],
                             one["quota"]["last_us"])
        self.assertEqual(one["rate"], dict(
            one["rate"], count=1, code=1302, window=None, reset_us=None,
            is_used_up=False, meaning="too many requests at once"))
        self.assertEqual(one["overloaded"]["code"], 1305)
        self.assertEqual(set(keys[tag("key.two")]), {"billing"})
        self.assertEqual(keys[tag("key.three")]["rate"]["code"], None)
        figures = proxy.metrics()
        for name, want in (("rate", 2), ("overloaded", 1), ("quota", 4),
                           ("fair_use", 0), ("billing", 1)):
            self.assertEqual(
                figures['%s{class="%s"}' % (LIMITS, name)], want, name)
        self.assertEqual(figures[
            "glmproxy_upstream_limit_reset_timestamp_seconds"
            '{class="quota"}'], at)
        everything = (wire.fetch(proxy.admin, "GET", "/api/quota").body +
                      wire.fetch(proxy.admin, "GET", "/metrics").body)
        for key in (b"key.one", b"key.two", b"key.three"):
            self.assertNotIn(key, everything)

    def test_in_streams(self):
        """Said in the middle of an answer, or instead of its first piece."""
        proxy = self.own_proxy()
        for client in ("O", "A"):
            self.chat(proxy, "error_first code=1302", client=client,
                      stream=True)
            self.chat(proxy, "error_mid code=1305 at=6", client=client,
                      stream=True)
        one = by_key(proxy)[tag("key.one")]
        self.assertEqual({c: x["count"] for c, x in one.items()},
                         {"rate": 2, "overloaded": 2})

    def test_hostile_texts(self):
        """Nothing of an upstream's text comes through, and no time that
        cannot be."""
        proxy = self.own_proxy()
        for text in ("reset%20at%209999-12-31%2023:59:59",
                     "reset%20at%201970-01-01%2000:00:00",
                     "reset%20at%202026-99-99%2099:99:99",
                     "<script>alert(1)</script>%20999999999999%20hours"):
            self.chat(proxy, "error code=1308 message=" + text)
        body = wire.fetch(proxy.admin, "GET", "/api/quota").body
        self.assertNotIn(b"script", body)
        got = by_key(proxy)[tag("key.one")]["quota"]
        self.assertEqual(got["count"], 4)
        self.assertEqual((got["reset_us"], got["window"]), (None, None))

    def test_many_keys(self):
        """64 rows, and one for the others."""
        proxy = self.own_proxy()
        for i in range(70):
            self.chat(proxy, "error code=1302", key="key.%d" % i)
        keys = by_key(proxy)
        self.assertEqual(len(keys), 65)
        self.assertEqual(keys["other"]["rate"]["count"], 6)
        self.assertEqual(keys[tag("key.0")]["rate"]["count"], 1)

    def test_survives_workers_and_reload(self):
        proxy = self.own_proxy({"workers": "2"})
        self.chat(proxy, "error code=1302")
        os.kill(proxy.pid, signal.SIGHUP)
        wait_until(lambda: proxy.metrics()["glmproxy_generation"] == 2,
                   "another generation")
        self.chat(proxy, "error code=1302")
        self.assertEqual(by_key(proxy)[tag("key.one")]["rate"]["count"], 2)
