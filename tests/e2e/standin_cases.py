# SPDX-License-Identifier: MIT
"""Bad requests: (name, path, body or function of the good one, code, part of the text)."""

import copy

from tests.e2e.upstream import CHAT, COUNT, MESSAGES, TOKENIZER

PNG = "data:image/png;base64,iVBORw0KGgo="
BILLING = "x-anthropic-billing-header: v=1"
GOOD_A = {"model": "glm-4.6", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]}
GOOD_O = {"model": "glm-4.6", "messages": [{"role": "user", "content": "hi"}]}
TOOL_A = {"name": "w", "description": "d", "input_schema": {"type": "object"}}
TOOL_O = {
    "type": "function",
    "function": {"name": "w", "description": "d", "parameters": {"type": "object"}},
}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def text(s):
    return {"type": "text", "text": s}


def use(i, **more):
    return {"type": "tool_use", "id": i, "name": "w", "input": {}, **more}


def result(i, content="r", **more):
    return {"type": "tool_result", "tool_use_id": i, "content": content, **more}


def call(i, **function):
    return {"id": i, "type": "function", "function": {"name": "w", "arguments": "{}", **function}}


def tool(i, content="r"):
    return {"role": "tool", "tool_call_id": i, "content": content}


def image(url, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


def a(*messages, **fields):
    return good(GOOD_A, messages, fields)


def o(*messages, **fields):
    return good(GOOD_O, messages, fields)


def good(base, messages, fields):
    body = copy.deepcopy(base)
    if messages:
        body["messages"] = list(messages)
    for k, v in fields.items():
        if v is DROP:
            del body[k]
        else:
            body[k] = v
    return body


DROP = object()


def vision(part, **fields):
    return o(user([text("look"), part]), model="glm-4.6v", **fields)


def loop(i="c1", *after):
    """A user's question, one call, and what comes behind it, on O."""
    return (user("q"), assistant("", tool_calls=[call(i)])) + after


# --- Messages ---------------------------------------------------------------

CASES_A = [
    ("unknown model", a(model="glm-9"), 1211, "glm-9"),
    ("suffix openai", a(model="glm-4.6-openai"), 1211, "glm-4.6-openai"),
    ("suffix anthropic", a(model="glm-4.6-anthropic"), 1211, "unknown model"),
    ("suffix 1m", a(model="glm-4.6[1m]"), 1211, "unknown model"),
    ("upper case", a(model="GLM-4.6"), 1211, "unknown model"),
    ("claude with suffix", a(model="claude-opus-4-openai"), 1211, "unknown model"),
    ("vision model", a(model="glm-4.6v"), 1, "standin: vision model"),
    ("no model", a(model=DROP), 1213, "body.model: not received"),
    ("model number", a(model=4), 1214, "body.model"),
    ("no messages", a(messages=DROP), 1213, "messages: not received"),
    ("messages empty", a(messages=[]), 1214, "messages: must be an array"),
    ("no max_tokens", a(max_tokens=DROP), 1213, "max_tokens: not received"),
    ("max_tokens 0", a(max_tokens=0), 1214, "max_tokens"),
    ("max_tokens big", a(max_tokens=131073), 1214, "[1, 131072]"),
    ("max_tokens fraction", a(max_tokens=10.5), 1214, "max_tokens"),
    ("max_tokens text", a(max_tokens="10"), 1214, "max_tokens"),
    ("temperature", a(temperature=1.1), 1214, "temperature"),
    ("temperature negative", a(temperature=-0.1), 1214, "temperature"),
    ("top_p", a(top_p=1.5), 1214, "top_p"),
    ("top_k", a(top_k=-1), 1214, "top_k"),
    ("stream text", a(stream="yes"), 1214, "stream: must be true or false"),
    ("system number", a(system=1), 1214, "system: must be"),
    ("system block type", a(system=[{"type": "image"}]), 1214, "system[0].type"),
    ("system block blank", a(system=[text("x"), text(" \n")]), 1214, "system[1].text: blank"),
    ("attribution", a(system=[text(BILLING)]), 1, "standin: system: the client's attribution"),
    ("attribution string", a(system=BILLING), 1, "attribution"),
    ("stop_sequences", a(stop_sequences="x"), 1214, "stop_sequences: must be an array"),
    ("stop empty", a(stop_sequences=["a", ""]), 1214, "stop_sequences[1]"),
    ("thinking type", a(thinking={"type": "on"}), 1214, "thinking.type: unknown"),
    ("thinking no budget", a(thinking={"type": "enabled"}), 1214, "must be an integer"),
    ("budget small", a(thinking={"type": "enabled", "budget_tokens": 1023}), 1214, "1024"),
    ("budget big", a(thinking={"type": "enabled", "budget_tokens": 2000}), 1214, "below max"),
    ("budget too many", a(thinking={"type": "adaptive", "budget_tokens": 2000}), 1214, "not with"),
    ("metadata", a(metadata=[]), 1214, "metadata: must be an object"),
    ("user_id", a(metadata={"user_id": 7}), 1214, "metadata.user_id"),
    ("tools", a(tools={}), 1214, "tools: must be an array"),
    ("tool", a(tools=["w"]), 1214, "tools[0]: must be an object"),
    ("tool type", a(tools=[{**TOOL_A, "type": 1}]), 1214, "tools[0].type"),
    ("tool no name", a(tools=[{"input_schema": {}}]), 1213, "tools[0].name: not received"),
    ("tool name", a(tools=[{**TOOL_A, "name": "a b"}]), 1214, "tools[0].name: 1 to 128"),
    ("tool name long", a(tools=[{**TOOL_A, "name": "a" * 129}]), 1214, "1 to 128"),
    ("tool description", a(tools=[{**TOOL_A, "description": 1}]), 1214, "description"),
    ("tool no schema", a(tools=[{"name": "w"}]), 1213, "input_schema: not received"),
    ("tool schema", a(tools=[{"name": "w", "input_schema": []}]), 1214, "input_schema: must be"),
    ("schema type", a(tools=[{"name": "w", "input_schema": {}}]), 1214, "input_schema.type"),
    ("tool twice", a(tools=[TOOL_A, TOOL_A]), 1214, "tools[1].name: twice"),
    ("choice", a(tools=[TOOL_A], tool_choice="auto"), 1214, "tool_choice.type"),
    ("choice alone", a(tool_choice={"type": "auto"}), 1215, "tool_choice: without tools"),
    (
        "choice single",
        a(tools=[TOOL_A], tool_choice={"type": "auto", "disable_parallel_tool_use": 1}),
        1214,
        "disable_parallel_tool_use",
    ),
    ("choice tool", a(tools=[TOOL_A], tool_choice={"type": "tool", "name": "x"}), 1214, "no such"),
    ("choice name", a(tools=[TOOL_A], tool_choice={"type": "any", "name": "w"}), 1214, "not with"),
    ("role system", a(user("x"), {"role": "system", "content": "s"}), 2, "messages[1].role"),
    ("role tool", a(user("x"), tool("c")), 2, "messages[1].role"),
    ("first assistant", a(assistant("x"), user("y")), 1214, "messages[0].role"),
    ("no content", a({"role": "user"}), 1213, "messages[0].content"),
    ("content number", a(user(5)), 1214, "messages[0].content"),
    ("content empty", a(user([])), 1214, "messages[0].content: empty"),
    ("text empty", a(user("")), 1214, "empty text block"),
    ("text block empty", a(user([text("a"), text("")])), 1214, "content[1]: empty text block"),
    ("assistant empty block", a(user("q"), assistant([text("")]), user("r")), 1214, "empty text"),
    ("blank", a(user(" \n")), 1214, "only blank text"),
    ("blank blocks", a(user([text(" "), text("\t")])), 1214, "only blank text"),
    ("block type", a(user([{"text": "x"}])), 1213, "content[0].type"),
    ("image", a(user([{"type": "image", "source": {}}])), 1, "standin: messages[0].content[0]: image"),
    (
        "image in result",
        a(user("q"), assistant([use("t")]), user([result("t", [{"type": "image"}])])),
        1,
        "image on the text endpoint",
    ),
    ("use of user", a(user([use("t")])), 1214, "tool_use of the user"),
    ("use id", a(user("q"), assistant([use("a:b")])), 1214, "messages[1].content[0].id: letters"),
    ("use name", a(user("q"), assistant([use("t", name="")])), 1214, "content[0].name"),
    ("use input", a(user("q"), assistant([use("t", input="{}")])), 1214, "content[0].input"),
    ("use twice", a(user("q"), assistant([use("t"), use("t")])), 1214, "id: used before"),
    (
        "use again",
        a(user("q"), assistant([use("t")]), user([result("t")]), assistant([use("t")])),
        1214,
        "messages[3].content[0].id: used before",
    ),
    ("thinking of user", a(user([{"type": "thinking"}])), 1214, "thinking of the user"),
    ("thinking text", a(user("q"), assistant([{"type": "thinking"}])), 1214, ".thinking: must be"),
    (
        "thinking signature",
        a(user("q"), assistant([{"type": "thinking", "thinking": "x"}])),
        1214,
        "signature",
    ),
    ("result of assistant", a(user("q"), assistant([result("t")])), 1214, "tool_result of the"),
    (
        "result late",
        a(user("q"), assistant([use("t")]), user([text("x"), result("t")])),
        1214,
        "tool_result blocks come before",
    ),
    (
        "result late in a second message",
        a(user("q"), assistant([use("t")]), user("x"), user([result("t")])),
        1214,
        "messages[3].content[0]: tool_result blocks come before",
    ),
    ("result unknown", a(user([result("t")])), 1214, "no such tool_use"),
    (
        "result old",
        a(user("q"), assistant([use("t")]), user([result("t")]), assistant("x"), user([result("t")])),
        1214,
        "no such tool_use",
    ),
    (
        "result twice",
        a(user("q"), assistant([use("t")]), user([result("t"), result("t")])),
        1214,
        "answered twice",
    ),
    (
        "is_error",
        a(user("q"), assistant([use("t")]), user([result("t", is_error="no")])),
        1214,
        "is_error",
    ),
    (
        "result content",
        a(user("q"), assistant([use("t")]), user([result("t", 5)])),
        1214,
        "content[0].content: must be a string",
    ),
    (
        "result part type",
        a(user("q"), assistant([use("t")]), user([result("t", [{}])])),
        1213,
        "content[0].type: not received",
    ),
    (
        "result part empty",
        a(user("q"), assistant([use("t")]), user([result("t", [text("")])])),
        1214,
        "content[0].text: empty",
    ),
    ("no result", a(user("q"), assistant([use("t")]), user("x")), 1214, "has no tool_result"),
    ("no result at end", a(user("q"), assistant([use("t")])), 1214, "has no tool_result"),
    (
        "one result of two",
        a(user("q"), assistant([use("t"), use("u")]), user([result("t")]), assistant("x"), user("y")),
        1214,
        "tool_use u has no tool_result",
    ),
    ("prefill", a(user("q"), assistant("The answer is ")), 1214, "ends in blanks"),
    ("prefill block", a(user("q"), assistant([text("x\n")])), 1214, "ends in blanks"),
    ("window", a(user("word " * 170000)), 1261, "input tokens exceeds the model's maximum context length 202750"),
    ("window with max_tokens", a(user("[[text context=2000]]")), 1261, "context length 2000"),
]

# --- Chat Completions ---------------------------------------------------------

CASES_O = [
    ("unknown model", o(model="glm-9"), 1211, "glm-9"),
    ("suffix", o(model="glm-4.6-openai"), 1211, "unknown model"),
    ("claude", o(model="claude-opus-4"), 1211, "unknown model"),
    ("no model", o(model=DROP), 1213, "body.model"),
    ("unknown field", o(n=1), 1210, "n: unknown field"),
    ("seed", o(seed=1), 1210, "seed: unknown field"),
    ("system", o(system="s"), 1210, "system: unknown field"),
    ("max_completion_tokens", o(max_completion_tokens=5), 1210, "max_completion_tokens"),
    ("parallel_tool_calls", o(parallel_tool_calls=False), 1210, "parallel_tool_calls"),
    ("no messages", o(messages=DROP), 1213, "messages: not received"),
    ("messages empty", o(messages=[]), 1214, "messages: must be an array"),
    ("messages text", o(messages="hi"), 1214, "messages: must be an array"),
    ("stream", o(stream=1), 1214, "stream: must be true or false"),
    ("null", o(temperature=None), 1214, "temperature"),
    ("stream_options alone", o(stream_options={"include_usage": True}), 1215, "only with stream"),
    ("stream_options", o(stream=True, stream_options=1), 1214, "stream_options: must be an object"),
    (
        "stream_options key",
        o(stream=True, stream_options={"include_usage": True, "include_obfuscation": False}),
        1210,
        "stream_options.include_obfuscation: unknown field",
    ),
    ("include_usage", o(stream=True, stream_options={"include_usage": False}), 1214, "include_usage"),
    ("max_tokens", o(max_tokens=131073), 1214, "max_tokens"),
    ("max_tokens of 4.5v", o(model="glm-4.5v", max_tokens=16385), 1214, "[1, 16384]"),
    ("temperature", o(temperature=1.5), 1214, "temperature"),
    ("top_p", o(top_p=0), 1214, "[0.01, 1]"),
    ("stop text", o(stop="x"), 1214, "stop: must be an array of one"),
    ("stop two", o(stop=["x", "y"]), 1214, "stop: must be an array of one"),
    ("stop empty", o(stop=[""]), 1214, "stop[0]"),
    ("do_sample", o(do_sample=0), 1214, "do_sample"),
    ("format", o(response_format="json"), 1214, "response_format: must be an object"),
    ("format type", o(response_format={"type": "json_schema"}), 1214, "response_format.type"),
    (
        "format key",
        o(response_format={"type": "json_object", "schema": {}}),
        1210,
        "response_format.schema",
    ),
    (
        "format of vision",
        o(model="glm-4.6v", response_format={"type": "json_object"}),
        1210,
        "not with a vision model",
    ),
    ("thinking", o(thinking=True), 1214, "thinking: must be an object"),
    ("thinking type", o(thinking={"type": "adaptive"}), 1214, "thinking.type"),
    ("thinking key", o(thinking={"type": "enabled", "budget_tokens": 5}), 1210, "budget_tokens"),
    ("clear", o(thinking={"type": "enabled", "clear_thinking": 1}), 1214, "clear_thinking"),
    ("thinking always", o(model="glm-5.3", thinking={"type": "disabled"}), 1210, "cannot but think"),
    (
        "thinking never",
        o(model="glm-4-32b-0414-128k", thinking={"type": "enabled"}),
        1210,
        "thinking: not with this model",
    ),
    ("effort of 4.6", o(reasoning_effort="low"), 1210, "reasoning_effort: not with"),
    ("effort of 5.2", o(model="glm-5.2", reasoning_effort="none"), 1214, "reasoning_effort"),
    ("effort of 5.3", o(model="glm-5.3", reasoning_effort="medium"), 1214, "reasoning_effort"),
    ("tool_stream", o(tool_stream="yes"), 1214, "tool_stream: must be"),
    ("tool_stream of 4.5", o(model="glm-4.5", tool_stream=True), 1210, "tool_stream: not with"),
    ("tool_stream of 4.6v", o(model="glm-4.6v", tool_stream=True), 1210, "tool_stream: not with"),
    ("request_id", o(request_id="x"), 1214, "request_id: wrong length"),
    ("request_id long", o(request_id="x" * 65), 1214, "request_id: wrong length"),
    ("user_id", o(user_id="x" * 129), 1214, "user_id: wrong length"),
    ("choice", o(tools=[TOOL_O], tool_choice="required"), 1214, "tool_choice: only"),
    ("choice none", o(tools=[TOOL_O], tool_choice="none"), 1214, "tool_choice: only"),
    ("choice alone", o(tool_choice="auto"), 1215, "tool_choice: without tools"),
    ("tools empty", o(tools=[]), 1214, "tools: must be an array of 1 to 128"),
    ("tools many", o(tools=[TOOL_O] * 129), 1214, "tools: must be an array of 1 to 128"),
    ("tools of 4.5v", o(model="glm-4.5v", tools=[TOOL_O]), 1210, "tools: not with this model"),
    ("tool", o(tools=["w"]), 1214, "tools[0]: must be an object"),
    ("tool no type", o(tools=[{"function": {}}]), 1213, "tools[0].type"),
    ("tool type", o(tools=[{"type": "custom"}]), 1214, "tools[0].type: unknown"),
    ("tool key", o(tools=[{**TOOL_O, "strict": True}]), 1210, "tools[0].strict"),
    ("function", o(tools=[{"type": "function"}]), 1213, "tools[0].function: not received"),
    (
        "function key",
        o(tools=[{"type": "function", "function": {**TOOL_O["function"], "strict": True}}]),
        1210,
        "tools[0].function.strict: unknown field",
    ),
    (
        "function description",
        o(tools=[{"type": "function", "function": {"name": "w", "parameters": {}}}]),
        1213,
        "description: not received",
    ),
    (
        "function parameters",
        o(tools=[{"type": "function", "function": {"name": "w", "description": "d"}}]),
        1213,
        "parameters: not received",
    ),
    (
        "parameters",
        o(tools=[{"type": "function", "function": {"name": "w", "description": "d", "parameters": 1}}]),
        1214,
        "parameters: must be an object",
    ),
    (
        "parameters type",
        o(
            tools=[
                {
                    "type": "function",
                    "function": {"name": "w", "description": "d", "parameters": {"type": "string"}},
                }
            ]
        ),
        1214,
        "parameters.type",
    ),
    (
        "function name",
        o(tools=[{"type": "function", "function": {**TOOL_O["function"], "name": "x" * 65}}]),
        1214,
        "name: 1 to 64",
    ),
    ("role developer", o({"role": "developer", "content": "x"}), 1214, "messages[0].role: unknown"),
    ("role function", o(user("x"), {"role": "function", "content": "x"}), 1214, "role: unknown"),
    ("message", o("hi"), 1214, "messages[0].role: unknown"),
    ("name", o({**user("x"), "name": "bob"}), 1210, "messages[0].name: unknown field"),
    ("system empty", o({"role": "system", "content": ""}, user("x")), 1214, "messages[0].content"),
    ("system parts", o({"role": "system", "content": [text("x")]}, user("x")), 1214, "must be a str"),
    ("attribution", o({"role": "system", "content": BILLING}, user("x")), 1, "attribution"),
    ("no user", o({"role": "system", "content": "x"}), 1214, "messages: no user message"),
    ("user empty", o(user("")), 1214, "messages[0].content"),
    ("user blank", o(user(" \n")), 1214, "messages[0].content: blank"),
    ("user parts empty", o(user([])), 1214, "messages[0].content: empty"),
    ("user no content", o({"role": "user"}), 1213, "messages[0].content: not received"),
    ("part type", o(user([{"type": "audio"}])), 1214, "content[0].type: unknown"),
    ("part key", o(user([{**text("x"), "cache_control": {}}])), 1210, "content[0].cache_control"),
    ("part empty", o(user([text("")])), 1214, "content[0].text"),
    ("image for text", o(user([image(PNG)])), 1210, "['text']"),
    ("image detail", vision(image(PNG, detail="low")), 1210, "image_url.detail: unknown field"),
    ("image key", vision({**image(PNG), "x": 1}), 1210, "content[1].x: unknown field"),
    ("image missing", vision({"type": "image_url"}), 1213, "content[1].image_url: not received"),
    ("image text", vision({"type": "image_url", "image_url": PNG}), 1214, "must be an object"),
    ("image url", vision(image("")), 1214, "image_url.url"),
    ("image file url", vision(image("file:///etc/passwd")), 1210, "neither http"),
    ("image media type", vision(image("data:image/bmp;base64,AAAA")), 1210, "neither http"),
    ("image upper case", vision(image("DATA:image/png;base64,AAAA")), 1210, "neither http"),
    ("image base64", vision(image("data:image/png;base64,AA-_")), 1210, "bad base64"),
    ("image padding", vision(image("data:image/png;base64,AAA")), 1210, "bad base64"),
    ("image big", vision(image("data:image/png;base64," + "A" * (7 << 20))), 1210, "over 5 MB"),
    ("images many", o(user([image(PNG)] * 151), model="glm-4.6v"), 1210, "more than 150 images"),
    ("images of 4.5v", o(user([image(PNG)] * 51), model="glm-4.5v"), 1210, "more than 50 images"),
    ("assistant null", o(*loop()[:1], assistant(None, tool_calls=[call("c")])), 1214, "must be a str"),
    ("assistant empty", o(user("x"), assistant("")), 1214, "empty, and there are no tool_calls"),
    ("assistant key", o(user("x"), assistant("y", refusal=None)), 1210, "messages[1].refusal"),
    ("assistants", o(user("x"), assistant("y"), assistant("z")), 1214, "two assistant messages"),
    ("reasoning", o(user("x"), assistant("y", reasoning_content="")), 1214, "reasoning_content"),
    ("calls empty", o(user("x"), assistant("y", tool_calls=[])), 1214, "tool_calls: must be"),
    ("call key", o(user("x"), assistant("", tool_calls=[{**call("c"), "index": 0}])), 1210, "index"),
    ("call", o(user("x"), assistant("", tool_calls=["c"])), 1214, "tool_calls[0]: must be an object"),
    ("call id", o(*loop("a.b", tool("a.b"))), 1214, "tool_calls[0].id: letters"),
    ("call no id", o(user("x"), assistant("", tool_calls=[{"type": "function"}])), 1213, "[0].id"),
    ("call type", o(user("x"), assistant("", tool_calls=[{**call("c"), "type": "x"}])), 1214, ".type"),
    ("call name", o(user("x"), assistant("", tool_calls=[call("c", name="a b")])), 1214, "name: 1 to"),
    (
        "arguments object",
        o(user("x"), assistant("", tool_calls=[call("c", arguments={})])),
        1214,
        "function.arguments: must be a string",
    ),
    (
        "arguments empty",
        o(user("x"), assistant("", tool_calls=[call("c", arguments="")])),
        1214,
        "function.arguments: must be a string",
    ),
    (
        "arguments no object",
        o(user("x"), assistant("", tool_calls=[call("c", arguments="[1]")])),
        1214,
        "must hold a JSON object",
    ),
    (
        "arguments no JSON",
        o(user("x"), assistant("", tool_calls=[call("c", arguments='{"a":')])),
        1214,
        "must hold a JSON object",
    ),
    (
        "call twice",
        o(user("x"), assistant("", tool_calls=[call("c"), call("c")])),
        1214,
        "tool_calls[1].id: twice",
    ),
    ("calls of 4.5v", o(*loop("c1", tool("c1")), model="glm-4.5v"), 1210, "not with this model"),
    ("tool unknown", o(user("x"), tool("c")), 1214, "answers no call"),
    ("tool other", o(*loop("c1", tool("c2"))), 1214, "answers no call"),
    ("tool twice", o(*loop("c1", tool("c1"), tool("c1"))), 1214, "answers no call"),
    ("tool late", o(*loop("c1", user("x"), tool("c1"))), 1214, "c1 above has no result"),
    ("tool missing", o(*loop("c1", assistant("x"))), 1214, "c1 above has no result"),
    ("tool missing at end", o(*loop("c1")), 1214, "tool call c1 has no result"),
    ("tool empty", o(*loop("c1", tool("c1", ""))), 1214, "messages[2].content"),
    ("tool parts", o(*loop("c1", tool("c1", [text("x")]))), 1214, "messages[2].content"),
    ("tool key", o(*loop("c1", {**tool("c1"), "name": "w"})), 1210, "messages[2].name"),
    ("tool no id", o(*loop("c1", {"role": "tool", "content": "x"})), 1213, "tool_call_id"),
    ("window", o(user("word " * 170000)), 1261, "input tokens exceeds the model's maximum context length 202750"),
]

# --- both, by text ---------------------------------------------------------------

CASES_TEXT = [
    ("syntax", '{"model":', 1210, "bad JSON"),
    ("behind", "{} {}", 1210, "bad JSON"),
    ("array", "[]", 1210, "no object"),
    ("empty", "", 1210, "bad JSON"),
    ("utf8", b'{"model":"\xff"}', 1210, "bad JSON"),
    ("twice", '{"model":"glm-4.6","messages":[],"model":"glm-4.6"}', 1210, 'key "model" twice'),
    (
        "scenario",
        '{"model":"glm-4.6","max_tokens":5,"messages":[{"role":"user","content":"[[nonsense]]"}]}',
        1,
        "standin: unknown scenario 'nonsense'",
    ),
    (
        "option",
        '{"model":"glm-4.6","max_tokens":5,"messages":[{"role":"user","content":"[[text colour=1]]"}]}',
        1,
        "standin: unknown option 'colour'",
    ),
]

# --- heads: path, header fields to set (None: to leave out), code, part ------------

CASES_HEAD = [
    (MESSAGES, {"authorization": None}, 1001, "no key"),
    (MESSAGES, {"authorization": "Bearer "}, 1001, "no key"),
    (MESSAGES, {"authorization": "Bearer bad.key"}, 1000, "wrong or has expired"),
    (CHAT, {"authorization": None}, 1001, "no key"),
    (CHAT, {"authorization": None, "x-api-key": "k.s"}, 1001, "no key"),
    (CHAT, {"authorization": "Bearer bad.key"}, 1000, "wrong or has expired"),
    (CHAT, {"authorization": "Bearer code-1113.x"}, 1113, "the key asks for it"),
    (MESSAGES, {"authorization": "Bearer code-1309.x"}, 1309, "the key asks for it"),
    (MESSAGES, {"x-api-key": "other.key"}, 1, "standin: authorization and x-api-key"),
    (CHAT, {"x-api-key": "k.s"}, 1, "standin: x-api-key on the other"),
    (MESSAGES, {"authorization": "bearer k.s"}, 1, "standin: authorization is not"),
    (MESSAGES, {"authorization": "Bearer k s"}, 1, "standin: blank in the key"),
    (MESSAGES, {"anthropic-version": None}, 1213, "anthropic-version: not received"),
    (MESSAGES, {"anthropic-version": "2026-10-21"}, 1214, "anthropic-version: unknown"),
    (CHAT, {"anthropic-version": "2023-06-01"}, 1, "standin: anthropic-version or"),
    (CHAT, {"anthropic-beta": "x"}, 1, "standin: anthropic-version or"),
    (MESSAGES, {"content-type": "text/plain"}, 1210, "content-type"),
    (CHAT, {"content-type": None}, 1210, "content-type"),
    (CHAT, {"x-stainless-os": "Linux"}, 1, "standin: header x-stainless-os must not"),
    (CHAT, {"cookie": "a=b"}, 1, "standin: header cookie must not"),
    (CHAT, {"te": "trailers"}, 1, "standin: header te must not"),
    (CHAT, {"keep-alive": "timeout=5"}, 1, "standin: header keep-alive must not"),
    (CHAT, {"proxy-authorization": "x"}, 1, "standin: header proxy-authorization must not"),
    (CHAT, {"openai-organization": "x"}, 1, "standin: header openai-organization must not"),
    (CHAT, {"accept-encoding": "gzip"}, 1, "standin: accept-encoding: gzip"),
    (CHAT, {"accept": "text/event-stream"}, 1, "standin: accept: text/event-stream"),
    (CHAT, {"connection": "keep-alive, te"}, 1, "standin: connection: keep-alive, te"),
    (CHAT, {"host": ""}, 1, "standin: no host"),
]

CASES = (
    [("A " + name, MESSAGES, body, code, part) for name, body, code, part in CASES_A]
    + [("O " + name, CHAT, body, code, part) for name, body, code, part in CASES_O]
    + [
        (side + " " + name, path, body, code, part)
        for name, body, code, part in CASES_TEXT
        for side, path in (("A", MESSAGES), ("O", CHAT))
    ]
    + [
        ("tokenizer field", TOKENIZER, o(stream=True), 1210, "stream: unknown field"),
        ("tokenizer model", TOKENIZER, o(model="glm-4.7"), 1211, "unknown model glm-4.7"),
        ("count empty", COUNT, {"model": "glm-4.6", "messages": []}, 1214, "messages"),
        ("count without", COUNT, {"model": "glm-4.6"}, 1213, "messages: not received"),
    ]
)
