# SPDX-License-Identifier: MIT
"""big_history.py - makes a history of many rows, as an installation of some
people and many agents would have after its whole retention.

    python3 -m tests.e2e.big_history FILE ROWS

The program itself makes the empty database, so that the tables are always
those of today; SQLite fills it. The rows end now. A file that is there and has
as many rows, of until today, is kept.
"""

import os
import shutil
import sqlite3
import sys
import time

from tests.e2e import wire
from tests.e2e.harness import Proxy, wait_until
from tests.e2e.test_process import NOWHERE

DAYS = 89
CHUNK = 250000

# Columns of a row by its number i (0 is the oldest) and four hashes of it,
# each 0..65535: mostly the same people and models, now and then others.
SOURCE = """
WITH RECURSIVE n(i) AS (
  SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :end
), h AS (
  SELECT i, (i * 2654435761 >> 8) & 65535 AS a, (i * 40503 >> 4) & 65535 AS b,
    (i * 2246822519 >> 9) & 65535 AS c, (i * 3266489917 >> 7) & 65535 AS d
  FROM n
), p AS (
  SELECT i, a, b, c, d,
    CASE WHEN c < 64000 THEN 200 WHEN c < 65000 THEN 429 WHEN c < 65400 THEN 400
      WHEN c < 65530 THEN 502 ELSE 504 END AS status,
    CASE WHEN a < 20000 THEN 'laptop' WHEN a < 33000 THEN 'ci'
      WHEN a < 45000 THEN 'desk-' || (a % 4) WHEN a < 65500 THEN 'agents'
      ELSE 'guest-' || (a % 12) END AS client,
    CASE WHEN b < 50000 THEN 'glm-4.6' WHEN b < 62000 THEN 'glm-4.5-air'
      WHEN b < 65400 THEN 'glm-4.6v' WHEN b < 65535 THEN 'glm-4.5'
      ELSE 'glm-rare-' || (i % 5) END AS model
  FROM h
)
"""
VALUES = {
    "id": "i + 1",
    "weight": "1.0",
    "time_us": ":begin_us + i * :gap_us + (d % :gap_us)",
    "is_count": "d < 1500",
    "streamed": "b % 8 > 0",
    "status": "status",
    "code": "CASE status WHEN 429 THEN 1302 ELSE 0 END",
    "cancelled": "d = 77",
    "broken": "0",
    "reused": "1",
    "retries": "c = 9",
    "input": "CASE status WHEN 200 THEN a * 2 END",
    "cached": "CASE status WHEN 200 THEN a END",
    "output": "CASE status WHEN 200 THEN b / 64 END",
    "shown_input": "CASE status WHEN 200 THEN a * 2 END",
    "shown_cached": "CASE status WHEN 200 THEN a END",
    "shown_output": "CASE status WHEN 200 THEN b / 64 END",
    "head_us": "200000 + a * 10",
    "body_us": "210000 + a * 10",
    "first_us": "CASE status WHEN 200 THEN 220000 + a * 20 END",
    "total_us": "400000 + b * 100",
    "bytes_in": "a", "bytes_sent": "a", "bytes_received": "b",
    "bytes_out": "b", "notice_count": "0", "removed": "0",
    "original_tokens": "0",
    "request": "printf('%08x%08x', i * 2654435761 & 4294967295, i)",
    "client": "client",
    "dialect": "CASE WHEN a % 3 > 0 THEN 'anthropic' ELSE 'openai' END",
    "upstream": "CASE WHEN status = 400 THEN '' ELSE 'anthropic' END",
    "asked": "model", "model": "model",
    "error": "CASE status WHEN 200 THEN '' WHEN 429 THEN 'rate'"
             " WHEN 400 THEN 'context' WHEN 502 THEN 'upstream'"
             " ELSE 'upstream_timeout' END",
    "notices": "''",
}
KEY = ("is_count", "status", "client", "dialect", "upstream", "model", "error")
# What a column of sums is made of; the others are of the same name.
SUMS = {
    "requests": "count(*)",
    "counted": "count(input)",
    "heads": "count(head_us)",
    "firsts": "count(first_us)",
    "truncated": "0",
    "longest_us": "max(total_us)",
}


