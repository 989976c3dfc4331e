"""Exceptions, alerts of the app's own, deploys: with their context, through `before_send`.

The same exception a thousand times a second is three in full each minute; the next that goes
through says how many did not. Nothing here raises because of what the app gave it.
"""

from __future__ import annotations

import time
from os import urandom

from . import _context, _flood, _native, _self
from ._duration import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ._duration import Duration
    from ._event import BeforeSend, Event, Hint, Severity
    from ._native import Label

SECONDS_OF_AN_ALERT = 300.0
FIRED_MAX = 1_000
ALWAYS_THERE = ("kind", "id", "name", "severity", "message")
SEVERITIES = ("debug", "info", "warning", "error", "critical")


class _State:
    """What `init()` set, and what goes on."""

    before_send: BeforeSend | None = None
    local_variables = False
    facts: dict[str, str] = {}  # noqa: RUF012 - replaced as a whole, never changed
    dropped_by_before_send = 0
    suppressed = 0
    deploy: dict[str, Any] | None = None
    deployed_at = 0.0


_flood_of_exceptions = _flood.Flood()
# Fingerprint of what `fire` told -> (quiet until, rank of its severity, seconds since 1970)
_fired: dict[str, tuple[float, int, float]] = {}


def set_up(before_send: BeforeSend | None, facts: dict[str, str], *, local_variables: bool) -> None:
    """Take what `init()` was told: the hook, and service, environment, release."""
    _State.before_send = before_send
    _State.local_variables = local_variables
    _State.facts = facts


def counts() -> dict[str, int]:
    """Return what was left out here, by cause."""
    return {
        "dropped_by_before_send": _State.dropped_by_before_send,
        "suppressed_by_flood_limit": _State.suppressed,
    }


def capture_exception(
    exc: BaseException | None = None,
    /,
    *,
    severity: Severity = "error",
    fingerprint: Sequence[str] | None = None,
    **context: Any,
) -> str:
    """Tell of an exception (by default the one being handled), as an alert with its context.

    Returns the event's id, also of an exception that was told before; "" where there is none.
    `fingerprint` says what counts as the same; by default its type and where it was raised.
    """
    return _capture(exc, severity, fingerprint, context, handled=True)


def capture_unhandled(
    exc: BaseException, severity: Severity = "error", *, route: str | None = None, **context: Any
) -> str:
    """Do the same for integrations: nobody handled it. `route` is the request's template."""
    return _capture(exc, severity, None, context, handled=False, route=route)


def _capture(
    exc: BaseException | None,
    severity: Severity,
    fingerprint: Sequence[str] | None,
    context: dict[str, Any],
    *,
    handled: bool,
    route: str | None = None,
) -> str:
    try:
        if exc is None:
            import sys

            exc = sys.exc_info()[1]
        if exc is None or not _native.enabled():
            return ""
        told: str | None = exc.__dict__.get("__firebell_event__")
        if told is not None:
            return told
        return _tell_exception(exc, severity, fingerprint, context, handled=handled, route=route)
    except Exception as error:  # noqa: BLE001 - telling of a failure must not make another.
        _self.warn(f"an exception could not be told: {error!r}")
        return ""


def _tell_exception(
    exc: BaseException,
    severity: Severity,
    fingerprint: Sequence[str] | None,
    context: dict[str, Any],
    *,
    handled: bool,
    route: str | None,
) -> str:
    from . import _traceback

    described = _traceback.describe(exc, with_locals=_State.local_variables)
    described["handled"] = handled
    where = described["where"]
    print_ = "|".join(fingerprint) if fingerprint else f"{described['type']}|{where}"
    suppressed = _flood_of_exceptions.admit(print_)
    identity = urandom(16).hex()
    exc.__dict__["__firebell_event__"] = identity
    if suppressed is None:
        _State.suppressed += 1
        return identity
    event = _new_event("exception", described["type"], severity, str(described["message"]))
    event["id"] = identity
    event["fingerprint"] = print_
    event["exception"] = described
    event["labels"] = {"exception": described["type"], "where": where}
    if fingerprint:
        event["labels"]["fingerprint"] = print_
    if route:
        event["request"] = {**event.get("request", {}), "route": route}
    if context:
        event["contexts"] = {**event.get("contexts", {}), "given": context}
    if suppressed:
        event["suppressed"] = suppressed
    send(event, {"exception": exc})
    return identity


def fire(
    name: str,
    message: str = "",
    /,
    *,
    severity: Severity = "error",
    runbook: str | None = None,
    cooldown: Duration = "5m",
    labels: Mapping[str, Label] | None = None,
    **context: Any,
) -> str | None:
    """Raise an alert now. It ends with `resolve`, or after `cooldown` (at least 5 minutes).

    Returns its event's id; None while it cools down, which a rise in severity breaks. Raises
    `ValueError` for a severity or cooldown that cannot be.
    """
    quiet_for = seconds(cooldown, "cooldown")
    if severity not in SEVERITIES:
        raise ValueError(f"severity is {severity!r}; it must be one of {', '.join(SEVERITIES)}")
    given = _texts(labels)
    print_ = _print_of(name, given)
    now, rank = time.monotonic(), SEVERITIES.index(severity)
    quiet_until, rank_before, _ = _fired.get(print_, (0.0, -1, 0.0))
    if now < quiet_until and rank <= rank_before:
        return None
    if len(_fired) >= FIRED_MAX:
        _fired.pop(next(iter(_fired)), None)
    _fired[print_] = (now + quiet_for, rank, time.time())
    event = _new_event("alert", name, severity, message)
    event["labels"] = given
    event["fingerprint"] = print_
    if runbook:
        event["runbook"] = runbook
    if context:
        event["contexts"] = {**event.get("contexts", {}), "given": context}
    send(event, {}, lasts=max(quiet_for, SECONDS_OF_AN_ALERT))
    return event["id"]


