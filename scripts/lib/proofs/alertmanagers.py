"""Shows alerts on their way to Alertmanagers elsewhere, beside a real Prometheus's.

Both scrape the same shop and judge it by the same rules; what each posts is compared. One
Alertmanager is closed for a while, one is a real one, one comes and goes in a discovery file.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from proofs import shop
from proofs.check import NOT_CHECKED, ProofError, Proofs, wait_for
from proofs.client import ask, is_ready
from proofs.process import Firebell, Process, free_port
from proofs.real_prometheus import neighbour
from proofs.ways_in import RealPrometheus
from proofs.world import Served, Target, answer

if TYPE_CHECKING:
    from pathlib import Path

TELLS_SECONDS = 30.0
RESEND_SECONDS = 2
PASSWORD = "s3cret"  # noqa: S105 of a server that lives for seconds

RULES = """\
groups:
  - name: checkout
    interval: 1s
    rules:
      - alert: CheckoutFailing
        expr: |
          sum(rate(checkout_total{outcome="failed"}[4s])) / sum(rate(checkout_total[4s])) > 0.05
        for: 1s
        labels: {severity: critical, pod: shop-1}
        annotations: {summary: Customers cannot pay}
      - alert: Dropped
        expr: vector(1)
"""


def main() -> int:
    """Show it; 77 when the neighbours are not here."""
    proofs = Proofs()
    try:
        neighbour("prometheus-alertmanager")
    except ProofError as error:
        print(f"not checked: {error}")
        return NOT_CHECKED
    with proofs.scene("alerts for Alertmanagers elsewhere") as folder:
        play(proofs, folder)
    return proofs.finish()


@dataclass(frozen=True)
class Post:
    """One request with alerts."""

    at: float
    path: str
    authorization: str | None
    kind: str | None
    alerts: list[dict[str, Any]] = field(repr=False)


class Stub(Served):
    """Takes alerts like an Alertmanager, and can be closed."""

    def __init__(self) -> None:
        """Begin to listen."""
        self.posts: list[Post] = []
        self.is_closed = False
        self.may_answer = threading.Event()
        self.may_answer.set()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if stub.is_closed:
                    answer(self, 503, b"closed", "text/plain")
                    return
                of = self.headers.get
                post = (self.path, of("Authorization"), of("Content-Type"), json.loads(body))
                stub.posts.append(Post(time.time(), *post))
                if not stub.may_answer.wait(0):
                    stub.may_answer.wait(TELLS_SECONDS)
                    answer(self, 503, b"late", "text/plain")
                    return
                answer(self, 200, b"{}", "application/json")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def has_heard_of_the_end(self, since: float = 0.0) -> bool:
        """Return whether it was told that an alert is over."""
        posts = [post for post in self.posts if post.at >= since]
        return any(ends(alert) <= post.at for post in posts for alert in post.alerts)


def ends(alert: dict[str, Any]) -> float:
    """Return when an alert says that it ends."""
    return datetime.fromisoformat(alert["endsAt"].replace("Z", "+00:00")).timestamp()


def config(target: Target, stub: Stub, *more: str) -> str:
    """Return what Firebell and Prometheus are both told."""
    return f"""\
global:
  scrape_interval: 250ms
  scrape_timeout: 250ms
  evaluation_interval: 1s
  external_labels: {{site: eu, severity: none}}
