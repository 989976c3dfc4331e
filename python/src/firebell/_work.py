"""What all queues have in common: sending a message, and working on one.

Sending is a producer span whose trace context travels with the message, with the time. Working is a
consumer span in the sender's trace, a scope of its own, the time that the message waited, and the
failure if there is one. Names are those of OpenTelemetry's messaging conventions; `firebell.task`
says which job, since a queue holds many.
"""

from __future__ import annotations

import time

from . import _events, _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._native import Counter, Gauge, Histogram

# When it was sent, in seconds since 1970; stands beside the trace context.
SENT_AT = "firebell-sent-at"


class _Metrics:
    """Made when the first queue is used; the same names give the same metrics."""

    def __init__(self) -> None:
        counter, histogram, gauge = _native.counter, _native.histogram, _native.gauge
        self.sent: Counter = counter(
            "messaging.client.sent.messages", "messages sent", unit="{message}"
        )
        self.duration: Histogram = histogram(
            "messaging.process.duration", "time that a message was worked on", unit="s"
        )
        self.wait: Histogram = histogram(
            "firebell.queue.wait", "time from sending to the start of work", unit="s"
        )
        self.retries: Counter = counter(
            "firebell.queue.retries", "attempts that will be made again", unit="{message}"
        )
        self.depth: Gauge = gauge("firebell.queue.depth", "messages that wait", unit="{message}")
        self.oldest: Gauge = gauge(
            "firebell.queue.oldest_age", "age of the message that waits longest", unit="s"
        )


_made: list[_Metrics] = []


def metrics() -> _Metrics:
    """Return the metrics of queues."""
    if not _made:
        _made.append(_Metrics())
    return _made[0]


def labels_of(system: str, queue: str, task: str | None = None) -> dict[str, str]:
    """Return what says which queue, by conventional names."""
    found = {"messaging.system": system, "messaging.destination.name": queue}
    if task is not None:
        found["firebell.task"] = task
    return found


def sending(system: str, queue: str, task: str, carrier: dict[str, Any]) -> _native.Span:
    """Return the producer span, begun, and put trace context and time into `carrier`.

    Whoever calls this ends the span when the message is with the broker.
    """
    labels = labels_of(system, queue, task)
    span = _native.span(f"send {queue}", "producer", {"messaging.operation.type": "send", **labels})
    span.__enter__()
    found: dict[str, str] = {}
    _native.inject(found)
    carrier.update(found)
    carrier[SENT_AT] = f"{time.time():.3f}"
    metrics().sent.inc(1, **labels)
    return span


def ended(span: _native.Span, error: BaseException | None = None) -> None:
    """End what `sending` began."""
    span.__exit__(None if error is None else type(error), error, None)


class Work:
    """One message that is worked on, from its making to `end`."""

    __slots__ = ("_began", "_labels", "_span", "_token")

    def __init__(
        self,
        system: str,
        queue: str,
        task: str,
        *,
        carrier: Mapping[str, Any] | None = None,
        message_id: str | None = None,
        sent_at: float | None = None,
        attempt: int = 1,
    ) -> None:
        self._labels = labels_of(system, queue, task)
        self._token = _native.enter_scope()
        scope = _native.current_scope()
        scope.set_tag("task", task)
        scope.set_tag("queue", queue)
        remote = _native.extract(_texts(carrier)) if carrier else None
        attributes: dict[str, Any] = {"messaging.operation.type": "process", **self._labels}
        if message_id:
            attributes["messaging.message.id"] = message_id
            scope.request_id = message_id
        if attempt > 1:
            attributes["firebell.attempt"] = attempt
        waited = _waited(carrier, sent_at)
        # Only the first attempt waited for a worker; a later one waited on purpose.
        if waited is not None and attempt == 1:
            metrics().wait.observe(waited, **self._labels)
            attributes["firebell.queue.wait"] = waited
        self._span = _native.span(f"process {task}", "consumer", attributes, remote)
        self._span.__enter__()
        self._began = time.perf_counter()

    def end(
        self,
        error: BaseException | None = None,
        *,
        will_retry: bool = False,
        error_type: str | None = None,
    ) -> None:
        """Tell how it ended. What is tried again is counted, and told only when it fails for good.

        `error_type` names a failure of which there is no exception.
        """
        took = time.perf_counter() - self._began
        labels = self._labels
        if will_retry:
            metrics().retries.inc(1, **labels)
        elif error is not None:
            _events.capture_unhandled(error)
        name = error_type or (type(error).__qualname__ if error is not None else None)
        if name:
            labels = {**labels, "error.type": name}
        if error is None and error_type:
            self._span.fail(error_type)
        metrics().duration.observe(took, **labels)
        ended(self._span, error)
        _native.exit_scope(self._token)


def _texts(carrier: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in carrier.items() if isinstance(value, str)}


def _waited(carrier: Mapping[str, Any] | None, sent_at: float | None) -> float | None:
    """Seconds by two machines' clocks: never below zero."""
    if carrier and SENT_AT in carrier:
        try:
            sent_at = float(carrier[SENT_AT])
        except (TypeError, ValueError):
            sent_at = None
    return None if sent_at is None else max(0.0, time.time() - sent_at)


class Poll:
    """Calls a function every few seconds on a thread of its own, in the process that began it."""

    def __init__(self, function: Any, seconds: float = 15.0) -> None:
        import threading

        self._function = function
        self._seconds = seconds
        self._is_over = threading.Event()
        thread = threading.Thread(target=self._run, name="firebell-queues", daemon=True)
        thread.start()

    def _run(self) -> None:
        from . import _self

        while True:
            try:
                self._function()
            except Exception as error:  # noqa: BLE001 - brokers go away and come back.
                _self.warn(f"queues could not be looked at: {error!r}", kind="queues")
            if self._is_over.wait(self._seconds):
                return

    def stop(self) -> None:
        """End the thread; returns at once."""
        self._is_over.set()
