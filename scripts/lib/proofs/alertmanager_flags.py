"""Shows `firebell alertmanager` behind Alertmanager's own command line.

It goes the way of Alertmanager's acceptance suite: starts the binary with that suite's flags, reads
the port out of its log, posts, collects webhooks, reloads by SIGHUP. Then it asks a real
Alertmanager and Firebell the same, and compares answers field by field, where there is a real one
that is new enough.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from proofs.check import ROOT, ProofError, Proofs, wait_for
from proofs.client import Answer, ask, is_ready
from proofs.process import Process, binary, free_port, run
from proofs.world import Receiver

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACES = (Path.home() / ".cache/firebell-peers/usr/bin", ROOT / "target/peers/usr/bin")
# Answers have had today's fields since then.
NEWEST = (0, 33)
JSON = {"Content-Type": "application/json"}
STARTS_SECONDS = 20.0


class Alertmanager(Process):
    """`firebell alertmanager`, or the real one, on a port that it chooses."""

    def __init__(self, folder: Path, config: str, *flags: str, program: Path | None = None) -> None:
        """Prepare it with the flags of the acceptance suite."""
        self.config = folder / "alertmanager.yml"
        self.config.write_text(config)
        self.port = 0
        command: list[str | Path] = [program] if program else [binary(), "alertmanager"]
        command += [
            f"--config.file={self.config}",
            "--log.level=debug",
            "--web.listen-address=127.0.0.1:0",
            f"--storage.path={folder / 'data'}",
            "--cluster.listen-address=127.0.0.1:0",
            "--cluster.settle-timeout=0s",
            *flags,
        ]
        super().__init__(command, folder / "alertmanager.log")

    def wait_ready(self) -> None:
        """Read the port out of the log, then wait until it answers."""
        found = wait_for("`Listening on`", STARTS_SECONDS, lambda: _address(self.text()))
        self.port = int(found.rsplit(":", 1)[1])
        wait_for("ready", STARTS_SECONDS, lambda: is_ready(self.port) or self.ask("/").status)

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Answer:
        """Ask over HTTP."""
        sent = None if body is None else json.dumps(body).encode()
        return ask(self.port, path, method=method, body=sent, headers=JSON)


GRAPHED = {
    f"alertmanager_{name}"
    for name in (
        "alerts",
        "alerts_invalid_total",
        "alerts_received_total",
        "build_info",
        "cluster_enabled",
        "config_hash",
        "config_last_reload_success_timestamp_seconds",
        "config_last_reload_successful",
        "dispatcher_aggregation_groups",
        "inhibition_rules",
        "integrations",
        "receivers",
        "silences",
    )
}


def _address(log: str) -> str | None:
    lines = [line for line in log.splitlines() if "Listening on" in line]
    found = re.search(r"address=([^\s]+)", lines[0]) if lines else None
    return found.group(1) if found else None


def main() -> int:
    """Show it."""
    proofs = Proofs()
    with proofs.scene("the acceptance suite's way in") as folder:
        way_in(proofs, folder)
    with proofs.scene("a prefix, two addresses, limits, classic names") as folder:
        flags(proofs, folder)
    real = real_program()
    if real is None:
        proofs.skip("answers beside a real Alertmanager", "none of 0.33 or newer is here")
    else:
        with proofs.scene("the same answers as a real Alertmanager") as folder:
            side_by_side(proofs, folder, real)
    return proofs.finish()


def real_program() -> Path | None:
    """Return a real Alertmanager that has today's API."""
    for place in PLACES:
        program = place / "prometheus-alertmanager"
        if program.is_file():
            found = re.search(r"version (\d+)\.(\d+)", run([program, "--version"])[1])
            if found and (int(found.group(1)), int(found.group(2))) >= NEWEST:
                return program
    return None