rule_files: [rules.yml]
{shop.scrape_of(target)}
alerting:
  alert_relabel_configs:
    - {{source_labels: [alertname], regex: Dropped, action: drop}}
  alertmanagers:
    - path_prefix: /bell/
      basic_auth: {{username: shop, password: {PASSWORD}}}
      alert_relabel_configs: [{{regex: pod, action: labeldrop}}]
      relabel_configs:
        - {{source_labels: [__address__], regex: "dropped:1", action: drop}}
      static_configs: [{{targets: ['{stub.address}', 'dropped:1']}}]
{"".join(more)}"""


def play(proofs: Proofs, folder: Path) -> None:
    """From the first alert to the last."""
    (folder / "rules.yml").write_text(RULES)
    (folder / "found.json").write_text("[]")
    real = real_alertmanager(folder)
    with Target() as target, Stub() as theirs, Stub() as ours, Stub() as shaky, real:
        port = int(str(real.command[-1]).rsplit(":", 1)[1])
        wait_for("Alertmanager is ready", TELLS_SECONDS, lambda: is_ready(port))
        more = (
            f"    - static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
            f"    - static_configs: [{{targets: ['{shaky.address}']}}]\n"
            "    - file_sd_configs: [{files: [found.json]}]\n"
        )
        resend = f"--rules.alert.resend-delay={RESEND_SECONDS}s"
        prometheus = RealPrometheus(folder, "prometheus", config(target, theirs), resend)
        server = Firebell(folder, config(target, ours, *more))
        server.command = [*server.command, resend]
        with prometheus, server:
            server.wait_ready()
            prometheus.wait_ready()
            wait_for("both scrape", TELLS_SECONDS, lambda: target.n_scrapes > 40)
            shaky.is_closed = True
            target.break_it()
            stubs = (theirs, ours)
            wait_for("firing told", TELLS_SECONDS, lambda: all(it.posts for it in stubs))
            wait_for("told again", TELLS_SECONDS, lambda: len(ours.posts) > 3 < len(theirs.posts))
            same_posts(proofs, prometheus, server, theirs, ours)
            same_list(proofs, prometheus.port, server.port)
            heard_by_the_real_one(proofs, port)
            found_in_a_file(proofs, folder, server)
            job_changes_midway(proofs, folder, server)
            closed_for_a_while(proofs, target, server, ours, shaky)
        proofs.check("no panic", "panicked" not in server.text(), server.tail())


def real_alertmanager(folder: Path) -> Process:
    """Prepare a real Alertmanager that tells nobody."""
    (folder / "am.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    command = [
        neighbour("prometheus-alertmanager"),
        f"--config.file={folder}/am.yml",
        f"--storage.path={folder}/alertmanager",
        "--cluster.listen-address=",
        "--log.level=warn",
        f"--web.listen-address=127.0.0.1:{free_port()}",
    ]
    return Process(command, folder / "alertmanager.log")


def same_posts(
    proofs: Proofs, prometheus: RealPrometheus, server: Firebell, theirs: Stub, ours: Stub
) -> None:
    """Compare what both post: it differs in moments and in who they are only."""

    def shape(posts: list[Post], port: int) -> set[str]:
        shown = set()
        for post in posts:
            alerts = []
            for alert in post.alerts:
                url = str(alert["generatorURL"]).replace(str(port), "PORT").split("/graph")[1]
                steady = {"startsAt": "", "endsAt": "", "generatorURL": url}
                alerts.append({**alert, **steady})
            shown.add(json.dumps([post.path, post.authorization, post.kind, alerts]))
        return shown

    proofs.equal(
        "the same requests as Prometheus's",
        shape(ours.posts, server.port),
        shape(theirs.posts, prometheus.port),
    )
    for who, posts in (("Prometheus", theirs.posts), ("Firebell", ours.posts)):
        ahead = [ends(alert) - post.at for post in posts for alert in post.alerts]
        print(f"  {who} tells an end {min(ahead):.1f} to {max(ahead):.1f} s ahead")
        wanted = 4 * RESEND_SECONDS
        proofs.check(
            f"{who}: four resend delays ahead, but for its way",
            all(wanted - 1.5 < it <= wanted + 0.1 for it in ahead),
            ahead,
        )
    moments = [post.at for post in ours.posts]
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    proofs.check(
        "again after more than the resend delay",
        all(RESEND_SECONDS + 0.5 < gap < RESEND_SECONDS + 2.5 for gap in gaps),
        gaps,
    )


def same_list(proofs: Proofs, theirs: int, ours: int) -> None:
    """Compare what the API says of them."""
    answers = [ask(port, "/api/v1/alertmanagers").json()["data"] for port in (theirs, ours)]
    dropped = [it["droppedAlertmanagers"] for it in answers]
    proofs.equal("the same dropped Alertmanagers", dropped[1], dropped[0])
    active = [[one["url"] for one in it["activeAlertmanagers"]] for it in answers]
    path = "/bell/api/v2/alerts"
    proofs.check(
        "the path is the same",
        all(any(url.endswith(path) for url in urls) for urls in active),
        active,
    )


def heard_by_the_real_one(proofs: Proofs, port: int) -> None:
    """Look at a real Alertmanager: it has a label that the first one is not given."""
    alerts = wait_for(
        "the real one has it", TELLS_SECONDS, lambda: ask(port, "/api/v2/alerts").json() or None
    )
    labels = {
        "alertname": "CheckoutFailing",
        "pod": "shop-1",
        "severity": "critical",
        "site": "eu",
    }
    proofs.equal("a real Alertmanager has it", [it["labels"] for it in alerts], [labels])


def found_in_a_file(proofs: Proofs, folder: Path, server: Firebell) -> None:
    """One that a file names hears of what burns; one that it no longer names is forgotten."""
    found = folder / "found.json"
    with Stub() as stub:
        found.write_text(json.dumps([{"targets": [stub.address]}]))
        wait_for("the found one hears", TELLS_SECONDS, lambda: stub.posts or None)
        proofs.check("one in a file hears of it", stub.posts)
        found.write_text("[]")

        def is_gone() -> bool:
            active = server.json("/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
            return all(stub.address not in one["url"] for one in active)

        wait_for("the found one is gone", TELLS_SECONDS, is_gone)
        proofs.check("and is gone with the file's word", is_gone())


def job_changes_midway(proofs: Proofs, folder: Path, server: Firebell) -> None:
    """Change the job of one that has not answered yet: nothing newer overtakes what it was sent."""
    found = folder / "found.json"
    with Stub() as stub:
        stub.may_answer.clear()
        found.write_text(json.dumps([{"targets": [stub.address]}]))
        wait_for("the slow one is asked", TELLS_SECONDS, lambda: stub.posts or None)
        text = server.config.read_text()
        changed = text.replace("found.json]}]", "found.json]}]\n      timeout: 9s")
        reload(server, changed)
        time.sleep(2 * RESEND_SECONDS)
        proofs.equal("its successor waits for its answer", len(stub.posts), 1)
        stub.may_answer.set()
        wait_for("the slow one is asked again", TELLS_SECONDS, lambda: len(stub.posts) > 2)
        told = [ends(alert) for post in stub.posts for alert in post.alerts]
        proofs.equal("and no older state comes after a newer one", told, sorted(told))
        found.write_text("[]")
        reload(server, text)


def reload(server: Firebell, config: str) -> None:
    """Put a changed configuration in force."""
    since = server.status()["configLoadedAt"]
    server.config.write_text(config)
    server.send(signal.SIGHUP)
    server.wait_reloaded(since)


def closed_for_a_while(
    proofs: Proofs, target: Target, server: Firebell, ours: Stub, shaky: Stub
) -> None:
    """Open a closed Alertmanager: what was resolved meanwhile reaches it."""
    proofs.check("one that is closed hears nothing", not shaky.posts)
    proofs.check("its alerts wait", server.metric("prometheus_notifications_queue_length") >= 1)
    mended_at = target.mend()
    wait_for("the end is told", TELLS_SECONDS, lambda: ours.has_heard_of_the_end(mended_at))
    server.kill()
    server.start()
    server.wait_ready()
    shaky.is_closed = False
    wait_for("the closed one hears", TELLS_SECONDS, shaky.has_heard_of_the_end)
    proofs.check("after a kill and a restart, too, it hears of the end", shaky.posts)
    names = {alert["labels"]["alertname"] for post in shaky.posts for alert in post.alerts}
    proofs.equal("and of nothing that relabelling drops", names, {"CheckoutFailing"})
    proofs.equal("nothing was dropped", server.metric("prometheus_notifications_dropped_total"), 0)
    proofs.check("what was sent is counted", server.metric("prometheus_notifications_sent_total"))


if __name__ == "__main__":
    sys.exit(main())
