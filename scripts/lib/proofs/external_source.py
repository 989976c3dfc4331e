"""Shows rules over a cluster's series: a real Prometheus's, and a real VictoriaMetrics's.

Samples go to the cluster alone. Firebell asks it, tells when a rule fires, answers people's queries
from it, and writes what rules record there.
"""

from __future__ import annotations

import base64
import sys
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bench.systems import Prometheus, System, VictoriaMetrics, peers_if_any

from proofs import shop
from proofs.check import NOT_CHECKED, ProofError, Proofs, wait_for
from proofs.client import ask
from proofs.process import Firebell
from proofs.real_prometheus import indented
from proofs.remote_write import HEADERS, snappy, write_request
from proofs.world import FIRING, RESOLVED, Receiver

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

TELLS_SECONDS = 30.0
TENANT = "shop"
PASSWORD = "s3cret"  # noqa: S105 of a server that lives for seconds

RULES = """\
groups:
  - name: checkout
    interval: 1s
    rules:
      - record: job:failures:last
        expr: max by (job) (last_over_time(checkout_failures[10s]))
        labels: {recorded: "yes"}
      - alert: CheckoutFailing
        expr: job:failures:last > 5
        for: 1s
        labels: {severity: critical}
        annotations:
          summary: '{{ $value }} failed, {{ query "max(checkout_failures)" | first | value }} asked'
      - alert: Wrong
        expr: checkout_failures + on (job) group_left () {__name__=~"checkout_(failures|other)"}
"""


def main() -> int:
    """Show it; 77 when there are no clusters here."""
    proofs = Proofs()
    programs = peers_if_any()
    if programs is None:
        return NOT_CHECKED
    for kind in (Prometheus, VictoriaMetrics):
        with proofs.scene(f"rules over a real {kind.name}") as folder:
            play(proofs, folder, kind(folder, programs))
    return proofs.finish()


class Gate:
    """What stands before a cluster: wants credentials, and can be closed."""

    def __init__(self, port: int) -> None:
        """Begin to listen."""
        gate = self
        self.is_closed = False
        self.refused: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                gate.pass_on(self, port)

            do_GET = do_POST = answer  # noqa: N815 the library's names

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        """Serve in the background."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def pass_on(self, request: BaseHTTPRequestHandler, port: int) -> None:
        """Pass a request on to the cluster if it brings what is wanted."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        pair = base64.b64encode(f"rules:{PASSWORD}".encode()).decode()
        wanted = {"Authorization": f"Basic {pair}", "X-Tenant": TENANT}
        missing = [name for name, value in wanted.items() if request.headers.get(name) != value]
        if missing:
            self.refused.append(f"{request.path}: {missing}")
        status, answer, kind = 503, b"closed", "text/plain"
        if not missing and not self.is_closed:
            kept = ("content-type", "content-encoding", "x-prometheus-remote-write-version")
            headers = {k: v for k, v in request.headers.items() if k.lower() in kept}
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request(request.command, request.path, body, headers)
            got = connection.getresponse()
            status, answer = got.status, got.read()
            kind = got.headers.get("Content-Type", "")
            connection.close()
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)


def config(gate: Gate, receiver: Receiver) -> str:
    """Return a firebell.yml whose rules ask the cluster."""
    return f"""\
global: {{external_labels: {{site: eu}}}}
rule_files: [rules.yml]
source:
  prometheus:
    url: {gate.url}
    timeout: 5s
    headers: {{X-Tenant: {TENANT}}}
    basic_auth: {{username: rules, password: {PASSWORD}}}
alertmanager:
{indented(shop.alertmanager(receiver))}"""


def play(proofs: Proofs, folder: Path, cluster: System) -> None:
    """One cluster, from the first sample to a reboot of the network."""
    (folder / "rules.yml").write_text(RULES)
    try:
        cluster.start()
        with Gate(cluster.port) as gate, Receiver() as receiver:
            server = Firebell(folder, config(gate, receiver))
            with server:
                server.wait_ready()
                fires(proofs, cluster, server, receiver)
                queries(proofs, cluster, server)
                wait_for("written back", 20, lambda: value(cluster, "ALERTS") is not None)
                written_back(proofs, cluster)
                outage(proofs, cluster, gate, server)
                resolves(proofs, cluster, server, receiver)
                proofs.equal("every request brought credentials", gate.refused, [])
                proofs.equal("nothing was stored here", server.metric("firebell_series"), 0)
                proofs.equal("and it stops when asked", server.stop(), 0)
            proofs.check("no panic", "panicked" not in server.text(), server.tail())
            proofs.check("no secret is logged", PASSWORD not in server.text())
    finally:
        cluster.kill()


def feed(cluster: System, failures: float) -> None:
    """Write a sample of now to the cluster."""
    now = int(time.time() * 1000)
    series = {"__name__": "checkout_failures", "job": "shop"}
    other = {"__name__": "checkout_other", "job": "shop"}
    body = snappy(write_request([(series, [(now, failures)]), (other, [(now, 1.0)])]))
    answer = ask(cluster.port, "/api/v1/write", method="POST", body=body, headers=HEADERS)
    if answer.status // 100 != 2:
        raise ProofError(f"{cluster.name} refuses a sample: {answer.status} {answer.text()}")


