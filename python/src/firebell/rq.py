"""RQ: jobs, their waiting and retries; also of the work horse, a child that leaves by `os._exit`.

Trace context travels in the job's `meta`. What a horse recorded is on its way or in its ring file
when it ends; a horse that was killed is told by its worker.
"""

from __future__ import annotations

import time

from . import _events, _native, _patch, _work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

SYSTEM = "rq"
META = "firebell"
SECONDS_AT_THE_END = 0.3
SECONDS_BETWEEN_LOOKS = 15.0


class _State:
    """What goes on in this process; RQ runs one job at a time."""

    error: BaseException | None = None
    looked_at = 0.0


def instrument() -> None:
    """Instrument queues and workers of this process; again changes nothing."""
    import rq.worker

    installed(rq.worker)


def installed(module: ModuleType) -> None:
    """Wrap what enqueues and what performs."""
    import rq.queue

    if not _patch.around(rq.queue.Queue, "_enqueue_job", _enqueue):
        _patch.around(rq.queue.Queue, "enqueue_job", _enqueue)
    for name in ("BaseWorker", "Worker", "SimpleWorker"):
        owner = getattr(module, name, None)
        if owner is not None:
            _patch.around(owner, "perform_job", _perform)
            _patch.around(owner, "handle_exception", _note_error)
            _patch.around(owner, "handle_work_horse_killed", _killed)
            _patch.around(owner, "main_work_horse", _horse)


def _enqueue(enqueue: Callable[..., Any], queue: Any, job: Any, *args: Any, **kwargs: Any) -> Any:
    carrier: dict[str, Any] = {}
    span = _work.sending(SYSTEM, queue.name, _name_of(job), carrier)
    try:
        job.meta[META] = carrier
        found = enqueue(queue, job, *args, **kwargs)
    except BaseException as error:
        _work.ended(span, error)
        raise
    _work.ended(span)
    return found


def _name_of(job: Any) -> str:
    return str(getattr(job, "func_name", None) or "unknown")


def _perform(perform: Callable[..., bool], worker: Any, job: Any, queue: Any, *more: Any) -> bool:
    meta = job.get_meta(refresh=False) if hasattr(job, "get_meta") else job.meta
    enqueued_at = getattr(job, "enqueued_at", None)
    retries_made = int(getattr(job, "number_of_retries", 0) or 0)
    work = _work.Work(
        SYSTEM,
        queue.name,
        _name_of(job),
        carrier=meta.get(META),
        message_id=job.id,
        sent_at=enqueued_at.timestamp() if enqueued_at is not None else None,
        attempt=1 + retries_made,
    )
    _State.error = None
    _look_at(queue)
    retries_left = int(getattr(job, "retries_left", 0) or 0)
    try:
        went_well = perform(worker, job, queue, *more)
    except BaseException as error:
        work.end(error)
        raise
    if went_well:
        work.end()
    else:
        kind = None if _State.error is not None else "failure"
        work.end(_State.error, will_retry=retries_left > 0, error_type=kind)
    return went_well


def _note_error(handle: Callable[..., Any], worker: Any, job: Any, *exc_info: Any) -> Any:
    _State.error = exc_info[1] if len(exc_info) > 1 else None
    return handle(worker, job, *exc_info)


def _horse(run: Callable[..., Any], worker: Any, *args: Any, **kwargs: Any) -> Any:
    # It ends by os._exit inside, through `SystemExit` or directly: what is ours happens before.
    import os

    leave = os._exit

    def leave_cleanly(code: int) -> Any:
        _native.flush(SECONDS_AT_THE_END)
        if code == 0:
            _native.mark_clean_exit()
        leave(code)

    os._exit = leave_cleanly  # type: ignore[assignment]
    return run(worker, *args, **kwargs)


def _killed(
    handle: Callable[..., Any], worker: Any, job: Any, pid: int, status: int, *more: Any
) -> Any:
    _events.fire(
        "JobKilled",
        f"the work horse of {_name_of(job)} ended with status {status}",
        severity="critical",
        labels={"task": _name_of(job), "queue": str(getattr(job, "origin", ""))},
        job_id=str(getattr(job, "id", "")),
        horse_pid=pid,
    )
    return handle(worker, job, pid, status, *more)


def _look_at(queue: Any) -> None:
    """Now and then, when a job comes: how many wait, and for how long."""
    now = time.monotonic()
    if _State.looked_at and now - _State.looked_at < SECONDS_BETWEEN_LOOKS:
        return
    _State.looked_at = now
    try:
        labels = _work.labels_of(SYSTEM, queue.name)
        _work.metrics().depth.set(queue.count, **labels)
        oldest = queue.get_job_ids(0, 1)
        job = queue.fetch_job(oldest[0]) if oldest else None
        enqueued_at = getattr(job, "enqueued_at", None)
        age = 0.0 if enqueued_at is None else max(0.0, time.time() - enqueued_at.timestamp())
        _work.metrics().oldest.set(age, **labels)
    except Exception as error:  # noqa: BLE001 - the job matters, not its measure.
        from . import _self

        _self.warn(f"the queue could not be looked at: {error!r}", kind="rq queue")
