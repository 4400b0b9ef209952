# SPDX-License-Identifier: MIT
"""chat.py - one conversation in both dialects, and answers in none.

A conversation is a list of turns:

    ("system", text)
    ("user", text or [part, ...])
    ("assistant", text or None, [Call, ...])       reasoning as a fourth
    ("results", [(id, text or [part, ...]), ...])

with parts ("text", t) and ("image", media type, base64). Streams are folded
under the strict grammar of each dialect, so that a stream and a body of the
same answer compare equal.
"""

import json
import struct
import zlib
from base64 import b64encode
from dataclasses import dataclass, field

from tests.e2e import wire
from tests.e2e.harness import KEY, as_bytes, post_fields


@dataclass
class Call:
    """A tool call; args is JSON text."""
    id: str
    name: str
    args: str = "{}"


@dataclass
class Tool:
    name: str
    schema: dict = field(default_factory=lambda: {
        "type": "object", "properties": {"path": {"type": "string"}},
        "required": ["path"]})
    about: str = "Look at something."


@dataclass
class Answer:
    """What an answer means, whatever its dialect and mode."""
    status: int
    response: object = None      # head and, unless streamed, body
    text: str = ""
    reasoning: str = ""
    signature: str = ""          # A only: of the last reasoning
    calls: list = field(default_factory=list)
    finish: str = None           # stop, length, tools, filter, window
    stopped_by: str = None       # A only: the stop sequence
    usage: dict = None           # input (all of it), cached, output
    id: str = None
    model: str = None
    kinds: list = field(default_factory=list)  # order of blocks
    error: dict = None           # the inner error object
    ended: bool = True           # a stream came to its terminator
    frames: int = 0
    extras: dict = field(default_factory=dict)

    def get(self, name):
        return self.response.get(name)

    def meaning(self):
        """What must not depend on mode or upstream."""
        return (self.text, self.reasoning, [(c.name, json.loads(c.args))
                                            for c in self.calls], self.finish)


def png(width=2, height=2):
    """A picture in base64, valid to the last checksum."""
    def chunk(kind, data):
        body = kind + data
        return (struct.pack(">I", len(data)) + body
                + struct.pack(">I", zlib.crc32(body)))

    rows = b"".join(b"\0" + b"\x80\x20\x20" * width for _ in range(height))
    raw = (b"\x89PNG\r\n\x1a\n"
           + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2,
                                        0, 0, 0))
           + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return b64encode(raw).decode()


def image(width=2, height=2):
    return ("image", "image/png", png(width, height))


class Grammar(Exception):
    """A stream broke the grammar of its dialect."""


def want(truth, what, *detail):
    if not truth:
        raise Grammar(what + " " + " ".join(repr(d)[:300] for d in detail))


