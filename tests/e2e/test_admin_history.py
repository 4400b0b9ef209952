# SPDX-License-Identifier: MIT
"""The history by the interface: pages hold each row once while others come, sums
are those of the rows, and whatever happens to the database is an answer."""

import fcntl
import os
import signal
import sqlite3
import threading
import time
import unittest

from tests.e2e import wire
from tests.e2e.harness import wait_until
from tests.e2e.test_admin_api import ApiCase

SPOILT = (r"malformed|not a database|set aside|the history (cannot|is)|"
          r"disk I/O|is gone: a new one is begun")


class Paging(ApiCase):
    config = {"history_rows_per_s": "100000"}

    def insert(self, n, time_us, **more):
        """Rows as the storage thread would write them."""
        path = os.path.join(self.proxy.config["state_dir"], "history.db")
        values = {"client": "c", "model": "m", "status": 200, "broken": 0,
                  "error": ""}
        values.update(more)
        db = sqlite3.connect(path, timeout=10)
        names = [r[1:4] for r in db.execute("PRAGMA table_info(request)")]
        rows = []
        for i in range(n):
            row = []
            for name, kind, needed in names:
                if name == "id":
                    row.append(None)
                elif name == "time_us":
                    row.append(time_us(i))
                elif name in values:
                    row.append(values[name])
                else:
                    row.append(("" if kind == "TEXT" else 1)
                               if needed else None)
            rows.append(row)
        with db:
            db.executemany("INSERT INTO request VALUES (%s)" % ",".join(
                "?" * len(names)), rows)
        db.close()

    def setUp(self):
        super().setUp()
        self.wait_rows(0)
        self.now_us = int(time.time() * 1e6)

    def pages(self, between=None, **fields):
        cursor = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = self.good("/api/requests", **dict(fields, **more))
            yield page
            cursor = page["next"]
            if cursor is None:
                return
            if between is not None:
                between()

    def test_each_row_once_while_others_come(self):
        # Many of one microsecond, so that the cursor needs both its parts.
        self.insert(500, lambda i: self.now_us - 10**7 + i // 50 * 1000,
                    client="paged")
        before = [r for page in self.pages(client="paged", limit=500)
                  for r in page["requests"]]
        ids = [r["id"] for r in before]
        self.assertEqual(len(ids), 500)
        order = [(r["time_us"], r["id"]) for r in before]
        self.assertEqual(order, sorted(order, reverse=True))
        for limit in (1, 7, 50, 499):
            found = []

            def more():
                # Newer ones, and some that began before.
                self.insert(1, lambda i: int(time.time() * 1e6),
                            client="paged")
            n = 0
            for page in self.pages(more if limit > 5 else None,
                                   client="paged", limit=limit):
                self.assertLessEqual(len(page["requests"]), limit)
                found += [r["id"] for r in page["requests"]]
                n += 1
            self.assertEqual(len(found), len(set(found)), "a row came twice")
            # Those that were added meanwhile are newer: on none of the pages.
            self.assertEqual([i for i in found if i in set(ids)], ids)
            self.assertGreaterEqual(n, len(ids) // limit)

    def test_pages_of_a_rare_kind(self):
        self.insert(300, lambda i: self.now_us - 10**9 + i, client="often")
        self.insert(2, lambda i: self.now_us - 10**9 + 100 + i,
                    client="often", error="rare", status=500)
        for fields in ({"error": "rare"}, {"status": "500"},
                       {"status": "5xx", "client": "often"},
                       {"failed": "true", "client": "often"},
                       {"error": "rare", "model": "m", "kind": "count"}):
            rows = [r for p in self.pages(limit=1, **fields)
                    for r in p["requests"] if r["client"] == "often"]
            self.assertEqual(len(rows), 2, fields)
        rows = [r for p in self.pages(limit=100, client="often", error="")
                for r in p["requests"]]
        self.assertEqual(len(rows), 300)

    def test_filters_and_times(self):
        base = self.now_us // 10**6 * 10**6 - 5 * 10**9
        self.insert(3, lambda i: base + i * 10**6, client="timed", model="a")
        self.insert(3, lambda i: base + i * 10**6, client="timed", model="b",
                    status=404)
        s = base // 10**6

        def n(**fields):
            # A page ends early when the time for it is over.
            return sum(len(page["requests"]) for page in self.pages(
                client="timed", **fields))
        self.assertEqual(n(), 6)
        self.assertEqual(n(model="a"), 3)
        self.assertEqual(n(status="404"), 3)
        self.assertEqual(n(status="4xx", model="a"), 0)
        self.assertEqual(n(failed="false"), 3)
        # from is part of it, to is not.
        self.assertEqual(n(**{"from": s, "to": s + 1}), 2)
        self.assertEqual(n(**{"from": s + 1, "to": s + 2}), 2)
        self.assertEqual(n(**{"from": s + 3}), 0)

    def test_bytes_that_are_no_text(self):
        """A database in which somebody else has written."""
        self.insert(1, lambda i: self.now_us, client="strange",
                    model=sqlite3.Binary(b"\xff\xfe\x00</script>"),
                    error="e\x00\x1f\"")
        (row,) = self.good("/api/requests", client="strange")["requests"]
        self.assertIn("</script>", row["model"])
        self.assertIn('"', row["error"])
        self.good("/api/requests/%d" % row["id"])

    def test_sums_are_those_of_the_requests(self):
        for model in ("glm-4.6", "glm-4.6", "glm-4.5-air"):
            self.assertEqual(self.chat(
                model, "[[text text=x in=100 out=7 cached=40]]").status, 200)

        def settled():
            all_ = self.good("/api/totals")["all"]
            return all_ if all_["requests"] == 3 else None
        all_ = wait_until(settled, "the sums of three")
        self.assertEqual(all_["input_tokens"], 300)
        self.assertEqual(all_["cached_tokens"], 120)
        self.assertEqual(all_["output_tokens"], 21)
        self.assertEqual(all_["failed"], 0)
        totals = self.good("/api/totals", group="model", **{"from": -600})
        self.assertEqual([(g["name"], g["requests"])
                          for g in totals["groups"]],
                         [("glm-4.6", 2), ("glm-4.5-air", 1)])
        self.assertEqual(totals["source"], "minute")
        for begin, source in ((-86400, "hour"), (-30 * 86400, "day")):
            same = self.good("/api/totals", group="model",
                             **{"from": begin})
            self.assertEqual(same["source"], source)
            self.assertEqual(same["all"], totals["all"])
        for step in ("minute", "hour", "day"):
            series = self.good("/api/series", step=step, group="model",
                               limit=1, **{"from": -3600})
            self.assertEqual(series["source"], step)
            n = len(series["time_s"])
            self.assertEqual(
                series["to_s"] - series["from_s"], n * series["step_s"])
            self.assertEqual(
                [(s["name"], s["is_rest"], sum(s["requests"]))
                 for s in series["series"]],
                [("glm-4.6", False, 2), ("other", True, 1)])
            for line in series["series"]:
                for key, values in line.items():
                    if isinstance(values, list):
                        self.assertEqual(len(values), n, key)
        # Without groups there is always one line, also of nothing.
        empty = self.good("/api/series", model="none-such", step="hour")
        self.assertEqual(len(empty["series"]), 1)
        self.assertEqual(sum(empty["series"][0]["requests"]), 0)


class Trouble(ApiCase):
    """Each with a proxy of its own; the log may complain."""

    expected = (SPOILT,)

    def start(self, config=None):
        proxy = self.own_proxy(dict(config or {}))
        self.path = os.path.join(proxy.config["state_dir"], "history.db")
        return proxy

    def to_the_file(self):
        """What is still in the log of the database goes to the file."""
        db = sqlite3.connect(self.path, timeout=10)
        self.assertEqual(db.execute(
            "PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0], 0)
        db.close()

    def asked(self, proxy, path="/api/requests"):
        r = self.ask(path, proxy)
        self.assertIn(r.status, (200, 503), r.body)
        return r

    def all_answer(self, proxy):
        for path in ("/api/requests", "/api/requests/1", "/api/series",
                     "/api/totals?group=model"):
            r = wire.fetch(proxy.admin, "GET", path)
            self.assertIn(r.status, (200, 404, 503), (path, r.body))
            if r.status != 200:
                self.assertTrue(r.json()["error"])

    def test_spoilt_file(self):
        proxy = self.start()
        self.chat(proxy=proxy)
        self.wait_rows(1, proxy)
        (admin,) = proxy.children("admin")
        self.to_the_file()
        with open(self.path, "r+b") as f:
            f.seek(0)
            size = os.path.getsize(self.path)
            f.write(b"no database at all" * (size // 18))
        for _ in range(20):
            self.all_answer(proxy)
        # The writer finds it with the next request, and begins a new one.
        def renewed():
            self.chat(proxy=proxy)
            self.all_answer(proxy)
            r = self.asked(proxy)
            return r.status == 200 and r.json()["requests"] and self.good(
                "/api/overview", proxy)["history"]["set_aside"]
        wait_until(renewed, "rows in a new database")
        overview = self.good("/api/overview", proxy)
        self.assertEqual(overview["history"]["set_aside"], 1)
        self.assertEqual(overview["history"]["files"],
                         ["history.db-corrupt-1"])
        self.assertEqual(proxy.children("admin"), [admin], "it has died")

    def test_spoilt_pages(self):
        """The head is good, what is behind it is not."""
        proxy = self.start()
        for _ in range(5):
            self.chat(proxy=proxy)
        self.wait_rows(5, proxy)
        (admin,) = proxy.children("admin")
        self.to_the_file()
        with open(self.path, "r+b") as f:
            f.seek(4096)
            f.write(os.urandom(os.path.getsize(self.path) - 4096))
        for _ in range(10):
            self.all_answer(proxy)
        self.assertEqual(proxy.children("admin"), [admin])

    def test_removed_file(self):
        proxy = self.start()
        self.chat(proxy=proxy)
        self.wait_rows(1, proxy)
        for name in ("", "-wal", "-shm"):
            os.unlink(self.path + name)
        self.all_answer(proxy)

        def renewed():
            self.chat(proxy=proxy)
            r = self.asked(proxy)
            return r.status == 200 and r.json()["requests"]
        wait_until(renewed, "rows in a new database")
        # The reader has let go of the old one: nothing of it harms the new.
        n = len(self.good("/api/requests", proxy, limit=500)["requests"])
        self.chat(proxy=proxy)
        self.wait_rows(n + 1, proxy)
        with sqlite3.connect("file:%s?mode=ro" % self.path, uri=True) as db:
            self.assertEqual(db.execute(
                "PRAGMA integrity_check").fetchone(), ("ok",))

    def test_no_file_and_turned_off(self):
        proxy = self.start({"history": "false"})
        r = self.ask("/api/requests", proxy)
        self.assertEqual(r.status, 503)
        self.assertIn("turned off", r.json()["error"])
        self.assertFalse(self.good("/api/overview", proxy)["history"]["on"])

    def test_locked(self):
        proxy = self.start()
        self.chat(proxy=proxy)
        self.wait_rows(1, proxy)
        db = sqlite3.connect(self.path, isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        # Who writes does not keep readers away.
        self.assertEqual(self.in_time("/api/requests", proxy).status, 200)
        db.execute("ROLLBACK")
        db.close()

    def test_locked_for_readers(self):
        """By somebody who does not let go: that is an answer, too, and comes
        before anyone is tired of waiting."""
        proxy = self.start()
        self.chat(proxy=proxy)
        self.wait_rows(1, proxy)
        with open(self.path + "-shm", "r+b") as f:
            # spec: SQLite's walformat.html 2.3.1: the locks of the readers
            fcntl.lockf(f, fcntl.LOCK_EX, 5, 123)
            for path in ("/api/requests", "/api/series"):
                # The best of some: others use this machine as well.
                for _ in range(5):
                    begun = time.monotonic()
                    r = self.asked(proxy, path)
                    took = time.monotonic() - begun
                    self.assertEqual(r.status, 503)
                    self.assertIn("holds the history", r.json()["error"])
                    if took < 2:
                        break
                self.assertLess(took, 2)
            fcntl.lockf(f, fcntl.LOCK_UN, 5, 123)
            self.assertEqual(self.in_time("/api/requests", proxy).status, 200)

    def test_later_version(self):
        proxy = self.start()
        self.chat(proxy=proxy)
        self.wait_rows(1, proxy)
        with sqlite3.connect(self.path) as db:
            db.execute("PRAGMA user_version = 1000")
        # It looks when it opens the file: a new process does.
        (admin,) = proxy.children("admin")
        os.kill(admin, signal.SIGKILL)
        wait_until(lambda: proxy.children("admin") not in ([], [admin]),
                   "another admin process")
        self.expect_log(r"died|killed by signal|ended")

        def told():
            try:
                r = self.ask("/api/requests", proxy)
            except OSError:
                return False
            return r.status == 503 and "later version" in r.json()["error"]
        wait_until(told, "the reason")

    def test_nothing_is_left_in_the_log_of_the_database(self):
        """Who reads closes first, so that who writes can tidy up."""
        proxy = self.start()
        self.chat(proxy=proxy)
        self.wait_rows(1, proxy)
        self.assertEqual(proxy.process.end(), 0)
        self.assertFalse(os.path.exists(self.path + "-wal"))
        with sqlite3.connect("file:%s?immutable=1" % self.path,
                             uri=True) as db:
            self.assertEqual(db.execute(
                "SELECT count(*) FROM request").fetchone(), (1,))

    def test_many_ask_at_once(self):
        """More than may wait: each gets an answer, and others are served."""
        proxy = self.start()
        self.wait_rows(0, proxy)
        got = []

        def ask():
            for _ in range(10):
                r = self.ask("/api/series?group=model", proxy)
                got.append((r.status, r.body))
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for t in threads:
            t.start()
        self.assertEqual(wire.fetch(
            proxy.admin, "GET", "/health").status, 200)
        for t in threads:
            t.join()
        self.assertEqual(len(got), 200)
        for status, body in got:
            if status == 503:
                # The latter where the machine is too busy for its limit.
                self.assertRegex(body, b"too many questions|narrow the range")
            else:
                self.assertEqual(status, 200)

    def test_askers_who_leave(self):
        proxy = self.start()
        self.wait_rows(0, proxy)
        for _ in range(50):
            with wire.Conn(proxy.admin) as c:
                c.send(b"GET /api/series HTTP/1.1\r\n"
                       b"Host: localhost\r\n\r\n")
                c.reset()
        # Their questions are worked off all the same, one after the other.
        wait_until(lambda: self.ask("/api/totals", proxy).status == 200,
                   "an answer to who stays")


if __name__ == "__main__":
    unittest.main()
