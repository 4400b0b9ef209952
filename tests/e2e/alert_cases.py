# SPDX-License-Identifier: MIT
"""When which alert of packaging/prometheus fires: cases for
`promtool test rules`.

Each case is the same healthy service with something wrong. Values are in
promtool's notation, a sample a minute: "0+60x200" grows by 60 two hundred
times. Looked at are all alerts that fire at a time, so that none fires beside
those that should.
"""

import json

TARGET = 'job="glmproxy",instance="a"'
FIRING = 'count by (alertname, class) (ALERTS{alertstate="firing"})'

# A chat a second.
HEALTHY = {
    "up": "1x200",
    'workers{state="ready"}': "2x200",
    'workers{state="starting"}': "0x200",
    "workers_expected": "2x200",
    "healthy": "1x200",
    "process_deaths_total": "0x200",
    'responses_total{class="2xx"}': "0+60x200",
    'responses_total{class="4xx"}': "0+2x200",
    'responses_total{class="5xx"}': "0+1x200",
    "streams_total": "0+40x200",
    "streams_broken_total": "0+1x200",
    "shed_total": "0x200",
    'records_lost_total{where="ring"}': "0x200",
    'log_lines_lost_total{where="disk"}': "0x200",
    'queue_refusals_total{reason="full"}': "0x200",
    'queue_refusals_total{reason="timeout"}': "0x200",
    'upstream_limits_total{class="overloaded"}': "0+1x200",
    'upstream_limits_total{class="rate"}': "0+1x200",
    'upstream_limits_total{class="quota"}': "0x200",
    'upstream_limits_total{class="billing"}': "0x200",
    'upstream_limits_total{class="fair_use"}': "0x200",
    "upstream_requests_total": "0+60x200",
    'upstream_responses_total{code="200"}': "0+60x200",
    'upstream_errors_total{phase="connect"}': "0+1x200",
    'upstream_errors_total{phase="head"}': "0x200",
    'request_first_byte_seconds_bucket{route="chat",le="30"}': "0+58x200",
    'request_first_byte_seconds_bucket{route="chat",le="120"}': "0+60x200",
    'request_first_byte_seconds_bucket{route="chat",le="+Inf"}': "0+60x200",
    'model_input_tokens_total{model="glm-4.6"}': "0+100000x200",
    'model_cached_tokens_total{model="glm-4.6"}': "0+90000x200",
}
DEAD = {name: None for name in HEALTHY if name != "up"}

