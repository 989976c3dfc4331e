"""Asks Prometheus and Firebell the same random questions; prints what differs, made small.

In the environment: `N`, how many expressions; `SEED`, to repeat a run; `EXPR`, to ask only one,
over the data of a seed; `NATIVES=0`, to leave native histograms out; `EXPERIMENTAL=1`, to ask for
what is behind flags as well. Prometheus 3 is taken where
`../shared/peers` brings it; else Debian's 2, whose windows are closed on both sides, with moments
off the grid and without native histograms.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bench.systems import PEERS_SCRIPT, Firebell, Prometheus, peers
from proofs.check import NOT_CHECKED, ProofError, Proofs
from proofs.process import run
from proofs.real_prometheus import neighbour
from proofs.remote_write import HEADERS

from differential.compare import (
    ORDERED,
    Answered,
    difference,
    differs_by_rounding,
    is_same,
    narrowed,
)
from differential.data import SECONDS, STEP, Data, make
from differential.expressions import FEATURES, Grammar, Node, smaller

if TYPE_CHECKING:
    from bench.systems import System

EXPRESSIONS = 5000
SECONDS_MAX = 80.0
SHOWN_MAX = 12
TRIES_MAX = 400
REPEATS = 5
SHRINK_SECONDS_MAX = 20.0
TEXTS_SHOWN = 5
STEPS = (7, 15, 60, 137)


def main() -> int:
    """Run; 77 when there is no Prometheus here."""
    seed = int(os.environ.get("SEED", "") or random.SystemRandom().randrange(1 << 32))
    proofs = Proofs()
    try:
        programs = peers() if PEERS_SCRIPT.exists() else Path(neighbour("prometheus")).parent
    except ProofError as error:
        print(f"not checked: {error}")
        return NOT_CHECKED
    is_old = " 2." in run([programs / "prometheus", "--version"])[1].split("\n")[0]
    print(f"SEED={seed}, Prometheus {'2' if is_old else '3'}")
    with proofs.scene("random expressions over random samples") as folder:
        chance = random.Random(seed)
        has_histograms = not is_old and os.environ.get("NATIVES") != "0"
        data = make(chance, now_on_grid() - SECONDS * 1000, has_histograms=has_histograms)
        systems = (Prometheus(folder, programs), Firebell(folder))
        for system in systems if has_experimental() else ():
            system.features = FEATURES
        try:
            for system in systems:
                system.start()
            fill(systems, data)
            Differential(proofs, systems, data, chance, is_old=is_old).play()
        finally:
            for system in systems:
                system.kill()
    return proofs.finish()


def has_experimental() -> bool:
    """Return whether what is behind flags is asked for."""
    return os.environ.get("EXPERIMENTAL") == "1"


def now_on_grid() -> int:
    """Return a moment that a seed does not shift: the data's phase within a day stays its own."""
    return int(time.time()) // (STEP * 40) * STEP * 40 * 1000


def fill(systems: tuple[System, ...], data: Data) -> None:
    """Write the data into each."""
    for system in systems:
        connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=30)
        for body in data.requests():
            connection.request("POST", "/api/v1/write", body, HEADERS)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status // 100 != 2:
                raise ProofError(f"{system.name} refuses the data: {answer.status} {said!r}")
        connection.close()


@dataclass(frozen=True)
class Question:
    """An expression, and when it is asked for."""

    expr: Node
    path: str
    when: dict[str, float]

    def of(self, expr: Node) -> Question:
        """Return the same of another expression."""
        return Question(expr, self.path, self.when)

    def text(self) -> str:
        """Return it in a line."""
        return f"{self.path} {self.when} {self.expr.text()}"


