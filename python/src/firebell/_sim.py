"""Rules on simulated time: `firebell_sim`, and `Simulation` for whoever has no pytest.

Rule files and rules with `expr` are played by the server's own rule engine; checks are called at
their turns. Nothing sleeps: an hour takes milliseconds.
"""

from __future__ import annotations

from . import _engine, _rules, _session
from ._duration import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from typing_extensions import Self

    from ._duration import Duration
    from ._event import CheckEvent
    from ._rules import AlertRule, Severity

LINES_MAX = 40


class Alerted:
    """An alert that fired or was resolved."""

    __slots__ = (
        "after_s",
        "at",
        "context",
        "labels",
        "message",
        "rule",
        "runbook",
        "severity",
        "value",
    )

    def __init__(self, facts: Mapping[str, Any], after_s: float) -> None:
        self.rule: str = facts["rule"]
        self.severity: Severity = facts["severity"]
        self.message: str = facts["message"]
        self.runbook: str | None = facts["runbook"]
        self.labels: dict[str, str] = facts["labels"]
        self.value: float | None = facts["value"]
        # Seconds since the beginning, and since the mark or whatever else was waited for.
        self.at: float = facts["at"]
        self.after_s = after_s
        self.context: dict[str, Any] = facts["context"]

    def __repr__(self) -> str:
        return f"Alerted({self.rule!r}, {self.severity}, at={self.at:g}, {self.message!r})"


