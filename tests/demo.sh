#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh - show the proxy at work beside a stand-in upstream of its own: no
# account, no network but loopback. Fails when an answer is not right.
#
# Environment: GLMPROXY_BIN, STANDIN_BIN (else what `make all standin` builds).
# On a terminal it keeps running until Ctrl-C, otherwise it ends with 0.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
glmproxy=${GLMPROXY_BIN:-$root/build/glmproxy}
standin=${STANDIN_BIN:-$root/build/release/standin}
case $glmproxy in /*) ;; *) glmproxy=$PWD/$glmproxy ;; esac
case $standin in /*) ;; *) standin=$PWD/$standin ;; esac

key=demo-key.1
start_tries=150 # tenths of a second
steps=0
standin_pid=
glmproxy_pid=
dir=$(mktemp -d)

# --- ends -------------------------------------------------------------------

end_process()
{
    [ -n "$1" ] || return 0
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
}

clean_up()
{
    trap - EXIT INT TERM HUP
    end_process "$glmproxy_pid"
    end_process "$standin_pid"
    rm -rf "$dir"
}

fail()
{
    echo "demo: FAILED: $*" >&2
    for log in standin glmproxy; do
        [ ! -s "$dir/$log.log" ] || sed "s/^/demo: $log: /" "$dir/$log.log" >&2
    done
    exit 1
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --- starting ---------------------------------------------------------------

# wait_address LOG PID PATTERN: what \1 of the pattern is, once a line has it.
wait_address()
{
    tries=$start_tries
    while [ "$tries" -gt 0 ]; do
        found=$(sed -n "s/.*$3.*/\1/p" "$1" | head -n 1)
        if [ -n "$found" ]; then
            echo "$found"
            return
        fi
        grep -q '^State:[[:space:]]*[^ZX]' "/proc/$2/status" || return 1
        sleep 0.1
        tries=$((tries - 1))
    done
    return 1
}

start_standin()
{
    "$standin" --quiet --plain-listen 127.0.0.1:0 \
        >"$dir/standin.log" 2>&1 </dev/null &
    standin_pid=$!
    upstream=$(wait_address "$dir/standin.log" "$standin_pid" \
        'listening on \([^ ]*\) (plain)') || fail "the stand-in did not start"
}

# Without our own environment, which may hold settings or a key.
start_glmproxy()
{
    cat >"$dir/glmproxy.conf" <<CONF
listen = 127.0.0.1:0
admin_listen = 127.0.0.1:0
workers = 2
upstream_base = http://$upstream/api/anthropic
openai_upstream_base = http://$upstream/api/coding/paas/v4
pid_file = $dir/glmproxy.pid
state_dir = $dir/state
log_dir = $dir/log
stop_timeout_s = 2
CONF
    env -i PATH="$PATH" "$glmproxy" run -c "$dir/glmproxy.conf" \
        >"$dir/glmproxy.log" 2>&1 </dev/null &
    glmproxy_pid=$!
    proxy=$(wait_address "$dir/glmproxy.log" "$glmproxy_pid" \
        'listening on \([^ ]*\) (proxy)') || fail "glmproxy did not start"
    admin=$(wait_address "$dir/glmproxy.log" "$glmproxy_pid" \
        'listening on \([^ ]*\) (admin)') || fail "glmproxy did not start"
    wait_address "$dir/glmproxy.log" "$glmproxy_pid" '\(ready\): ' \
        >/dev/null || fail "glmproxy did not get ready"
}

# --- asking -----------------------------------------------------------------

# Play this for the next request instead of the usual "You said: ...".
play_next()
{
    curl -sSf -o /dev/null -d "$1" "http://$upstream/__standin/next" ||
        fail "the stand-in does not answer"
}

# ask TITLE PATH BODY [HEADER]: send it; head and body stay in $dir.
ask()
{
    steps=$((steps + 1))
    echo
    echo "== $steps. $1"
    short=$(printf '%s' "$3" | sed -E \
        's/(base64,|"data":")[A-Za-z0-9+\/=]{40,}/\1.../g')
    echo "\$ curl http://$proxy$2 ${4:+-H \"$4\" }-d '$short'"
    status=$(curl -sS --no-buffer --max-time 20 -D "$dir/head" -o "$dir/body" \
        -w '%{http_code}' -H 'content-type: application/json' \
        -H "authorization: Bearer $key" ${4:+-H "$4"} \
        -d "$3" "http://$proxy$2") || fail "curl: step $steps"
    echo "status $status"
    sed -n -E 's/\r$//; /^(x-glmproxy-|x-request-id|request-id)/p' "$dir/head"
    [ "$status" = 200 ] || fail "step $steps: $(cat "$dir/body")"
}

# The request that the upstream got last, and whether it was this one.
want_upstream()
{
    went=$(curl -sSf "http://$upstream/__standin/requests?last=1" |
        sed -n -E 's/.*"path":"([^"]*)".*/\1/p')
    echo "went to   $went"
    [ "$went" = "$1" ] || fail "step $steps: went to $went, not to $1"
}

want_model()
{
    grep -i -q "^x-glmproxy-model: $1.\{0,1\}\$" "$dir/head" ||
        fail "step $steps: x-glmproxy-model is not $1"
}