def config(receiver: Receiver, wait: str = "1s") -> str:
    """Return routes with everything that answers tell of."""
    return f"""\
route:
  receiver: shop
  group_by: [alertname]
  group_wait: {wait}
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - receiver: nights
      matchers: [team="nights"]
      mute_time_intervals: [always]
    - receiver: disks
      matchers: [team="disks"]
inhibit_rules:
  - source_matchers: [severity="high"]
    target_matchers: [severity="low"]
    equal: [node]
time_intervals:
  - name: always
    time_intervals: [{{years: ['1970:2999']}}]
receivers:
  - name: shop
    webhook_configs: [{{url: 'http://{receiver.address}/webhook'}}]
  - name: nights
  - name: disks
    labels: {{kind: paging}}
"""


def way_in(proofs: Proofs, folder: Path) -> None:
    """Post, silence, reload, stop."""
    with Receiver() as receiver:
        with_labels = config(receiver).replace(
            "  routes:\n", "  labels: {about: '{{ .GroupLabels.alertname }}!'}\n  routes:\n"
        )
        server = Alertmanager(folder, with_labels)
        with server:
            server.wait_ready()
            status = server.ask("/api/v2/status").json()
            page = server.ask("/metrics").text().splitlines()
            names = {line.split("{")[0].split(" ")[0] for line in page}
            proofs.check("metrics that dashboards ask for", names >= GRAPHED, GRAPHED - names)
            proofs.check("it is its own peer", status["cluster"]["peers"][0]["address"], status)
            post(server, [{"labels": {"alertname": "Down", "node": "a"}}])
            told = wait_for("a webhook", 10, lambda: receiver.arrivals() or None)[0].body
            proofs.equal("route labels are told", told["routeLabels"], {"about": "Down!"})
            proofs.equal("item 46: the version", (told["version"], told["receiver"]), ("4", "shop"))
            groups = server.ask("/api/v2/alerts/groups").json()
            proofs.equal("and shown", groups[0]["routeLabels"], {"about": "Down!"})
            silences_as_people_do(proofs, server)
            server.config.write_text(with_labels.replace("kind: paging", "kind: mail"))
            server.send(signal.SIGHUP)
            wait_for("the reload", 10, lambda: "kind" in receivers(server, 'kind="mail"') or None)
            proofs.check("SIGHUP reloads", holds=True)
            server.config.write_text("route: {}\n")
            proofs.equal("a bad reload", server.ask("/-/reload", "POST").status, 500)
            for path in ("/-/healthy", "/-/ready"):
                answer = server.ask(path)
                proofs.equal(path, (answer.status, answer.text()), (200, "OK"))
                proofs.equal(f"HEAD {path}", server.ask(path, "HEAD").status, 200)
            removed(proofs, server)
            proofs.equal("SIGTERM ends it", server.stop(), 0)
        lines = [line for line in server.text().splitlines() if "level=" in line]
        proofs.check("the log is logfmt", len(lines) > 2, server.text()[:400])
        proofs.check("no panic", "panicked" not in server.text(), server.text()[-800:])
    code, said = run([binary(), "alertmanager", "--version"])
    proofs.check("--version", code == 0 and said.startswith("alertmanager, version "), said)


def silences_as_people_do(proofs: Proofs, server: Alertmanager) -> None:
    """Make a silence with the snippet that everyone has; it needs no library to be shown."""
    now = datetime.now(timezone.utc)
    silence = {
        "matchers": [{"name": "service", "value": "shop", "isRegex": False}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=2)).isoformat(),
        "createdBy": "me",
        "comment": "a deploy",
    }
    made = server.ask("/api/v2/silences", "POST", silence)
    silence_id = made.json()["silenceID"]
    kept = server.ask(f"/api/v2/silence/{silence_id}").json()
    is_equal = kept["matchers"][0]["isEqual"]
    proofs.check("item 62: isEqual is true when it is not said", is_equal is True, kept)
    proofs.check("item 61: moments have milliseconds", kept["endsAt"][-5] == ".", kept["endsAt"])
    for query, n_wanted in (("active=false", 0), ("expired=false&pending=false", 1)):
        found = server.ask(f"/api/v2/silences?{query}").json()
        proofs.equal(f"silences?{query}", len(found), n_wanted)


def receivers(server: Alertmanager, matcher: str) -> str:
    """Return the receivers with these labels, as text."""
    return server.ask(f"/api/v2/receivers?receiver_matchers={quote(matcher)}").text()