class Simulation:
    """Rules and what happens to them; time passes when something is let happen.

    >>> sim = Simulation("alerts/http.yml")
    >>> sim.http(rps=50, during="10m").http(rps=50, error_rate=0.05, during="120s", mark="fault")
    >>> sim.assert_fires("HighErrorRate", within="300s", after="fault", severity="critical")

    `rules` are paths of rule files (`*` allowed), the text of one, and `AlertRule`s. Every `step`
    traffic is scraped and expressions are evaluated, whatever interval their groups have; checks
    are called as their `every` says. The same `seed` gives the same traffic.

    Raises `ValueError` with everything that is wrong with rule files.
    """

    def __init__(self, *rules: AlertRule | str, step: Duration = 5, seed: int = 7) -> None:
        from . import _native

        self._given = rules
        self._step = seconds(step, "step")
        if self._step < 0.001:
            raise ValueError(f"step is {step!r}; it must be a millisecond at least")
        self._seed = seed
        files, text, self._expressions, checks = sorted_rules(rules)
        self._native = _native.Rehearsal(files, text, step=self._step, seed=seed)
        self._checks = _Checks(checks, lambda: self._native.now)
        self._n_known = 0
        self._changes: list[dict[str, Any]] = []
        # Name -> from, until
        self._marks: dict[str, tuple[float, float]] = {}
        self._did: list[tuple[float, str]] = []

    # --- what happens ---

    def http(
        self,
        *,
        rps: float,
        during: Duration | None = None,
        error_rate: float = 0.0,
        latency: Duration = 0.02,
        route: str = "/",
        mark: str | None = None,
    ) -> Self:
        """Let requests come in for so long; without `during`, from now on, and no time passes.

        They are seen as `http_requests_total` (labels method, route, path, handler, status, code),
        `http_request_duration_seconds` and, by OpenTelemetry's names,
        `http_server_request_duration_seconds`, of `job="app"`. Half of them take `latency` at most,
        95 in 100 twice that. Numbers vary by chance as real ones do.
        """
        if not 0 <= error_rate <= 1:
            raise ValueError(f"error_rate is {error_rate!r}; it must be from 0 to 1: 0.05 is 5 %")
        if rps < 0:
            raise ValueError(f"rps is {rps!r}; it must be zero or more")
        at = seconds(latency, "latency")
        what = f"{rps:g} requests/s to {route}, {error_rate:.3g} of them fail, {at:g} s"
        self._did.append((self.now, what))
        self._native.set_traffic(route, float(rps), float(error_rate), at)
        if during is not None:
            self._pass(seconds(during, "during"), mark)
            self._native.set_traffic(route, 0.0, 0.0, at)
        return self

    def series(
        self, notation: str, /, *, during: Duration | None = None, mark: str | None = None
    ) -> Self:
        """Add a series as promtool has it, such as `queue_depth{q="mail"} 0+10x60`.

        Its values come a step apart, the first at the next one. Without `during` no time passes.
        Raises `ValueError` for what cannot be read.
        """
        self._native.add_series(notation)
        self._did.append((self.now, notation))
        if during is not None:
            self._pass(seconds(during, "during"), mark)
        return self

    def advance(self, by: Duration, /, *, mark: str | None = None) -> Self:
        """Let time pass."""
        self._pass(seconds(by, "by"), mark)
        return self

    # --- what is known ---

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return float(self._native.now)

    @property
    def pages(self) -> int:
        """How often people were told that an alert fires, or got worse."""
        return sum(it["is_told"] for it in self._changes if it["state"] == "firing")

    @property
    def alerts(self) -> list[Alerted]:
        """Every alert that has fired so far, in order."""
        return [Alerted(it, it["at"]) for it in self._changes if it["state"] == "firing"]

    def query(self, expr: str, /) -> list[tuple[dict[str, str], float]]:
        """Evaluate PromQL at the last step. Raises `ValueError` for what cannot be read."""
        return self._native.query(expr)

    def sweep(
        self,
        rule: str,
        /,
        *,
        error_rate: Sequence[float],
        rps: float = 50,
        before: Duration = "10m",
        during: Duration = "30m",
    ) -> dict[float, float | None]:
        """Return after how many seconds the rule fires at each error rate; None where it does not.

        Each is a simulation of its own, with no errors `before`.
        """
        self._must_know(rule)
        found: dict[float, float | None] = {}
        for rate in error_rate:
            other = type(self)(*self._given, step=self._step, seed=self._seed)
            other.http(rps=rps, during=before).http(rps=rps, error_rate=rate, during=during)
            began = seconds(before, "before")
            fired = [it.at - began for it in other.alerts if it.rule == rule and it.at >= began]
            found[rate] = fired[0] if fired else None
        return found

    # --- what is expected ---

    def assert_fires(
        self,
        rule: str,
        /,
        *,
        within: Duration,
        after: str | None = None,
        severity: Severity | None = None,
    ) -> Alerted:
        """Return the first alert of a rule within so long after a mark began (or the beginning).

        Time goes on until then if it has to. `AssertionError` tells what happened instead.
        """
        __tracebackhide__ = True
        self._must_know(rule)
        limit = seconds(within, "within")
        start = self._mark(after)[0] if after is not None else 0.0

        def fired() -> list[dict[str, Any]]:
            return [it for it in self._changes if it["rule"] == rule and it["state"] == "firing"]

        def right_ones() -> list[dict[str, Any]]:
            found = [it for it in fired() if start <= it["at"] <= start + limit]
            return [it for it in found if severity in {None, it["severity"]}]

        self._wait(start + limit, right_ones)
        known, right = fired(), right_ones()
        found = [it for it in known if start <= it["at"] <= start + limit]
        if right:
            return Alerted(right[0], right[0]["at"] - start)
        whence = f"after {after!r} began" if after is not None else "after the beginning"
        said = f"{rule} did not fire within {limit:g} s {whence} (at {start:g} s)"
        if found:
            said = f"{rule} fired as {found[0]['severity']}, not as {severity}"
        elif known and known[0]["at"] < start:
            said += f"; it had fired before, at {known[0]['at']:g} s"
        elif known:
            said += f"; it fired {known[0]['at'] - start:g} s after"
        raise AssertionError(self._story(said, rule))

    def assert_resolves(
        self, rule: str, /, *, within: Duration, after: str | None = None
    ) -> Alerted:
        """Return what was resolved last of a rule's alerts, all of them within so long.

        That counts from the end of the mark; without one, from the end of the last mark, and where
        there is none, from when the rule fired.
        """
        __tracebackhide__ = True
        self._must_know(rule)
        limit = seconds(within, "within")
        fired = [it for it in self._changes if it["rule"] == rule and it["state"] == "firing"]
        if not fired:
            raise AssertionError(self._story(f"{rule} has not fired, so nothing resolves", rule))
        start = fired[0]["at"]
        if after is not None:
            start = self._mark(after)[1]
        elif self._marks:
            start = max(until for _, until in self._marks.values())
        self._wait(start + limit, lambda: self._over(rule))
        over = self._over(rule)
        if over is not None and over["at"] <= start + limit:
            return Alerted(over, over["at"] - start)
        said = f"{rule} was not resolved within {limit:g} s after {start:g} s"
        if over is not None:
            said += f"; it was {over['at'] - start:g} s after"
        raise AssertionError(self._story(said, rule))

    def assert_silent(self, rule: str | None = None, /) -> None:
        """Expect that nothing has fired so far; or not this rule."""
        __tracebackhide__ = True
        if rule is not None:
            self._must_know(rule)
        fired = [it for it in self.alerts if rule is None or it.rule == rule]
        if fired:
            first = fired[0]
            said = f"{first.rule} fired at {first.at:g} s: {first.message}"
            raise AssertionError(self._story(said, first.rule))

    # --- inside ---

    def _pass(self, by: float, mark: str | None) -> None:
        began = self.now
        self._until(began + by)
        if mark is not None:
            if mark in self._marks:
                raise ValueError(f"there are two marks {mark!r}")
            self._marks[mark] = began, self.now

    def _until(self, until: float) -> None:
        while self.now < until:
            due_at = self._checks.due_at()
            self._native.advance(min(until, due_at) - self.now)
            self._take()
            if due_at <= until:
                self._changes += self._checks.evaluate(due_at)

    def _wait(self, until: float, done: Callable[[], object]) -> None:
        """Let time pass until then, or, where time is dear, until what is waited for is there."""
        del done
        self._until(until)

    def _take(self) -> None:
        new = self._native.changes(self._n_known)
        self._n_known += len(new)
        for it in new:
            rule = self._expressions.get(it["rule"])
            self._changes.append(_told(it, rule))
        errors = self._native.errors()
        if errors:
            raise ValueError("; ".join(f"at {at:g} s {error}" for error, at in errors))

    def _over(self, rule: str) -> dict[str, Any] | None:
        """Return the last change of a rule, if it left nothing that fires."""
        firing: set[frozenset[tuple[str, str]]] = set()
        last = None
        for it in self._changes:
            if it["rule"] != rule:
                continue
            key = frozenset(it["labels"].items())
            if it["state"] == "firing":
                firing.add(key)
            elif it["state"] == "resolved" and key in firing:
                firing.discard(key)
                last = it
        return None if firing else last

    def _known_rules(self) -> list[str]:
        return [*self._native.alert_names(), *self._checks.names()]

    def _must_know(self, rule: str) -> None:
        known = self._known_rules()
        if rule not in known:
            raise ValueError(f"no rule is called {rule!r}; there are: {', '.join(known) or 'none'}")

    def _mark(self, name: str) -> tuple[float, float]:
        if name not in self._marks:
            known = ", ".join(self._marks) or "none"
            raise ValueError(f"there is no mark {name!r}; there are: {known}")
        return self._marks[name]

    def _story(self, said: str, rule: str) -> str:
        lines = [(at, what) for at, what in self._did]
        lines += [(since, f"-- {name} begins") for name, (since, _) in self._marks.items()]
        lines += [(until, f"-- {name} ends") for name, (_, until) in self._marks.items()]
        lines += [
            (it["at"], f"{it['rule']} {it['state']}: {it['message']}") for it in self._changes
        ]
        lines.sort(key=lambda it: it[0])
        left_out = max(0, len(lines) - LINES_MAX)
        told = [f"  {at:8.1f} s  {what}" for at, what in lines[left_out:]]
        if left_out:
            told.insert(0, f"  … {left_out} lines before")
        closest = self._native.closest(rule)
        if closest is not None:
            value, at, bound = closest
            told.append(f"  nearest: {value:.6g} at {at:g} s, and it fires at {bound}")
        return "\n".join([said, *told, f"  {self.now:8.1f} s  now"])


