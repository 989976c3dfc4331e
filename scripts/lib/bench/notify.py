"""Prints how Firebell compares with Alertmanager at grouping, muting, listing and telling.

Usage: notify [--quick] [ROWS]       or `make bench-notify [QUICK=1] [ROWS=post,lists]`
  ROWS     of post, lists, silences, hang, million, acks; default: all
  --quick  a tenth of the alerts, rules and silences; targets are for the full size
  SYSTEMS  in the environment: of Alertmanager, Firebell; default: both

Both read the same alertmanager.yml and take the same flags; one runs at a time. `post` is processor
time, user and system, of the server alone, until it is quiet again; nobody is told before that. It
is the middle of five processes, as are the memory and the list after it. The others are the wall
time of an answer as a client sees it, body and all: the first one, since both keep what they found
out. A hanging receiver is one that takes the connection and never answers; its row is how much
later than otherwise the other receiver of the same alerts hears of them. The million is Firebell's
alone: how much memory it takes, and how long until it is ready again. So are the acknowledgements,
one after the other: of one incident in two by its page, of the others by the incident itself, each
answered when it is on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from statistics import median
from threading import Event
from typing import TYPE_CHECKING

from proofs.check import ProofError, wait_for
from proofs.client import ask
from proofs.process import binary
from proofs.world import Served, answer

from bench.load import TARGET, build
from bench.systems import System, peers
from bench.table import OURS, Row, Table, below

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SYSTEMS = ("Alertmanager", OURS)
ROWS = (
    Row("post", "60,000 alerts posted, 20,000 distinct: per alert", "us", below(4)),
    Row("groups", "GET /alerts/groups, 500 inhibit rules", "s", below(0.1)),
    Row("after_silences", "first GET /alerts after 2,000 silences", "s", below(0.1)),
    Row("alerts", "GET /alerts, 20,000 alerts", "s", below(0.1)),
    Row("memory", "resident memory, 20,000 alerts", "MiB", below(60)),
    Row("hang", "delay by a receiver that hangs", "s", below(0.25)),
    Row("ack", "10,000 open alerts, 500 incidents paged: an acknowledgement", "ms", below(20)),
    Row("ack_slowest", "the slowest of them", "ms"),
    Row("ack_cpu", "an acknowledgement: processor time", "ms"),
    Row("million_post", "a million alerts, 50,000 groups: per alert", "us"),
    Row("million_flush", "a million alerts: all groups are told after", "s"),
    Row("million_memory", "a million alerts: resident memory", "MiB", below(4096)),
    Row("million_ready", "a million alerts: ready after kill -9", "s", below(10)),
)
PARTS = ("post", "lists", "silences", "hang", "million", "acks")
ANSWER_SECONDS_MAX = 180.0
TOLD_SECONDS_MAX = 120.0
LOAD_SECONDS_MAX = 600
# The generator's alerts began five seconds ago: a shorter one would be over at once.
HANG_WAIT = "10s"
# A run of one takes a second or two.
POST_PROCESSES = 5
# So many may be open.
N_INCIDENTS = 500
ALERTS_OF_ONE = 20
ALERTS_AT_ONCE = 1000
N_NAMES = 50
N_TEAMS = 20


@dataclass(frozen=True)
class Size:
    """How much is loaded."""

    name: str
    n_alerts: int
    n_groups: int
    n_rules: int
    n_silences: int
    n_million: int


FULL = Size("full", 20_000, 1000, 500, 2000, 1_000_000)
QUICK = Size("quick", 2000, 100, 50, 200, 100_000)


def main() -> int:
    """Measure what is asked for; 0 when it could be measured, whatever came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", nargs="?", default="", help="such as post,lists")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    parts = {part for part in args.rows.split(",") if part} or {*PARTS}
    if unknown := parts - {*PARTS}:
        parser.error(f"unknown rows: {', '.join(sorted(unknown))}")
    systems = [s for s in os.environ.get("SYSTEMS", ",".join(SYSTEMS)).split(",") if s]
    try:
        bench = Bench(QUICK if args.quick else FULL, parts)
        for name in systems:
            bench.measure(name)
    except (ProofError, subprocess.CalledProcessError) as error:
        print(f"bench-notify: {error}", file=sys.stderr)
        return 1
    bench.finish()
    return 0


