#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""metrics.py - the figures that the program has, those in the table of
README.md, and those that rules and dashboards ask for are the same. So are the
verbs of notices that are counted and those that README.md tells of. Run from
the top of the tree."""

import glob
import json
import re
import sys

DEF = "shared/sys/metrics.def"
NOTICES = "shared/translate/notice.def"
PARTS = ("_bucket", "_sum", "_count")
KINDS = {"COUNTER": "counter", "COUNTER_US": "counter", "GAUGE": "gauge",
         "BY_STATUS": "counter", "BY_DIALECT": "counter",
         "BY_PAIR": "counter", "BY_UPSTREAM": "counter",
         "HISTOGRAM": "histogram"}
LABELS = {"BY_STATUS": ["code"], "BY_DIALECT": ["client"],
          "BY_PAIR": ["client", "upstream"]}
STRING = r'"((?:[^"\\]|\\.)*)"'
bad = []


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def table():
    """The rows of metrics.def: {name: (kind, [labels])}."""
    found = {}
    for line in read(DEF).splitlines():
        row = re.match(r"(\w+)\((\w+), (.*)\)$", line)
        if not row or row.group(1) in ("BUCKET", "STATUS"):
            continue
        macro, _, rest = row.groups()
        kind = macro
        if macro == "METRIC":
            kind, _, rest = rest.partition(", ")
        strings = re.findall(STRING, rest)
        if macro in ("METRIC", "HISTOGRAM"):
            labels = re.findall(r'(\w+)=\\"', strings[1])
        elif macro == "BY_UPSTREAM":
            labels = re.findall(r'(\w+)=\\"', strings[1]) + ["upstream"]
        else:
            labels = LABELS[macro]
        entry = (KINDS[kind], labels)
        if found.setdefault(strings[0], entry) != entry:
            bad.append("%s: %s has rows of two kinds" % (DEF, strings[0]))
    return found


def others():
    """Names that code of admin/ writes by itself."""
    found = set()
    for path in glob.glob("admin/*.c"):
        found.update(re.findall(r'"(glmproxy_[a-z_]+)', read(path)))
    return found


def documented():
    """The table of README.md: {name: (kind, [labels])}."""
    rows = re.findall(r"^\| `(glmproxy_\w+)(?:\{([a-z_,]+)\})?` \| (\w+) \|",
                      read("README.md"), re.M)
    found = {}
    for name, labels, kind in rows:
        if name in found:
            bad.append("README.md: two rows for " + name)
        found[name] = (kind, labels.split(",") if labels else [])
    return found


def check_readme(rows, more, told):
    for name, entry in rows.items():
        if name not in told:
            bad.append("README.md: no row for " + name)
        elif told[name] != entry:
            bad.append("README.md: %s is %s%s" % (name, entry[0], entry[1]))
    for name in more - set(told):
        bad.append("README.md: no row for " + name)
    for name in set(told) - set(rows) - more:
        bad.append("README.md: there is no " + name)


def expressions(value):
    """Queries of a dashboard."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expr", "query", "definition") and \
                    isinstance(inner, str):
                yield inner
            else:
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def check_queries(told):
    for path in glob.glob("packaging/grafana/*.json"):
        found = list(expressions(json.loads(read(path))))
        if not found:
            bad.append(path + ": no query")
        check_names(path, " ".join(found), told)
    for path in glob.glob("packaging/prometheus/*.yml"):
        check_names(path, read(path), told)


def values():
    """The values of labels that metrics.def fixes: {(name, label): values}."""
    found = {}
    for name, labels in re.findall(
            r'^(?:METRIC|HISTOGRAM|BY_UPSTREAM)\(.*?"(glmproxy_\w+)", ' + STRING,
            read(DEF), re.M):
        for label, value in re.findall(r'(\w+)=\\"([^"\\]*)', labels):
            found.setdefault((name, label), set()).add(value)
    return found


def check_names(path, text, told):
    """Names, and the labels that they are selected by."""
    known = values()
    for name, mark, inside in set(re.findall(
            r"\b(glmproxy_\w+)([{\[]?)([^}\]]*)", text)):
        stem = next((name[:-len(p)] for p in PARTS if name.endswith(p)), name)
        kind, labels = told.get(stem, told.get(name, ("", [])))
        if kind != "histogram":
            stem = name
        if stem not in told:
            bad.append("%s: there is no %s" % (path, name))
            continue
        if kind == "histogram" and stem == name and mark:
            bad.append("%s: %s has no value of its own" % (path, name))
        if mark != "{":
            continue
        for label, sign, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', inside):
            if label in ("job", "instance"):
                continue
            if label not in labels:
                bad.append("%s: %s has no label %s" % (path, name, label))
            fixed = known.get((stem, label))
            given = value.split("|") if sign == "=~" else [value]
            if fixed and set(given) - fixed:
                bad.append("%s: %s{%s} is never %s" % (
                    path, name, label, value))


def check_verbs():
    counted = re.findall(r"^NOTICE_VERB\((\w+)\)$", read(NOTICES), re.M)
    text = read("README.md")
    text = text[text.index("\n| notice |"):]
    rows = re.findall(r"^\| (`[^|]*) \|", text[:text.index("\n\n")], re.M)
    told = {re.split("[:`]", v)[0]
            for row in rows for v in re.findall(r"`([^`]+)`", row)}
    if set(counted) != told:
        bad.append("%s and README.md: only in one of them: %s" % (
            NOTICES, " ".join(sorted(set(counted) ^ told))))
    used = set()
    for path in glob.glob("shared/translate/*.c"):
        used.update(re.findall(r'notice_add\(\s*[^"();]*, "(\w+)"',
                               read(path)))
    if not used or used - set(counted):
        bad.append("%s: no row for %s" % (NOTICES, used - set(counted)))


def main():
    rows, told = table(), documented()
    check_readme(rows, others(), told)
    check_queries(told)
    check_verbs()
    for line in bad:
        print("metrics: " + line)
    if not bad:
        print("metrics: %d names documented" % len(told))
    sys.exit(bool(bad))


main()