class _Checks(_engine.AlertEngine):
    """The engine on simulated time; who is told is written down."""

    def __init__(self, rules: Sequence[AlertRule], clock: Callable[[], float]) -> None:
        self._told: list[dict[str, Any]] = []
        super().__init__(rules, notify=[_Nobody()], repeat=None, clock=clock)
        self._next = {rule.name: rule.every for rule in rules}

    def names(self) -> list[str]:
        return list(self._states)

    def due_at(self) -> float:
        return min(self._next.values(), default=float("inf"))

    def evaluate(self, at: float) -> list[dict[str, Any]]:  # type: ignore[override]
        due = [name for name, next_at in self._next.items() if next_at <= at]
        waiter = _session.ThreadWaiter()
        session = _session.Session(waiter, None)
        self._begin(session, [self._states[name] for name in due])
        while session.runs:
            waiter.wait(session.next_deadline())
            self._take(session)
        for name in due:
            self._next[name] += self._states[name].rule.every
        told, self._told = self._told, []
        return told

    def _send(self, state: _engine._State, event: CheckEvent) -> None:
        state_of = "resolved" if event["status"] == "resolved" else "firing"
        self._told.append(
            {
                "rule": state.rule.name,
                "state": state_of,
                "severity": event["severity"],
                "message": event["message"],
                "runbook": state.rule.runbook,
                "labels": event["labels"],
                "value": event.get("value"),
                "at": self._clock(),
                "is_told": state_of == "firing",
                "context": event.get("contexts", {}).get("check", {}),
            }
        )


