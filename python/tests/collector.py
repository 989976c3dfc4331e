"""A server that takes what a process sends, OTLP and alerts, and lets a test look at it."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from serving import Answer, Asked, Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SECONDS_MAX = 60.0
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


class Span:
    """One span, with its attributes as a dict."""

    def __init__(self, raw: Any, resource: dict[str, Any]) -> None:
        self.name: str = raw.name
        self.kind = KINDS[raw.kind]
        self.trace_id: str = raw.trace_id.hex()
        self.span_id: str = raw.span_id.hex()
        self.parent_id: str = raw.parent_span_id.hex()
        self.attributes = _dict(raw.attributes)
        self.links = [link.span_id.hex() for link in raw.links]
        self.failed = raw.status.code == 2
        self.message: str = raw.status.message
        self.resource = resource

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} {self.attributes}{' failed' if self.failed else ''}>"


class Log:
    """One log record or event."""

    def __init__(self, raw: Any, resource: dict[str, Any]) -> None:
        self.attributes = _dict(raw.attributes)
        self.event: str = raw.event_name or str(self.attributes.get("event.name", ""))
        self.body = _value(raw.body)
        self.trace_id: str = raw.trace_id.hex()
        self.resource = resource

    def __repr__(self) -> str:
        return f"<{self.event} {self.body} {self.attributes}>"


class Collector(Serving):
    """Use as a context manager; `url` is the endpoint."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.logs: list[Log] = []
        self.alerts: list[dict[str, Any]] = []
        self.points: list[tuple[str, dict[str, Any], float, float]] = []
        self.headers: list[dict[str, str]] = []
        self._changed = threading.Condition()
        super().__init__(self._take)

    def _take(self, asked: Asked) -> Answer:
        path, body = asked.path, asked.body
        with self._changed:
            self.headers.append(dict(asked.headers.items()))
            if path == "/v1/traces":
                for resource, raw in _records(ExportTraceServiceRequest, body, "spans", "spans"):
                    self.spans.append(Span(raw, resource))
            elif path == "/v1/logs":
                for resource, raw in _records(
                    ExportLogsServiceRequest, body, "logs", "log_records"
                ):
                    self.logs.append(Log(raw, resource))
            elif path.endswith("/v1/metrics"):
                for _, raw in _records(ExportMetricsServiceRequest, body, "metrics", "metrics"):
                    self.points += _points(raw)
            elif path == "/api/v2/alerts":
                self.alerts += json.loads(body)
            self._changed.notify_all()
        return Answer()

    def forget(self) -> None:
        """Drop what came so far."""
        with self._changed:
            for held in (self.spans, self.logs, self.alerts, self.points, self.headers):
                held.clear()

    def wait(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Return the first true answer; fails after `SECONDS_MAX` with all that came."""
        until = time.monotonic() + SECONDS_MAX
        with self._changed:
            while True:
                found = condition()
                if found:
                    return found
                left = until - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"{what or 'it'} did not come: {self.summary()}")
                self._changed.wait(min(left, 1.0))

    def summary(self) -> str:
        """All that came, to read."""
        names = sorted({point[0] for point in self.points})
        labels = [alert["labels"] for alert in self.alerts]
        return f"\nspans {self.spans}\nmetrics {names}\nlogs {self.logs}\nalerts {labels}"

    def span(self, name: str, **attributes: Any) -> Span:
        """Wait for a span by its name, and attributes (dots as double underscores)."""
        wanted = _dotted(attributes)

        def find() -> Span | None:
            return next(
                (
                    it
                    for it in self.spans
                    if it.name == name and wanted.items() <= it.attributes.items()
                ),
                None,
            )

        return self.wait(find, f"the span {name} {wanted}")  # type: ignore[no-any-return]

    def count(self, name: str, **labels: Any) -> float:
        """Sum what came so far: of counters the values, of histograms the counts."""
        wanted = {key: str(value) for key, value in _dotted(labels).items()}
        return sum(p[2] for p in self.points if p[0] == name and wanted.items() <= p[1].items())

    def latest(self, name: str) -> float | None:
        """Return the last value of a gauge."""
        return next((point[2] for point in reversed(self.points) if point[0] == name), None)

    def wait_count(self, name: str, at_least: float, **labels: Any) -> float:
        """Wait until the sum is there; return it."""
        return self.wait(  # type: ignore[no-any-return]
            lambda: (self.count(name, **labels) >= at_least or None) and self.count(name, **labels),
            f"{at_least} of {name} {labels}",
        )

    def alert(self, alertname: str, **labels: str) -> dict[str, Any]:
        """Wait for an alert."""
        wanted = {"alertname": alertname, **labels}
        return self.wait(  # type: ignore[no-any-return]
            lambda: next(
                (it for it in self.alerts if wanted.items() <= it["labels"].items()), None
            ),
            f"the alert {wanted}",
        )

    def event(self, kind: str) -> Log:
        """Wait for an event."""
        return self.wait(  # type: ignore[no-any-return]
            lambda: next((it for it in self.logs if it.event == f"firebell.{kind}"), None),
            f"the event {kind}",
        )


def _records(kind: Any, body: bytes, signal: str, field: str) -> Iterable[tuple[Any, Any]]:
    """Give each record with its resource's attributes."""
    for resource in getattr(kind.FromString(body), f"resource_{signal}"):
        attributes = _dict(resource.resource.attributes)
        for scope in getattr(resource, f"scope_{signal}"):
            for raw in getattr(scope, field):
                yield attributes, raw


def _points(metric: Any) -> list[tuple[str, dict[str, Any], float, float]]:
    kind = metric.WhichOneof("data")
    found = []
    for point in getattr(metric, kind).data_points:
        labels = {key: str(value) for key, value in _dict(point.attributes).items()}
        if kind in {"sum", "gauge"}:
            value = point.as_double if point.HasField("as_double") else float(point.as_int)
            found.append((metric.name, labels, value, value))
        else:
            found.append((metric.name, labels, float(point.count), point.sum))
    return found


def _dict(attributes: Any) -> dict[str, Any]:
    return {it.key: _value(it.value) for it in attributes}


def _value(raw: Any) -> Any:
    kind = raw.WhichOneof("value")
    if kind == "kvlist_value":
        return _dict(raw.kvlist_value.values)
    if kind == "array_value":
        return [_value(it) for it in raw.array_value.values]
    return None if kind is None else getattr(raw, kind)


def _dotted(names: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in names.items()}