class Notifier(System):
    """Alertmanager, or Firebell in its place."""

    def __init__(self, folder: Path, name: str, program: Sequence[str | Path], config: str) -> None:
        """Prepare it with a configuration."""
        self.name = name
        super().__init__(folder)
        self.program = program
        self.config = self.folder / "alertmanager.yml"
        self.config.write_text(config)

    def commands(self) -> Sequence[Sequence[str | Path]]:
        """Return its command line."""
        return [
            [
                *self.program,
                f"--config.file={self.config}",
                f"--storage.path={self.data}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--cluster.listen-address=",
                "--log.level=error",
            ]
        ]

    def seconds_of(self, path: str, wanted: int) -> float:
        """Return how long a list takes, which has to have so many alerts."""
        began = time.monotonic()
        answer = ask(self.port, path, timeout=ANSWER_SECONDS_MAX)
        seconds = time.monotonic() - began
        found = answer.body.count(b'"fingerprint"')
        if answer.status != 200 or found != wanted:
            raise ProofError(f"{self.name}: {path}: {answer.status}, {found} alerts for {wanted}")
        return seconds


class Desk(System):
    """Firebell with incidents, whose pages nobody has answered yet."""

    name = OURS

    def __init__(self, folder: Path) -> None:
        """Prepare it with a configuration."""
        super().__init__(folder)
        self.config = self.folder / "firebell.yml"
        self.config.write_text(DESK)

    def commands(self) -> Sequence[Sequence[str | Path]]:
        """Return its command line."""
        options = [f"--config={self.config}", f"--data-dir={self.data}"]
        return [[binary(), "serve", *options, f"--listen=127.0.0.1:{self.port}"]]

    def post(self, path: str, body: object) -> None:
        """Post JSON, which has to be taken."""
        headers = {"Content-Type": "application/json"}
        data = json.dumps(body).encode()
        done = ask(self.port, path, method="POST", body=data, headers=headers)
        if done.status != 200:
            raise ProofError(f"{path}: {done.status} {done.text()[:200]}")

    def open_incidents(self) -> None:
        """Have as many alerts fire as it takes, and wait until somebody is paged of all of them."""
        alerts = [
            {"labels": {"alertname": f"Down{nth}", "service": f"svc-{idx}", "severity": "page"}}
            for idx in range(N_INCIDENTS)
            for nth in range(ALERTS_OF_ONE)
        ]
        for first in range(0, len(alerts), ALERTS_AT_ONCE):
            self.post("/api/v2/alerts", alerts[first : first + ALERTS_AT_ONCE])
        path = f"/api/firebell/v1/pages/INC-{N_INCIDENTS}"
        wait_for("all are paged", TOLD_SECONDS_MAX, lambda: ask(self.port, path).status == 200)

    def acknowledge(self) -> list[float]:
        """Acknowledge all of them; return how many seconds each took."""
        taken = []
        for idx in range(1, N_INCIDENTS + 1):
            began = time.monotonic()
            if idx % 2:
                body = {"by": "ana", "do": "ack"}
                self.post(f"/api/firebell/v1/incidents/INC-{idx}/acts", body)
            else:
                self.post(f"/api/firebell/v1/pages/INC-{idx}/acknowledge", {"by": "ana"})
            taken.append(time.monotonic() - began)
        return taken


class Receiver(Served):
    """Takes webhooks; while it hangs, those to `/hangs` are never answered."""

    def __init__(self) -> None:
        """Begin to listen."""
        # When, and of how many alerts.
        self.told: list[tuple[float, int]] = []
        self.hangs = False
        self.over = Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/hangs" and receiver.hangs:
                    receiver.over.wait(TOLD_SECONDS_MAX)
                    return
                if self.path != "/hangs":
                    told = (time.monotonic(), body.count(b'"fingerprint"'))
                    receiver.told.append(told)
                answer(self, 200, b"{}", "application/json")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    @property
    def n_alerts(self) -> int:
        """How many alerts it has heard of."""
        return sum(n_alerts for _, n_alerts in self.told)

    def __exit__(self, *args: object) -> None:
        """Let go of those that wait."""
        self.over.set()
        super().__exit__(*args)