class _Nobody:
    name = "nobody"

    async def send(self, alert: CheckEvent, /) -> None:
        """Do nothing."""


def sorted_rules(
    rules: Sequence[AlertRule | str],
) -> tuple[list[str], str | None, dict[str, AlertRule], list[AlertRule]]:
    """Return rule files, one as text, rules with expressions by name, and those with checks."""
    files, texts, expressions, checks = [], [], {}, []
    for rule in rules:
        if isinstance(rule, _rules.AlertRule):
            if rule.expr is None:
                checks.append(rule)
            else:
                expressions[rule.name] = rule
        elif isinstance(rule, str) and "\n" in rule:
            texts.append(rule)
        elif isinstance(rule, str) or hasattr(rule, "__fspath__"):
            files.append(str(rule))
        else:
            raise TypeError(
                f"{rule!r} is no rule: give an AlertRule, a path, or the text of a file"
            )
    if len(texts) + bool(expressions) > 1:
        raise ValueError("give one text of rules, or rules with expr: not several")
    if expressions:
        texts.append(_text_of(expressions.values()))
    return files, texts[0] if texts else None, expressions, checks


def _text_of(rules: Any) -> str:
    """Return a rule file; JSON is YAML."""
    import json

    found = [
        {
            "alert": rule.name,
            "expr": rule.expr,
            "for": f"{int(rule.hold * 1000)}ms",
            "labels": {**rule.labels, "severity": rule.severity},
        }
        for rule in rules
    ]
    return json.dumps({"groups": [{"name": "rules of the app", "rules": found}]})


def _told(change: Mapping[str, Any], rule: AlertRule | None) -> dict[str, Any]:
    """Return a change of an expression's alert as one of a check's."""
    labels = {k: v for k, v in change["labels"].items() if k != "alertname"}
    severity = labels.pop("severity", "")
    texts = change["annotations"]
    message = texts.get("summary") or texts.get("description") or texts.get("message") or ""
    runbook = texts.get("runbook_url") or texts.get("runbook")
    if rule is not None:
        message = rule.text(change["value"], labels, {}) or f"{rule.name} fires"
        runbook = rule.runbook
    state = {"inactive": "resolved"}.get(change["state"], change["state"])
    return {
        "rule": change["rule"],
        "state": state,
        "severity": severity,
        "message": message,
        "runbook": runbook,
        "labels": labels,
        "value": change["value"],
        "at": change["at"],
        "is_told": state == "firing",
        "context": {},
    }
