"""Shows that `kill -9` under 2,000 alerts a second loses no notification, whatever receivers do.

Every alert goes to four receivers: one that is willing, one that fails now and then, one that
answers late and one that sometimes does not answer at all. Each alert fires once, is sent again and
again as Prometheus does, and ends once everybody has heard of it.

Environment: `SEED` repeats the moments of a run; `FIREBELL_KILLS` says how many.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from proofs.check import ProofError, Proofs, median, wait_for
from proofs.process import Firebell
from proofs.world import FIRING, RESOLVED, Served, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KILLS = 10
ALERTS_PER_SECOND = 2_000
BATCH_SECONDS = 0.1
# Alerts that fire at a time, and how many begin with a batch.
LIVE = 800
BIRTHS = 4
GROUPS = 20
# How long everything may take to be told once nothing disturbs any more, on a machine with much
# to do.
SETTLE_SECONDS = 90.0
# How late a receiver's thread may note what has come.
STAMP_SECONDS = 0.1

CONFIG = """\
route:
  receiver: none
  group_by: [group]
  group_wait: 200ms
  group_interval: 1s
  repeat_interval: 4h
  routes:
{routes}
receivers:
  - name: none
{receivers}"""


@dataclass
class Heard:
    """One notification that a receiver took."""

    at: float
    group: str
    told: frozenset[tuple[str, str]]


class Receiver(Served):
    """A webhook that remembers what it took, and answers as its plan says."""

    def __init__(self, plan: Callable[[], tuple[int, float]]) -> None:
        """Begin; `plan` gives a status, 0 for no answer at all, and seconds until then."""
        self._lock = Lock()
        self.heard: list[Heard] = []
        self.n_refused = 0
        # By status, which alerts it knows in it.
        self.known: dict[str, set[str]] = {FIRING: set(), RESOLVED: set()}
        self.plan = plan
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                # A sender that was killed while it wrote has not delivered.
                if len(body) != length:
                    return
                status, delay = receiver.plan()
                if status == 200:
                    receiver.take(json.loads(body))
                else:
                    receiver.n_refused += 1
                time.sleep(delay)
                if status == 0:
                    self.close_connection = True
                else:
                    answer(self, status, b"", "text/plain")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def take(self, body: Any) -> None:
        """Remember a notification."""
        told = frozenset((a["labels"]["id"], a["status"]) for a in body["alerts"])
        with self._lock:
            self.heard.append(Heard(time.time(), body["groupKey"], told))
            for alert, status in told:
                self.known[status].add(alert)

    def knows(self, alert: str, status: str) -> bool:
        """Say whether it was told that the alert is in that state."""
        return alert in self.known[status]

    def by_group(self) -> dict[str, list[Heard]]:
        """Return what it took, by group, in order of time."""
        groups: dict[str, list[Heard]] = {}
        with self._lock:
            for heard in sorted(self.heard, key=lambda it: it.at):
                groups.setdefault(heard.group, []).append(heard)
        return groups


def plans(seed: int) -> dict[str, Callable[[], tuple[int, float]]]:
    """Return how each receiver behaves."""
    chance = random.Random(f"{seed} receivers")
    return {
        "willing": lambda: (200, 0.0),
        "failing": lambda: (chance.choice([200, 200, 500, 429, 503]), 0.0),
        "late": lambda: (200, chance.uniform(0.0, 0.8)),
        "hanging": lambda: (200, 0.0) if chance.random() < 0.8 else (0, 3.0),
    }


@dataclass
class Load:
    """Posts alerts without end, each batch until it is taken."""

    server: Firebell
    receivers: dict[str, Receiver]
    n_posted: int = 0
    n_tried_again: int = 0
    # Fires, and whether everybody has been told is not known yet.
    firing: deque[str] = field(default_factory=deque)
    began: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    births_go_on: bool = True
    is_over: Event = field(default_factory=Event)

    def run(self) -> None:
        """Post batch after batch at an even pace."""
        next_at = time.monotonic()
        while not self.is_over.is_set():
            self._post(self._batch())
            next_at = max(next_at + BATCH_SECONDS, time.monotonic() - 1.0)
            time.sleep(max(0.0, next_at - time.monotonic()))

    def _batch(self) -> bytes:
        now = datetime.now(timezone.utc)
        ends = self._ends(BIRTHS if self.births_go_on else len(self.firing))
        if self.births_go_on and len(self.firing) < LIVE:
            for _ in range(BIRTHS if self.began else LIVE // 2):
                alert = f"a{len(self.began):06}"
                self.began[alert] = now.isoformat()
                self.firing.append(alert)
        # Those that have waited longest; the newest stand at the end until they had their turn.
        n_again = min(int(ALERTS_PER_SECOND * BATCH_SECONDS) - len(ends), len(self.firing))
        newest = list(self.firing)[-BIRTHS:]
        again = [self.firing[i] for i in range(n_again)]
        self.firing.rotate(-n_again)
        later = (now + timedelta(minutes=5)).isoformat()
        posted = [self._alert(it, later) for it in dict.fromkeys([*newest, *again])]
        posted += [self._alert(it, now.isoformat()) for it in ends]
        self.n_posted += len(posted)
        return json.dumps(posted).encode()

    def _ends(self, n_max: int) -> list[str]:
        """Take out alerts of which everybody has heard."""
        told = [it for it in list(self.firing) if self._is_known(it)][:n_max]
        for alert in told:
            self.firing.remove(alert)
        self.ended += told
        return told

    def _is_known(self, alert: str) -> bool:
        return all(receiver.knows(alert, FIRING) for receiver in self.receivers.values())

    def _alert(self, alert: str, ends_at: str) -> Any:
        labels = {"alertname": "Load", "group": f"g{int(alert[1:]) % GROUPS:02}", "id": alert}
        return {
            "labels": labels,
            "annotations": {"summary": f"alert {alert} of the load"},
            "startsAt": self.began[alert],
            "endsAt": ends_at,
        }

    def _post(self, body: bytes) -> None:
        while not self.is_over.is_set():
            try:
                headers = {"Content-Type": "application/json"}
                if self.server.ask("/api/v2/alerts", "POST", body, headers).status == 200:
                    return
            except ProofError:
                pass  # It is just being killed.
            self.n_tried_again += 1
            time.sleep(0.01)


def main() -> int:
    """Run it; 0 when everything held."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    n_kills = int(os.environ.get("FIREBELL_KILLS") or KILLS)
    proofs = Proofs()
    title = f"{n_kills} kills under load (SEED={seed} repeats their moments)"
    with proofs.scene(title) as folder:
        play(proofs, folder, seed, n_kills)
    return proofs.finish()


