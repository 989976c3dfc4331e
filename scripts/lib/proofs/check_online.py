"""Shows `firebell check --server`: a real Firebell, a real Prometheus, one that is down or slow.

Both real servers get the same day of samples, so that the same must be found.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from bench.systems import peers_if_any

from proofs import sarif
from proofs.check import ProofError, Proofs, wait_for
from proofs.client import ask
from proofs.process import Firebell, binary, run
from proofs.shapes import CHECK, violations
from proofs.ways_in import RealPrometheus
from proofs.world import Served, answer

if TYPE_CHECKING:
    from pathlib import Path

MINUTES = 24 * 60
HOURS_GONE = 5
RULES = """\
groups:
  - name: shop
    interval: 1m
    rules:
      - {record: "a:typo", expr: "sum by (job) (http_request_total)"}
      - {record: "a:label", expr: "sum by (job) (up{jobs='a'})"}
      - {record: "a:value", expr: "sum by (job) (up{job='aa'})"}
      - {record: "a:known", expr: "sum by (job) (up{job=~'a|b'})"}
      - {record: "a:gone", expr: "sum by (job) (gone)"}
      - {record: "a:fails", expr: "label_replace(sum by (job) (up), 'job', 'x', 'x', '.*')"}
      - {record: "a:month", expr: "sum(increase(http_requests_total[60d]))"}
      - {record: "a:join", expr: "sum by (job) (up{job='a'}) / sum by (job) (up{job='b'})"}
      # pint disable promql/series(nothing)
      - {record: "a:off", expr: "sum(nothing)"}
      # pint rule/set promql/series min-age 1d
      - {record: "a:young", expr: "sum by (instance) (gone)"}
      - {alert: Level, expr: "level > 5", for: 5m}
      - {alert: Flapping, expr: "spikes > 5", for: 2m}
      - {alert: Once, expr: "spike > 5", for: 2m}
      - {alert: Distant, expr: "errors_ratio > 5", for: 2m}
      - {alert: Quiet, expr: "errors_ratio > 0.03", for: 2m}
      - alert: Empty
        expr: errors_ratio > 0.04
        for: 2m
        annotations: {summary: "{{ $labels.service }}"}
"""
# The line of each finding that is meant.
WANTED = {
    ("promql/series", 5),
    ("promql/series", 6),
    ("promql/series", 7),
    ("promql/series", 9),
    ("query/fails", 10),
    ("promql/range_query", 11),
    ("promql/vector_matching", 12),
    ("alerts/always", 17),
    ("alerts/flapping", 18),
    ("alerts/count", 19),
    ("alerts/distant", 20),
    ("alerts/template", 25),
}
ONLINE = ("promql/series", "query/", "alerts/always", "alerts/flapping", "alerts/count")
N_RULES = 1000
CONCURRENCY = 3


def samples(now: int) -> str:
    """Return a day of samples, one a minute, as OpenMetrics text."""
    lines = []
    moments = [now - 60 * n for n in reversed(range(MINUTES))]
    series: dict[str, Any] = {
        'up{job="a",instance="x"}': lambda _: 1,
        'up{job="b",instance="y"}': lambda _: 1,
        'http_requests_total{job="a"}': lambda n: n,
        'gone{job="a"}': lambda n: 1 if n < MINUTES - 60 * HOURS_GONE else None,
        "level": lambda _: 9,
        "spikes": lambda n: 9 if n % 20 < 8 else 1,
        "spike": lambda n: 9 if 500 <= n < 520 else 1,
        "errors_ratio": lambda _: 0.02,
    }
    for name, value in series.items():
        kept = [(at, value(n)) for n, at in enumerate(moments)]
        lines += [f"{name} {it} {at}" for at, it in kept if it is not None]
    return "\n".join(lines) + "\n# EOF\n"


def document(said: str) -> dict[str, Any]:
    """Return the JSON document, which errors for people may follow."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(said)[0]
    return found


def places(found: dict[str, Any]) -> set[tuple[str, int]]:
    """Return lint and line of every finding."""
    return {(it["id"], it["line"]) for it in found["findings"]}