class Bench:
    """One run."""

    def __init__(self, size: Size, parts: set[str]) -> None:
        """Fetch and build what it needs."""
        self.size = size
        self.parts = parts
        self.table = Table(size.name, ROWS, SYSTEMS)
        self.loadgen = build()
        self.programs: dict[str, list[str | Path]] = {
            "Alertmanager": [peers() / "alertmanager"],
            OURS: [binary(), "alertmanager"],
        }

    def measure(self, name: str) -> None:
        """Measure one system."""
        print(f"\n{name}", flush=True)
        if "post" in self.parts:
            self.measure_post(name)
        if "lists" in self.parts:
            rules = silent_rules(self.size.n_rules)
            self.with_system(name, config(rules), self.measure_groups)
        if "silences" in self.parts:
            self.with_system(name, config(), self.measure_silences)
        if "hang" in self.parts:
            self.measure_hang(name)
        if "million" in self.parts and name == OURS:
            self.measure_million(name)
        if "acks" in self.parts and name == OURS:
            self.measure_acks()

    def with_system(self, name: str, text: str, measure: Callable[[Notifier], None]) -> None:
        """Run something with a system whose folder and processes end with it."""
        with tempfile.TemporaryDirectory(prefix="firebell-bench-") as folder:
            system = Notifier(Path(folder), name, self.programs[name], text)
            try:
                system.start()
                measure(system)
            finally:
                system.kill()

    def post(self, system: Notifier, count: int, groups: int, rounds: int = 1) -> None:
        """Post alerts as Prometheus does, a hundred at a time."""
        command = [str(self.loadgen), "alerts", system.url, f"count={count}"]
        command += [f"groups={groups}", f"rounds={rounds}"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX, check=False
        )
        if done.returncode != 0:
            raise ProofError(f"{system.name}: {done.stderr[-500:]}\n{system.tail()}")

    def measure_post(self, name: str) -> None:
        """Three rounds of the same alerts; then memory and a plain list.

        The middle of some processes: such a run is short, and caches and neighbours make it a fifth
        cheaper or dearer.
        """
        size, rounds = self.size, 3
        figures: dict[str, list[float]] = {"post": [], "memory": [], "alerts": []}

        def measure(system: Notifier) -> None:
            system.settle()
            before = system.cpu()
            self.post(system, size.n_alerts, size.n_groups, rounds)
            system.settle()
            spent = (system.cpu() - before) / (size.n_alerts * rounds)
            figures["post"].append(spent * 1e6)
            figures["memory"].append(system.resident_mib())
            figures["alerts"].append(system.seconds_of("/api/v2/alerts", size.n_alerts))

        for _ in range(POST_PROCESSES):
            self.with_system(name, config(one_rule()), measure)
        for key, measured in figures.items():
            self.table.note(key, name, median(measured))

    def measure_groups(self, system: Notifier) -> None:
        """Take the list by groups, with many inhibit rules that no alert is a source of."""
        self.post(system, self.size.n_alerts, self.size.n_groups)
        system.settle()
        seconds = system.seconds_of("/api/v2/alerts/groups", self.size.n_alerts)
        self.table.note("groups", system.name, seconds)

    def measure_silences(self, system: Notifier) -> None:
        """Take the first list after many silences were added."""
        self.post(system, self.size.n_alerts, self.size.n_groups)
        system.settle()
        system.seconds_of("/api/v2/alerts", self.size.n_alerts)
        begins = datetime.now(timezone.utc)
        for idx in range(self.size.n_silences):
            matchers = [
                {"name": "service", "value": f"svc-{idx:05}", "isRegex": False},
                {"name": "instance", "value": f"10.9{idx % 10}.*", "isRegex": True},
            ]
            silence = {
                "matchers": matchers,
                "startsAt": begins.isoformat(),
                "endsAt": (begins + timedelta(hours=2)).isoformat(),
                "createdBy": "bench",
                "comment": "bench",
            }
            body = json.dumps(silence).encode()
            headers = {"Content-Type": "application/json"}
            path = "/api/v2/silences"
            done = ask(system.port, path, method="POST", body=body, headers=headers)
            if done.status != 200:
                raise ProofError(f"{system.name}: a silence: {done.status} {done.text()[:200]}")
        seconds = system.seconds_of("/api/v2/alerts", self.size.n_alerts)
        self.table.note("after_silences", system.name, seconds)

    def measure_hang(self, name: str) -> None:
        """How much later all groups are told when another receiver of theirs hangs."""
        seconds = {}
        for hangs in (False, True):
            with Receiver() as receiver:
                receiver.hangs = hangs
                waited: list[float] = []

                def measure(
                    system: Notifier, receiver: Receiver = receiver, waited: list[float] = waited
                ) -> None:
                    waited.append(self.told_after(system, receiver))

                self.with_system(name, two_receivers(receiver), measure)
                seconds[hangs] = waited[0]
        self.table.note("hang", name, max(0.0, seconds[True] - seconds[False]))

    def told_after(self, system: Notifier, receiver: Receiver) -> float:
        """Return the seconds until all alerts of a post were told of."""
        n_alerts = self.size.n_alerts // 10
        began = time.monotonic()
        self.post(system, n_alerts, self.size.n_groups // 10)
        wait_for("all told", TOLD_SECONDS_MAX, lambda: receiver.n_alerts >= n_alerts)
        return receiver.told[-1][0] - began

    def measure_million(self, name: str) -> None:
        """Post, group, tell, kill, and be back."""
        n_alerts, n_groups = self.size.n_million, self.size.n_million // 20
        with Receiver() as receiver:
            text = config(url=f"http://{receiver.address}/told", wait="2m")

            def measure(system: Notifier) -> None:
                began, before = time.monotonic(), system.cpu()
                self.post(system, n_alerts, n_groups)
                self.table.note("million_post", name, (system.cpu() - before) / n_alerts * 1e6)
                wait_for("all told", LOAD_SECONDS_MAX, lambda: receiver.n_alerts >= n_alerts)
                self.table.note("million_flush", name, time.monotonic() - began)
                self.table.note("million_memory", name, system.resident_mib())
                system.kill()
                began = time.monotonic()
                system.start()
                self.table.note("million_ready", name, time.monotonic() - began)

            self.with_system(name, text, measure)

    def measure_acks(self) -> None:
        """Acknowledge while thousands of alerts are open."""
        with tempfile.TemporaryDirectory(prefix="firebell-bench-") as folder:
            desk = Desk(Path(folder))
            try:
                desk.start()
                desk.open_incidents()
                desk.settle()
                before = desk.cpu()
                taken = sorted(desk.acknowledge())
                spent = desk.cpu() - before
            finally:
                desk.kill()
        self.table.note("ack", OURS, taken[len(taken) // 2] * 1e3)
        self.table.note("ack_slowest", OURS, taken[-1] * 1e3)
        self.table.note("ack_cpu", OURS, spent / len(taken) * 1e3)

    def finish(self) -> None:
        """Print and keep the figures."""
        size = self.size
        self.table.notes += [
            f"{size.n_alerts} alerts in {size.n_groups} groups, three routes",
            f"{size.n_rules} inhibit rules; {size.n_silences} silences",
            f"a million: {size.n_million} alerts",
        ]
        self.table.print()
        path = TARGET / "bench-notify.json"
        self.table.write(path)
        print(f"  figures: {path}")


DESK = """\
incidents: {open_when: ['severity="page"'], escalation: all}
oncall:
  people: {ana: {webhook: 'http://127.0.0.1:9/ana'}, ben: {webhook: 'http://127.0.0.1:9/ben'}}
escalation:
  all:
    - {notify: person:ana}
    - {after: 15m, notify: person:ben}
alertmanager:
  route: {receiver: inbox, group_by: [service], group_wait: 10m}
  receivers: [{name: inbox}]
"""


def config(rules: str = "", url: str = "http://127.0.0.1:9/", wait: str = "4m") -> str:
    """Return an alertmanager.yml with three routes; nobody is told before `wait` is over."""
    return f"""\
route:
  receiver: rest
  group_by: [service]
  group_wait: {wait}
  group_interval: 5m
  routes:
    - {{receiver: critical, matchers: [severity="critical", team=~"team-1.*"]}}
    - {{receiver: warning, matchers: [severity="warning"]}}
receivers:
  - {{name: rest, webhook_configs: [{{url: '{url}'}}]}}
  - {{name: critical, webhook_configs: [{{url: '{url}'}}]}}
  - {{name: warning, webhook_configs: [{{url: '{url}'}}]}}
inhibit_rules:
{rules or "  []"}
"""


def one_rule() -> str:
    """Return the rule that everybody has."""
    return (
        '  - {source_matchers: [severity="critical"], target_matchers: [severity="warning"], '
        "equal: [service, instance]}"
    )


def silent_rules(n_rules: int) -> str:
    """Return rules whose targets are there, while their sources are not."""
    rules = (
        f'  - {{source_matchers: [alertname="Down{idx}"], target_matchers: '
        f'[alertname=~"Alert{idx % N_NAMES}", team="team-{idx % N_TEAMS}"], equal: [service]}}'
        for idx in range(n_rules)
    )
    return "\n".join(rules)


def two_receivers(receiver: Receiver) -> str:
    """Return an alertmanager.yml in which every alert goes two ways."""
    return f"""\
route:
  receiver: other
  group_by: [service]
  group_wait: {HANG_WAIT}
  group_interval: 5m
  routes:
    - {{receiver: hangs, continue: true}}
    - {{receiver: other}}
receivers:
  - {{name: hangs, webhook_configs: [{{url: 'http://{receiver.address}/hangs'}}]}}
  - {{name: other, webhook_configs: [{{url: 'http://{receiver.address}/told'}}]}}
"""


if __name__ == "__main__":
    sys.exit(main())