class OpenAI:
    """Chat Completions."""

    name = "O"
    path = "/v1/chat/completions"
    request_id = "x-request-id"
    id_prefix = "chatcmpl-"

    @staticmethod
    def _parts(content):
        if isinstance(content, str):
            return content
        return [{"type": "text", "text": p[1]} if p[0] == "text" else
                {"type": "image_url", "image_url": {
                    "url": "data:%s;base64,%s" % (p[1], p[2])}}
                for p in content]

    def body(self, turns, model="glm-4.6", stream=False, tools=(), **more):
        messages = []
        for turn in turns:
            if turn[0] in ("system", "user"):
                messages.append({"role": turn[0],
                                 "content": self._parts(turn[1])})
            elif turn[0] == "assistant":
                m = {"role": "assistant", "content": turn[1]}
                if len(turn) > 2 and turn[2]:
                    m["tool_calls"] = [
                        {"id": c.id, "type": "function",
                         "function": {"name": c.name, "arguments": c.args}}
                        for c in turn[2]]
                if len(turn) > 3:
                    m["reasoning_content"] = turn[3]
                messages.append(m)
            else:
                messages += [{"role": "tool", "tool_call_id": i,
                              "content": self._parts(c)} for i, c in turn[1]]
        body = {"model": model, "messages": messages}
        if stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        if tools:
            body["tools"] = [{"type": "function", "function": {
                "name": t.name, "description": t.about,
                "parameters": t.schema}} for t in tools]
        body.update(self._knobs(more))
        return body

    @staticmethod
    def _knobs(more):
        out = dict(more)
        if "stop" in out and isinstance(out["stop"], str):
            out["stop"] = [out["stop"]]
        if out.pop("think", False):
            out["thinking"] = {"type": "enabled"}
        return out

    @staticmethod
    def _usage(u):
        if u is None:
            return None
        want(u["total_tokens"] == u["prompt_tokens"] + u["completion_tokens"],
             "the sum of usage", u)
        return {"input": u["prompt_tokens"], "output": u["completion_tokens"],
                "cached": (u.get("prompt_tokens_details") or {}).get(
                    "cached_tokens", 0)}

    FINISH = {"stop": "stop", "length": "length", "tool_calls": "tools",
              "content_filter": "filter"}

    def read_body(self, r):
        a = Answer(r.status, r)
        b = r.json()
        if "error" in b:
            a.error = self.check_error(b)
            return a
        want(b["object"] == "chat.completion", "object", b)
        want(isinstance(b["created"], int), "created", b)
        want(len(b["choices"]) == 1, "choices", b)
        c = b["choices"][0]
        m = c["message"]
        want(m["role"] == "assistant" and c["index"] == 0, "choice", c)
        a.id, a.model = b["id"], b["model"]
        a.text = m["content"] or ""
        a.reasoning = m.get("reasoning_content") or ""
        for k in m.get("tool_calls", []):
            want(k["type"] == "function", "type of a call", k)
            a.calls.append(Call(k["id"], k["function"]["name"],
                                k["function"]["arguments"]))
        want(m["content"] is not None or a.calls, "null content", m)
        want("tool_calls" not in m or m["tool_calls"], "no calls but []", m)
        a.finish = self.FINISH[c["finish_reason"]]
        a.usage = self._usage(b.get("usage"))
        a.extras = b
        return a

    @staticmethod
    def check_error(b):
        want(set(b["error"]) == {"message", "type", "param", "code"},
             "members of an error", b)
        want(isinstance(b["error"]["message"], str) and b["error"]["message"],
             "message of an error", b)
        return b["error"]

    def read_stream(self, head, events, wants_usage=True):
        a = Answer(head.status, head)
        a.ended = False
        finish, same = None, None
        for e in events:
            if e.name == ":":
                continue
            want(e.name is None, "an event name", e)
            want(not a.ended and a.error is None, "a frame after the end", e)
            if e.data == "[DONE]":
                want(finish is not None, "[DONE] without a finish")
                a.ended = True
                continue
            a.frames += 1
            b = e.json()
            if "error" in b:
                a.error = self.check_error(b)
                continue
            envelope = (b["id"], b["created"], b["model"])
            want(same in (None, envelope), "envelope changed", e)
            want(b["object"] == "chat.completion.chunk", "object", e)
            same = envelope
            a.id, a.model = b["id"], b["model"]
            if not b["choices"]:
                want(finish is not None and a.usage is None and wants_usage,
                     "usage chunk out of place", e)
                a.usage = self._usage(b["usage"])
                a.extras = b
                continue
            want(finish is None, "a chunk after the finish", e)
            want(("usage" in b) == wants_usage and b.get("usage") is None,
                 "usage in a chunk", e)
            finish = self._chunk(a, b["choices"][0], e)
        if a.ended:
            want(not wants_usage or a.usage is not None, "no usage chunk")
            a.finish = self.FINISH[finish]
        return a

    def _chunk(self, a, choice, e):
        d = choice["delta"]
        want(choice["index"] == 0, "index", e)
        want((a.frames == 1) == ("role" in d), "role", e)
        if a.frames == 1:
            want(d == {"role": "assistant", "content": ""}, "chunk 1", e)
            return None
        if choice["finish_reason"] is not None:
            want(d == {}, "finish chunk", e)
            return choice["finish_reason"]
        want(len(d) == 1, "delta", e)
        if "content" in d:
            want(d["content"], "empty content", e)
            a.text += d["content"]
            self._kind(a, "text")
        elif "reasoning_content" in d:
            want(d["reasoning_content"], "empty reasoning", e)
            a.reasoning += d["reasoning_content"]
            self._kind(a, "think")
        else:
            self._tool(a, d["tool_calls"], e)
        return None

    @staticmethod
    def _kind(a, kind):
        if not a.kinds or a.kinds[-1] != kind:
            a.kinds.append(kind)

    @staticmethod
    def _tool(a, calls, e):
        want(len(calls) == 1, "calls in a chunk", e)
        k = calls[0]
        if k["index"] == len(a.calls):
            want(k["type"] == "function" and k["id"], "call start", e)
            want(k["function"]["arguments"] == "", "call start", e)
            a.calls.append(Call(k["id"], k["function"]["name"], ""))
            a.kinds.append("tool")
        else:
            want(k["index"] < len(a.calls), "index of a call", e)
            want(set(k) == {"index", "function"}, "call fragment", e)
            a.calls[k["index"]].args += k["function"]["arguments"]


