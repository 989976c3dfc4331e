"""Escalation without a server: who is told next while nobody answers.

>>> policy = Policy("oncall", [Step(slack(URL)), Step(email("oncall@example.org"), after="10m")])
>>> async with EscalationManager(policy) as manager:
...     incident = await manager.handle({"kind": "alert", "name": "Down", "severity": "critical"})
...     manager.ack(incident.id, by="dana")

The state machine is that of the server.
"""

from __future__ import annotations

import threading
import time

from . import _outbox, _self
from ._duration import seconds
from ._notify import alertmanager, call, email, firebell, slack, webhook
from ._rules import SEVERITIES, one_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

    from typing_extensions import Self

    from ._duration import Duration
    from ._event import CheckEvent, Notifier
    from ._rules import Severity

    State = Literal["waiting", "paging", "acknowledged", "unanswered", "resolved"]

__all__ = (
    "CheckEvent",
    "EscalationManager",
    "Incident",
    "Notifier",
    "Policy",
    "Step",
    "alertmanager",
    "call",
    "email",
    "firebell",
    "slack",
    "webhook",
)

STEPS_MAX = 100
OVER_KEPT_MAX = 200
# 1 is the worst.
_LEVELS = {"critical": 1, "error": 2, "warning": 3, "info": 4, "debug": 4}


def __getattr__(name: str) -> object:
    # Types for those who write notifiers; nothing here needs them when it runs.
    if name in {"CheckEvent", "Notifier"}:
        from . import _event

        return getattr(_event, name)
    raise AttributeError(f"module 'firebell.escalation' has no attribute {name!r}")


class Step:
    """Whom to tell, how long after the beginning, how often again, from which severity on.

    `notify` are notifiers, or names of those that other steps have. With `repeat` the step is taken
    again and again until somebody answers: at most so often that its policy has 100 steps.
    """

    def __init__(
        self,
        notify: Sequence[Notifier | str] | Notifier | str,
        *,
        after: Duration = 0,
        repeat: Duration | None = None,
        if_severity: Severity | None = None,
    ) -> None:
        given = notify if isinstance(notify, (list, tuple)) else [notify]
        if not given:
            raise ValueError("a step tells nobody")
        for it in given:
            if not isinstance(it, str) and not hasattr(it, "send"):
                raise TypeError(f"{it!r} is no notifier: it has no `async def send(alert)`")
        self.notify: list[Any] = list(given)
        self.after = seconds(after, "after")
        self.repeat = None if repeat is None else seconds(repeat, "repeat")
        if self.repeat is not None and self.repeat < 1:
            raise ValueError(f"repeat is {repeat!r}; it must be a second at least")
        if if_severity is not None:
            one_of("if_severity", if_severity, SEVERITIES)
        self.if_severity = if_severity


