"""The engine of checks: evaluates rules, once or for ever, and tells whoever has to know.

It needs no server. What answers mean is decided by the native `Check`; what is sent where, by
`_outbox`; how checks run, by `_session`.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from os import urandom

from . import _answers, _hosts, _lease, _native, _outbox, _pool, _rules, _self
from ._duration import seconds
from ._session import LoopWaiter, Session, ThreadWaiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypedDict

    from typing_extensions import Self

    from ._duration import Duration
    from ._event import CheckEvent, Notifier
    from ._rules import AlertRule
    from ._session import Run
    from .escalation import EscalationManager

    class EngineStats(TypedDict):
        """Counts since the engine was made."""

        evaluated: int
        raised: int
        timed_out: int
        skipped_still_running: int
        held_by_others: int
        stuck_threads: int
        sent: int
        failed_attempts: int
        dropped: int


# Whoever keeps alerts (Alertmanager, Firebell) is told again this often that one still fires.
REFRESH_SECONDS = 60.0
# Who has to be asked before a rule is evaluated is looked at again after so long.
SOON_SECONDS = 0.1
# A firing alert that nobody refreshes is over after so many intervals.
ENDS_AFTER = 4


class _State:
    """A rule while an engine evaluates it."""

    __slots__ = ("check", "due_at", "fired", "lease", "rule", "run", "texts")

    def __init__(self, rule: AlertRule) -> None:
        self.rule = rule
        self.check = rule.native()
        # The monotonic moment of its next turn.
        self.due_at = time.monotonic()
        # The run that is under way, also one that nobody waits for any more.
        self.run: Run | None = None
        # What was last said of its alerts, by their labels.
        self.texts: dict[frozenset[tuple[str, str]], _answers.Text] = {}
        self.lease: _lease.Lease | None = None

    def reset(self, repeat: float | None) -> None:
        """Forget its alerts, here and for whoever is next on this host."""
        if not self.check.alerts():
            return
        self.check = self.rule.native()
        self.check.set_repeat(repeat)
        self.texts = {}
        if self.lease is not None:
            self.lease.save(self.check.saved())


class AlertEngine:
    """Evaluates rules and tells notifiers. Usable without any server.

    >>> engine = AlertEngine([rule], webhook="https://hooks.slack.com/services/…")
    >>> engine.run(every="1m")

    `rules` are those of decorators (`@firebell.alert`) when not given; `add` adds more. `webhook`
    takes what Slack, Mattermost and others with Slack-shaped webhooks take; `alertmanager` is the
    address of any Alertmanager; `notify` are further notifiers (`firebell.escalation.slack`,
    `webhook`, `email`, `call`, or your own with `async def send(alert)`). With none of these, the
    Firebell of `init()` or `FIREBELL_ENDPOINT` is told, and without that the log.

    `every` goes before the rules' own. `repeat` is how often people hear again of what still fires;
    None is never. `service` and `run_dir` are where processes of a service agree who evaluates: see
    `AlertRule.scope`. `clock` gives seconds since 1970.

    Rules with an `escalation` go to `escalation`, an `EscalationManager`, in place of notifiers.
    """

    def __init__(
        self,
        rules: Iterable[AlertRule] | None = None,
        *,
        webhook: str | None = None,
        alertmanager: str | None = None,
        notify: Sequence[Notifier] = (),
        escalation: EscalationManager | None = None,
        every: Duration | None = None,
        repeat: Duration | None = "4h",
        service: str | None = None,
        run_dir: str | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        from . import _notify

        self._uses_defined = rules is None
        self._states: dict[str, _State] = {}
        self._lock = threading.RLock()
        self._clock = clock or _steady_clock()
        self._every = None if every is None else _rules._positive(every, "every")  # noqa: SLF001
        self._repeat = None if repeat is None else seconds(repeat, "repeat")
        self._escalation = escalation
        self._service = service
        self._run_dir = run_dir
        self._hosts: _hosts.Hosts | None = None
        self._knows_hosts = False
        self._counts = dict.fromkeys(
            ("evaluated", "raised", "timed_out", "skipped_still_running", "held_by_others"), 0
        )
        self._refreshed_at: float | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._wake: Callable[[], None] = lambda: None
        told: list[Notifier] = list(notify)
        if webhook is not None:
            told.append(_notify.slack(webhook, name="webhook"))
        if alertmanager is not None:
            told.append(_notify.alertmanager(alertmanager))
        if not told and escalation is None:
            told.append(_notify.default())
        self._outbox = _outbox.Outbox(told)
        for rule in rules or ():
            self.add(rule)
        engines.add(self)

    def add(self, *rules: AlertRule) -> None:
        """Add rules. Raises `ValueError` for a second one of a name."""
        with self._lock:
            for rule in rules:
                if rule.check is None:
                    raise ValueError(
                        f"rule {rule.name!r} is an expression: a Firebell or a Prometheus evaluates"
                        " it, or firebell_sim in tests; an engine of an app needs a check"
                    )
                if rule.name in self._states:
                    raise ValueError(f"the engine has a rule {rule.name!r} already")
                state = _State(rule)
                state.check.set_repeat(self._repeat)
                self._states[rule.name] = state
        self._wake()

    # --- once ---

    def evaluate(self, *, timeout: Duration = 10) -> list[CheckEvent]:
        """Evaluate every rule now, wait until all were told that have to be, return what fires.

        Whoever cannot be told is tried again later, in the background; at most `timeout` is waited.
        """
        waiter = ThreadWaiter()
        session = Session(waiter, None)
        self._begin(session, self._all())
        while session.runs:
            waiter.wait(session.next_deadline())
            self._take(session)
        self._outbox.wait(seconds(timeout, "timeout"))
        return self.alerts

    async def aevaluate(self, *, timeout: Duration = 10) -> list[CheckEvent]:
        """Do what `evaluate` does in an event loop: async checks run on it, others in threads."""
        import asyncio

        waiter = LoopWaiter()
        session = Session(waiter, asyncio.get_running_loop())
        self._begin(session, self._all())
        while session.runs:
            await waiter.wait(session.next_deadline())
            self._take(session)
        await asyncio.to_thread(self._outbox.wait, seconds(timeout, "timeout"))
        return self.alerts

    # --- for ever ---

    def run(self, every: Duration | None = None) -> None:
        """Evaluate for ever, each rule when its turn comes; until `stop`, or Ctrl-C raises."""
        self._stopping.clear()
        self._run(every)

    def _run(self, every: Duration | None) -> None:
        self._set_every(every)
        waiter = ThreadWaiter()
        self._wake = waiter.wake
        session = Session(waiter, None)
        try:
            while not self._stopping.is_set():
                waiter.wait(self._turn(session))
        finally:
            self._end()

    async def arun(self, every: Duration | None = None) -> None:
        """Do what `run` does in an event loop; until `stop` or its task is cancelled."""
        import asyncio

        self._stopping.clear()
        self._set_every(every)
        waiter = LoopWaiter()
        self._wake = waiter.wake
        session = Session(waiter, asyncio.get_running_loop())
        try:
            while not self._stopping.is_set():
                await waiter.wait(self._turn(session))
        finally:
            self._end()

    def start(self, every: Duration | None = None) -> None:
        """Do what `run` does in a thread that does not hold up the end of the process."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stopping.clear()
            self._thread = threading.Thread(
                target=self._run, args=(every,), name="firebell-engine", daemon=True
            )
            self._thread.start()

    def stop(self, timeout: Duration = 5) -> None:
        """End `run`, `arun` or `start`; wait until what is to be told was, at most `timeout`."""
        limit = seconds(timeout, "timeout")
        self._stopping.set()
        self._wake()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(limit)
        self._outbox.wait(limit)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what is known ---

    @property
    def alerts(self) -> list[CheckEvent]:
        """What fires now, also what nobody is told of again during its cooldown."""
        with self._lock:
            return [
                self._event(state, alert, "firing")
                for state in self._states.values()
                for alert in state.check.alerts()
                if alert["state"] == "firing"
            ]

    @property
    def rules(self) -> list[AlertRule]:
        """The rules, in the order in which they were added."""
        self._take_defined()
        return [state.rule for state in self._states.values()]

    @property
    def stats(self) -> EngineStats:
        """What was evaluated, skipped, told and lost."""
        found: Any = {
            **self._counts,
            "stuck_threads": _pool.shared().n_stuck,
            **self._outbox.counts(),
        }
        return found  # type: ignore[no-any-return]

    # --- inside ---

    def _set_every(self, every: Duration | None) -> None:
        if every is not None:
            self._every = _rules._positive(every, "every")  # noqa: SLF001

    def _take_defined(self) -> None:
        if self._uses_defined:
            for rule in _rules.defined():
                known = self._states.get(rule.name)
                if known is None:
                    self.add(rule)
                else:
                    # Loaded anew: the same alert, another function.
                    known.rule = rule

    def _all(self) -> list[_State]:
        self._take_defined()
        return list(self._states.values())

    def _turn(self, session: Session) -> float:
        """Do what is due; return in how many seconds the next thing is."""
        self._take(session)
        now = time.monotonic()
        due = [state for state in self._all() if state.due_at <= now]
        ours = []
        for state in due:
            is_ours = self._is_ours(state)
            if is_ours is None:
                state.due_at = now + SOON_SECONDS
                continue
            if is_ours:
                ours.append(state)
            every = self._every or state.rule.every
            # Turns that were missed, as by a machine that slept, are not made up for.
            state.due_at += every
            if state.due_at <= now:
                state.due_at = now + every
        self._begin(session, ours)
        self._refresh(now)
        waits = [state.due_at - now for state in self._all()]
        deadline = session.next_deadline()
        if deadline is not None:
            waits.append(deadline)
        return max(0.0, min([*waits, REFRESH_SECONDS]))

    def _begin(self, session: Session, states: Iterable[_State]) -> None:
        for state in states:
            with self._lock:
                if state.run is not None and state.run.is_running:
                    self._counts["skipped_still_running"] += 1
                    continue
                state.run = session.begin(state.rule.name, state.rule)

    def _take(self, session: Session) -> None:
        for run in session.ended():
            state = self._states.get(run.key)
            if state is not None:
                try:
                    with self._lock:
                        self._observe(state, run)
                except Exception as error:  # noqa: BLE001 - one rule must not end the others.
                    _self.warn(f"what {run.key} found could not be told: {error!r}")

    def _observe(self, state: _State, run: Run) -> None:
        """Take what came of a run, and tell what has to be told."""
        rule, check, at = state.rule, state.check, self._clock()
        self._counts["evaluated"] += 1
        if run.outcome is None or run.is_late:
            news = self._too_late(state, run, at)
        elif not run.outcome[0]:
            news = self._raised(state, run.outcome[1], at)
        else:
            answer = run.outcome[1]
            try:
                found = _answers.read(rule, answer)
            except Exception as error:  # noqa: BLE001 - an answer may raise when it is looked at.
                news = self._raised(state, error, at)
            else:
                if found is None:
                    state.texts[_NO_DATA] = _answers.Text(f"{rule.name} has no data")
                    news = check.no_data(at)
                elif isinstance(found, float):
                    verdict = _answers.held(rule, found)
                    if verdict.firing:
                        state.texts[frozenset()] = _answers.text_of(rule, verdict)
                    news = check.number(at, found)
                else:
                    for verdict in found:
                        if verdict.firing:
                            key = frozenset(verdict.labels.items())
                            state.texts[key] = _answers.text_of(rule, verdict)
                    news = check.problems(at, _answers.problems(found))
        self._tell(state, news)

    def _raised(self, state: _State, error: BaseException, at: float) -> Any:
        from . import _traceback

        rule = state.rule
        described = None
        if isinstance(error, _answers.Nonsense):
            message = f"{rule.name}: {error}"
        else:
            described = _traceback.describe(error)
            message = f"{rule.name} raised {described['type']}: {described['message']}"
        if rule.is_healthcheck and described is not None:
            text = _answers.text_of(rule, _rules.Verdict(firing=True))
            text.message = text.message if rule.message else message
            text.exception = described
            state.texts[frozenset()] = text
            return state.check.problems(at, [({}, None, None)])
        self._counts["raised"] += 1
        state.texts[_RAISED] = _answers.Text(message, exception=described)
        return state.check.broken(at, "check_raised")

    def _too_late(self, state: _State, run: Run, at: float) -> Any:
        rule = state.rule
        self._counts["timed_out"] += 1
        message = f"{rule.name} gave no answer within {rule.timeout:g} s"
        context: dict[str, Any] = {}
        job = run.job
        if job is not None and job.started_at is None:
            message += f": all threads for checks are stuck ({_pool.shared().n_stuck})"
        elif job is not None and job.is_stuck:
            context["stuck_at"] = job.stack()
            _self.warn(
                f"{message}; its thread cannot be ended and runs on", kind=f"stuck {rule.name}"
            )
        if rule.is_healthcheck:
            state.texts[frozenset()] = _answers.Text(message, context=context)
            return state.check.problems(at, [({}, None, None)])
        state.texts[_TIMED_OUT] = _answers.Text(message, context=context)
        return state.check.broken(at, "check_timeout")

    def _tell(self, state: _State, news: Any) -> None:
        for kind, alert in news:
            status = "resolved" if kind == "resolved" else "firing"
            event = self._event(state, alert, status)
            event["change"] = kind
            self._send(state, event)
        if state.lease is not None:
            state.lease.save(state.check.saved())
        known = {frozenset(alert["labels"].items()) for alert in state.check.alerts()}
        state.texts = {key: text for key, text in state.texts.items() if key in known}

    def _send(self, state: _State, event: CheckEvent) -> None:
        events = _of_init()
        kept: Any = event
        if events is not None:
            kept = events.through_before_send(event, {"rule": state.rule})
        if kept is None:
            return
        told: CheckEvent = _native.redact(kept)
        if state.rule.escalation is not None and self._escalation is not None:
            self._escalation.take(told, state.rule.escalation)
        else:
            self._outbox.put(told)

    def _event(self, state: _State, alert: Mapping[str, Any], status: str) -> CheckEvent:
        """Return what is told of an alert."""
        rule = state.rule
        text = state.texts.get(frozenset(alert["labels"].items()))
        message = text.message if text is not None else f"{rule.name} fires"
        severity: Any = _rules.SEVERITIES[alert["severity"]]
        labels = {**rule.labels, **alert["labels"]}
        event = _new_event(rule.name, severity, message)
        event.update(
            status=status,
            labels=labels,
            fingerprint="|".join((rule.name, *(f"{k}={labels[k]}" for k in sorted(labels)))),
            started_at=alert["fired_at"] or alert["active_at"],
            refresh_seconds=self._lasts(rule),
        )
        if self._service is not None:
            event["service"] = self._service
        if status == "resolved":
            event["ended_at"] = alert["resolved_at"]
        if rule.runbook:
            event["runbook"] = rule.runbook
        if text is not None:
            if text.value is not None:
                event["value"] = text.value
            if text.context:
                event["contexts"] = {**event.get("contexts", {}), "check": text.context}
            if text.exception is not None:
                event["exception"] = text.exception
        return event  # type: ignore[no-any-return]

    def _lasts(self, rule: AlertRule) -> float:
        return ENDS_AFTER * max(self._every or rule.every, REFRESH_SECONDS)

    def _refresh(self, now: float) -> None:
        """Tell those who keep alerts that they still fire."""
        if self._refreshed_at is not None and now - self._refreshed_at < REFRESH_SECONDS:
            return
        self._refreshed_at = now
        with self._lock:
            for state in self._states.values():
                for alert in state.check.alerts():
                    if alert["state"] == "firing" and alert["is_told"]:
                        event = self._event(state, alert, "firing")
                        event["change"] = "refreshed"
                        self._outbox.refresh(_native.redact(event))

    def _is_ours(self, state: _State) -> bool | None:
        """Whether this process evaluates a rule now, of those that could; None: ask soon."""
        if state.rule.scope == "process":
            return True
        if state.lease is None:
            state.lease = _lease.of_rule(state.rule.name, self._service, self._run_dir)
        before = state.lease.is_held
        if not state.lease.take():
            self._counts["held_by_others"] += 1
            return False
        saved = None if before else state.lease.load()
        if saved is not None:
            state.check.restore(saved)
        return True if state.rule.scope == "host" else self._is_of_this_host(state)

    def _is_of_this_host(self, state: _State) -> bool | None:
        if not self._knows_hosts:
            self._knows_hosts = True
            self._hosts = _hosts.of_service(self._service, _lease.folder_of(self._run_dir))
        if self._hosts is None:
            return True
        is_ours = self._hosts.is_ours(state.rule.name, self._every or state.rule.every)
        if is_ours is False:
            self._counts["held_by_others"] += 1
            # Another host knows of its alerts from now on.
            state.reset(self._repeat)
        return is_ours

    def _end(self) -> None:
        self._wake = lambda: None
        if self._hosts is not None:
            self._hosts.give_up()
            self._hosts, self._knows_hosts = None, False
        for state in self._states.values():
            if state.lease is not None:
                state.lease.release()


# Those that are in use, for who asks what fires.
engines: weakref.WeakSet[AlertEngine] = weakref.WeakSet()

_NO_DATA = frozenset({("reason", "no_data")})
_RAISED = frozenset({("reason", "check_raised")})
_TIMED_OUT = frozenset({("reason", "check_timeout")})


def _of_init() -> Any:
    """Return the module of events once the app has called `init()`: its hook and facts hold."""
    return sys.modules.get("firebell._events")


def _new_event(name: str, severity: Any, message: str) -> Any:
    events = _of_init()
    if events is not None:
        return events._new_event("check", name, severity, message)  # noqa: SLF001
    return {
        "kind": "check",
        "id": urandom(16).hex(),
        "name": name,
        "severity": severity,
        "message": message,
    }


def _steady_clock() -> Callable[[], float]:
    """Return a clock that goes on where the machine's is set back or forth."""
    began_at, began = time.time(), time.monotonic()
    return lambda: began_at + time.monotonic() - began
