"""Celery: spans and times of tasks, retries, what is in the queues, whether beat is alive.

Trace context travels in the message's headers. Everything hangs on Celery's signals, so prefork,
threads and solo pools are the same; what killed a child of a prefork pool is told by its parent.
"""

from __future__ import annotations

import time

from . import _events, _native, _work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

SYSTEM = "celery"
SENDING_MAX = 1_000
SECONDS_AT_THE_END = 0.3


class _State:
    """What goes on in this process."""

    is_connected = False
    polls_queues = True
    watches_beat = True
    sending: dict[str, _native.Span] = {}  # noqa: RUF012 - one of the process
    works: dict[str, _work.Work] = {}  # noqa: RUF012
    poll: _work.Poll | None = None


def instrument(app: Any = None, /, *, queue_depth: bool = True, monitor_beat: bool = True) -> None:  # noqa: ARG001
    """Connect to Celery's signals; again only changes the options.

    `queue_depth` lets each worker's main process ask the broker how much waits; `monitor_beat` lets
    `celery beat` beat a heartbeat of that name. The signals are those of every app of the process.
    """
    _State.polls_queues = queue_depth
    _State.watches_beat = monitor_beat
    if _State.is_connected:
        return
    _State.is_connected = True
    from celery import signals

    for name, function in _RECEIVERS.items():
        getattr(signals, name).connect(function, weak=False, dispatch_uid=f"firebell {name}")


def installed(module: ModuleType) -> None:  # noqa: ARG001
    """Instrument when Celery's app is imported."""
    if not _State.is_connected:
        instrument()


def _queue_of(routing_key: str | None, exchange: str | None) -> str:
    return routing_key or exchange or "celery"


def _before_publish(
    sender: str | None = None,
    headers: dict[str, Any] | None = None,
    routing_key: str | None = None,
    exchange: str | None = None,
    **_: Any,
) -> None:
    if headers is None:
        return
    queue = _queue_of(routing_key, exchange)
    span = _work.sending(SYSTEM, queue, sender or "unknown", headers)
    identity = headers.get("id")
    if identity is None or len(_State.sending) >= SENDING_MAX:
        _work.ended(span)
        return
    _State.sending[identity] = span


def _after_publish(headers: dict[str, Any] | None = None, **_: Any) -> None:
    span = _State.sending.pop((headers or {}).get("id", ""), None)
    if span is not None:
        _work.ended(span)


def _prerun(task_id: str = "", task: Any = None, **_: Any) -> None:
    request = task.request
    delivery = getattr(request, "delivery_info", None) or {}
    # Headers of the message are attributes of the request; some brokers keep them apart as well.
    names = ("traceparent", "tracestate", "baggage", _work.SENT_AT)
    apart = getattr(request, "headers", None) or {}
    carrier = {name: getattr(request, name, None) or apart.get(name) for name in names}
    carrier[_work.SENT_AT] = _waits_since(carrier[_work.SENT_AT], getattr(request, "eta", None))
    _State.works[task_id] = _work.Work(
        SYSTEM,
        _queue_of(delivery.get("routing_key"), delivery.get("exchange")),
        task.name,
        carrier={name: value for name, value in carrier.items() if value},
        message_id=task_id,
        attempt=1 + (getattr(request, "retries", 0) or 0),
    )


def _waits_since(sent_at: str | None, eta: Any) -> str | None:
    """Return since when it waits for a worker: until its countdown ends it waits on purpose."""
    if not eta or not sent_at:
        return sent_at
    from datetime import datetime

    try:
        due = eta if isinstance(eta, datetime) else datetime.fromisoformat(str(eta))
        # Of a time without a zone nobody knows when it is.
        return None if due.tzinfo is None else f"{max(float(sent_at), due.timestamp()):.3f}"
    except ValueError:
        return None


def _retry(request: Any = None, reason: Any = None, **_: Any) -> None:
    work = _State.works.pop(getattr(request, "id", ""), None)
    if work is not None:
        cause = getattr(reason, "exc", None) or reason
        work.end(cause if isinstance(cause, BaseException) else None, will_retry=True)


def _failure(
    sender: Any = None, task_id: str = "", exception: BaseException | None = None, **_: Any
) -> None:
    work = _State.works.pop(task_id, None)
    if work is not None:
        work.end(exception, error_type=None if exception else "failure")
    elif exception is not None:
        # Of a child that is no more (killed, out of memory, beyond its time), told by its parent.
        with _native_scope():
            scope = _native.current_scope()
            scope.set_tag("task", getattr(sender, "name", "unknown"))
            scope.request_id = task_id
            _events.capture_unhandled(exception, "critical")


def _native_scope() -> Any:
    from ._context import scope

    return scope()


def _postrun(task_id: str = "", **_: Any) -> None:
    work = _State.works.pop(task_id, None)
    if work is not None:
        work.end()


def _revoked(
    request: Any = None, *, terminated: bool = False, expired: bool = False, **_: Any
) -> None:
    reason = "terminated" if terminated else "expired" if expired else "revoked"
    task, task_id = str(getattr(request, "task", "unknown")), str(getattr(request, "id", ""))
    _native.record("task_revoked", {"reason": reason, "task": task, "task_id": task_id})


def _worker_ready(sender: Any = None, **_: Any) -> None:
    app = getattr(sender, "app", None)
    if app is None or not _State.polls_queues or _State.poll is not None:
        return
    names = [queue.name for queue in sender.task_consumer.queues]
    _State.poll = _work.Poll(lambda: _look_at_queues(app, names))


def _worker_over(**_: Any) -> None:
    if _State.poll is not None:
        _State.poll.stop()
        _State.poll = None


def _child_over(**_: Any) -> None:
    # A pool's child leaves by os._exit, which runs no exit handlers.
    _native.flush(SECONDS_AT_THE_END)
    _native.mark_clean_exit()


def _beat_began(**_: Any) -> None:
    if not _State.watches_beat:
        return
    from ._heartbeat import heartbeat

    beat = heartbeat("celery-beat", every="1m", grace="2m")
    _State.poll = _work.Poll(beat.beat, seconds=30.0)


def _look_at_queues(app: Any, names: list[str]) -> None:
    with app.connection_for_read() as connection, connection.channel() as channel:
        for name in names:
            labels = _work.labels_of(SYSTEM, name)
            waiting = channel.queue_declare(queue=name, passive=True).message_count
            _work.metrics().depth.set(waiting, **labels)
            age = _oldest_age(channel, name)
            if age is not None:
                _work.metrics().oldest.set(age, **labels)


def _oldest_age(channel: Any, name: str) -> float | None:
    """Seconds; only Redis lets one look at a message without taking it."""
    client = getattr(channel, "client", None)
    if client is None or not hasattr(client, "lindex"):
        return None
    text = client.lindex(name, -1)
    if text is None:
        return 0.0
    import json

    sent_at = json.loads(text).get("headers", {}).get(_work.SENT_AT)
    return None if sent_at is None else max(0.0, time.time() - float(sent_at))


_RECEIVERS = {
    "before_task_publish": _before_publish,
    "after_task_publish": _after_publish,
    "task_prerun": _prerun,
    "task_retry": _retry,
    "task_failure": _failure,
    "task_postrun": _postrun,
    "task_revoked": _revoked,
    "worker_ready": _worker_ready,
    "worker_shutdown": _worker_over,
    "worker_process_shutdown": _child_over,
    "beat_init": _beat_began,
}
