"""Asks a real Prometheus and Firebell the same over HTTP; what comes back has to be the same.

First over the same samples, which Prometheus writes here; then over the same configuration, which
both run. What cannot agree, such as times of evaluations, is left out by name.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bench.systems import peers, peers_if_any

from proofs import shop
from proofs.check import NOT_CHECKED, Proofs, wait_for
from proofs.client import ask, is_ready
from proofs.process import Firebell, Process, free_port, run
from proofs.world import Target

if TYPE_CHECKING:
    from pathlib import Path

STARTS_SECONDS = 30.0

# What differs from run to run, and what is of one program.
LEFT_OUT = {
    "activeAt",
    "evaluationTime",
    "file",
    "globalUrl",
    "groupNextToken",
    "lastError",
    "lastEvaluation",
    "lastScrape",
    "lastScrapeDuration",
    "timings",
}

# Over the samples: path and parameters; `{at}` is a moment at which both have the same.
ON_SAMPLES = [
    ("query", {"query": "up", "time": "{at}"}),
    ("query", {"query": "sort(checkout_total)", "time": "{at}", "limit": "1"}),
    ("query", {"query": "1+1", "time": "{at}"}),
    ("query", {"query": '"text"', "time": "{at}"}),
    ("query", {"query": "up", "time": "{at}", "lookback_delta": "1ms"}),
    ("query", {"query": "up[5s]", "time": "{at}"}),
    ("query", {"query": "max_over_time(up[10m:])", "time": "{at}"}),
    ("query", {"query": "rate(queue_depth[8s])", "time": "{at}"}),
    ("query", {"query": "sum("}),
    ("query", {"query": ""}),
    ("query", {}),
    ("query", {"query": "up", "time": "x"}),
    ("query", {"query": "up", "timeout": "x"}),
    ("query", {"query": "up", "lookback_delta": "x"}),
    ("query", {"query": "up", "limit": "x"}),
    ("query", {"query": "up", "limit": "-1"}),
    ("query", {"query": "up + on(a) group_left(b) up", "time": "{at}"}),
    ("query_range", {"query": "up", "start": "{from}", "end": "{at}", "step": "2"}),
    ("query_range", {"query": "up", "start": "{from}", "end": "{at}", "step": "2", "limit": "1"}),
    ("query_range", {"query": "1", "start": "{at}", "end": "{from}", "step": "2"}),
    ("query_range", {"query": "1", "start": "0", "end": "{at}", "step": "1"}),
    ("query_range", {"query": "1", "start": "0", "end": "1", "step": "0"}),
    ("query_range", {"query": "1", "start": "0", "end": "1"}),
    ("query_range", {"query": "sum(", "start": "0", "end": "1", "step": "1"}),
    ("query_range", {"query": '"x"', "start": "0", "end": "1", "step": "1"}),
    ("query_range", {"query": "up[1m]", "start": "0", "end": "1", "step": "1"}),
    ("query_exemplars", {"query": "1"}),
    ("query_exemplars", {"query": "sum("}),
    ("query_exemplars", {"query": "none", "start": "5", "end": "1"}),
    ("format_query", {"query": "foo/bar"}),
    ("format_query", {"query": "sum("}),
    (
        "format_query",
        {
            "query": "histogram_quantile(0.9,sum by(le)(rate(a_rather_long_name_of_a_metric_bucket"
            '{job="api-server",handler="/api/v1/query"}[5m])))/on(job)group_left -sum(foo)[1h:5m]'
        },
    ),
    (
        "format_query",
        {
            "query": "a_rather_long_name_of_a_metric{a='b'} + a_rather_long_name_of_a_metric "
            "- on(x) (another_rather_long_name_of_a_metric > bool 5)"
        },
    ),
    ("parse_query", {"query": 'sum by(a)(rate(foo{x="1"}[5m] offset 1m)) / on(b) -bar @ end()'}),
    ("parse_query", {"query": "max_over_time(foo[1h:5m] @ 123)+1.5+topk(2,x)"}),
    ("parse_query", {"query": 'label_replace(foo, "a", "$1", "b", "(.*)") unless 5m > bool x'}),
    ("parse_query", {"query": "sum("}),
    ("labels", {}),
    ("labels", {"match[]": "up", "limit": "2"}),
    ("labels", {"match[]": "up{"}),
    ("labels", {"match[]": "{}"}),
    ("labels", {"match[]": ""}),
    ("labels", {"match[]": "up offset 5m"}),
    ("labels", {"match[]": "up[5m]"}),
    ("labels", {"match[]": "sum(up)"}),
    ("labels", {"start": "x"}),
    ("labels", {"limit": "x"}),
    ("labels", {"limit": "99999999999999999999"}),
    ("label/job/values", {}),
    ("label/__name__/values", {"match[]": '{job="shop"}'}),
    ("label/outcome/values", {"limit": "1"}),
    ("label/U__outcome/values", {}),
    ("label/U__none_2e_such/values", {}),
    ("label/a.b/values", {}),
    ("label/job/values", {"match[]": "up", "start": "0", "end": "1"}),
    ("series", {"match[]": "queue_depth"}),
    ("series", {"match[]": "{}"}),
    ("series", {"match[]": '{a=""}'}),
    ("series", {"match[]": "up{"}),
    ("series", {}),
]

# Over the configuration.
ON_CONFIGURATION = [
    ("rules", {}),
    ("rules", {"type": "alert"}),
    ("rules", {"type": "record"}),
    ("rules", {"type": "x"}),
    ("rules", {"exclude_alerts": "true"}),
    ("rules", {"exclude_alerts": "x"}),
    ("rules", {"rule_name[]": "none"}),
    ("rules", {"rule_group[]": "b"}),
    ("rules", {"match[]": '{severity="low"}'}),
    ("rules", {"match[]": "{severity="}),
    ("rules", {"group_limit": "1"}),
    ("rules", {"group_limit": "0"}),
    ("rules", {"group_limit": "x"}),
    ("rules", {"group_next_token": "x"}),
    ("rules", {"group_limit": "1", "group_next_token": "x"}),
    ("alerts", {}),
    ("alertmanagers", {}),
    ("targets", {}),
    ("targets", {"state": "active"}),
    ("targets", {"state": "dropped"}),
    ("targets", {"scrapePool": "shop"}),
    ("scrape_pools", {}),
    ("metadata", {}),
    ("metadata", {"metric": "checkout_total"}),
    ("metadata", {"metric": "checkout_total", "limit_per_metric": "1"}),
    ("metadata", {"metric": "none"}),
    ("metadata", {"limit": "0"}),
    ("metadata", {"limit": "x"}),
    ("metadata", {"limit_per_metric": "x"}),
    ("targets/metadata", {"match_target": '{job="shop"}'}),
    ("targets/metadata", {"match_target": '{job="shop"}', "metric": "checkout_total"}),
    ("targets/metadata", {"match_target": '{job="none"}'}),
    ("targets/metadata", {"match_target": "{job="}),
    ("targets/metadata", {"limit": "x"}),
    ("status/tsdb", {"limit": "x"}),
    ("status/tsdb", {"limit": "0"}),
    ("status/walreplay", {}),
    ("notifications", {}),
    ("none", {}),
]

# What of these Grafana's data source sends on saving and in its editors.
GRAFANA = [
    ("POST", "query", {"query": "1+1", "time": "{at}"}),
    ("POST", "query_range", {"query": "up", "start": "{from}", "end": "{at}", "step": "15"}),
    ("POST", "query_exemplars", {"query": "up", "start": "{from}", "end": "{at}"}),
    ("POST", "labels", {"match[]": "up"}),
    ("POST", "series", {"match[]": '{job="shop"}', "start": "{from}", "end": "{at}"}),
    ("GET", "label/__name__/values", {"start": "{from}", "end": "{at}", "limit": "40000"}),
]

RULES = """\
groups:
  - name: a
    rules:
      - {record: one, expr: vector(1), labels: {kind: constant}}
      - {record: two, expr: vector(2)}
      - {alert: Burning, expr: vector(1) > 0, annotations: {summary: 'It is {{ $value }}'}}
      - {alert: Smouldering, expr: vector(1), for: 1h, labels: {severity: low}}
  - {name: b, interval: 7s, limit: 5, rules: [{record: three, expr: vector(3)}]}
  - {name: empty, rules: []}