class Differential:
    """One run."""

    def __init__(
        self,
        proofs: Proofs,
        systems: tuple[System, ...],
        data: Data,
        chance: random.Random,
        *,
        is_old: bool,
    ) -> None:
        """Connect to both."""
        self.proofs = proofs
        self.chance = chance
        self.data = data
        self.is_old = is_old
        self.grammar = Grammar(
            chance, data.start, is_old=is_old, has_experimental=has_experimental()
        )
        self.connections = [
            http.client.HTTPConnection("127.0.0.1", system.port, timeout=60) for system in systems
        ]
        self.texts: list[str] = []
        self.outcomes: Counter[str] = Counter()

    def play(self) -> None:
        """Ask until there were enough questions, or the time is over."""
        n_wanted = int(os.environ.get("N", "") or EXPRESSIONS)
        given = os.environ.get("EXPR")
        seconds = SECONDS_MAX * max(1.0, n_wanted / EXPRESSIONS)
        ends_at, n = time.monotonic() + seconds, 0
        found: list[str] = []
        while n < n_wanted and time.monotonic() < ends_at:
            n += 1
            expr = Node("vector", (given,)) if given else self.grammar.any()
            for question in self.questions(expr):
                how = self.differs(question)
                if how is not None and self.is_sure(question):
                    small = self.shrunk(question)
                    if self.is_of_rounding(small):
                        self.outcomes["of a last digit"] += 1
                        continue
                    found.append(self.explained(question, small, how, len(found)))
                    break
        print(f"  {n} expressions: {dict(sorted(self.outcomes.items()))}")
        for text in self.texts[:TEXTS_SHOWN]:
            print(f"  other words: {text}")
        if len(self.texts) > TEXTS_SHOWN:
            print(f"  and {len(self.texts) - TEXTS_SHOWN} more answers in other words")
        self.proofs.holds_for("the same answers as Prometheus", n, found)

    def questions(self, expr: Node) -> list[Question]:
        """Return an instant and a range query."""
        chance, start = self.chance, self.data.start
        at = start + chance.randrange(-60_000, SECONDS * 1000 + 400_000)
        step = chance.choice(STEPS) * 1000
        if chance.random() < 0.3 and not self.is_old:
            at = at // (STEP * 1000) * STEP * 1000
        begins = at - step * chance.randrange(40)
        if self.is_old:
            # No sample lies on such a moment: then it does not matter which ends are closed.
            at, begins = at // 1000 * 1000 + 17, begins // 1000 * 1000 + 17
        instant = Question(expr, "query", {"time": at / 1000})
        # Over a range, Prometheus 3.5 describes series by others than at each of its moments.
        if expr.kind == "matrix" or "info(" in expr.text():
            return [instant]
        when = {"start": begins / 1000, "end": at / 1000, "step": step / 1000}
        return [instant, Question(expr, "query_range", when)]

    def ask(self, question: Question) -> list[Answered]:
        """Ask both."""
        body = urlencode({"query": question.expr.text(), **question.when})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answers = []
        for connection in self.connections:
            connection.request("POST", f"/api/v1/{question.path}", body, kind)
        for connection in self.connections:
            answer = connection.getresponse()
            answers.append(Answered(answer.status, json.loads(answer.read())))
        return answers

    def differs(self, question: Question, *, is_counted: bool = True) -> str | None:
        """Say in which way the answers differ, or nothing."""
        theirs, ours = self.ask(question)
        text = question.expr.text()
        is_ordered = question.path == "query" and text.startswith(ORDERED)
        how = difference(theirs, ours, is_ordered=is_ordered)
        if is_counted:
            is_empty = theirs.status == 200 and not theirs.body["data"]["result"]
            self.outcomes["empty" if is_empty else str(theirs.status)] += 1
            if how is None and theirs.texts != ours.texts:
                self.texts.append(f"{question.text()}\n    {theirs.texts}\n    {ours.texts}")
        return how

    def is_sure(self, question: Question) -> bool:
        """Ask again: Prometheus's own answer may be chance, as it is where it shares histograms."""
        answers = [self.ask(question) for _ in range(REPEATS)]
        is_stable = all(is_same(theirs.body, answers[0][0].body) for theirs, _ in answers)
        return is_stable and self.differs(question, is_counted=False) is not None

    def is_of_rounding(self, small: Question) -> bool:
        """Return whether an operand has another last digit, of which this one makes more.

        As `asin` does close to 1, `exp` close to the largest number, and a rank that falls exactly
        between two buckets.
        """
        parts = [part for part in small.expr.below() if part.kind in ("vector", "scalar")]
        pairs = (self.ask(small.of(part)) for part in parts)
        return any(differs_by_rounding(theirs, ours) for theirs, ours in pairs)

    def explained(self, question: Question, small: Question, how: str, n_found: int) -> str:
        """Return what differs, for people: as small as it can be made."""
        if n_found >= SHOWN_MAX:
            return f"{how}: {question.text()}"
        theirs, ours = narrowed(*self.ask(small))
        how = self.differs(small, is_counted=False) or how
        said = f"theirs {theirs.short()}\n    ours   {ours.short()}"
        from_ = "" if small == question else f"\n    from   {question.expr.text()}"
        shown = f"{how}: {small.text()}\n    {said}{from_}"
        print(f"  DIFFERS {shown}", flush=True)
        return f"{how}: {small.text()}"

    def shrunk(self, question: Question) -> Question:
        """Leave out what is not needed for a difference."""
        ends_at, n_tries, is_smaller = time.monotonic() + SHRINK_SECONDS_MAX, 0, True
        while is_smaller:
            is_smaller = False
            for expr in sorted(smaller(question.expr), key=lambda it: len(it.text())):
                n_tries += 1
                if n_tries > TRIES_MAX or time.monotonic() > ends_at:
                    return question
                if len(expr.text()) >= len(question.expr.text()):
                    continue
                if self.differs(question.of(expr), is_counted=False) is not None:
                    question, is_smaller = question.of(expr), True
                    break
        return question


if __name__ == "__main__":
    sys.exit(main())
