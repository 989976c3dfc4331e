"""Shows that `kill -9` at random moments loses no page: the demo's path, again and again.

Several lanes at once, each with its own Firebell, target, receiver and killer. Rounds of a fault
that comes and goes follow each other; the killer strikes at moments of its own.

Environment: `SEED` repeats the moments of a run; `FIREBELL_KILLS` says how many.
"""

from __future__ import annotations

import os
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import pairwise
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from proofs import shop
from proofs.check import ProofError, Proofs, median, wait_for
from proofs.process import Firebell
from proofs.world import FIRING, INTEGRATIONS, RESOLVED, Receiver, Target

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 50
LANES = 4
# A hop may take this long, with a restart or two, a receiver that hangs, and a busy machine.
HOP_SECONDS = 30.0
SLACK_SECONDS = 2.0
WATCH_SECONDS = 0.05
# How late a receiver's thread, on a machine with much to do, may note what has come.
STAMP_SECONDS = 0.1


@dataclass(frozen=True)
class Kill:
    """One process that was killed, and when the next one was ready."""

    at: float
    ready_at: float
    during: str


@dataclass(frozen=True)
class Seen:
    """The alert as it was shown at one moment."""

    at: float
    active_at: float
    fired_at: float | None


@dataclass
class Violations:
    """What did not hold, by what should."""

    n_rounds: int = 0
    unsent: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    inbox: list[str] = field(default_factory=list)
    timers: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    n_repeated: int = 0


class Lane:
    """One Firebell and its killer."""

    def __init__(self, idx: int, folder: Path, seed: int, n_kills: int) -> None:
        """Set the stage; nothing runs yet."""
        self.idx = idx
        self.n_kills = n_kills
        self.found = Violations()
        self.kills: list[Kill] = []
        self._chance = random.Random(f"{seed} killer {idx}")
        self._modes = random.Random(f"{seed} modes {idx}")
        self._target = Target()
        self._receiver = Receiver()
        folder.mkdir()
        config = shop.firebell(folder, self._target, self._receiver)
        self.server = Firebell(folder, config)
        self._seen: list[Seen] = []
        self._is_over = Event()

    def run(self) -> None:
        """Play rounds until every kill has happened, then look at what is left."""
        with self._target, self._receiver, self.server:
            self.server.wait_ready()
            killer, watcher = Thread(target=self._kill_all), Thread(target=self._watch)
            killer.start()
            watcher.start()
            try:
                while killer.is_alive():
                    self._round()
            except ProofError as error:
                self.found.log.append(f"lane {self.idx}: {error}")
            finally:
                killer.join()
                self._is_over.set()
                watcher.join()
            self._end()

    def _kill_all(self) -> None:
        """Strike at random moments: any time, as a message arrives, and twice in a row."""
        try:
            while len(self.kills) < self.n_kills:
                kind = self._chance.choice(["any", "any", "delivery", "replay"])
                if kind == "delivery":
                    self._receiver.wait_next(6.0)
                    time.sleep(self._chance.uniform(0, 0.4))
                else:
                    time.sleep(self._chance.uniform(0.2, 6.0))
                self._kill(kind)
        except ProofError as error:
            self.found.log.append(f"lane {self.idx}: {error}")

    def _kill(self, kind: str) -> None:
        at = time.time()
        self.server.kill()
        self.server.start()
        if kind == "replay" and len(self.kills) + 1 < self.n_kills:
            time.sleep(self._chance.uniform(0, 0.03))
            second_at = time.time()
            self.server.kill()
            self.server.start()
            ready_at = self.server.wait_ready()
            self.kills += [
                Kill(at, ready_at, "replay"),
                Kill(second_at, ready_at, "replay"),
            ]
        else:
            self.kills.append(Kill(at, self.server.wait_ready(), kind))

    def _watch(self) -> None:
        """Note how the alert is shown, as often as possible."""
        while not self._is_over.wait(WATCH_SECONDS):
            try:
                alerts = self.server.alerts()
            except ProofError:
                continue  # It is just being killed.
            for alert in alerts:
                active_at, fired_at = _time(alert["activeAt"]), _time(alert["firedAt"])
                if active_at is not None:
                    self._seen.append(Seen(time.time(), active_at, fired_at))

    def _round(self) -> None:
        """Break the shop, see everybody told, mend it, see everybody told again."""
        self._receiver.plan = _plan(self._modes)
        fault_at = self._target.break_it()
        self._await(FIRING, fault_at, self.found.unsent)
        time.sleep(self._modes.uniform(0, 1))
        mended_at = self._target.mend()
        self._await(RESOLVED, mended_at, self.found.unresolved)
        # Time for a message too many.
        time.sleep(self._modes.uniform(0.5, 1.5))
        self._judge(fault_at)
        self.found.n_rounds += 1

    def _await(self, status: str, since: float, violations: list[str]) -> None:
        try:
            wait_for(
                f"{status} told to all",
                HOP_SECONDS,
                lambda: self._receiver.has_told(status, since) and bool(self._inbox(status, since)),
            )
        except ProofError as error:
            violations.append(f"lane {self.idx}, round {self.found.n_rounds}: {error}")
            raise

    def _inbox(self, status: str, since: float) -> list[Any]:
        entries = self.server.inbox()
        return [e for e in entries if e["status"] == status and (_time(e["at"]) or 0) >= since]

    def _judge(self, since: float) -> None:
        where = f"lane {self.idx}, round {self.found.n_rounds}"
        self._judge_repetitions(where, since)
        self._judge_timers(where, since)
        for status in (FIRING, RESOLVED):
            look = partial(self._inbox, status, since)
            n_entries = len(wait_for("the inbox is shown", HOP_SECONDS, look))
            if n_entries != 1:
                self.found.inbox.append(f"{where}: {n_entries} entries `{status}`")

    def _judge_repetitions(self, where: str, since: float) -> None:
        """Every repeated message needs a kill of its own between it and the one before."""
        arrivals = self._receiver.arrivals(since)
        for integration in INTEGRATIONS:
            for status in (FIRING, RESOLVED):
                of_kind = [
                    a.at for a in arrivals if (a.integration, a.status) == (integration, status)
                ]
                self.found.n_repeated += len(of_kind) - 1
                self.found.repeated += [
                    f"{where}: {integration} was told `{status}` again after {after - before:.2f} s"
                    for before, after in pairwise(of_kind)
                    if not any(
                        before - STAMP_SECONDS <= k.ready_at and k.at <= after for k in self.kills
                    )
                ]

    def _judge_timers(self, where: str, since: float) -> None:
        """`for` goes on over a restart: the same beginning, and no longer than it was down."""
        seen = [s for s in self._seen if s.active_at >= since]
        began = {s.active_at for s in seen}
        fired = {s.fired_at for s in seen if s.fired_at is not None}
        if len(began) != 1 or len(fired) != 1:
            self.found.timers.append(f"{where}: active at {began}, fired at {fired}")
            return
        active_at, fired_at = began.pop(), fired.pop()
        held = fired_at - active_at
        down = sum(k.ready_at - k.at for k in self.kills if active_at <= k.ready_at <= fired_at + 1)
        bound = shop.HOLD_SECONDS + shop.INTERVAL_SECONDS + down + SLACK_SECONDS
        if not shop.HOLD_SECONDS <= held <= bound:
            self.found.timers.append(f"{where}: held {held:.2f} s, down {down:.2f} s")

    def _end(self) -> None:
        """Stop in order, open the folder once more, and read the log of all these lives."""
        ids = [entry["id"] for entry in self.server.inbox()]
        if len(ids) != len(set(ids)):
            self.found.inbox.append(f"lane {self.idx}: repeated ids in the inbox")
        for life in ("after the kills", "after an orderly end"):
            code = self.server.stop()
            if code != 0:
                self.found.log.append(f"lane {self.idx}, {life}: exit code {code}")
            self.server.start()
            self.server.wait_ready()
            if [entry["id"] for entry in self.server.inbox()] != ids:
                self.found.inbox.append(f"lane {self.idx}, {life}: the inbox has changed")
        self.server.stop()
        for line in self.server.text().splitlines():
            if any(word in line for word in ("panicked", "damage", "journal is behind")):
                self.found.log.append(f"lane {self.idx}: {line}")


