"""What a test records: events and alerts as they are, logs, spans and metrics as they are sent.

The exporter sends to a receiver in this process, so that what is seen is what a server would see.
"""

from __future__ import annotations

import time

from . import _events, _native, _otlp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._event import Event, Hint
    from ._sim import Alerted

FLUSH_SECONDS = 5.0


class Captured:
    """Everything since the test began."""

    def __init__(self) -> None:
        self._receiver: _otlp.Receiver | None = None
        self._events: list[Event] = []
        self._before: Any = None
        self._metrics: dict[str, float] = {}

    def begin(self) -> None:
        """Capture from now on."""
        self._receiver = _otlp.Receiver()
        _native.configure(
            service="captured",
            endpoint=self._receiver.url,
            flush_interval=0.05,
            enabled=True,
        )
        self._before = _events.through_before_send
        _events.through_before_send = self._through
        self._metrics = _otlp.exposed(_native.expose())

    def end(self) -> None:
        """Capture no longer: the next test begins anew."""
        _events.through_before_send = self._before
        _native.flush(FLUSH_SECONDS)
        _native.configure(service="captured", endpoint=None)
        if self._receiver is not None:
            self._receiver.close()

    @property
    def events(self) -> Sequence[Event]:
        """Everything that went through `before_send`: alerts, exceptions, checks, deploys."""
        return list(self._events)

    @property
    def alerts(self) -> Sequence[Alerted]:
        """Alerts and exceptions that fire, in order."""
        from ._sim import Alerted

        found = []
        for event in self._events:
            given: Any = event
            is_over = given.get("status") == "resolved"
            if event["kind"] in {"alert", "exception", "check"} and not is_over:
                facts = {
                    "rule": event["name"],
                    "severity": event["severity"],
                    "message": event.get("message", ""),
                    "runbook": event.get("runbook"),
                    "labels": event.get("labels", {}),
                    "value": given.get("value"),
                    "at": given.get("started_at", time.time()),
                    "context": event.get("contexts", {}),
                }
                found.append(Alerted(facts, 0.0))
        return found

    @property
    def logs(self) -> Sequence[dict[str, Any]]:
        """Log records: `level`, `message`, `logger`, `trace_id`, `attributes`."""
        return self._sent().logs

    @property
    def spans(self) -> Sequence[dict[str, Any]]:
        """Spans: `name`, `kind`, `seconds`, `failed`, `attributes`, and the three ids."""
        return self._sent().spans

    def metric(self, name: str, /, **labels: object) -> float:
        """Return what was added to a counter, or the value of a gauge, since the test began.

        `name` is as it was given, or as Prometheus has it (`shop_orders_total`); of several series
        that have these labels, the sum. 0 where there is none.
        """
        wanted = {key: str(value) for key, value in labels.items()}
        now = _otlp.exposed(_native.expose())
        found = 0.0
        for series, value in now.items():
            if _otlp.matches(series, name, wanted):
                before = 0.0 if _otlp.is_gauge(series) else self._metrics.get(series, 0.0)
                found += value - before
        return found

    def _sent(self) -> _otlp.Receiver:
        if self._receiver is None:
            raise RuntimeError("nothing is captured outside of a test")
        _native.flush(FLUSH_SECONDS)
        return self._receiver

    def _through(self, event: Event, hint: Hint) -> Event | None:
        kept: Event | None = self._before(event, hint)
        if kept is not None:
            self._events.append(kept)
        return kept