# All values of a string field in the answer, joined; "" when there is none.
strings_of()
{
    sed -n -E "s/.*$1\"(([^\"\\\\]|\\\\.)*)\".*/\2/p" "$dir/body" |
        sed 's/\\"/"/g' | tr -d '\n'
}

# want_answer TEXT FIELD...: what the fields say together.
want_answer()
{
    wanted=$1
    shift
    got=
    for field in "$@"; do
        got=$got$(strings_of "$field" | sed 's/^\(.\)/ \1/')
    done
    got=${got# }
    echo "answer    $got"
    [ "$got" = "$wanted" ] || fail "step $steps: the answer is not: $wanted"
}

want_end()
{
    grep -q "^$1\$" "$dir/body" || fail "step $steps: no line $1 at the end"
    echo "events    $(grep -c '^data:' "$dir/body")"
}

# strings_of's patterns: \1 is theirs, so each holds exactly one group.
o_text='"(content)":'
a_text='"type":"(text|text_delta)","text":'

# --- the requests -----------------------------------------------------------

text_path=/api/anthropic/v1/messages
image_path=/api/coding/paas/v4/chat/completions
png=iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA
png=${png}WjR9awAAAABJRU5ErkJggg==
version='anthropic-version: 2023-06-01'
schema='{"type":"object","properties":{"city":{"type":"string"}}}'
call='tool name=get_weather args={"city":"Oslo"}'

hello='"messages":[{"role":"user","content":"hello"}]'
weather='"messages":[{"role":"user","content":"Is it cold in Oslo?"}]'

chat_completions()
{
    path=/v1/chat/completions
    picture='"messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,'$png'"}}]}]'
    tools='"tools":[{"type":"function","function":{"name":"get_weather","parameters":'$schema'}}]'

    ask "Chat Completions" "$path" "{\"model\":\"glm-4.6\",$hello}"
    want_model glm-4.6
    want_upstream "$text_path"
    want_answer "You said: hello" "$o_text"

    ask "Chat Completions, streamed" "$path" \
        "{\"model\":\"glm-4.6\",\"stream\":true,$hello}"
    want_upstream "$text_path"
    want_end 'data: \[DONE\]'
    want_answer "You said: hello" "$o_text"

    ask "Chat Completions, with an image" "$path" \
        "{\"model\":\"glm-4.6\",$picture}"
    want_model glm-4.6v
    want_upstream "$image_path"
    want_answer "You said: What is this?" "$o_text"

    play_next "$call"
    ask "Chat Completions, with a tool" "$path" \
        "{\"model\":\"glm-4.6\",$weather,$tools}"
    want_upstream "$text_path"
    want_answer 'get_weather {"city":"Oslo"}' '"(function)":\{"name":' \
        '"(arguments)":'
}

messages()
{
    path=/v1/messages
    most='"max_tokens":1000'
    picture='"messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"'$png'"}}]}]'
    tools='"tools":[{"name":"get_weather","input_schema":'$schema'}]'

    ask "Messages" "$path" "{\"model\":\"glm-4.6\",$most,$hello}" "$version"
    want_model glm-4.6
    want_upstream "$text_path"
    want_answer "You said: hello" "$a_text"

    ask "Messages, streamed" "$path" \
        "{\"model\":\"glm-4.6\",$most,\"stream\":true,$hello}" "$version"
    want_upstream "$text_path"
    want_end 'event: message_stop'
    want_answer "You said: hello" "$a_text"

    ask "Messages, with an image, streamed" "$path" \
        "{\"model\":\"glm-4.6\",$most,\"stream\":true,$picture}" "$version"
    want_model glm-4.6v
    want_upstream "$image_path"
    want_end 'event: message_stop'
    want_answer "You said: What is this?" "$a_text"

    play_next "$call"
    ask "Messages, with a tool, streamed" "$path" \
        "{\"model\":\"glm-4.6\",$most,\"stream\":true,$weather,$tools}" \
        "$version"
    want_upstream "$text_path"
    want_end 'event: message_stop'
    want_answer 'get_weather {"city":"Oslo"}' \
        '"(tool_use)","id":"[^"]*","name":' '"(partial_json)":'
}

want_health()
{
    curl -sSf "http://$admin/health" >"$dir/body" || fail "no /health"
    grep -q '"status":"ok"' "$dir/body" || fail "/health: $(cat "$dir/body")"
}

tell()
{
    cat <<TEXT

All $steps answers are right. The upstream was a stand-in that repeats what it
is told; \`make run\` does the same with z.ai.

admin page         http://$admin/
documentation      http://$proxy/docs

OpenAI clients     base URL http://$proxy/v1   model glm-4.6
Anthropic clients  base URL http://$proxy      model glm-4.6
                   (for Claude Code: ANTHROPIC_BASE_URL and
                   ANTHROPIC_AUTH_TOKEN)
API key            here any word will do; with z.ai your z.ai key
TEXT
}

for program in "$glmproxy" "$standin"; do
    [ -x "$program" ] || fail "$program is not there: make all standin"
done
start_standin
start_glmproxy
echo "stand-in upstream on $upstream, glmproxy on $proxy"
chat_completions
messages
want_health
tell
if [ -t 1 ]; then
    echo
    echo "Running until Ctrl-C."
    trap 'exit 0' INT TERM
    wait "$glmproxy_pid" || true
    fail "glmproxy has ended"
fi