def _plan(chance: random.Random) -> Any:
    """Return how the receiver behaves in a round: willing, refusing at first, or slow."""
    mode = chance.choice(["willing", "willing", "refusing", "slow"])
    if mode == "slow":
        delay = chance.uniform(0.3, 1.5)
        return lambda _: (200, delay)
    left = {integration: chance.randint(1, 3) for integration in INTEGRATIONS}

    def refuse_at_first(integration: str) -> tuple[int, float]:
        left[integration] -= 1
        return (500, 0.0) if left[integration] >= 0 else (200, 0.0)

    return refuse_at_first if mode == "refusing" else lambda _: (200, 0.0)


def _time(text: str | None) -> float | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


def main() -> int:
    """Run all lanes; 0 when everything held."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    n_kills = int(os.environ.get("FIREBELL_KILLS") or KILLS)
    proofs = Proofs()
    title = f"kill -9 at {n_kills} random moments, {LANES} lanes (SEED={seed} repeats it)"
    with proofs.scene(title) as folder:
        started_at = time.monotonic()
        share, rest = divmod(n_kills, LANES)
        lanes = [
            Lane(idx, folder / f"lane{idx}", seed, share + (idx < rest)) for idx in range(LANES)
        ]
        threads = [Thread(target=lane.run) for lane in lanes if lane.n_kills]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        judge(proofs, lanes, n_kills, time.monotonic() - started_at)
    return proofs.finish()


def judge(proofs: Proofs, lanes: list[Lane], n_kills: int, seconds: float) -> None:
    """Print the figures and note what held."""
    kills = [kill for lane in lanes for kill in lane.kills]
    n_rounds = sum(lane.found.n_rounds for lane in lanes)
    by_kind = {kind: sum(k.during == kind for k in kills) for kind in ("any", "delivery", "replay")}
    down = [1000 * (kill.ready_at - kill.at) for kill in kills]
    n_repeated = sum(lane.found.n_repeated for lane in lanes)
    print(
        f"  {len(kills)} kills {by_kind}, {n_rounds} rounds, {n_repeated} repeated messages, "
        f"kill to ready again: median {median(down):.0f} ms, most {max(down):.0f} ms; "
        f"{seconds:.0f} s"
    )
    proofs.equal("every kill happened", len(kills), n_kills)

    def all_of(name: str) -> list[str]:
        return [text for lane in lanes for text in getattr(lane.found, name)]

    proofs.holds_for("a firing alert was told to all", n_rounds, all_of("unsent"))
    proofs.holds_for("and that it resolved", n_rounds, all_of("unresolved"))
    proofs.holds_for("at most one repetition per kill", n_rounds, all_of("repeated"))
    proofs.holds_for("the inbox never repeats", n_rounds, all_of("inbox"))
    proofs.holds_for("`for` timers went on where they were", n_rounds, all_of("timers"))
    proofs.holds_for("no panic, no damage, nothing else", len(lanes), all_of("log"))


if __name__ == "__main__":
    sys.exit(main())
