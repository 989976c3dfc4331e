"""What `before_send` and notifiers get; loaded only by who names the types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

Severity: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]


class _Always(TypedDict):
    kind: Literal["alert", "exception", "log", "check", "deploy"]
    id: str
    name: str
    severity: Severity
    message: str


class Event(_Always, total=False):
    """One event; its first five keys are always there."""

    fingerprint: str
    runbook: str
    trace_id: str
    span_id: str
    service: str
    environment: str
    release: str
    user: dict[str, Any]
    request: dict[str, Any]
    labels: dict[str, str]
    tags: dict[str, Any]
    contexts: dict[str, Any]
    breadcrumbs: list[dict[str, Any]]
    snapshots: dict[str, Any]
    exception: dict[str, Any]
    deploy: dict[str, Any]
    suppressed: int
    before_send_failed: str


Hint: TypeAlias = Mapping[str, Any]
BeforeSend: TypeAlias = Callable[[Event, Hint], Event | None]


class _CheckAlways(TypedDict):
    kind: Literal["check"]
    id: str
    name: str
    severity: Severity
    message: str
    labels: dict[str, str]
    fingerprint: str
    status: Literal["firing", "resolved"]
    started_at: float


class CheckEvent(_CheckAlways, total=False):
    """What notifiers are told of an alert of a check."""

    change: Literal["fired", "rose", "repeated", "refreshed", "resolved"]
    runbook: str
    contexts: dict[str, Any]
    exception: dict[str, Any]
    service: str
    environment: str
    release: str
    value: float
    ended_at: float
    refresh_seconds: float
    escalation: str


class Notifier(Protocol):
    """Whom alerts are told: anything with a name and an async `send`."""

    name: str

    async def send(self, alert: CheckEvent, /) -> None:
        """Tell of one alert; raising means that it was not told."""
