"""Shows what receivers are sent on the wire, kind by kind, beside a real Alertmanager.

Both programs get the same alertmanager.yml, the same alerts, and a fake receiver that remembers:
what arrives has to be equal but for who sends it. Then the receiver answers badly, and a message of
Slack is changed in place over a kill.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from proofs.check import ProofError, Proofs, T, wait_for
from proofs.client import ask, is_ready
from proofs.process import Firebell, Process, free_port
from proofs.real_prometheus import neighbour
from proofs.world import Served, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TELLS_SECONDS = 20.0
QUIET_SECONDS = 1.0
SLACK_OK = b'{"ok":true,"channel":"C7","ts":"17.5"}'

# Of each kind its section, one receiver with defaults and one with every option, and whether 429
# means "later". `BASE` is the fake's address; what follows it tells the receivers apart.
KINDS: dict[str, tuple[str, bool]] = {
    "webhook": (
        """
      - {url: 'BASE/webhook/plain'}
      - url: 'BASE/webhook/{{ .Status }}'
        max_alerts: 1
        http_config:
          basic_auth: {username: u, password: p}
          http_headers: {X-Team: {values: [db]}, X-Key: {secrets: [k]}}
      - {url: 'BASE/webhook/text', payload: 'text {{ .Status }}'}
      - {url: 'BASE/webhook/json', payload: '{{ .Alerts | toJson }}'}
      - url: 'BASE/webhook/map'
        payload:
          a: 1
          f: 1.0
          e: 1.5e3
          'c{{ .Status }}': '{{ .Status }}'
          d: [~, 'yes', '0x10', '010', '1_000', '2026-01-02', '~', '', 'a: b']
          count: '{{ len .Alerts }}'""",
        False,
    ),
    "pagerduty": (
        """
      - {routing_key: rk, url: 'BASE/pagerduty/plain'}
      - routing_key: 'rk-{{ .Status }}'
        url: 'BASE/pagerduty/all'
        description: 'd {{ .Status }}'
        severity: critical
        class: c
        component: co
        group: g
        client: cl
        client_url: http://cl
        details: {firing: x, deep: {list: [1, '{{ .Status }}']}, e: ''}
        images: [{src: s, alt: a, href: h}, {src: ''}]
        links: [{href: h, text: t}, {text: x}]""",
        True,
    ),
    "opsgenie": (
        """
      - {api_key: k, api_url: 'BASE/opsgenie/plain/'}
      - api_key: 'k-{{ .Status }}'
        api_url: 'BASE/opsgenie/all'
        message: m
        description: d
        source: s
        details: {x: '{{ .Status }}', job: over}
        entity: e
        responders: [{name: 'a,b', type: teams}, {id: i, type: User}]
        actions: 'one, two,,three'
        tags: ' t1,t2 ,'
        note: n
        priority: P1
        update_alerts: true""",
        True,
    ),
    "slack": (
        """
      - {api_url: 'BASE/slack/plain', send_resolved: true}
      - app_token: tok
        app_url: 'BASE/slack/app'
        message_text: mt
        channel: c
        send_resolved: true
        fields: [{title: a, value: b}]
        actions:
          - {type: button, text: x, url: u, name: n, confirm: {text: t}}
          - {type: button, text: x, name: n, value: v, confirm: {text: t}}""",
        True,
    ),
    "victorops": (
        """
      - {api_key: k/v, api_url: 'BASE/victorops/plain', routing_key: 'r {{ .Status }}?x'}
      - api_key: kv
        api_url: 'BASE/victorops/all/'
        routing_key: r
        message_type: WARNING
        state_message: s
        entity_display_name: e
        monitoring_tool: m
        custom_fields: {cf: '{{ .Status }}'}""",
        False,
    ),
    "msteams": (
        """
      - {webhook_url: 'BASE/msteams/plain'}
      - {webhook_url: 'BASE/msteams/all', title: t, summary: s, text: x}""",
        False,
    ),
    "msteamsv2": (
        """
      - {webhook_url: 'BASE/msteamsv2/plain'}
      - {webhook_url: 'BASE/msteamsv2/all', title: t, text: x}""",
        False,
    ),
}
# As many requests come when something resolves.
N_RECEIVERS = sum(text.count("\n      - ") for text, _ in KINDS.values())


def main() -> int:
    """Show it."""
    proofs = Proofs()
    with proofs.scene("what receivers are sent is what Alertmanager sends") as folder:
        same_as_alertmanager(proofs, folder)
    with proofs.scene("receivers that answer badly") as folder:
        bad_answers(proofs, folder)
    with proofs.scene("a message of Slack is changed in place, over a kill") as folder:
        changed_in_place(proofs, folder)
    return proofs.finish()


@dataclass(frozen=True)
class Request:
    """One request that arrived."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any = field(repr=False)


