"""`heartbeat`: a job says that it ran; when that does not come, somebody is told.

Each beat is an event from which Firebell knows when the next one is due. For other backends two
gauges per name say when it last ran well and until when it has to run again, in seconds since 1970:
one rule over them watches all.
"""

from __future__ import annotations

import time

from . import _events, _native
from ._duration import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Literal, ParamSpec, TypeVar

    from typing_extensions import Self

    from ._duration import Duration
    from ._event import Severity

    P = ParamSpec("P")
    R = TypeVar("R")

_COROUTINE = 0x80


class Heartbeat:
    """A decorator, a context manager, or `.beat()`; what raises is no beat."""

    __slots__ = ("_every", "_grace", "_name", "_runbook", "_severity")
    _severity: Severity

    def __init__(
        self, name: str, every: float, grace: float, severity: Severity, runbook: str | None
    ) -> None:
        self._name = name
        self._every = every
        self._grace = grace
        self._severity = severity
        self._runbook = runbook

    def beat(self) -> None:
        """Say that it ran well, now."""
        now = time.time()
        due = now + self._every + self._grace
        labels: dict[str, Any] = {"heartbeat": self._name, "severity": self._severity}
        _gauge("firebell.heartbeat.time", "when it last ran well").set(now, **labels)
        _gauge("firebell.heartbeat.due", "until when it has to run again").set(due, **labels)
        body: dict[str, Any] = {
            "name": self._name,
            "every_s": self._every,
            "grace_s": self._grace,
            "severity": self._severity,
            "due_at": due,
        }
        if self._runbook:
            body["runbook"] = self._runbook
        _native.record("heartbeat", body)

    def _failed(self, error: BaseException) -> None:
        _events.capture_unhandled(error, self._severity, heartbeat=self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]:
        if error is None:
            self.beat()
        elif isinstance(error, Exception):
            self._failed(error)
        return False

    def __call__(self, fn: Callable[P, R], /) -> Callable[P, R]:
        """Beat after every call that returns."""
        import functools

        code = getattr(fn, "__code__", None)
        if code is not None and code.co_flags & _COROUTINE:

            @functools.wraps(fn)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self:
                    return await fn(*args, **kwargs)  # type: ignore[misc]

            return awaited  # type: ignore[return-value]

        @functools.wraps(fn)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return fn(*args, **kwargs)

        return called


def _gauge(name: str, description: str) -> _native.Gauge:
    return _native.gauge(name, description, unit="s")


def heartbeat(
    name: str,
    /,
    *,
    every: Duration,
    grace: Duration = "1m",
    severity: Severity = "error",
    runbook: str | None = None,
) -> Heartbeat:
    """Return a heartbeat: the job `name` has to run well every `every`, or `grace` later at most.

    Raises `ValueError` for durations that cannot be.
    """
    if severity not in _events.SEVERITIES:
        raise ValueError(f"severity is {severity!r}; known: {', '.join(_events.SEVERITIES)}")
    return Heartbeat(name, seconds(every, "every"), seconds(grace, "grace"), severity, runbook)
