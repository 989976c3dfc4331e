"""Shows Firebell among real neighbours: Debian's Prometheus, Alertmanager, amtool and promtool.

A real Prometheus sends its alerts and its samples here; the real tools work against Firebell, and
say the same as against a real Alertmanager that was told the same.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from proofs import shop
from proofs.check import NOT_CHECKED, ROOT, ProofError, Proofs, wait_for
from proofs.client import ask, is_ready
from proofs.process import Firebell, Process, free_port, run
from proofs.world import FIRING, INTEGRATIONS, RESOLVED, Receiver, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PEERS = ROOT / "target" / "peers" / "usr" / "bin"
STARTS_SECONDS = 30.0

RULES = """\
groups:
  - name: checkout
    rules:
      - alert: CheckoutFailing
        expr: |
          sum(rate(checkout_total{outcome="failed"}[4s])) / sum(rate(checkout_total[4s])) > 0.05
        for: 1s
        labels: {severity: critical}
        annotations: {summary: "{{ $value | humanizePercentage }} of checkouts fail"}
"""

# The same on both, at the same moment. Moments lie between two samples: Prometheus 2 takes a sample
# at the very start of a window, Prometheus 3 and Firebell do not.
QUERIES = (
    "checkout_total",
    "up",
    'rate(checkout_total{outcome="ok"}[5s])',
    "sum by (outcome) (increase(checkout_total[8s]))",
    "sum(checkout_total) without (outcome)",
    "irate(checkout_total[10s])",
    "delta(queue_depth[5s])",
    "avg_over_time(checkout_total[6s])",
    "max_over_time(checkout_total[6s]) - min_over_time(checkout_total[6s])",
    "stddev_over_time(checkout_total[6s])",
    "quantile_over_time(0.3, checkout_total[6s])",
    "count_over_time(checkout_total[6s])",
    "changes(checkout_total[6s])",
    "resets(checkout_total[6s])",
    "histogram_quantile(0.9, sum by (le) (rate(shop_seconds_bucket[6s])))",
    "topk(1, queue_depth)",
    "bottomk(1, queue_depth)",
    "quantile(0.4, queue_depth)",
    "count_values('n', queue_depth)",
    "queue_depth * on (instance) group_left up",
    'queue_depth > bool 5 or absent(nothing{a="b"})',
    'label_replace(queue_depth, "kind", "$1-x", "queue", "(.*)s?")',
    "max_over_time(rate(checkout_total[4s])[6s:2s])",
    "checkout_total offset 3s",
    "clamp(queue_depth, 4, 6) + vector(1)",
    "predict_linear(checkout_total[6s], 60)",
    "deriv(checkout_total[6s])",
    'queue_depth{queue=~"o.*"} unless queue_depth{queue!~".*s"}',
    "scalar(sum(queue_depth)) ^ 2 % 7",
    "timestamp(checkout_total)",
    "sort_desc(queue_depth)",
    "ALERTS",
)


def main() -> int:
    """Show it; 77 when there are no real neighbours here."""
    proofs = Proofs()
    try:
        (
            neighbour("prometheus"),
            neighbour("amtool"),
            neighbour("prometheus-alertmanager"),
        )
    except ProofError as error:
        print(f"not checked: {error}")
        return NOT_CHECKED
    with proofs.scene("a real Prometheus sends its alerts and samples") as folder:
        prometheus_sends(proofs, folder)
    with proofs.scene("amtool on Firebell and on a real Alertmanager") as folder:
        amtool_on_both(proofs, folder)
    return proofs.finish()


def neighbour(name: str) -> str:
    """Return the program of a neighbour."""
    found = shutil.which(name) or shutil.which(name, path=str(PEERS))
    if found is None:
        raise ProofError(f"there is no `{name}`; `make peers` fetches it")
    return found


def prometheus_sends(proofs: Proofs, folder: Path) -> None:
    """Prometheus as the source: of alerts, then of samples."""
    with Target() as target, Receiver() as receiver:
        server = Firebell(folder, f"alertmanager:\n{indented(shop.alertmanager(receiver))}")
        with server:
            server.wait_ready()
            prometheus = start_prometheus(folder, target, server)
            with prometheus:
                port = int(str(prometheus.command[-1]).rsplit(":", 1)[1])
                wait_for("Prometheus is ready", STARTS_SECONDS, lambda: is_ready(port))
                alerts_arrive(proofs, target, receiver, server)
                answers_agree(proofs, port, server)
            proofs.check("no panic", "panicked" not in server.text(), server.tail())


def start_prometheus(folder: Path, target: Target, server: Firebell) -> Process:
    """Prepare a Prometheus that scrapes the target, and knows of nobody but Firebell."""
    (folder / "rules.yml").write_text(RULES)
    (folder / "prometheus.yml").write_text(f"""\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
{shop.scrape_of(target)}
alerting:
  alertmanagers:
    - static_configs: [{{targets: ['127.0.0.1:{server.port}']}}]