def servers(proofs: Proofs, folder: Path) -> None:
    """Both say the same of the same samples."""
    programs = peers_if_any()
    rules, metrics = folder / "rules.yml", folder / "samples.txt"
    rules.write_text(RULES)
    now = int(time.time()) // 60 * 60
    metrics.write_text(samples(now))
    config = "storage: {retention: 15d}\n"
    bell = Firebell(folder, config)
    code, said = run([binary(), "import", metrics, "--data", bell.data], 60)
    proofs.check("the samples are imported", code == 0, said)
    with bell:
        bell.wait_ready()
        silence(bell)
        judged(proofs, "Firebell", rules, bell.url)
        fleet(proofs, folder, bell)
        if programs is None:
            proofs.skip("Prometheus says the same", "it is not here")
            return
        blocks: list[str | Path] = [
            programs / "promtool",
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            metrics,
        ]
        code, said = run([*blocks, folder / "prometheus"], 60)
        proofs.check("Prometheus has them too", code == 0, said)
        flags = ("--storage.tsdb.retention.time=15d",)
        # It has no silences; whom it sends its alerts to has.
        target = f"static_configs: [{{targets: ['127.0.0.1:{bell.port}']}}]"
        tells = f"alerting: {{alertmanagers: [{{{target}}}]}}\n"
        with RealPrometheus(folder, "prometheus", tells, *flags) as prometheus:
            prometheus.wait_ready()
            wait_for("Prometheus knows whom to tell", 30, lambda: knows_alertmanager(prometheus))
            judged(proofs, "Prometheus", rules, f"http://127.0.0.1:{prometheus.port}")


def knows_alertmanager(prometheus: RealPrometheus) -> bool:
    """Say whether it has found one."""
    said = ask(prometheus.port, "/api/v1/alertmanagers").json()
    return bool(said["data"]["activeAlertmanagers"])


def silence(bell: Firebell) -> None:
    """Silence what no rule makes."""
    body = {
        "matchers": [{"name": "alertname", "value": "Nope", "isRegex": False}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2040-01-01T00:00:00Z",
        "createdBy": "somebody",
        "comment": "",
    }
    headers = {"Content-Type": "application/json"}
    said = bell.ask("/api/v2/silences", "POST", json.dumps(body).encode(), headers)
    if said.status != 200:
        raise ProofError(f"no silence: {said.text()}")


def judged(proofs: Proofs, name: str, rules: Path, url: str) -> None:
    """Compare what is found with what was meant, in all formats."""
    words = ["--server", url, "--window", "1d"]
    check: list[str | Path] = [binary(), "check", *words]
    code, said = run([*check, "--format", "json", rules], 60)
    found = document(said)
    missing = WANTED - places(found)
    proofs.check(f"{name}: all that is meant is found", not missing, f"{missing}\n{said[:3000]}")
    area = {it for it in places(found) if it[0].startswith(ONLINE)}
    proofs.equal(f"{name}: and no more of these", sorted(area - WANTED), [])
    proofs.equal(f"{name}: an expression that fails is an error", code, 1)
    by_line = {(it["id"], it["line"]): it for it in found["findings"]}
    hint = by_line.get(("promql/series", 5), {}).get("hint", "")
    proofs.check(f"{name}: near names", "http_requests_total" in hint, hint)
    gone = by_line.get(("promql/series", 9), {}).get("message", "")
    proofs.check(f"{name}: since when", "no more since" in gone, gone)
    figures = {it["name"]: it for it in found["server"]["rules"]}
    proofs.equal(f"{name}: figures of every rule", len(figures), RULES.count("expr:"))
    known = figures["a:known"]
    proofs.check(
        f"{name}: series and samples", (known["series"], known["samples"]) == (2, 2), known
    )
    once = figures["Once"]["fired"]
    proofs.equal(f"{name}: fired once", (once["times"], once["longest"]), (1, 18 * 60))
    wrong = violations(CHECK, "document", found)
    proofs.check(f"{name}: the document is as promised", not wrong, wrong[:5])
    silences = [it for it in found["findings"] if it["id"] == "silences/unmatched"]
    right = [it["severity"] for it in silences] == ["warning"] and silences[0]["file"] == url
    proofs.check(f"{name}: a silence of nothing", right, silences)
    marks = {"text": "rules asked about in", "sarif": '"ruleId"', "github": "::warning"}
    for form, mark in marks.items():
        _, said = run([*check, "--format", form, rules], 60)
        proofs.check(f"{name}: as {form}", mark in said and "panicked" not in said, said[-500:])
        if form == "sarif":
            said = sarif.violations(rules.parent, document(said))
            proofs.check(f"{name}: which is SARIF", not said, said)


class Slow(Served):
    """Answers every query with nothing, counts how many come at once, and may want a token."""

    def __init__(self, *, token: str = "") -> None:
        """Begin to listen."""
        self.n_now = self.n_most = self.n_all = 0
        self.lock = threading.Lock()
        slow = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.do_GET()

            def do_GET(self) -> None:
                with slow.lock:
                    slow.n_now += 1
                    slow.n_all += 1
                    slow.n_most = max(slow.n_most, slow.n_now)
                time.sleep(0.002)
                with slow.lock:
                    slow.n_now -= 1
                if token and self.headers.get("Authorization") != f"Bearer {token}":
                    answer(self, 401, b"who are you?", "text/plain")
                    return
                kind = "matrix" if "query_range" in self.path else "vector"
                body = {"status": "success", "data": {"resultType": kind, "result": []}}
                answer(self, 200, json.dumps(body).encode(), "application/json")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)