def empty(path):
    """A database as the program makes it, without its lock and log."""
    proxy = Proxy(dict(NOWHERE))
    try:
        source = os.path.join(proxy.config["state_dir"], "history.db")
        wait_until(lambda: b'"written":true' in _overview(proxy) and
                   os.path.exists(source), "an empty history")
        proxy.process.end()
        shutil.copyfile(source, path)
    finally:
        proxy.process.kill()
        proxy.remove()


def _overview(proxy):
    return wire.fetch(proxy.admin, "GET", "/api/overview").body


def columns(db, table):
    return [r[1] for r in db.execute("PRAGMA table_info(%s)" % table)]


def fill(db, rows):
    gap_us = DAYS * 86400 * 1000000 // rows
    begin_us = int(time.time() * 1e6) - rows * gap_us
    names = [n for n in columns(db, "request") if n in VALUES]
    indexes = db.execute("SELECT name, sql FROM sqlite_master"
                         " WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    for name, _ in indexes:
        db.execute("DROP INDEX " + name)
    sql = SOURCE + "INSERT INTO request (%s) SELECT %s FROM p" % (
        ", ".join(names), ", ".join(VALUES[n] for n in names))
    for first in range(0, rows, CHUNK):
        with db:
            db.execute(sql, {"first": first, "end": min(first + CHUNK, rows),
                             "begin_us": begin_us, "gap_us": gap_us})
    for _, make in indexes:
        with db:
            db.execute(make)
    return begin_us, gap_us


def add_up(db, rows, begin_us, gap_us):
    """The sums by minute, a day at a time, and from those the others."""
    sums = [n for n in columns(db, "minute")
            if n not in KEY and n != "time_s"]
    end_us = begin_us + (rows + 1) * gap_us
    for day in range(begin_us // 86400000000, end_us // 86400000000 + 1):
        with db:
            db.execute(
                "INSERT INTO minute (time_s, %s, %s)"
                " SELECT time_us / 60000000 * 60 AS t, %s, %s FROM request"
                " WHERE time_us >= ? AND time_us < ? GROUP BY t, %s" % (
                    ", ".join(KEY), ", ".join(sums), ", ".join(KEY),
                    ", ".join(SUMS.get(n, "total(%s)" % n) for n in sums),
                    ", ".join(KEY)),
                (day * 86400000000, (day + 1) * 86400000000))
    for to, source, step_s in (("hour", "minute", 3600),
                               ("day", "hour", 86400)):
        with db:
            db.execute(
                "INSERT INTO %s (time_s, %s, %s)"
                " SELECT time_s / %d * %d AS t, %s, %s FROM %s"
                " GROUP BY t, %s" % (
                    to, ", ".join(KEY), ", ".join(sums), step_s, step_s,
                    ", ".join(KEY),
                    ", ".join("max(%s)" % n if n == "longest_us"
                              else "sum(%s)" % n for n in sums),
                    source, ", ".join(KEY)))


def is_made(path, rows):
    """It has as many rows, of until today, and all sums."""
    if not os.path.exists(path):
        return False
    db = sqlite3.connect(path)
    try:
        n, newest_us, _ = db.execute(
            "SELECT max(id), max(time_us), (SELECT 1 FROM hour LIMIT 1)"
            " FROM request").fetchone()
        return n == rows and newest_us > (time.time() - 86400) * 1e6
    except sqlite3.Error:
        return False
    finally:
        db.close()


def make(path, rows):
    """The file, made if it is not there."""
    if is_made(path, rows):
        return path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    new = path + ".new"
    empty(new)
    db = sqlite3.connect(new)
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -200000")
    begin_us, gap_us = fill(db, rows)
    add_up(db, rows, begin_us, gap_us)
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    os.replace(new, path)
    return path


def main():
    path, rows = sys.argv[1], int(sys.argv[2])
    begin = time.monotonic()
    make(os.path.abspath(path), rows)
    print("%s: %d rows, %.0f MB, %.0f s" % (
        path, rows, os.path.getsize(path) / 1e6, time.monotonic() - begin))


if __name__ == "__main__":
    main()