"""

LIMITED = {
    "lim_samples": "sample_limit: 1",
    "lim_labels": "label_limit: 2",
    "lim_names": "label_name_length_limit: 3",
    "lim_values": "label_value_length_limit: 5",
    "lim_body": "body_size_limit: 10B",
    "lim_targets": "target_limit: 1",
}


def main() -> int:
    """Show it; 77 when there is no Prometheus 3 here, whose words these are."""
    proofs = Proofs()
    if peers_if_any() is None:
        return NOT_CHECKED
    with proofs.scene("the same samples") as folder, Target() as target:
        server = Firebell(folder, HEAD)
        queue = "queue_config: {batch_send_deadline: 300ms}"
        extra = f"remote_write: [{{url: '{server.url}/api/v1/write', {queue}}}]\n"
        prometheus, port = real_prometheus(folder, shop.scrape_of(target) + "\n" + extra)
        with server, prometheus:
            both_ready(server, port)
            samples_agree(proofs, port, server)
    with proofs.scene("the same configuration") as folder, Target() as target:
        (folder / "rules.yml").write_text(RULES)
        text = "rule_files: [rules.yml]\n" + shop.scrape_of(target) + "\n" + limited_jobs(target)
        prometheus, port = real_prometheus(folder, text)
        server = Firebell(folder, HEAD + text)
        with server, prometheus:
            both_ready(server, port)
            configurations_agree(proofs, port, server)
            proofs.check("no panic", "panicked" not in server.text(), server.tail())
    return proofs.finish()


HEAD = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"


def limited_jobs(target: Target) -> str:
    """Return jobs that exceed each limit, and one with a dropped target."""
    text = ""
    address = target.address
    for name, limit in LIMITED.items():
        targets = f"['{address}', '127.0.0.1:1']" if "target" in limit else f"['{address}']"
        text += f"  - {{job_name: {name}, {limit}, static_configs: [{{targets: {targets}}}]}}\n"
    drop = "relabel_configs: [{source_labels: [__address__], regex: '.*:2', action: drop}]"
    targets = "static_configs: [{targets: ['127.0.0.1:1', '127.0.0.1:2']}]"
    return text + f"  - {{job_name: dead, {drop}, {targets}}}\n"


def real_prometheus(folder: Path, text: str) -> tuple[Process, int]:
    """Prepare a real Prometheus with a configuration."""
    (folder / "prometheus.yml").write_text(HEAD + text)
    port = free_port()
    command = [
        str(peers() / "prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/prometheus",
        "--log.level=warn",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    return Process(command, folder / "prometheus.log"), port


def both_ready(server: Firebell, port: int) -> None:
    """Wait until both answer."""
    server.wait_ready()
    wait_for("Prometheus is ready", STARTS_SECONDS, lambda: is_ready(port))


def samples_agree(proofs: Proofs, port: int, server: Firebell) -> None:
    """Ask for samples and series."""
    time.sleep(12)
    latest = "query?" + urlencode({"query": "max(timestamp(up))"})
    found = ask(port, f"/api/v1/{latest}").json()["data"]["result"]
    at = float(found[0]["value"][1])
    wait_for(
        "the samples were written here",
        STARTS_SECONDS,
        lambda: (server.value("max(timestamp(up))") or 0) >= at,
    )
    moments = {"{at}": f"{at - 0.4:.3f}", "{from}": f"{at - 8.4:.3f}"}
    asked = [("GET", path, parameters) for path, parameters in ON_SAMPLES]
    compare(proofs, "over samples", (port, server.port), asked, moments)
    compare(proofs, "from Grafana", (port, server.port), GRAFANA, moments)
    gzipped(proofs, server)
    promtool(proofs, port, server, moments["{at}"])


def configurations_agree(proofs: Proofs, port: int, server: Firebell) -> None:
    """Ask for rules and targets."""
    wait_for(
        "all was evaluated and scraped",
        STARTS_SECONDS,
        lambda: is_settled(port) and is_settled(server.port),
    )
    asked = [("GET", path, parameters) for path, parameters in ON_CONFIGURATION]
    compare(proofs, "over configurations", (port, server.port), asked, {})
    errors = [
        {
            one["scrapePool"]: one["lastError"]
            for one in ask(each, "/api/v1/targets").json()["data"]["activeTargets"]
            if one["scrapePool"] in LIMITED
        }
        for each in (port, server.port)
    ]
    for name, theirs in errors[0].items():
        proofs.equal(f"the same failure of {name}", errors[1].get(name), theirs)


def is_settled(port: int) -> bool:
    """Say whether no rule is without an evaluation, and no target without a scrape."""
    rules = ask(port, "/api/v1/rules").text()
    targets = ask(port, "/api/v1/targets").text()
    fires = '"state":"firing"' in rules and '"state":"pending"' in rules
    # A real Prometheus takes up its targets five seconds after its start.
    has_targets = '"scrapePool":"dead"' in targets
    return fires and has_targets and '"unknown"' not in rules + targets


def compare(
    proofs: Proofs,
    what: str,
    ports: tuple[int, int],
    asked: list[tuple[str, str, dict[str, str]]],
    moments: dict[str, str],
) -> None:
    """Send each request to both."""
    differ = []
    for method, path, parameters in asked:
        text = urlencode({name: moments.get(it, it) for name, it in parameters.items()})
        wanted, got = (answer_of(port, method, path, text) for port in ports)
        if wanted != got:
            differ.append(f"{method} {path} {parameters}\n   wanted {wanted}\n   got    {got}")
    proofs.holds_for(f"the same answers {what}", len(asked), differ)


def answer_of(port: int, method: str, path: str, text: str) -> tuple[int, str, str]:
    """Return status, kind and body, as far as they can agree."""
    if method == "POST":
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = ask(port, f"/api/v1/{path}", method=method, body=text.encode(), headers=headers)
    else:
        answer = ask(port, f"/api/v1/{path}?{text}")
    kind = answer.kind.split(";")[0]
    if kind != "application/json":
        return answer.status, kind, answer.text().strip()
    return answer.status, kind, json.dumps(steady(answer.json()), sort_keys=True)


def steady(value: Any) -> Any:
    """Leave out what cannot agree, and the order of lists, which most answers leave open."""
    if isinstance(value, dict):
        kept = {name: steady(it) for name, it in value.items() if name not in LEFT_OUT}
        # What is newer than the real Prometheus is there beside what it has.
        for name, default in (("anchored", False), ("smoothed", False), ("fillValues", None)):
            if name in kept and kept[name] in (default, {"lhs": None, "rhs": None}):
                del kept[name]
        return kept
    if isinstance(value, list):
        items = [steady(it) for it in value]
        return sorted(items, key=lambda it: json.dumps(it, sort_keys=True))
    return value


def gzipped(proofs: Proofs, server: Firebell) -> None:
    """Show that a long answer is compressed when the client takes that."""
    plain = ask(server.port, "/api/v1/series?match[]=%7B__name__%3D~%22.%2B%22%7D")
    headers = {"Accept-Encoding": "gzip"}
    packed = ask(
        server.port, "/api/v1/series?match[]=%7B__name__%3D~%22.%2B%22%7D", headers=headers
    )
    proofs.equal("gzip", gzip.decompress(packed.body), plain.body)


def promtool(proofs: Proofs, port: int, server: Firebell, at: str) -> None:
    """Run promtool's queries against both."""
    tool = str(peers() / "promtool")
    ends = (f"http://127.0.0.1:{port}", server.url)
    start = f"{float(at) - 8:.3f}"
    window = [f"--start={start}", f"--end={at}"]
    for words, rest in (
        (["query", "instant", f"--time={at}"], ["queue_depth"]),
        (["query", "range", *window, "--step=2s"], ["queue_depth"]),
        (["query", "series", "--match=queue_depth", *window], []),
        (["query", "labels", *window], ["job"]),
    ):
        theirs, ours = (run([tool, *words, url, *rest]) for url in ends)
        said = [(code, sorted(text.splitlines())) for code, text in (ours, theirs)]
        proofs.equal(f"the same from `promtool {' '.join(words[:2])}`", *said)
    analyze = [
        "query",
        "analyze",
        "--server",
        "",
        "--type=histogram",
        "--match=shop_seconds_bucket",
    ]
    codes = []
    for url in ends:
        analyze[3] = url
        codes.append(run([tool, *analyze, "--duration=1m", f"--time={at}"])[0])
    proofs.equal("the same from `promtool query analyze`", codes[1], codes[0])
    for what in ("healthy", "ready"):
        code, text = run([tool, "check", what, f"--url={server.url}"])
        proofs.check(f"`promtool check {what}`", code == 0, text)


if __name__ == "__main__":
    sys.exit(main())
