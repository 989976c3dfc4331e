"""What `before_send` gets and gives back; loaded only by who names the type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict

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
