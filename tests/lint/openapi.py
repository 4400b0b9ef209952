#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""openapi.py - the two documents of interfaces (of the proxy's port and of the
admin port) are JSON whose references lead somewhere and whose paths are those
that the program serves. Run from the top of the tree."""

import json
import re
import sys

WORKER = "worker/page/openapi.json"
ADMIN = "admin/page/openapi.json"
# Second names of paths, probes and the documentation itself.
NOT_LISTED = {"/chat/completions", "/messages", "/messages/count_tokens", "/",
              "/api/hello", "/api/event_logging/", "/openapi.json", "/docs"}


def rows(path, regex):
    with open(path, encoding="utf-8") as f:
        found = re.findall(regex, f.read())
    if not found:
        sys.exit("openapi: no routes found in " + path)
    return found


def served_by_worker():
    """The paths in the tables of the dialects and of the local pages."""
    found = set()
    for path in ("shared/translate/dialect_openai.c",
                 "shared/translate/dialect_anthropic.c", "worker/pages.c"):
        found.update(p + "{id}" if p.endswith("s/") else p for p in rows(
            path, r'\{ SPAN_INIT\("(/[^"]*)"\), (?:LLM_|true|false)'))
    return found - NOT_LISTED


def served_by_admin():
    """The rows that JSON comes from, and what is for monitors."""
    found = set()
    for path, made_by in rows("admin/pages.c",
                              r'\{ SPAN_INIT\("(/[^"]*)"\), (\w+)'):
        if made_by.startswith("api_") or path in ("/health", "/metrics"):
            found.add(path + "{id}" if path.endswith("/") else path)
    return found


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for v in value:
            yield from references(v)


def faults_of(file, served):
    with open(file, encoding="utf-8") as f:
        doc = json.load(f)
    for ref in references(doc):
        at = doc
        for key in ref.removeprefix("#/").split("/"):
            at = at.get(key, {})
        if not at:
            yield "%s leads nowhere" % ref
    for path in sorted(served ^ set(doc["paths"])):
        yield "%s is only in the %s" % (
            path, "document" if path in doc["paths"] else "program")
    for path, methods in doc["paths"].items():
        ids = [m.get("operationId") for m in methods.values()]
        if None in ids:
            yield "%s has no operationId" % path


def main():
    is_bad = False
    for file, served in ((WORKER, served_by_worker()),
                         (ADMIN, served_by_admin())):
        faults = list(faults_of(file, served))
        for fault in faults:
            print("openapi: %s: %s" % (file, fault), file=sys.stderr)
        if not faults:
            print("openapi: %s: %d paths" % (file, len(served)))
        is_bad = is_bad or bool(faults)
    return is_bad


if __name__ == "__main__":
    sys.exit(main())