def fires(proofs: Proofs, cluster: System, server: Firebell, receiver: Receiver) -> None:
    """See that a rule fires on what only the cluster has."""
    since = time.time()

    def told() -> bool:
        feed(cluster, 9)
        time.sleep(0.2)
        return receiver.has_told(FIRING, since)

    wait_for("firing told", TELLS_SECONDS, told)
    rules = {rule["name"]: rule for rule in all_rules(server)}
    summary = rules["CheckoutFailing"]["alerts"][0]["annotations"]["summary"]
    proofs.equal("templates ask the cluster too", summary, "9 failed, 9 asked")
    labels = rules["CheckoutFailing"]["alerts"][0]["labels"]
    proofs.equal("labels come from there", labels.get("job"), "shop")
    wrong = rules["Wrong"]
    proofs.equal("what the cluster refuses is the health of the rule", wrong["health"], "err")
    proofs.check("and says why", "duplicate" in wrong["lastError"], wrong["lastError"])


def all_rules(server: Firebell) -> list[Any]:
    """Return the rules as the API has them."""
    groups = server.json("/api/v1/rules")["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries(proofs: Proofs, cluster: System, server: Firebell) -> None:
    """Ask both the same; Firebell's page asks `query_range`."""
    now = time.time()
    span = f"start={now - 20:.0f}&end={now:.0f}&step=5"
    for path in (
        f"query?query=count(checkout_failures)&time={now:.3f}",
        f"query_range?query={quote('max(checkout_failures)')}&{span}",
        "series?match[]=checkout_failures",
        "labels?match[]=checkout_failures",
        "label/job/values?match[]=checkout_failures",
        f"query?query={quote('sum(')}",
    ):
        answers = [ask(port, f"/api/v1/{path}") for port in (cluster.port, server.port)]
        theirs, ours = ((it.status, it.json()) for it in answers)
        for _, body in (theirs, ours):
            body.pop("stats", None)
        proofs.equal(f"the same {path.split('?')[0]}", ours, theirs)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = server.ask("/api/v1/query", "POST", b"query=vector(7)", form)
    proofs.check("forms are passed on", b'"7"' in answer.body, answer.text())


def value(cluster: System, expr: str) -> float | None:
    """Return the first value of a query to the cluster."""
    answer = ask(cluster.port, f"/api/v1/query?query={quote(expr)}&nocache=1").json()
    result = answer["data"]["result"]
    return float(result[0]["value"][1]) if result else None


def written_back(proofs: Proofs, cluster: System) -> None:
    """See that what rules record is in the cluster, as a Prometheus would write it."""
    alerts = 'ALERTS{alertname="CheckoutFailing",alertstate="firing",severity="critical"}'
    # A cluster shows what it took a moment later.
    wait_for("ALERTS are seen", TELLS_SECONDS, lambda: value(cluster, alerts))
    recorded = 'job:failures:last{recorded="yes",job="shop",site="eu"}'
    for expr, wanted in ((recorded, 9.0), (alerts, 1.0)):
        proofs.equal(f"{expr} is in the cluster", value(cluster, expr), wanted)
    since = value(cluster, "time() - ALERTS_FOR_STATE")
    held = since is not None and 0 < since < TELLS_SECONDS
    proofs.check("ALERTS_FOR_STATE says since when", held, since)


def outage(proofs: Proofs, cluster: System, gate: Gate, server: Firebell) -> None:
    """Close the way for a while: rules say so, and what was recorded arrives later."""
    gate.is_closed = True

    def health() -> str:
        return str(all_rules(server)[0]["health"])

    wait_for("rules are in bad health", 15, lambda: health() == "err")
    error = all_rules(server)[0]["lastError"]
    proofs.check("the error says what is wrong", "503" in error, error)
    answer = server.ask("/api/v1/query?query=up")
    kind = answer.json().get("errorType")
    proofs.equal("queries too", (answer.status, kind), (503, "unavailable"))
    firing = [alert["labels"]["alertname"] for alert in server.alerts()]
    proofs.check("the alert burns on", "CheckoutFailing" in firing, firing)
    feed(cluster, 9)
    gate.is_closed = False
    wait_for("rules are in good health", 15, lambda: health() == "ok")
    pending = "firebell_source_samples_pending"
    wait_for("the queue is empty", 15, lambda: server.metric(pending) == 0)
    dropped = server.metric("firebell_source_samples_dropped_total")
    proofs.equal("nothing was dropped", dropped, 0)


def resolves(proofs: Proofs, cluster: System, server: Firebell, receiver: Receiver) -> None:
    """See the end of it."""
    since = time.time()

    def told() -> bool:
        feed(cluster, 1)
        time.sleep(0.2)
        return receiver.has_told(RESOLVED, since)

    wait_for("resolved told", TELLS_SECONDS, told)
    entries = [entry["status"] for entry in server.inbox()]
    proofs.equal("the inbox has both", sorted(set(entries)), [FIRING, RESOLVED])


if __name__ == "__main__":
    sys.exit(main())