def play(proofs: Proofs, folder: Path, seed: int, n_kills: int) -> None:
    """Kill under load, then let everything come to an end, and judge."""
    receivers = {name: Receiver(plan) for name, plan in plans(seed).items()}
    (folder / "alertmanager.yml").write_text(config(receivers))
    server = Firebell(folder, "alertmanager: alertmanager.yml\n")
    load = Load(server, receivers)
    poster = Thread(target=load.run)
    chance = random.Random(f"{seed} killer")
    kills: list[tuple[float, float]] = []
    with server:
        server.wait_ready()
        began_at = time.monotonic()
        poster.start()
        try:
            for _ in range(n_kills):
                time.sleep(chance.uniform(0.3, 3.0))
                killed_at = time.time()
                server.kill()
                server.start()
                kills.append((killed_at, server.wait_ready()))
            seconds = time.monotonic() - began_at
            n_posted = load.n_posted
            load.births_go_on = False
            settle(proofs, load)
        finally:
            load.is_over.set()
            poster.join()
        down = [1000 * (ready_at - at) for at, ready_at in kills]
        print(
            f"  {n_posted / seconds:.0f} alerts a second for {seconds:.0f} s, "
            f"{len(load.began)} different ones; "
            f"{sum(len(it.heard) for it in receivers.values())} notifications taken, "
            f"{sum(it.n_refused for it in receivers.values())} not, "
            f"{load.n_tried_again} posts tried again; "
            f"kill to ready again: median {median(down):.0f} ms, most {max(down):.0f} ms"
        )
    judge(proofs, load, kills, server.text())


def config(receivers: dict[str, Receiver]) -> str:
    """Return an alertmanager.yml by which everybody hears of everything."""
    routes = "".join(
        f"    - {{receiver: {name}, matchers: [alertname=Load], continue: true}}\n"
        for name in receivers
    )
    listed = "".join(
        f"  - name: {name}\n    webhook_configs:\n"
        f"      - {{url: 'http://{it.address}/', send_resolved: true"
        f"{', timeout: 1s' if name == 'hanging' else ''}}}\n"
        for name, it in receivers.items()
    )
    return CONFIG.format(routes=routes.rstrip("\n"), receivers=listed)


def settle(proofs: Proofs, load: Load) -> None:
    """Wait until every alert has fired, ended, and been told of, both times."""
    try:
        wait_for("everybody heard that every alert fires", SETTLE_SECONDS, lambda: not load.firing)
        wait_for(
            "everybody heard that every alert has ended",
            SETTLE_SECONDS,
            lambda: all(
                len(it.known[RESOLVED]) >= len(load.began) for it in load.receivers.values()
            ),
        )
    except ProofError as error:
        proofs.check("everything came to an end", holds=False, detail=error)


def judge(proofs: Proofs, load: Load, kills: list[tuple[float, float]], log: str) -> None:
    """Note what held."""
    proofs.check("alerts began all the while", len(load.began) > 10 * BIRTHS, len(load.began))
    for name, receiver in load.receivers.items():
        for status in (FIRING, RESOLVED):
            lost = [f"{it} was never told" for it in load.began if not receiver.knows(it, status)]
            what = f"`{name}` heard of every alert that it is {status}"
            proofs.holds_for(what, len(load.began), lost)
        repeated = [
            f"{group} again after {after.at - before.at:.2f} s"
            for group, heard in receiver.by_group().items()
            for before, after in pairwise(heard)
            if before.told == after.told
            and not any(
                before.at - STAMP_SECONDS <= until and at <= after.at for at, until in kills
            )
        ]
        what = f"and nothing of `{name}` twice but for a kill"
        proofs.holds_for(what, len(receiver.heard), repeated)
    bad = [
        line
        for line in log.splitlines()
        if any(word in line for word in ("panicked", "damage", "journal is behind"))
    ]
    proofs.holds_for("no panic, no damage", len(kills), bad)


if __name__ == "__main__":
    sys.exit(main())