class Fake(Served):
    """Remembers every request. What it answers is said by the path's first part."""

    def __init__(self) -> None:
        """Begin to listen."""
        self.requests: list[Request] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                is_again = any(it.path == self.path for it in fake.requests)
                request = (self.command, self.path, headers, json.loads(body))
                fake.requests.append(Request(time.monotonic(), *request))
                case = self.path.split("/")[1]
                if case == "flaky" and not is_again:
                    answer(self, 500, b"not now", "text/plain")
                elif case == "busy" and not is_again:
                    self.send_response(429)
                    self.send_header("Retry-After", "2")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif case == "refuses":
                    answer(self, 400, b"never", "text/plain")
                else:
                    answer(self, 200, SLACK_OK, "application/json")

            do_PUT = do_POST  # noqa: N815 http.server's name

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def settled(self, since: int, n_min: int) -> list[Request]:
        """Wait for as many requests and then for quiet; return those since a number."""
        wait_for(f"{n_min} requests", TELLS_SECONDS, lambda: len(self.requests) - since >= n_min)
        while time.monotonic() - self.requests[-1].at < QUIET_SECONDS:
            time.sleep(0.1)
        return self.requests[since:]


def sections(base: str, kinds: dict[str, str]) -> str:
    """Return a receiver's sections."""
    return "".join(f"    {kind}_configs:{text}\n" for kind, text in kinds.items()).replace(
        "BASE", base
    )


def configuration(receivers: dict[str, str], interval: str) -> str:
    """Return an alertmanager.yml that sends by the label `case`, the first by default."""
    first = next(iter(receivers))
    routes = "".join(
        f"    - {{receiver: {name}, matchers: ['case=\"{name}\"']}}\n" for name in receivers
    )
    named = "".join(f"  - name: {name}\n{text}" for name, text in receivers.items())
    return (
        f"route:\n  receiver: {first}\n  group_by: [alertname, case]\n  group_wait: 1s\n"
        f"  group_interval: {interval}\n  repeat_interval: 1h\n  routes:\n{routes}"
        f"receivers:\n{named}"
    )


def stamp(at: float) -> str:
    """Return a moment as alerts have it."""
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z"


def alerts(
    name: str, *instances: str, case: str = "", start: float = 0.0, resolved: bool = False
) -> bytes:
    """Return alerts as a Prometheus posts them, which began now unless `start` says when."""
    labels = {"alertname": name, "job": "node", "port": "9100", "case": case}
    now = time.time()
    ends = {"endsAt": stamp(now)} if resolved else {}
    return json.dumps(
        [
            {
                "labels": {**labels, "instance": instance},
                "annotations": {"summary": '<it> & "more" é', "n": "5"},
                "startsAt": stamp(start or now),
                "generatorURL": "http://p/g?a=1&b=2",
                **ends,
            }
            for instance in instances
        ]
    ).encode()


def post(port: int, body: bytes) -> None:
    """Post alerts."""
    json_body = {"Content-Type": "application/json"}
    got = ask(port, "/api/v2/alerts", method="POST", body=body, headers=json_body)
    if got.status != 200:
        raise ProofError(f"alerts were not taken: {got.status} {got.text()}")


