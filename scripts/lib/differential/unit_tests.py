"""Makes random unit tests of rules, and puts the answers that promtool gave into them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from pathlib import Path

METRICS = ("m0", "m1", "m2", "m3")
JOBS = ("a", "b")
INSTANCES = ("1", "2")
INTERVALS = ("30s", "1m", "1m", "2m")
# Expressions with places for metrics and recorded series; some fail on some inputs.
EXPRESSIONS = (
    "{m} > 2",
    "{m}",
    "{r} * 2",
    "rate({m}[3m]) > 0",
    "increase({m}[5m])",
    "sum by (job) ({m})",
    "sum by (job) (rate({m}[2m])) / on (job) sum by (job) (rate({n}[2m])) > 0.5",
    "{m} / {n}",
    "{m} / on (job) {n}",
    "{m} * on (job) group_left () sum by (job) ({n})",
    "{m} + on (job) group_left (inst) {n}",
    "avg without (inst) ({m}) > 1 or {n} > 4",
    "{m} and {n}",
    "{m} unless on (job) {n} > 3",
    "({m} or {n}) * 1",
    "absent({m})",
    'absent({m}{{job="c"}})',
    "max_over_time({r}[4m]) >= 1",
    "avg_over_time({m}[5m:])",
    "avg_over_time(({m} > 1)[4m:30s])",
    "{m} offset 1m",
    "{m} offset -1m",
    "{m} @ 120",
    "{r} - {m}",
    "count(ALERTS)",
    'count by (alertname, alertstate) (ALERTS{{alertstate="firing"}})',
    'ALERTS_FOR_STATE{{alertname="A0"}}',
    "changes({m}[5m]) > 0",
    "quantile(0.5, {m})",
    'count_values("v", {m})',
    'label_replace({m}, "inst", "x", "inst", ".*")',
    '{{__name__=~"m0|m1"}} * 2',
    "time() % 120 == bool 0",
    "vector(1)",
    "1",
    "histogram_quantile(0.9, h)",
    "histogram_count(h)",
    "rate(h[3m])",
    "sum(h)",
    "{m} ==",
    "stddev_over_time({m}[3m])",
    "predict_linear({m}[4m], 60) > 3",
    "topk(1, sum({m}))",
    "-{m}",
    "clamp_max({m}, 2)",
    "timestamp({m})",
    "resets({m}[5m])",
    "scalar({m}) + 1",
)
LABELS: tuple[dict[str, str], ...] = (
    {},
    {},
    {"severity": "page"},
    {"severity": "page", "team": "{{ $labels.job }}-team"},
    {"inst": "all"},
    {"job": "{{ $labels.nothing }}"},
    {"level": "{{ if eq $value 3.0 }}three{{ else }}other{{ end }}"},
)
ANNOTATIONS: tuple[dict[str, str], ...] = (
    {},
    {},
    {"summary": "{{ $labels.job }} on {{ $labels.inst }} is at {{ $value }}"},
    {"summary": "{{ $value | humanize }} in {{ $externalLabels.dc }} {{ $externalURL }}"},
    {"summary": '{{ printf "%.2f" $value }}', "runbook": "https://x/{{ $labels.job | toUpper }}"},
    {"n": 'all: {{ range query "sum by (job) (m0)" | sortByLabel "job" }}{{ .Value }} {{ end }}'},
    {"line": 'two\nlines "quoted"'},
)


class UnitTests:
    """One test file with its rule files."""

    def __init__(self, chance: random.Random) -> None:
        """Take the chance that decides all of it."""
        self.chance = chance
        self.n_rules = 0
        self.alerts: list[str] = []
        self.recorded: list[str] = ["r0"]

    def write(self, folder: Path) -> Path:
        """Write the files; return that with the tests."""
        chance = self.chance
        groups = [self.group(idx) for idx in range(chance.randint(1, 3))]
        (folder / "rules_a.yml").write_text(json.dumps({"groups": groups[:1]}))
        (folder / "rules_b.yml").write_text(json.dumps({"groups": groups[1:]}))
        order = [group["name"] for group in groups]
        chance.shuffle(order)
        files = [chance.choice(("rules_*.yml", "./rules_?.yml"))]
        if chance.random() < 0.2:
            files.append("missing*.yml")
        tests = {
            "rule_files": files,
            "evaluation_interval": chance.choice(INTERVALS),
            "group_eval_order": order,
            "fuzzy_compare": chance.random() < 0.3,
            "tests": [self.test(name) for name in ("first", "", "third")[: chance.randint(1, 3)]],
        }
        file = folder / "test.yml"
        # JSON is YAML, and says without doubt what is a text.
        file.write_text(json.dumps(tests, indent=1))
        return file

    def group(self, idx: int) -> dict[str, Any]:
        """Return a rule group."""
        chance = self.chance
        rules = [self.rule() for _ in range(chance.randint(1, 4))]
        group: dict[str, Any] = {"name": f"g{idx}", "rules": rules}
        if chance.random() < 0.1:
            group["limit"] = chance.choice((1, 2, 5))
        if chance.random() < 0.1:
            group["query_offset"] = chance.choice(("30s", "1m"))
        if chance.random() < 0.2:
            group["interval"] = "7s"
        if chance.random() < 0.15:
            group["labels"] = {"owner": "us"}
        return group

    def rule(self) -> dict[str, Any]:
        """Return a rule."""
        chance = self.chance
        self.n_rules += 1
        expr = self.expression()
        while expr.endswith("=="):
            expr = self.expression()
        if chance.random() < 0.45:
            name = f"r{chance.randint(0, 4)}"
            self.recorded.append(name)
            rule: dict[str, Any] = {"record": name, "expr": expr}
            if chance.random() < 0.5:
                rule["labels"] = {"rule": str(self.n_rules)}
            return rule
        name = f"A{chance.randint(0, 4)}"
        self.alerts.append(name)
        rule = {
            "alert": name,
            "expr": expr,
            "labels": {**chance.choice(LABELS), "rule": str(self.n_rules)},
            "annotations": chance.choice(ANNOTATIONS),
        }
        if chance.random() < 0.6:
            rule["for"] = chance.choice(("1m", "90s", "2m", "4m"))
        if chance.random() < 0.25:
            rule["keep_firing_for"] = chance.choice(("1m", "3m"))
        return rule

    def expression(self) -> str:
        """Return an expression."""
        chance = self.chance
        text = chance.choice(EXPRESSIONS)
        recorded = chance.choice(self.recorded)
        return text.format(m=chance.choice(METRICS), n=chance.choice(METRICS), r=recorded)

    def test(self, name: str) -> dict[str, Any]:
        """Return a test, most of whose expectations are wrong."""
        chance = self.chance
        test: dict[str, Any] = {
            "input_series": self.series(),
            "alert_rule_test": [self.alert_test() for _ in range(chance.randint(0, 4))],
            "promql_expr_test": [self.expr_test() for _ in range(chance.randint(0, 4))],
        }
        if name:
            test["name"] = name
        if chance.random() < 0.7:
            test["interval"] = chance.choice(INTERVALS)
        if chance.random() < 0.5:
            test["external_labels"] = {"dc": "north"}
            test["external_url"] = "http://bell:9090"
        return test

    def series(self) -> list[dict[str, str]]:
        """Return input series."""
        chance = self.chance
        found = [
            {"series": f'{metric}{{job="{job}",inst="{inst}"}}', "values": self.values()}
            for metric in METRICS
            for job in JOBS
            for inst in INSTANCES
            if chance.random() < 0.6
        ]
        if chance.random() < 0.3:
            values = "{{schema:0 sum:1 count:2 buckets:[1 1]}}+{{sum:2 count:1 buckets:[0 1]}}x9"
            found.append({"series": "h", "values": values})
        if chance.random() < 0.1:
            found.append({"series": 'r1{job="a"}', "values": "1x8"})
        return found

    def values(self) -> str:
        """Return values in a random notation."""
        chance = self.chance
        parts = []
        for _ in range(chance.randint(1, 4)):
            n, a, b = chance.randint(0, 6), chance.randint(0, 6), chance.choice((0, 1, 2, 0.5))
            shapes = (f"{a}+{b}x{n}", f"{a}-{b}x{n}", f"{a}x{n}", f"_x{n}", "stale", "_")
            parts.append(chance.choice((*shapes, str(a), f"{a}.25", "NaN", "1e2", "-3")))
        return " ".join(parts)

    def alert_test(self) -> dict[str, Any]:
        """Return an expectation of alerts."""
        chance = self.chance
        expected = [
            {"exp_labels": {"job": "a", "severity": "page"}, "exp_annotations": {"summary": "x"}},
            {"exp_labels": {"job": "b"}},
            {},
        ]
        return {
            "eval_time": self.moment(),
            "alertname": chance.choice([*self.alerts, "Nobody"]),
            "exp_alerts": expected[: chance.choice((0, 0, 1, 2, 3))],
        }

    def expr_test(self) -> dict[str, Any]:
        """Return an expectation of an expression."""
        expected = [{"labels": '{job="a"}', "value": 1.5}, {"labels": "m0", "value": 0}]
        return {
            "expr": self.expression(),
            "eval_time": self.moment(),
            "exp_samples": expected[: self.chance.choice((0, 0, 1, 2))],
        }

    def moment(self) -> str:
        """Return when something is expected."""
        return self.chance.choice(("0", "30s", "1m", "119s", "2m", "3m", "5m", "6m30s", "10m"))


LABEL = re.compile(r'([A-Za-z_]\w*|"(?:[^"\\]|\\.)*")=("(?:[^"\\]|\\.)*")')
ALERTS = re.compile(
    r"    alertname: (\S+), time: (\S+), \n        exp:.*?\n"
    r"        got:(\[\]|\[\n.*?\n            \])",
    re.DOTALL,
)
ALERT = re.compile(r"Labels:(\{.*?\})\n\s+Annotations:(\{.*?\})(?:,?\n)")
SAMPLES = re.compile(
    r"    expr: (\"(?:[^\"\\]|\\.)*\"), time: (\S+),\n        exp: .*\n        got: (.*)"
)
SAMPLE = re.compile(r'(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}) (\{\{.*?\}\}|\S+?)(?:, |$)')
NUMBERS = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}


def only_first(tests: str) -> str:
    """Return the first test alone: what is printed names neither test nor place."""
    made = json.loads(tests)
    return json.dumps({**made, "tests": made["tests"][:1]}, indent=1)


def with_answers(tests: str, err: str) -> str:
    """Return a test with what promtool got as what is expected."""
    made = json.loads(tests)
    alerts = {(name, time): alerts_of(got) for name, time, got in ALERTS.findall(err)}
    samples = {
        (json.loads(expr), time): SAMPLE.findall(got) for expr, time, got in SAMPLES.findall(err)
    }
    for test in made["tests"]:
        for case in test["alert_rule_test"]:
            key = (case["alertname"], said(case["eval_time"]))
            case["exp_alerts"] = alerts.get(key, case["exp_alerts"])
        for case in test["promql_expr_test"]:
            key = (case["expr"], said(case["eval_time"]))
            if key in samples:
                case["exp_samples"] = [expected(*sample) for sample in samples[key]]
    text = json.dumps(made, indent=1)
    return re.sub(r'"value": "(.*?)"', r'"value": \1', text)


def expected(labels: str, value: str) -> dict[str, str]:
    """Return a sample as it is expected."""
    if value.startswith("{{"):
        return {"labels": labels, "histogram": value}
    return {"labels": labels, "value": NUMBERS.get(value, value)}


def alerts_of(got: str) -> list[dict[str, Any]]:
    """Return the alerts of a list that promtool printed."""
    return [
        {"exp_labels": pairs(labels), "exp_annotations": pairs(annotations)}
        for labels, annotations in ALERT.findall(got)
    ]


def pairs(labels: str) -> dict[str, str]:
    """Return labels by name."""
    return {name.strip('"'): json.loads(value) for name, value in LABEL.findall(labels)}


def said(time: str) -> str:
    """Return a duration as it is printed."""
    return {"0": "0s", "119s": "1m59s"}.get(time, time)
