"""Dramatiq: `broker.add_middleware(firebell.dramatiq.Middleware())`; by itself under "auto".

Trace context travels in the message's options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dramatiq as library

from . import _native, _patch, _work

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

SYSTEM = "dramatiq"
OPTION = "firebell"
SECONDS_AT_THE_END = 0.3


class Middleware(library.Middleware):  # type: ignore[misc, unused-ignore]
    """One of a broker: spans, times, waiting, retries, failures of its actors."""

    def __init__(self) -> None:
        self._sending: dict[str, _native.Span] = {}
        self._works: dict[str, _work.Work] = {}

    def before_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:  # noqa: ARG002
        """Begin the producer span."""
        carrier: dict[str, Any] = {}
        name = message.queue_name
        self._sending[message.message_id] = _work.sending(SYSTEM, name, message.actor_name, carrier)
        if delay:
            del carrier[_work.SENT_AT]
        message.options[OPTION] = carrier

    def after_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:  # noqa: ARG002
        """End it."""
        span = self._sending.pop(message.message_id, None)
        if span is not None:
            _work.ended(span)

    def before_process_message(self, broker: Any, message: Any) -> None:  # noqa: ARG002
        """Begin the work."""
        self._works[message.message_id] = _work.Work(
            SYSTEM,
            message.queue_name,
            message.actor_name,
            carrier=message.options.get(OPTION),
            message_id=message.message_id,
            attempt=1 + int(message.options.get("retries", 0)),
        )

    def after_process_message(
        self,
        broker: Any,
        message: Any,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        """End it; whether it is tried again, the middleware for retries has decided."""
        work = self._works.pop(message.message_id, None)
        if work is not None:
            will_retry = exception is not None and _will_retry(broker, message)
            work.end(exception, will_retry=will_retry)

    def after_skip_message(self, broker: Any, message: Any) -> None:  # noqa: ARG002
        """End one that another middleware skipped."""
        work = self._works.pop(message.message_id, None)
        if work is not None:
            work.end(error_type="skipped")

    def after_worker_shutdown(self, broker: Any, worker: Any) -> None:  # noqa: ARG002
        """Send what is left: processes of Dramatiq's command end by `os._exit`."""
        _native.flush(SECONDS_AT_THE_END)


def _will_retry(broker: Any, message: Any) -> bool:
    """As `Retries` decides: unless it failed for good, there are tries left."""
    if message.failed:
        return False
    from dramatiq.middleware import Retries

    retries = next((it for it in broker.middleware if isinstance(it, Retries)), None)
    if retries is None:
        return False
    actor = broker.get_actor(message.actor_name)
    tries_max = message.options.get("max_retries", actor.options.get("max_retries"))
    tries_max = retries.max_retries if tries_max is None else tries_max
    return tries_max is None or message.options.get("retries", 0) < tries_max


def installed(module: ModuleType) -> None:
    """Add the middleware to every broker when it is made."""
    _patch.around(module.Broker, "__init__", _init)


def _init(init: Callable[..., None], broker: Any, /, *args: Any, **kwargs: Any) -> None:
    init(broker, *args, **kwargs)
    if not any(isinstance(it, Middleware) for it in broker.middleware):
        broker.add_middleware(Middleware())