remote_write:
  - url: {server.url}/api/v1/write
    queue_config: {{batch_send_deadline: 500ms}}
""")
    command = [
        neighbour("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/prometheus",
        "--rules.alert.resend-delay=1s",
        "--log.level=warn",
        f"--web.listen-address=127.0.0.1:{free_port()}",
    ]
    return Process(command, folder / "prometheus.log")


def alerts_arrive(proofs: Proofs, target: Target, receiver: Receiver, server: Firebell) -> None:
    """One fault leads to one message of each kind, however often Prometheus repeats itself."""
    wait_for("Prometheus has scraped", STARTS_SECONDS, lambda: target.n_scrapes > 5)
    fault_at = target.break_it()
    wait_for("firing told", STARTS_SECONDS, lambda: receiver.has_told(FIRING, fault_at))
    told_at = min(a.at for a in receiver.arrivals(fault_at))
    print(f"  fault to message: {told_at - fault_at:.1f} s")
    received = server.metric("alertmanager_alerts_received_total")
    alerts = server.json("/api/v2/alerts")
    proofs.equal("the alert is there", [a["labels"]["alertname"] for a in alerts], [shop.ALERT])
    proofs.check(
        "its link leads to Prometheus",
        "/graph?g0.expr=" in alerts[0]["generatorURL"],
        alerts,
    )
    time.sleep(4)
    again = server.metric("alertmanager_alerts_received_total") - received
    proofs.check("Prometheus sends it again and again", again >= 1, again)
    mended_at = target.mend()
    wait_for("resolved told", STARTS_SECONDS, lambda: receiver.has_told(RESOLVED, mended_at))
    time.sleep(2.5)
    counts = {
        (name, status): receiver.count(name, status)
        for name in INTEGRATIONS
        for status in (FIRING, RESOLVED)
    }
    proofs.equal("each integration was told once of each", set(counts.values()), {1})
    entries = [entry["status"] for entry in server.inbox()]
    proofs.equal("so was the inbox", sorted(entries), [FIRING, RESOLVED])


def answers_agree(proofs: Proofs, port: int, server: Firebell) -> None:
    """Ask both the same; the same samples lead to the same answers."""
    latest = {"query": "max(timestamp(up))"}
    sample_at = float(_query(port, "query", latest)["result"][0]["value"][1])
    wait_for(
        "the latest samples were written here",
        STARTS_SECONDS,
        lambda: (server.value("max(timestamp(up))") or 0) >= sample_at,
    )
    at = sample_at - 0.5
    window = {"start": at - 20, "end": at, "step": 2}
    differ = []
    for query in QUERIES:
        for kind, when in (("query", {"time": at}), ("query_range", window)):
            asked = {"query": query, **when}
            theirs, ours = (_query(p, kind, asked) for p in (port, server.port))
            if _comparable(theirs) != _comparable(ours):
                differ.append(f"{kind} {query}\n   theirs {theirs}\n   ours   {ours}")
    proofs.holds_for("the same answers as Prometheus", 2 * len(QUERIES), differ)
    for path in ("labels", "label/job/values", "series?match[]=queue_depth"):
        theirs, ours = (ask(p, f"/api/v1/{path}").json()["data"] for p in (port, server.port))
        proofs.equal(f"the same /api/v1/{path}", ours, theirs)
    ends = (f"http://127.0.0.1:{port}", server.url)
    for query in ("queue_depth", "sum(checkout_total)", "sum("):
        command = [neighbour("promtool"), "query", "instant", f"--time={at:.3f}"]
        theirs, ours = (run([*command, url, query]) for url in ends)
        proofs.equal(
            f"the same from `promtool query instant {query}`",
            *map(_sorted, (ours, theirs)),
        )


def _sorted(said: tuple[int, str]) -> tuple[int, list[str]]:
    return said[0], sorted(said[1].splitlines())


def _query(port: int, kind: str, asked: dict[str, Any]) -> Any:
    answer = ask(port, f"/api/v1/{kind}?{urlencode(asked)}").json()
    return answer.get("data") or answer


def _comparable(data: Any) -> Any:
    """Results without their order, and figures to twelve digits: sums may be made in any order."""
    result = data.get("result")
    if not isinstance(result, list):
        return data
    rounded = json.loads(json.dumps(result), parse_float=lambda it: round(float(it), 3))
    return sorted(json.dumps(_rounded(it), sort_keys=True) for it in rounded)


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(it) for it in value]
    if isinstance(value, dict):
        return {name: _rounded(it) if name != "metric" else it for name, it in value.items()}
    return f"{float(value):.12g}" if isinstance(value, str) else value


def amtool_on_both(proofs: Proofs, folder: Path) -> None:
    """Say the same commands, one after the other, to both."""
    with Receiver() as ours_told, Receiver() as theirs_told:
        (folder / "alertmanager.yml").write_text(amtool_config(theirs_told))
        alertmanager = Process(
            [
                neighbour("prometheus-alertmanager"),
                f"--config.file={folder}/alertmanager.yml",
                f"--storage.path={folder}/alertmanager",
                "--cluster.listen-address=",
                "--log.level=warn",
                f"--web.listen-address=127.0.0.1:{free_port()}",
            ],
            folder / "alertmanager.log",
        )
        server = Firebell(folder, f"alertmanager:\n{indented(amtool_config(ours_told))}")
        port = int(str(alertmanager.command[-1]).rsplit(":", 1)[1])
        with alertmanager, server:
            server.wait_ready()
            wait_for("Alertmanager is ready", STARTS_SECONDS, lambda: is_ready(port))
            both = Both(proofs, f"http://127.0.0.1:{port}", server.url)
            both.play()
            silenced_is_not_told(proofs, theirs_told, ours_told)
        proofs.check("no panic", "panicked" not in server.text(), server.tail())


def amtool_config(receiver: Receiver) -> str:
    """Return routes that amtool has something to say about."""
    return f"""\