class Policy:
    """Steps, in the order of time, for alerts that belong together.

    Alerts with the same `group_by` ("rule", "service", "severity" or a label) are one incident
    while it is open. Its first step is taken `group_wait` after the first of them. What is not
    urgent (severity warning and less) waits for the end of `quiet_hours` ("22:00-07:00",
    "mon-fri 18:00-09:00 Europe/Berlin"; UTC where no zone is named), and each notifier gets at most
    `max_pages_per_hour` of it (32 at most). An acknowledgement ends after `ack_timeout`, if
    there is one: then the policy begins anew. `patience` is how long after the last step
    nobody is left.

    Raises `ValueError` for what cannot be.
    """

    def __init__(
        self,
        name: str,
        steps: Sequence[Step],
        *,
        group_by: Sequence[str] = ("rule", "service"),
        group_wait: Duration = "30s",
        quiet_hours: str | None = None,
        max_pages_per_hour: int | None = 20,
        ack_timeout: Duration | None = None,
        patience: Duration = "15m",
    ) -> None:
        if not steps:
            raise ValueError(f"policy {name!r} has no steps: it would tell nobody")
        self.name = name
        self.steps = list(steps)
        self.group_by = tuple(group_by)
        self.group_wait = seconds(group_wait, "group_wait")
        self.quiet_hours = quiet_hours
        self.max_pages_per_hour = max_pages_per_hour
        self.ack_timeout = None if ack_timeout is None else seconds(ack_timeout, "ack_timeout")
        self.patience = seconds(patience, "patience")
        if max_pages_per_hour is not None and max_pages_per_hour < 1:
            raise ValueError(f"max_pages_per_hour is {max_pages_per_hour}; it must be one at least")

    def _taken(self) -> list[tuple[float, Step]]:
        """Return the moments at which steps are taken, in order."""
        found = [(step.after, step) for step in self.steps]
        if len(found) > STEPS_MAX:
            raise ValueError(f"policy {self.name!r} has more than {STEPS_MAX} steps")
        repeated = [step for step in self.steps if step.repeat]
        turn = 1
        while repeated and len(found) + len(repeated) <= STEPS_MAX:
            found += [(step.after + turn * (step.repeat or 0), step) for step in repeated]
            turn += 1
        found.sort(key=lambda it: it[0])
        return [(self.group_wait + after, step) for after, step in found]

    def _quiet(self) -> tuple[str, str] | None:
        if self.quiet_hours is None:
            return None
        hours, zone = self.quiet_hours.strip(), "UTC"
        head, _, last = hours.rpartition(" ")
        if head and ("/" in last or last == "UTC"):
            hours, zone = head, last
        if hours[:1].isdigit():
            hours = f"mon-sun {hours}"
        return hours, zone


class Incident:
    """An incident as it was when it was asked for."""

    __slots__ = (
        "acked_by",
        "id",
        "next_at",
        "opened_at",
        "policy",
        "rule",
        "severity",
        "state",
        "step",
        "timeline",
    )

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.id: str = facts["id"]
        self.rule: str = facts["rule"]
        self.policy: str = facts["policy"]
        self.severity: Severity = facts["severity"]
        self.opened_at: float = facts["opened_at"]
        self.state: State = facts["state"]
        self.step: int = facts["step"]
        self.next_at: float | None = facts["next_at"]
        self.acked_by: str | None = facts["acked_by"]
        self.timeline: list[tuple[float, str]] = facts["timeline"]

    def __repr__(self) -> str:
        """Show which it is, how bad, and how far it has come."""
        return f"Incident({self.id!r}, {self.rule!r}, {self.severity}, {self.state})"


class _Open:
    """What the manager knows of an incident besides its page."""

    __slots__ = ("event", "group", "key", "opened_at", "policy", "severities", "timeline")

    def __init__(self, key: int, group: str, policy: Policy, event: Any, opened_at: float) -> None:
        self.key = key
        self.group = group
        self.policy = policy
        self.event = event
        self.opened_at = opened_at
        # Of each alert that fires, by fingerprint.
        self.severities: dict[str, str] = {}
        self.timeline: list[tuple[float, str]] = []