# (what is wrong, {series: its values}, [(minutes, alerts that fire)])
CASES = (
    ("nothing", {}, [(5, ()), (180, ())]),
    ("the service is down", dict(DEAD, up="1x9 0x5 1x20"),
     [(10, ()), (12, ("Down",)), (16, ())]),
    ("no worker is ready",
     {'workers{state="ready"}': "2x9 0x20", "healthy": "1x9 0x20"},
     [(9, ()), (11, ("NoWorkers",)), (16, ("NoWorkers", "Unhealthy"))]),
    ("one worker is missing", {'workers{state="ready"}': "2x9 1x8 2x20"},
     [(14, ()), (16, ("WorkersMissing",)), (20, ())]),
    ("processes die", {"process_deaths_total": "0x9 2x20 5x20"},
     [(15, ()), (32, ("ProcessesDying",)), (50, ())]),
    ("not healthy", {"healthy": "1x9 0x20"},
     [(14, ()), (16, ("Unhealthy",))]),
    ("many errors", {'responses_total{class="5xx"}': "0+1x9 10+20x50"},
     [(9, ()), (25, ("ErrorRatio",))]),
    ("nobody but one who meets errors",
     {'responses_total{class="2xx"}': "0x200",
      'responses_total{class="4xx"}': "0x200"}, [(60, ())]),
    ("streams break off", {"streams_broken_total": "0+8x60"},
     [(4, ()), (30, ("StreamsBreak",))]),
    ("buffers are full", {"shed_total": "0x9 1x50"},
     [(9, ()), (11, ("Sheds",)), (20, ())]),
    ("the queue of a key is full",
     {'queue_refusals_total{reason="full"}': "0x9 3x50"},
     [(14, ()), (16, ("QueueOverflows",)), (25, ())]),
    ("records are lost", {'records_lost_total{where="ring"}': "0x9 50x60"},
     [(14, ()), (16, ("RecordsLost",)), (30, ())]),
    ("lines are lost", {'log_lines_lost_total{where="disk"}': "0x9 0+9x60"},
     [(14, ()), (30, ("RecordsLost",))]),
    ("chats wait too long for their turn",
     {'queue_refusals_total{reason="timeout"}': "0x9 0+1x50"},
     [(14, ()), (30, ("QueueOverflows",))]),
    ("upstream is overloaded",
     {'upstream_limits_total{class="overloaded"}': "0+12x60"},
     [(4, ()), (20, ("UpstreamOverloaded",))]),
    ("upstream is out of reach",
     {'upstream_errors_total{phase="connect"}': "0+60x60",
      'upstream_responses_total{code="200"}': "500x60",
      "upstream_requests_total": "500x60",
      'upstream_limits_total{class="overloaded"}': "0x60",
      'upstream_limits_total{class="rate"}': "0x60"},
     [(1, ()), (10, ("UpstreamErrors", "UpstreamUnreachable"))]),
    ("upstream fails", {'upstream_errors_total{phase="head"}': "0+10x60"},
     [(4, ()), (20, ("UpstreamErrors",))]),
    ("upstream limits the rate",
     {'upstream_limits_total{class="rate"}': "0+12x60"},
     [(9, ()), (30, ("RateLimited",))]),
    ("a quota is used up, then the money",
     {'upstream_limits_total{class="quota"}': "0x9 1x60",
      'upstream_limits_total{class="billing"}': "0x19 3x60"},
     [(9, ()), (11, ("QuotaUsedUp quota",)),
      (22, ("QuotaUsedUp billing", "QuotaUsedUp quota")), (50, ())]),
    ("it is slow",
     {'request_first_byte_seconds_bucket{route="chat",le="30"}': "0+30x60"},
     [(9, ()), (30, ("Slow",))]),
    ("few tokens come from the cache",
     {'model_cached_tokens_total{model="glm-4.6"}': "0+10000x200"},
     [(60, ()), (130, ("FewCacheHits",))]),
    ("few of few tokens",
     {'model_cached_tokens_total{model="glm-4.6"}': "0+10x200",
      'model_input_tokens_total{model="glm-4.6"}': "0+1000x200"},
     [(180, ())]),
)


def _series(name, values):
    stem, _, labels = name.partition("{")
    more = "," + labels[:-1] if labels else ""
    return {"series": "%s%s{%s%s}" % (
        "" if stem == "up" else "glmproxy_", stem, TARGET, more),
            "values": values}


def _labels(alert):
    name, _, kind = alert.partition(" ")
    return '{alertname="Glmproxy%s"%s}' % (
        name, ',class="%s"' % kind if kind else "")


def _case(name, changes, looks):
    assert not set(changes) - set(HEALTHY), changes
    series = dict(HEALTHY, **changes)
    return {"name": name, "interval": "1m",
            "input_series": [_series(n, v) for n, v in series.items()
                             if v is not None],
            "promql_expr_test": [
                {"expr": FIRING, "eval_time": "%dm" % at,
                 "exp_samples": [{"labels": _labels(a), "value": 1}
                                 for a in alerts]}
                for at, alerts in looks]}


def alerts_expected():
    """Names of the alerts that some case wants to see."""
    return {"Glmproxy" + a.split()[0]
            for _, _, looks in CASES for _, alerts in looks for a in alerts}


def as_yaml(rules):
    """All cases as a file for promtool; JSON is YAML."""
    return json.dumps({"rule_files": [rules], "evaluation_interval": "30s",
                       "tests": [_case(*c) for c in CASES]}, indent=1)