route:
  receiver: shop
  group_by: [alertname]
  group_wait: 3s
  group_interval: 1m
  routes:
    - receiver: disks
      matchers: [team="disks"]
receivers:
  - name: shop
    slack_configs: &slack
      - api_url: http://{receiver.address}/slack
        channel: '#shop'
        title: '{{{{ range .Alerts }}}}{{{{ .Labels.alertname }}}} {{{{ end }}}}'
  - name: disks
    slack_configs: *slack
"""


def silenced_is_not_told(proofs: Proofs, theirs: Receiver, ours: Receiver) -> None:
    """See that what amtool silenced is not told of, and the rest is."""
    wait_for("messages", 20, lambda: min(len(told.arrivals()) for told in (theirs, ours)) >= 2)
    time.sleep(1.5)
    names = [sorted(n for a in told.arrivals() for n in a.alert_names) for told in (theirs, ours)]
    proofs.equal("who was told of what", names[1], names[0])
    proofs.check("the silenced alert is not among them", "Muted" not in names[1], names[1])


class Both:
    """amtool, against a real Alertmanager and against Firebell."""

    def __init__(self, proofs: Proofs, theirs: str, ours: str) -> None:
        """Remember where they are."""
        self._proofs = proofs
        self._urls = (theirs, ours)
        now = datetime.now(timezone.utc).replace(microsecond=0)
        self._start = (now - timedelta(minutes=5)).isoformat()
        self._end = (now + timedelta(hours=1)).isoformat()

    def play(self) -> None:
        """Alerts first, then silences that come, change and go."""
        silence = ["silence", "add", "--author=ops", "--comment=known", "--duration=1h"]
        self.same([*silence, "alertname=Muted"])
        for name, *labels in (
            ("DiskFull", "team=disks", "node=a", "--annotation=summary=No room on a"),
            ("DiskFull", "team=disks", "node=b"),
            ("Slow", "node=a", "--annotation=summary=Slow it is"),
            ("Muted", "node=c"),
        ):
            times = [f"--start={self._start}", f"--end={self._end}"]
            self.same(["alert", "add", *times, name, *labels])
        self.alerts()
        self.same([*silence, "node=~a|b", "team!=disks"])
        self.same([*silence, "broken=~("])
        self.same(["silence", "add", "alertname=NoComment"])
        self.silences()
        ids = [self.ids(url, ["alertname=Muted"]) for url in self._urls]
        self.each(["silence", "update", "--duration=2h", "--comment=changed"], ids)
        self.silences()
        slow = [self.ids(url, ["team!=disks"]) for url in self._urls]
        self.each(["silence", "expire"], slow)
        # Answered with 500 by the old Alertmanager and with 404 by today's.
        self.fails(["silence", "expire", "00000000-0000-4000-8000-000000000000"])
        self.silences()
        self.same(["alert", "query"])
        self.same(["config", "routes", "show"])
        self.same(["config", "routes", "test", "team=disks"])
        self.same(["config", "routes", "test", "team=other"])

    def alerts(self) -> None:
        """Look at alerts in every way that amtool has."""
        for options in (
            [],
            ["-o", "json"],
            ["-o", "extended"],
            ["--silenced"],
            ["--active"],
            ["--unprocessed"],
            ["--receiver=disks"],
            ["DiskFull"],
            ["node=~b|c"],
            ["alertname=Slow", "node!=b"],
            ["node=~("],
        ):
            self.same(["alert", "query", *options])

    def silences(self) -> None:
        """Look at silences in every way that amtool has."""
        for options in (
            [],
            ["-q"],
            ["-o", "json"],
            ["-o", "extended"],
            ["--expired"],
            ["node=a"],
        ):
            self.same(["silence", "query", *options])

    def ids(self, url: str, matchers: Sequence[str]) -> list[str]:
        """Return the ids of silences that have these matchers."""
        code, said = self.amtool(url, ["silence", "query", "-q", *matchers])
        found = said.split()
        if code != 0 or not found:
            raise ProofError(f"no silence with {matchers}: {code} {said}")
        return found

    def same(self, arguments: Sequence[str]) -> None:
        """Say a command to both; they should answer alike."""
        self.each(arguments, [[], []])

    def each(self, arguments: Sequence[str], more: Sequence[Sequence[str]]) -> None:
        """Say a command to both, each with arguments of its own."""
        theirs, ours = (
            _normal(self.amtool(url, [*arguments, *its]))
            for url, its in zip(self._urls, more, strict=True)
        )
        what = "amtool " + " ".join(arg for arg in arguments if not arg.startswith("--start"))
        self._proofs.equal(what, ours, theirs)

    def fails(self, arguments: Sequence[str]) -> None:
        """Say a command that both should refuse."""
        codes = [self.amtool(url, arguments)[0] for url in self._urls]
        self._proofs.equal(f"amtool {' '.join(arguments)}", codes, [1, 1])

    def amtool(self, url: str, arguments: Sequence[str]) -> tuple[int, str]:
        """Run amtool."""
        # The real tool is older than the API; it would say so each time.
        options = ["--no-version-check", f"--alertmanager.url={url}"]
        return run([neighbour("amtool"), *options, *arguments])


def _normal(said: tuple[int, str]) -> tuple[int, Any]:
    """Return what was said without ids, moments, addresses, and the order of independent lines."""
    code, text = said
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)
    try:
        return code, _without_moments(json.loads(text))
    except ValueError:
        text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?UTC|Z)?", "MOMENT", text)
        return code, sorted(re.sub(r"\s+", " ", line).strip() for line in text.splitlines())


def _without_moments(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((_without_moments(it) for it in value), key=json.dumps)
    if isinstance(value, dict):
        # When something was taken in differs by nature; when an alert starts and ends does not.
        moments = ("updatedAt", "startsAt", "endsAt") if "createdBy" in value else ("updatedAt",)
        return {k: _without_moments(v) for k, v in value.items() if k not in moments}
    return value


def indented(text: str) -> str:
    """Return a document as the value of a key."""
    return "".join(f"  {line}\n" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