class EscalationManager:
    """Incidents, and who is told of them when.

    As an async context manager, or with `start()` in a thread, it tells people when their time
    comes; with neither, `tick()` does what is due (tests: with a `clock` of their own). A notifier
    that fails is logged, counted in `failures`, and the next step comes at once when nobody of
    this one could be told.
    """

    def __init__(
        self, default: Policy, *policies: Policy, clock: Callable[[], float] = time.time
    ) -> None:
        from . import _native

        self._clock = clock
        self._native = _native.Escalation()
        self._lock = threading.RLock()
        self._policies: dict[str, Policy] = {}
        self._default = default
        self._notifiers: dict[str, Any] = {}
        self._incidents: dict[int, _Open] = {}
        self._groups: dict[str, int] = {}
        self._n_opened = 0
        self._wake: Callable[[], None] = lambda: None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._task: Any = None
        self.failures: list[tuple[float, str, str]] = []
        for policy in (default, *policies):
            if policy.name in self._policies:
                raise ValueError(f"two policies are called {policy.name!r}")
            self._add(policy)

    # --- what happens ---

    async def handle(self, alert: Mapping[str, Any], /) -> Incident:
        """Take an alert: a new incident, or one of an open one. `status="resolved"` ends it."""
        found = self.take(alert)
        if found is None:
            raise KeyError(f"no incident is open for {alert['name']!r}")
        await self.atick()
        return self._incident(found)

    def take(self, alert: Mapping[str, Any], policy: Policy | str | None = None) -> int | None:
        """Do what `handle` does, and leave telling people to whoever ticks.

        None: it is over, and no incident was open for it.
        """
        event = dict(alert)
        severity = one_of("severity", event.setdefault("severity", "error"), SEVERITIES)
        if not event.get("name"):
            raise ValueError("an alert needs a name")
        with self._lock:
            chosen = self._policy(policy or event.get("escalation"))
            group = _group(event, chosen)
            key = self._groups.get(group)
            now = self._clock()
            if event.get("status") == "resolved":
                return None if key is None else self._resolved(key, event, now)
            if key is None:
                key = self._open(event, group, chosen, now)
            known = self._incidents[key]
            known.severities[_print(event)] = severity
            known.event = event
            self._settle_severity(known, now)
            self._note(now)
        self._wake()
        return key

    def ack(self, incident_id: str, /, *, by: str) -> Incident:
        """Note that somebody looks into it: nobody else is told. `KeyError`: no such incident."""
        return self._act(incident_id, lambda key, now: self._native.acknowledge(now, key, by))

    def snooze(self, incident_id: str, /, until: Duration, *, by: str) -> Incident:
        """Tell nobody for so long (at most a week), then begin its policy anew."""
        span = seconds(until, "until")
        return self._act(
            incident_id, lambda key, now: self._native.snooze(now, key, now + span, by)
        )

    def resolve(self, incident_id: str, /, *, by: str | None = None) -> Incident:
        """Note that it is over."""

        def close(key: int, now: float) -> None:
            self._native.close(now, key)
            if by is not None:
                self._incidents[key].timeline.append((now, f"{by} resolved it"))
            self._forget(key)

        return self._act(incident_id, close)

    def get(self, incident_id: str, /) -> Incident:
        """Return an incident as it is now. Raises `KeyError` for an unknown one."""
        with self._lock:
            return self._incident(self._key(incident_id))

    @property
    def open(self) -> Sequence[Incident]:
        """Incidents that are not over, the oldest first."""
        with self._lock:
            return [self._incident(key) for key in sorted(self._groups.values())]

    # --- time ---

    def tick(self) -> None:
        """Do what is due now, and wait until notifiers have taken it."""
        # What fails brings the next step.
        while due := self._due():
            for message, name, events in due:
                notifier = self._notifiers[name]
                errors = [_outbox.attempt(notifier, event) for event in events]
                self._outcome(message, name, next(filter(None, errors), None))

    async def atick(self) -> None:
        """Do what `tick` does in an event loop, all notifiers at once."""
        import asyncio

        while due := self._due():
            errors = await asyncio.gather(
                *(self._send(name, events) for _, name, events in due), return_exceptions=True
            )
            for (message, name, _), error in zip(due, errors, strict=True):
                failed = isinstance(error, BaseException)
                self._outcome(message, name, f"{type(error).__name__}: {error}" if failed else None)

    async def _send(self, name: str, events: Sequence[Any]) -> None:
        import asyncio

        for event in events:
            task = asyncio.ensure_future(self._notifiers[name].send(event))
            try:
                # Not wait_for: before 3.12 it loses a cancellation that comes with the answer.
                done, _ = await asyncio.wait({task}, timeout=_outbox.SEND_SECONDS)
            finally:
                task.cancel()
            if not done:
                raise TimeoutError(f"it took longer than {_outbox.SEND_SECONDS:g} s")
            await task

    @property
    def next_at(self) -> float | None:
        """When something is due next, by the clock; None while nothing is open."""
        with self._lock:
            return self._native.deadline()

    def start(self) -> None:
        """Tell people when their time comes, in a thread that the process does not wait for."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stopping.clear()
            self._thread = threading.Thread(
                target=self._run, name="firebell-escalation", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End what `start` began."""
        self._stopping.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(5.0)
            self._thread = None

    async def __aenter__(self) -> Self:
        """Tell people when their time comes, as a task of this loop."""
        import asyncio

        self._task = asyncio.get_running_loop().create_task(self._arun())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End that."""
        import asyncio

        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._wake = lambda: None

    # --- inside ---

    def _run(self) -> None:
        event = threading.Event()
        self._wake = event.set
        while not self._stopping.is_set():
            event.clear()
            self.tick()
            event.wait(self._pause())
        self._wake = lambda: None

    async def _arun(self) -> None:
        from ._session import LoopWaiter

        waiter = LoopWaiter()
        self._wake = waiter.wake
        while True:
            await self.atick()
            await waiter.wait(self._pause())

    def _pause(self) -> float:
        at = self.next_at
        # A clock of its own may go faster than that of the machine, and be set.
        return 1.0 if at is None else min(1.0, max(0.01, at - self._clock()))

    def _add(self, policy: Policy) -> None:
        for step in policy.steps:
            for notifier in step.notify:
                if not isinstance(notifier, str):
                    self._named(notifier)
        steps = []
        for after, step in policy._taken():  # noqa: SLF001
            names = [self._named(notifier) for notifier in step.notify]
            level = None if step.if_severity is None else _LEVELS[step.if_severity]
            # Each policy has its own hours and limits, also for the same notifier.
            steps.append((after, [f"{policy.name}/{name}" for name in names], level))
        for _, names, _ in steps:
            for name in names:
                self._notifiers[name] = self._notifiers[name.partition("/")[2]]
        self._native.add_policy(
            policy.name,
            steps,
            quiet=policy._quiet(),  # noqa: SLF001
            max_per_hour=policy.max_pages_per_hour,
            ack_timeout=policy.ack_timeout,
            patience=policy.patience,
        )
        self._policies[policy.name] = policy

    def _named(self, notifier: Any) -> str:
        """Return the name by which a notifier is known here."""
        if isinstance(notifier, str):
            if notifier not in self._notifiers:
                raise ValueError(f"no step has a notifier called {notifier!r}")
            return notifier
        name = str(getattr(notifier, "name", None) or type(notifier).__name__).replace("/", "-")
        unique, nth = name, 2
        while self._notifiers.get(unique, notifier) is not notifier:
            unique, nth = f"{name} {nth}", nth + 1
        self._notifiers[unique] = notifier
        return unique

    def _policy(self, given: Policy | str | None) -> Policy:
        if given is None:
            return self._default
        name = given if isinstance(given, str) else given.name
        known = self._policies.get(name)
        if known is None:
            if isinstance(given, Policy):
                self._add(given)
                return given
            raise ValueError(f"there is no policy {name!r}: {', '.join(self._policies)}")
        return known

    def _open(self, event: dict[str, Any], group: str, policy: Policy, now: float) -> int:
        key = self._n_opened + 1
        known = _Open(key, group, policy, event, now)
        known.severities[_print(event)] = event["severity"]
        self._incidents[key] = known
        try:
            self._native.open(now, key, policy.name, _LEVELS[event["severity"]])
        except ValueError:
            del self._incidents[key]
            raise
        self._n_opened = key
        self._groups[group] = key
        return key

    def _resolved(self, key: int, event: dict[str, Any], now: float) -> int:
        known = self._incidents[key]
        known.severities.pop(_print(event), None)
        if known.severities:
            self._settle_severity(known, now)
        else:
            self._native.close(now, key)
            self._forget(key)
        self._note(now)
        return key

    def _settle_severity(self, known: _Open, now: float) -> None:
        """Set its severity: an incident is as bad as the worst of its alerts."""
        worst = min(_LEVELS[it] for it in known.severities.values())
        self._native.set_severity(now, known.key, worst)

    def _forget(self, key: int) -> None:
        known = self._incidents[key]
        self._groups.pop(known.group, None)
        is_open = set(self._groups.values())
        over = [it for it in self._incidents if it not in is_open]
        for old in over[: max(0, len(over) - OVER_KEPT_MAX)]:
            del self._incidents[old]

    def _act(self, incident_id: str, act: Callable[[int, float], object]) -> Incident:
        with self._lock:
            key, now = self._key(incident_id), self._clock()
            act(key, now)
            self._note(now)
            found = self._incident(key)
        self._wake()
        return found

    def _key(self, incident_id: str) -> int:
        number = incident_id.removeprefix("INC-")
        key = int(number) if number.isdigit() else -1
        if key not in self._incidents:
            raise KeyError(f"there is no incident {incident_id!r}")
        return key

    def _due(self) -> list[tuple[int, str, list[Any]]]:
        """Return what is to be sent now: the message, the notifier, the alerts."""
        with self._lock:
            now = self._clock()
            self._native.tick(now)
            found = []
            for what, message, name, keys in self._native.take():
                if what == "send":
                    found.append((message, name, [self._told(key) for key in keys]))
                elif what == "nobody_left":
                    for key in keys:
                        rule = self._incidents[key].event["name"]
                        _self.warn(f"INC-{key} ({rule}): {name}, and no step is left")
            self._note(now)
            return found

    def _told(self, key: int) -> Any:
        known = self._incidents[key]
        event = dict(known.event)
        event.setdefault("kind", "check")
        event.setdefault("id", f"INC-{key}")
        event.setdefault("labels", {})
        event.setdefault("status", "firing")
        event.setdefault("fingerprint", known.group)
        event.setdefault("started_at", known.opened_at)
        event.setdefault("message", event["name"])
        event["incident"] = f"INC-{key}"
        event["n_alerts"] = len(known.severities)
        return event

    def _outcome(self, message: int, name: str, error: str | None) -> None:
        with self._lock:
            now = self._clock()
            if error is not None:
                plain = name.partition("/")[2]
                self.failures = [*self.failures[-99:], (now, plain, error)]
                _self.warn(f"the notifier {plain} failed: {error}", kind=f"notifier {plain}")
            self._native.outcome(now, message, error is None)
            self._note(now)

    def _note(self, _now: float) -> None:
        for at, key, what in self._native.happened():
            known = self._incidents.get(key)
            if known is not None:
                known.timeline = [*known.timeline[-199:], (at, what)]

    def _incident(self, key: int) -> Incident:
        known = self._incidents[key]
        page = self._native.page(key)
        worst = max(known.severities.values(), key=SEVERITIES.index, default=None)
        return Incident(
            {
                "id": f"INC-{key}",
                "rule": known.event["name"],
                "policy": known.policy.name,
                "severity": worst or known.event["severity"],
                "opened_at": known.opened_at,
                "state": page["state"],
                "step": page["step"],
                "next_at": page["next_at"],
                "acked_by": page["acked_by"],
                "timeline": list(known.timeline),
            }
        )


def _group(event: Mapping[str, Any], policy: Policy) -> str:
    labels = event.get("labels") or {}
    own = {"rule": event["name"], "service": event.get("service", ""), **event}
    parts = [str(own.get(it, labels.get(it, ""))) for it in policy.group_by]
    return "|".join((policy.name, *parts))


def _print(event: Mapping[str, Any]) -> str:
    labels = event.get("labels") or {}
    found = event.get("fingerprint")
    return str(found or "|".join((event["name"], *(f"{k}={labels[k]}" for k in sorted(labels)))))