class Anthropic:
    """Messages."""

    name = "A"
    path = "/v1/messages"
    request_id = "request-id"
    id_prefix = "msg_"

    @staticmethod
    def _blocks(content):
        if isinstance(content, str):
            return content
        return [{"type": "text", "text": p[1]} if p[0] == "text" else
                {"type": "image", "source": {"type": "base64",
                                             "media_type": p[1],
                                             "data": p[2]}}
                for p in content]

    def body(self, turns, model="glm-4.6", stream=False, tools=(), **more):
        messages, system = [], []
        for turn in turns:
            if turn[0] == "system":
                system.append({"type": "text", "text": turn[1]})
            elif turn[0] == "user":
                self._add(messages, "user", self._blocks(turn[1]))
            elif turn[0] == "assistant":
                self._add(messages, "assistant", self._assistant(turn))
            else:
                self._add(messages, "user", [
                    {"type": "tool_result", "tool_use_id": i,
                     "content": self._blocks(c)} for i, c in turn[1]])
        body = {"model": model, "max_tokens": 1024, "messages": messages}
        if system:
            body["system"] = system
        if stream:
            body["stream"] = True
        if tools:
            body["tools"] = [{"name": t.name, "description": t.about,
                              "input_schema": t.schema} for t in tools]
        body.update(self._knobs(more, body))
        return body

    @staticmethod
    def _assistant(turn):
        blocks = []
        if len(turn) > 3:
            blocks.append({"type": "thinking", "thinking": turn[3],
                           "signature": "c2ln"})
        if turn[1]:
            blocks.append({"type": "text", "text": turn[1]})
        for c in turn[2] if len(turn) > 2 else ():
            blocks.append({"type": "tool_use", "id": c.id, "name": c.name,
                           "input": json.loads(c.args)})
        return blocks

    @staticmethod
    def _add(messages, role, content):
        """Neighbours of one role are one message, as clients send them."""
        def as_list(c):
            return [{"type": "text", "text": c}] if isinstance(c, str) else c

        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] = (as_list(messages[-1]["content"])
                                       + as_list(content))
        else:
            messages.append({"role": role, "content": content})

    @staticmethod
    def _knobs(more, body):
        out = dict(more)
        if "stop" in out:
            stop = out.pop("stop")
            out["stop_sequences"] = [stop] if isinstance(stop, str) else stop
        if out.pop("think", False):
            out["thinking"] = {"type": "enabled", "budget_tokens": 1024}
            body["max_tokens"] = max(body["max_tokens"], 4096)
        return out

    @staticmethod
    def _usage(u):
        cached = u.get("cache_read_input_tokens") or 0
        made = u.get("cache_creation_input_tokens") or 0
        return {"input": u["input_tokens"] + cached + made, "cached": cached,
                "output": u["output_tokens"]}

    FINISH = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tools",
              "max_tokens": "length", "refusal": "filter",
              "model_context_window_exceeded": "window"}

    def read_body(self, r):
        a = Answer(r.status, r)
        b = r.json()
        if b["type"] == "error":
            a.error = self.check_error(b)
            return a
        want(b["type"] == "message" and b["role"] == "assistant", "type", b)
        a.id, a.model = b["id"], b["model"]
        for block in b["content"]:
            kind = block["type"]
            if kind == "text":
                want("citations" not in block, "citations", block)
                a.text += block["text"]
                a.kinds.append("text")
            elif kind == "thinking":
                want(isinstance(block["signature"], str), "signature", block)
                a.reasoning += block["thinking"]
                a.signature = block["signature"]
                a.kinds.append("think")
            else:
                want(kind == "tool_use" and isinstance(block["input"], dict),
                     "block", block)
                a.calls.append(Call(block["id"], block["name"],
                                    json.dumps(block["input"])))
                a.kinds.append("tool")
        a.finish = self.FINISH[b["stop_reason"]]
        a.stopped_by = b["stop_sequence"]
        a.usage = self._usage(b["usage"])
        a.extras = b
        return a

    @staticmethod
    def check_error(b):
        want(b["type"] == "error" and isinstance(b["error"]["type"], str)
             and b["error"]["message"], "error", b)
        return b["error"]

    def read_stream(self, head, events, wants_usage=True):
        del wants_usage
        a = Answer(head.status, head)
        a.ended = False
        state = {"open": None, "next": 0, "signed": False, "delta": None}
        for e in events:
            if e.name == ":":
                continue
            want(not a.ended and a.error is None, "an event after the end", e)
            b = e.json()
            want(e.name == b["type"], "event name", e)
            if e.name == "ping":
                continue
            a.frames += 1
            want((a.frames == 1) == (e.name == "message_start")
                 or e.name == "error", "message_start", e)
            getattr(self, "_on_" + e.name)(a, state, b)
        return a

    @staticmethod
    def _on_message_start(a, state, b):
        m = b["message"]
        want(m["content"] == [] and m["stop_reason"] is None
             and m["stop_sequence"] is None, "message_start", m)
        want(isinstance(m["usage"]["input_tokens"], int), "usage", m)
        want(m["usage"]["input_tokens"] > 0, "an estimate", m)
        a.id, a.model = m["id"], m["model"]
        state["usage"] = dict(m["usage"])

    @staticmethod
    def _on_content_block_start(a, state, b):
        want(state["open"] is None and state["delta"] is None, "open", b)
        want(b["index"] == state["next"], "index", b)
        block = b["content_block"]
        state["next"] += 1
        state["open"] = block["type"]
        state["signed"] = False
        if block["type"] == "tool_use":
            want(block["input"] == {}, "input", b)
            a.calls.append(Call(block["id"], block["name"], ""))
            a.kinds.append("tool")
        elif block["type"] == "thinking":
            want(block["thinking"] == "" and "signature" in block, "start", b)
            a.kinds.append("think")
        else:
            want(block == {"type": "text", "text": ""}, "text start", b)
            a.kinds.append("text")

    @staticmethod
    def _on_content_block_delta(a, state, b):
        d = b["delta"]
        want(b["index"] == state["next"] - 1, "index", b)
        fits = {"text_delta": "text", "input_json_delta": "tool_use",
                "thinking_delta": "thinking", "signature_delta": "thinking"}
        want(state["open"] == fits[d["type"]], "delta", b)
        want(not state["signed"], "a delta after the signature", b)
        if d["type"] == "text_delta":
            a.text += d["text"]
        elif d["type"] == "thinking_delta":
            a.reasoning += d["thinking"]
        elif d["type"] == "input_json_delta":
            a.calls[-1].args += d["partial_json"]
        else:
            want(d["signature"], "signature", b)
            a.signature = d["signature"]
            state["signed"] = True

    @staticmethod
    def _on_content_block_stop(a, state, b):
        want(state["open"] and b["index"] == state["next"] - 1, "stop", b)
        if state["open"] == "thinking":
            want(state["signed"], "thinking without a signature", b)
        if state["open"] == "tool_use" and a.calls[-1].args == "":
            a.calls[-1].args = "{}"
        state["open"] = None

    def _on_message_delta(self, a, state, b):
        want(state["open"] is None and state["delta"] is None, "delta", b)
        want(isinstance(b["usage"]["output_tokens"], int), "usage", b)
        state["delta"] = b
        state["usage"].update({k: v for k, v in b["usage"].items()
                               if v is not None})
        a.finish = self.FINISH[b["delta"]["stop_reason"]]
        a.stopped_by = b["delta"].get("stop_sequence")
        a.usage = self._usage(state["usage"])
        a.extras = b

    @staticmethod
    def _on_message_stop(a, state, b):
        want(state["delta"] is not None, "message_stop", b)
        a.ended = True

    def _on_error(self, a, state, b):
        del state
        a.error = self.check_error(b)


DIALECTS = {"O": OpenAI(), "A": Anthropic()}


def ask(address, dialect, body, fields=(), key=KEY, path=None,
        timeout=wire.TIMEOUT_S):
    """Send a chat and read the whole answer, whichever mode it has."""
    d = DIALECTS[dialect] if isinstance(dialect, str) else dialect
    with wire.Conn(address, timeout) as conn:
        conn.request("POST", path or d.path, post_fields(fields, key),
                     as_bytes(body))
        return read_answer(conn, d, body)


def read_answer(conn, d, body=None):
    head = conn.read_head()
    if head.get("content-type", "").startswith("text/event-stream"):
        options = (body or {}).get("stream_options") or {}
        return d.read_stream(head, wire.sse(conn.pieces(head)),
                             bool(options.get("include_usage")))
    raw = b"".join(conn.pieces(head))
    return d.read_body(wire.Response(head, raw))


def user(text):
    """The shortest conversation."""
    return [("user", text)]
