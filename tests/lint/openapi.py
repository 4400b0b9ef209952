#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""openapi.py - worker/page/openapi.json is JSON whose references lead
somewhere and whose paths are those that the program serves. Run from the top
of the tree."""

import json
import re
import sys

FILE = "worker/page/openapi.json"
# Second names of paths, probes and the documentation itself.
NOT_LISTED = {"/chat/completions", "/messages", "/messages/count_tokens", "/",
              "/api/hello", "/api/event_logging/", "/openapi.json", "/docs"}


def served():
    """The paths in the tables of the dialects and of the local pages."""
    found = set()
    for path in ("shared/translate/dialect_openai.c",
                 "shared/translate/dialect_anthropic.c", "worker/pages.c"):
        with open(path, encoding="utf-8") as f:
            rows = re.findall(
                r'\{ SPAN_INIT\("(/[^"]*)"\), (?:LLM_|true|false)', f.read())
        if not rows:
            sys.exit("openapi: no routes found in " + path)
        found.update(p + "{id}" if p.endswith("s/") else p for p in rows)
    return found - NOT_LISTED


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for v in value:
            yield from references(v)


def main():
    with open(FILE, encoding="utf-8") as f:
        doc = json.load(f)
    faults = []
    for ref in references(doc):
        at = doc
        for key in ref.removeprefix("#/").split("/"):
            at = at.get(key, {})
        if not at:
            faults.append("%s leads nowhere" % ref)
    for path in sorted(served() ^ set(doc["paths"])):
        faults.append("%s is only in the %s" % (
            path, "document" if path in doc["paths"] else "program"))
    for fault in faults:
        print("openapi: " + fault, file=sys.stderr)
    if not faults:
        print("openapi: %d paths" % len(doc["paths"]))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