def fleet(proofs: Proofs, folder: Path, bell: Firebell) -> None:
    """Ask a server about a thousand rules, while others use it too."""
    rule = "      - {alert: AN, expr: \"spikes{job!='N'} > 5\", for: 2m}\n"
    rules = [rule.replace("N", str(n)) for n in range(N_RULES)]
    file = folder / "fleet.yml"
    file.write_text("groups:\n  - name: g\n    rules:\n" + "".join(rules))
    words: list[str | Path] = [binary(), "check", "--format", "json", "--window", "1h", file]
    before = bell.cpu_seconds()
    _, said = run([*words, "--server", bell.url], 120)
    seconds = bell.cpu_seconds() - before
    found = document(said)
    n_asked = found["server"]["questions"]
    proofs.equal("a thousand rules are all judged", len(found["server"]["rules"]), N_RULES)
    print(f"  {n_asked} questions, {seconds:.2f} s of CPU of the server", flush=True)
    proofs.check("with few questions each", n_asked < 5 * N_RULES, n_asked)
    proofs.equal("the server lives", bell.ask("/-/ready").status, 200)
    with Slow() as slow:
        url = f"http://{slow.address}"
        run([*words, "--server", url, "--server-concurrency", str(CONCURRENCY)], 120)
        most = slow.n_most
    proofs.check("never more at once than allowed", 1 <= most <= CONCURRENCY, most)


def unreachable(proofs: Proofs, folder: Path) -> None:
    """Judge what needs no server all the same."""
    rules = folder / "rules.yml"
    rules.write_text(RULES.replace("level > 5", "level == NaN"))
    check: list[str | Path] = [binary(), "check", "--format", "json", rules, "--server"]
    code, said = run([*check, "http://127.0.0.1:1"])
    found = document(said)
    ids = {it["id"] for it in found["findings"]}
    proofs.equal("a server that is down is an error of IO", code, 2)
    proofs.check("which is a finding too", "server/unreachable" in ids, ids)
    proofs.check("and the rest is judged", "promql/nan" in ids, ids)
    with Slow(token="x") as server:  # noqa: S106 of a server that lives for seconds
        url = f"http://{server.address}"
        code, said = run([*check, url])
        proofs.check("a token is wanted", code == 2 and "401" in said, said[-300:])
        proofs.check("and it is not asked on and on", server.n_all < 10, server.n_all)
        code, said = run([*check, url, "--server-header", "Authorization: Bearer x"])
        ids = {it["id"] for it in document(said)["findings"]}
        proofs.check("and given", "server/unreachable" not in ids, said[-300:])
    wrong = (["ftp://a"], ["http://a", "--server-header", "x"], ["http://a", "--window", "0s"])
    for words in wrong:
        code, said = run([*check, *words])
        proofs.equal(f"usage: {' '.join(words)}", code, 2)
    code, _ = run([binary(), "check", rules, "--window", "1d"])
    proofs.equal("a window wants a server", code, 2)