def removed(proofs: Proofs, server: Alertmanager) -> None:
    """Ask the first API, which is gone."""
    for method, path in (("GET", "/api/v1/status"), ("POST", "/api/v1/alerts")):
        answer = server.ask(path, method)
        proofs.equal(
            f"{method} {path}", (answer.status, answer.json()["status"]), (410, "deprecated")
        )


def flags(proofs: Proofs, folder: Path) -> None:
    """Start it with more flags."""
    other = free_port()
    with Receiver() as receiver:
        server = Alertmanager(
            folder,
            config(receiver, wait="0s"),
            f"--web.listen-address=127.0.0.1:{other}",
            "--web.route-prefix=/foo",
            "--web.get-concurrency=3",
            "--web.timeout=5s",
            "--silences.max-silences=1",
            "--alerts.per-alertname-limit=2",
            "--enable-feature=classic-mode",
            "--dispatch.start-delay=3s",
            "--data.retention=24h",
            "--auto-gomemlimit.ratio=0.9",
            "--log.format=json",
        )
        # The prefix holds for what the suite asks, too.
        server.start()
        try:
            text = wait_for("`Listening on`", STARTS_SECONDS, lambda: _json_address(server.text()))
            started = time.monotonic()
            server.port = int(text.rsplit(":", 1)[1])
            for port in (server.port, other):
                status = ask(port, "/foo/api/v2/status").status
                proofs.equal("with the prefix, on each address", status, 200)
            alerts = [{"labels": {"alertname": "Many", "i": str(i)}} for i in range(4)]
            refused = server.ask("/foo/api/v2/alerts", "POST", alerts)
            kept = server.ask("/foo/api/v2/alerts").json()
            proofs.equal("a limit per name", (refused.status, len(kept)), (200, 2))
            foreign = server.ask("/foo/api/v2/alerts", "POST", [{"labels": {"Σ": "x"}}])
            proofs.check("classic names", "invalid label set" in foreign.text(), foreign.text())
            wait_for("a webhook", 10, lambda: receiver.arrivals() or None)
            waited = time.monotonic() - started
            proofs.check("nobody is told before the delay", waited > 2, waited)
        finally:
            server.kill()


def _json_address(log: str) -> str | None:
    lines = [json.loads(line) for line in log.splitlines() if '"Listening on"' in line]
    return str(lines[0]["address"]) if lines else None


def post(server: Alertmanager, alerts: Sequence[dict[str, Any]]) -> None:
    """Post alerts that should be taken."""
    answer = server.ask("/api/v2/alerts", "POST", alerts)
    if answer.status != 200:
        raise ProofError(f"alerts: {answer.status} {answer.text()}")


def side_by_side(proofs: Proofs, folder: Path, real: Path) -> None:
    """Tell both the same, and compare what they say of it."""
    with Receiver() as receiver:
        places = [folder / "theirs", folder / "ours"]
        for place in places:
            place.mkdir()
        theirs = Alertmanager(places[0], config(receiver), program=real)
        ours = Alertmanager(places[1], config(receiver))
        with theirs, ours:
            both = (theirs, ours)
            for server in both:
                server.wait_ready()
            prepare(both)
            # Groups decide after a second; from then on time intervals are told.
            time.sleep(3)
            differ = []
            for method, path, body in REQUESTS:
                said = [shown(server, method, path, body) for server in both]
                if said[0] != said[1]:
                    differ.append(f"{method} {path} {body or ''}\n    {said[0]}\n    {said[1]}")
            proofs.holds_for("answers", len(REQUESTS), differ)
            amtool(proofs, folder, real.parent / "amtool", both)


