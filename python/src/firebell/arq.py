"""arq: `class WorkerSettings(firebell.arq.Instrumented): functions = [send_mail]`.

arq has no headers. A job that is given no id by its sender gets one that is the sender's trace
context, so that nothing else has to travel, and workers without Firebell see an id like any other.
"""

from __future__ import annotations

import time

from . import _patch, _work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

SYSTEM = "arq"
SECONDS_BETWEEN_LOOKS = 15.0


class _State:
    """When this process last looked at its queue, by the monotonic clock."""

    looked_at = 0.0


def installed(module: ModuleType) -> None:
    """Wrap what enqueues, and each function of a worker."""
    from arq.connections import ArqRedis

    _patch.around(ArqRedis, "enqueue_job", _enqueue)
    _patch.around(module.Worker, "__init__", _init)


class Instrumented:
    """Base of a `WorkerSettings` class: the same as the integration, where that is switched off."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Instrument arq."""
        super().__init_subclass__(**kwargs)
        import arq.worker

        installed(arq.worker)


async def _enqueue(
    enqueue: Callable[..., Any], redis: Any, function: str, *args: Any, **kwargs: Any
) -> Any:
    queue = str(kwargs.get("_queue_name") or redis.default_queue_name)
    carrier: dict[str, Any] = {}
    span = _work.sending(SYSTEM, queue, function, carrier)
    try:
        if not kwargs.get("_job_id") and "traceparent" in carrier:
            kwargs["_job_id"] = carrier["traceparent"]
        found = await enqueue(redis, function, *args, **kwargs)
    except BaseException as error:
        _work.ended(span, error)
        raise
    _work.ended(span)
    return found


def _init(init: Callable[..., None], worker: Any, /, *args: Any, **kwargs: Any) -> None:
    init(worker, *args, **kwargs)
    for name, function in worker.functions.items():
        # A `Function` or `CronJob`: a dataclass with the coroutine to call.
        function.coroutine = _wrapped(worker, name, function.coroutine, function.max_tries)


def _wrapped(
    worker: Any, name: str, coroutine: Callable[..., Any], max_tries: int | None
) -> Callable[..., Any]:
    import functools

    @functools.wraps(coroutine)
    async def run(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        tries = int(ctx.get("job_try", 1))
        enqueued_at = ctx.get("enqueue_time")
        work = _work.Work(
            SYSTEM,
            worker.queue_name,
            name,
            carrier=_carrier_of(ctx.get("job_id")),
            message_id=ctx.get("job_id"),
            sent_at=None if enqueued_at is None else enqueued_at.timestamp(),
            attempt=tries,
        )
        try:
            await _look_at(worker)
            result = await coroutine(ctx, *args, **kwargs)
        except BaseException as error:
            work.end(error, will_retry=_will_retry(error, tries, max_tries or worker.max_tries))
            raise
        work.end()
        return result

    return run


def _carrier_of(job_id: str | None) -> dict[str, str]:
    # 00-<32 hex>-<16 hex>-<2 hex>: anything else is a sender's own id.
    is_ours = job_id is not None and len(job_id) == 55 and job_id.startswith("00-")
    return {"traceparent": job_id} if is_ours and job_id else {}


def _will_retry(error: BaseException, tries: int, tries_max: int) -> bool:
    from arq.worker import Retry, RetryJob

    is_asked_for = isinstance(error, (Retry, RetryJob)) or not isinstance(error, Exception)
    return is_asked_for and tries < tries_max


async def _look_at(worker: Any) -> None:
    """Now and then, when a job comes: how many are due, and since when."""
    now = time.monotonic()
    if _State.looked_at and now - _State.looked_at < SECONDS_BETWEEN_LOOKS:
        return
    _State.looked_at = now
    try:
        now_ms = time.time() * 1000
        labels = _work.labels_of(SYSTEM, worker.queue_name)
        # The one at work stays in the set until it ends.
        due = await worker.pool.zcount(worker.queue_name, "-inf", now_ms)
        running = len(worker.tasks)
        _work.metrics().depth.set(max(0, due - running), **labels)
        oldest = await worker.pool.zrange(worker.queue_name, 0, 0, withscores=True)
        age = max(0.0, (now_ms - oldest[0][1]) / 1000) if oldest else 0.0
        _work.metrics().oldest.set(age, **labels)
    except Exception as error:  # noqa: BLE001 - the job matters, not its measure.
        from . import _self

        _self.warn(f"the queue could not be looked at: {error!r}", kind="arq queue")