def resolve(name: str, /, *, labels: Mapping[str, Label] | None = None) -> None:
    """End an alert of `fire` with the same name and labels; nothing happens if there is none."""
    given = _texts(labels)
    found = _fired.pop(_print_of(name, given), None)
    if found is None:
        return
    event = _new_event("alert", name, SEVERITIES[found[1]], "")  # type: ignore[arg-type]
    event["labels"] = given
    send(event, {}, lasts=0.0, fired_at=found[2])


def deploy(
    version: str | None = None,
    /,
    *,
    environment: str | None = None,
    commit: str | None = None,
    url: str | None = None,
) -> None:
    """Say that something new runs from now on; later alerts tell how long ago that was."""
    facts = {
        "version": version or _State.facts.get("release"),
        "environment": environment or _State.facts.get("environment"),
        "commit": commit,
        "url": url,
    }
    told = {key: value for key, value in facts.items() if value}
    _State.deploy, _State.deployed_at = told, time.monotonic()
    event = _new_event("deploy", told.get("version", "deploy"), "info", "")
    event["deploy"] = told
    send(event, {})


def _texts(labels: Mapping[str, Label] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (labels or {}).items()}


def _print_of(name: str, labels: dict[str, str]) -> str:
    return "|".join((name, *(f"{key}={labels[key]}" for key in sorted(labels))))


def _new_event(kind: Any, name: str, severity: Severity, message: str) -> Event:
    event: Event = {
        "kind": kind,
        "id": urandom(16).hex(),
        "name": name,
        "severity": severity,
        "message": message,
        **_State.facts,  # type: ignore[typeddict-item]
    }
    found = _native.current_scope().snapshot()
    request = {
        key: found[key] for key in ("request_id", "method", "path", "route") if found.get(key)
    }
    if request:
        event["request"] = request
    for key in ("user", "tags", "contexts", "breadcrumbs", "trace_id", "span_id"):
        if found.get(key):
            event[key] = found[key]
    span = _native.current_span()
    if span is not None:
        event["trace_id"], event["span_id"] = span.trace_id, span.span_id
    if kind != "deploy":
        taken = _context.snapshots()
        if taken:
            event["snapshots"] = taken
        if _State.deploy is not None:
            age = round(time.monotonic() - _State.deployed_at)
            event["deploy"] = {**_State.deploy, "age_s": age}
    return event


def through_before_send(event: Event, hint: Hint) -> Event | None:
    """Ask the app's hook. What raises is told anyhow, and marked: a bug there hides no alert."""
    if _State.before_send is None:
        return event
    before: dict[str, Any] = dict(event)
    try:
        kept = _State.before_send(event, hint)
    except Exception as error:  # noqa: BLE001 - the app's hook may raise anything.
        event["before_send_failed"] = repr(error)[:200]
        _self.warn(f"before_send raised {error!r}; the event is sent as it was")
        return event
    if kept is None:
        _State.dropped_by_before_send += 1
    elif not isinstance(kept, dict):
        event["before_send_failed"] = f"it gave {type(kept).__name__}, not an event or None"
        return event
    else:
        whole: Any = {**{key: before[key] for key in ALWAYS_THERE}, **kept}
        return whole  # type: ignore[no-any-return]
    return None


def send(
    event: Event,
    hint: Hint,
    *,
    lasts: float = SECONDS_OF_AN_ALERT,
    fired_at: float | None = None,
) -> None:
    """Hand an event over: everything as a record, and what somebody has to see as an alert too.

    `lasts` is for how many seconds the alert fires unless it is refreshed; what lasts for none is
    over. `fired_at`, in seconds since 1970, is now where it is not given.
    """
    try:
        kept = through_before_send(event, hint)
        if kept is not None:
            _hand_over(kept, lasts, fired_at)
    except Exception as error:  # noqa: BLE001 - what the app or its hook made of it may be odd.
        _self.warn(f"the event {event['name']!r} could not be told: {error!r}")


def _hand_over(event: Event, lasts: float, fired_at: float | None) -> None:
    _native.record(event["kind"], event)
    if event["kind"] in {"alert", "exception", "check"}:
        from . import _alert

        now = time.time()
        # No server takes an alert that ends before it began; clocks are set back.
        starts_at = now if fired_at is None else min(fired_at, now)
        labels, annotations = _alert.of_event(event)
        _native.alert(labels, annotations, starts_at=starts_at, ends_at=now + lasts)