def prepare(both: Sequence[Alertmanager]) -> None:
    """Post alerts of all kinds, and silences."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    times = {
        "startsAt": (now - timedelta(minutes=5)).isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
    }
    sets: list[dict[str, str]] = [
        {"alertname": "Disk", "team": "disks", "node": "a", "severity": "high"},
        {"alertname": "Slow", "node": "a", "severity": "low"},
        {"alertname": "Slow", "node": "b", "severity": "low", "Σ": "é", "empty": ""},
        {"alertname": "Night", "team": "nights"},
        {"alertname": "Muted", "node": "c"},
    ]
    for server in both:
        more = {"annotations": {"s": "x"}, "generatorURL": "http://p/g", **times}
        post(server, [{"labels": it, **more} for it in sets])
        matchers = [{"name": "alertname", "value": "Mut.*", "isRegex": True}]
        who = {"createdBy": "me", "comment": "why", "annotations": {"ticket": "1"}}
        silence = {"matchers": matchers, **times, **who}
        server.ask("/api/v2/silences", "POST", silence)
        later = {"startsAt": (now + timedelta(minutes=30)).isoformat()}
        other = [{"name": "x", "value": "y", "isRegex": False, "isEqual": False}, *matchers]
        server.ask("/api/v2/silences", "POST", {**silence, **later, "matchers": other})


def _requests() -> list[tuple[str, str, Any]]:
    filters = [
        "foo=bar", '"alertname"="Slow"', "alertname = Slow", "alertname=Slow baz", "alertname=",
        "foo==bar", "foo=!bar", "Σ=é", "foo.bar=x", '"foo bar"="x"', "0foo=x", "a:b=x",
        "alertname='Slow'", "alertname=Slow,", "alertname=Slow,node=a", 'Σ="\\u00e9"',
        "{alertname=Slow}", "alertname=Slow}", "foo", "=bar", "", 'alertname="Slow"x',
        'alertname="a', 'alertname=a"b', "alertname=~(", 'foo=""', 'foo!~".+"', "node!=a",
        'alertname=~"S.*"', "team!~nights|disks",
    ]  # fmt: skip
    got = [
        "alerts", "alerts?active=false", "alerts?silenced=false", "alerts?inhibited=false",
        "alerts?unprocessed=false", "alerts?receiver=shop", "alerts?receiver=sh",
        "alerts?receiver=(", "alerts?receiver_matchers=kind%3Dpaging",
        "alerts?receiver_matchers=kind", "alerts/groups", "alerts/groups?muted=false",
        "alerts/groups?silenced=false", "alerts/groups?inhibited=false",
        "alerts/groups?active=false", "alerts/groups?receiver=disks",
        "alerts/groups?receiver_matchers=kind%3Dpaging", "alerts/groups?filter=alertname%3DSlow",
        "alerts?active=maybe", "alerts?active=", "alerts?active=1", "receivers",
        "receivers?receiver_matchers=kind%3D%22paging%22", "receivers?receiver_matchers=x!!!",
        "silences", "silences?filter=x!%3Dy", "silences?filter=alertname%3D~%22Mut.*%22",
        "silences?filter=alertname%3DMuted", "silences?filter=x", "silence/none",
        "silence/00000000-0000-4000-8000-000000000000", "nothing", "status/x",
    ]  # fmt: skip
    ends = "2999-01-01T00:00:00Z"
    fine = {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": ends, "createdBy": "me", "comment": "c",
    }  # fmt: skip
    silences: list[Any] = [{k: v for k, v in fine.items() if k != without} for without in fine]
    silences += [
        {**fine, "matchers": []}, {**fine, "endsAt": "2020-01-01T00:00:00Z"},
        {**fine, "startsAt": ends}, {**fine, "id": "00000000-0000-4000-8000-000000000000"},
        {**fine, "matchers": [{"name": "a", "value": "", "isRegex": False}]},
        {**fine, "matchers": [{"name": "a", "value": "(", "isRegex": True}]},
        {**fine, "matchers": [{"name": "", "value": "x", "isRegex": False}]},
        {**fine, "matchers": [{"name": "a", "isRegex": False}]},
        {**fine, "matchers": [{"name": "a", "value": "x"}]},
    ]  # fmt: skip
    alerts: list[Any] = [
        [], [{"labels": {}}], [{}], [{"labels": {"x": ""}}],
        [{"labels": {"alertname": "T"}, "startsAt": ends, "endsAt": "2026-01-01T00:00:00Z"}],
        [{"labels": {"": "x"}}],
    ]  # fmt: skip
    return [
        *(("GET", f"/api/v2/alerts?filter={quote(it)}", None) for it in filters),
        *(("GET", f"/api/v2/{it}", None) for it in got),
        *(("POST", "/api/v2/silences", it) for it in silences),
        *(("POST", "/api/v2/alerts", it) for it in alerts),
        ("DELETE", "/api/v2/silence/none", None),
        ("DELETE", "/api/v2/silence/00000000-0000-4000-8000-000000000000", None),
        ("DELETE", "/api/v2/alerts", None),
        ("GET", "/api/v1/alerts", None),
        ("GET", "/api/v2/status", None),
        ("GET", "/-/healthy", None),
        ("GET", "/-/ready", None),
    ]


REQUESTS = _requests()


def shown(server: Alertmanager, method: str, path: str, body: Any) -> tuple[int, str, Any]:
    """Ask; return status, kind and body without what differs by nature."""
    answer = server.ask(path, method, body)
    kind = answer.kind.split(";")[0]
    try:
        return answer.status, kind, _steady(answer.json())
    except ProofError:
        # An empty body has no kind here.
        return answer.status, kind if answer.body else "", answer.text().strip()


VARIES = {"updatedAt", "id", "silencedBy", "uptime", "versionInfo", "original", "address", "name_"}


def _steady(value: Any) -> Any:
    if isinstance(value, list):
        return [_steady(it) for it in value]
    if isinstance(value, dict):
        cluster = {"name"} if "peers" in value or "address" in value else set()
        # Newer than the real one, and always there.
        value = {k: v for k, v in value.items() if k != "routeLabels"}
        return {k: "VARIES" if k in VARIES | cluster else _steady(v) for k, v in value.items()}
    if isinstance(value, str):
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", value)
        # Upstream's order of methods is chance.
        text = text.replace("[POST,GET]", "[GET,POST]")
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "MOMENT", text)
    return value


def amtool(proofs: Proofs, folder: Path, program: Path, both: Sequence[Alertmanager]) -> None:
    """Say what is left of amtool's commands to both."""
    silences = folder / "silences.json"
    now = datetime.now(timezone.utc)
    made = {
        "matchers": [{"name": "imported", "value": "yes", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=3)).isoformat(),
        "createdBy": "me",
        "comment": "imported",
    }
    silences.write_text(json.dumps([made, {**made, "comment": None}, made]))
    for arguments in (
        ["silence", "import", str(silences)],
        ["silence", "query", "imported=yes", "-o", "extended"],
        ["silence", "query", "--created-by=me", "imported=yes", "-o", "simple"],
        ["silence", "query", "--within=4h", "imported=yes"],
        ["cluster", "show"],
        ["config", "show"],
        ["config", "routes", "show"],
        ["config", "routes", "test", "--tree", "team=disks"],
        ["config", "routes", "test", "--verify.receivers=disks", "team=disks"],
        ["config", "routes", "test", "--verify.receivers=shop", "team=disks"],
        ["config", "routes", "test", "{foo=bar}"],
        ["alert", "query", "-o", "json", "--receiver=disks"],
        ["alert", "query", "--inhibited"],
        ["alert", "add", "Added", "node=z", "--generator-url=http://x", "--annotation=s=y"],
        ["alert", "query", "alertname=Added", "-o", "extended"],
    ):
        said = [_said(program, server, arguments) for server in both]
        if arguments == ["config", "show"]:
            # The file as it was written; the real one adds every default.
            said = [(code, []) for code, _ in said]
        what = " ".join(it for it in arguments if it != str(silences))
        proofs.equal(f"amtool {what}", said[1], said[0])


def _said(program: Path, server: Alertmanager, arguments: Sequence[str]) -> tuple[int, list[str]]:
    url = f"--alertmanager.url=http://127.0.0.1:{server.port}"
    code, text = run([program, "--no-version-check", url, *arguments])
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)
    text = re.sub(r"\b[0-9A-Z]{26}\b", "NAME", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?UTC|Z)?", "MOMENT", text)
    text = re.sub(str(server.config.parent), "FOLDER", text)
    return code, sorted(re.sub(r"\s+", " ", line).strip() for line in text.splitlines())


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    sys.exit(main())