def firebell(folder: Path, config: str) -> Firebell:
    """Prepare a Firebell with an alertmanager.yml."""
    (folder / "am.yml").write_text(config)
    server = Firebell(folder, "alertmanager: am.yml\n")
    server.command = [*server.command, "--web.external-url=http://bell.example"]
    return server


def alertmanager(folder: Path, config: str) -> tuple[Process, int]:
    """Prepare a real Alertmanager."""
    (folder / "real.yml").write_text(config)
    port = free_port()
    command = [
        neighbour("prometheus-alertmanager"),
        f"--config.file={folder}/real.yml",
        f"--storage.path={folder}/alertmanager",
        "--cluster.listen-address=",
        "--web.external-url=http://bell.example",
        "--log.level=warn",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    return Process(command, folder / "alertmanager.log"), port


def ended(process: Process) -> bool:
    """Return whether a process has ended."""
    return process.popen is None or process.popen.poll() is not None


def shape(request: Request) -> tuple[str, str, str]:
    """Return what is the same whoever sends."""
    of_sender = ("user-agent", "host", "content-length", "accept-encoding", "accept", "connection")
    headers = {name: value for name, value in request.headers.items() if name not in of_sender}
    body = request.body
    if isinstance(body, dict):
        # Alertmanager 0.34's.
        body.pop("routeLabels", None)
    shown = json.dumps(body, ensure_ascii=False, sort_keys=True)
    shown = re.sub(r"20\d\d-\d\d-\d\dT[0-9:.]+Z", "TIME", shown)
    return f"{request.method} {request.path}", json.dumps(headers, sort_keys=True), shown


def told(fake: Fake, port: int) -> dict[str, list[tuple[str, str, str]]]:
    """Post what fires and then what has resolved; return what arrived, by what it was."""
    # An alert that is older than the group's wait would be told of before the next one is there.
    phases, start = {}, time.time()
    for phase, resolved in (("firing", False), ("resolved", True)):
        since = len(fake.requests)
        post(port, alerts("Down", "a", "b", start=start, resolved=resolved))
        phases[phase] = sorted(map(shape, fake.settled(since, N_RECEIVERS)))
    return phases


def same_as_alertmanager(proofs: Proofs, folder: Path) -> None:
    """Compare, request by request."""
    kinds = {kind: text for kind, (text, _) in KINDS.items()}
    with Fake() as ours, Fake() as theirs:
        config = configuration({"all": sections(f"http://{ours.address}", kinds)}, "1s")
        with firebell(folder, config) as server:
            server.wait_ready()
            got = told(ours, server.port)
            agents = {it.headers["user-agent"].split("/")[0] for it in ours.requests}
        proofs.equal("every request says who sends it", agents, {"Alertmanager"})
        counts = {phase: len(requests) for phase, requests in got.items()}
        proofs.equal(
            "every receiver is told, Opsgenie in three requests where it updates",
            counts,
            {"firing": N_RECEIVERS + 2, "resolved": N_RECEIVERS},
        )
        text = configuration({"all": sections(f"http://{theirs.address}", kinds)}, "1s")
        wanted = beside_real(proofs, folder, text, lambda port: told(theirs, port))
    if wanted is None:
        return
    for phase, requests in wanted.items():
        for one, other in zip(got[phase], requests, strict=False):
            proofs.equal(f"{phase}: {other[0][:70]}", one, other)


def beside_real(proofs: Proofs, folder: Path, text: str, tell: Callable[[int], T]) -> T | None:
    """Return what a real Alertmanager with this configuration tells; None, and why, without one."""
    try:
        real, port = alertmanager(folder, text)
    except ProofError as error:
        proofs.skip("beside a real Alertmanager", str(error))
        return None
    with real:
        wait_for("Alertmanager is up", TELLS_SECONDS, lambda: is_ready(port) or ended(real))
        if ended(real):
            proofs.skip("beside a real Alertmanager", "it is too old for this configuration")
            return None
        return tell(port)


def bad_answers(proofs: Proofs, folder: Path) -> None:
    """Let every kind hear 500, 429 and 400."""
    first = {kind: text.split("\n      - ")[1] for kind, (text, _) in KINDS.items()}
    with Fake() as fake:
        receivers = {
            case: sections(
                f"http://{fake.address}/{case}",
                {kind: f"\n      - {text}" for kind, text in first.items()},
            )
            for case in ("flaky", "busy", "refuses")
        }
        with firebell(folder, configuration(receivers, "20s")) as server:
            server.wait_ready()
            for case in receivers:
                post(server.port, alerts("Down", "a", case=case))
            again = len(KINDS) * 4 + sum(later for _, later in KINDS.values())
            fake.settled(0, again)
            failures = server.metric("alertmanager_notification_requests_failed_total")
            given_up = server.metric("alertmanager_notifications_failed_total")
            begun = server.metric("alertmanager_notifications_total")
    for kind, (_, is_later) in KINDS.items():
        at = {
            case: [it.at for it in fake.requests if it.path.startswith(f"/{case}/{kind}/")]
            for case in receivers
        }
        proofs.equal(f"{kind}: after a 500 it is told again", len(at["flaky"]), 2)
        proofs.equal(f"{kind}: after a 400 it is not", len(at["refuses"]), 1)
        wanted = 2 if is_later else 1
        proofs.equal(f"{kind}: after a 429, requests", len(at["busy"]), wanted)
        if is_later and len(at["busy"]) == wanted:
            waited = at["busy"][1] - at["busy"][0]
            proofs.check(f"{kind}: Retry-After is waited for", waited >= 1.9, f"{waited:.1f} s")
    proofs.check("failed requests are counted", failures >= len(KINDS) * 3, failures)
    wanted = len(KINDS) + sum(not later for _, later in KINDS.values())
    proofs.equal("and what was given up, once each", given_up, wanted)
    proofs.equal("of so many notifications", begun, len(KINDS) * 3)


def changed_in_place(proofs: Proofs, folder: Path) -> None:
    """Fire, be killed, fire more, resolve: one message and its changes."""
    with Fake() as fake:
        text = (
            f"\n      - app_token: tok\n        app_url: 'http://{fake.address}/chat.postMessage'"
            "\n        update_message: true\n        send_resolved: true\n        channel: '#ops'"
        )
        config = configuration({"all": sections("", {"slack": text})}, "1s")
        with firebell(folder, config) as server:
            server.wait_ready()
            post(server.port, alerts("Down", "a"))
            wait_for("the message", TELLS_SECONDS, lambda: fake.requests)
            metric = "alertmanager_notifications_total"
            wait_for("it is noted", TELLS_SECONDS, lambda: server.metric(metric) >= 1)
            time.sleep(0.3)
            server.kill()
            server.start()
            server.wait_ready()
            post(server.port, alerts("Down", "b"))
            wait_for("the change", TELLS_SECONDS, lambda: len(fake.requests) > 1)
            post(server.port, alerts("Down", "a", "b", resolved=True))
            fake.settled(0, 3)
    shown = [
        (it.path, it.body["channel"], it.body.get("ts"), it.body["attachments"][0]["title"][:10])
        for it in fake.requests
    ]
    wanted = [
        ("/chat.postMessage", "#ops", None, "[FIRING:1]"),
        ("/chat.update", "C7", "17.5", "[FIRING:2]"),
        ("/chat.update", "C7", "17.5", "[RESOLVED]"),
    ]
    proofs.equal("one message, changed twice", shown, wanted)
    tokens = {it.headers.get("authorization") for it in fake.requests}
    proofs.equal("each with the app's token", tokens, {"Bearer tok"})


if __name__ == "__main__":
    raise SystemExit(main())
